/** What is on the page now, and what happens to it: the steps from a model to files. */
import {signal} from '@preact/signals';
import {proxy, type Remote, wrap} from 'comlink';
import type {
  CurvePoint,
  ModelInfo,
  OnProgress,
  Progress,
  ReportRow,
  SampleInfo,
  Scores,
  Settings,
  Workbench,
} from './worker/contract';

/** The steps, in the order in which a visitor takes them: each stands on those before it. */
export type Step = 'model' | 'samples' | 'quantize' | 'see' | 'take' | 'run';

export const DEFAULTS: Settings = {
  weights: 8,
  activations: 8,
  keepEnds8bit: false,
  layers: {},
  method: 'mse',
  reestimateBatchNorm: false,
};

export const backend = signal('');
export const model = signal<ModelInfo | undefined>(undefined);
export const samples = signal<SampleInfo | undefined>(undefined);
export const settings = signal<Settings>(DEFAULTS);
/** Of the quantized model; undefined where there is none, or it is of other samples or settings than those chosen now. */
export const scores = signal<Scores | undefined>(undefined);
export const curve = signal<readonly CurvePoint[]>([]);
export const report = signal<readonly ReportRow[] | undefined>(undefined);

/** What is going on: one thing at a time. */
export const task = signal<{readonly step: Step; readonly progress: Progress} | undefined>(undefined);
/** What went wrong last in a step, in words, until it is tried again. */
export const failures = signal<Readonly<Partial<Record<Step, string>>>>({});

const worker = new Worker(new URL('./worker/worker.ts', import.meta.url), {name: 'workbench'});
export const bench: Remote<Workbench> = wrap<Workbench>(worker);

/**
 * Does something long for a step: shows how far it is, and what goes wrong. Resolves to undefined if it failed or was
 * cancelled, or if something else is going on.
 */
export async function perform<T>(
  step: Step,
  doing: string,
  work: (onProgress: OnProgress) => Promise<T>,
): Promise<T | undefined> {
  if (task.value) return undefined;
  task.value = {step, progress: {doing, done: 0, total: undefined}};
  failures.value = {...failures.value, [step]: undefined};
  try {
    return await work(proxy(progress => (task.value = {step, progress})));
  } catch (error) {
    const {name, message} = error as Error;
    if (name !== 'AbortError') failures.value = {...failures.value, [step]: message};
    return undefined;
  } finally {
    task.value = undefined;
  }
}

export function cancel(): void {
  void bench.cancel();
}
