/** What is on the page now, and what happens to it: the steps from a model to files. */
import {computed, signal} from '@preact/signals';
import {proxy, type Remote, wrap} from 'comlink';
import type {Example} from '../examples/examples';
import type {
  CurvePoint,
  Improvement,
  LayerSettings,
  ModelInfo,
  ModelSource,
  OnProgress,
  Progress,
  ReportRow,
  Restored,
  SampleInfo,
  SampleSource,
  Scaling,
  Scores,
  Settings,
  Workbench,
} from './worker/contract';

/** The steps, in the order in which a visitor takes them: each stands on those before it. */
export const STEPS = ['model', 'samples', 'quantize', 'see', 'improve', 'take', 'run'] as const;
export type Step = (typeof STEPS)[number];
/** Where something goes on: in a step, or in the choice of what computes. */
export type Place = Step | 'machine';

const DEFAULTS: Settings = {
  weights: 8,
  activations: 8,
  keepEnds8bit: false,
  layers: {},
  method: 'mse',
  reestimateBatchNorm: false,
};

export const backend = signal('');
export const backends = signal<readonly string[]>([]);
export const model = signal<ModelInfo | undefined>(undefined);
/** Where the model came from; undefined if from the last visit. */
export const modelSource = signal<ModelSource | undefined>(undefined);
export const samples = signal<SampleInfo | undefined>(undefined);
export const sampleSource = signal<SampleSource | undefined>(undefined);
export const settings = signal<Settings>(DEFAULTS);
/** Whether a quantized model is on the bench. The last visit's has no scores until there are samples. */
export const isQuantized = signal(false);
/** Of the quantized model, which may be of other samples or settings than those chosen now: see {@link isStale}. */
export const scores = signal<Scores | undefined>(undefined);
/** What they were before the last improvement. */
export const scoresBefore = signal<Scores | undefined>(undefined);
export const curve = signal<readonly CurvePoint[]>([]);
export const report = signal<readonly ReportRow[] | undefined>(undefined);

/** What is going on: one thing at a time. */
export const task = signal<{readonly step: Place; readonly progress: Progress} | undefined>(undefined);
export const isBusy = computed(() => task.value !== undefined);
/** What went wrong last in a place, in words, until it is tried again. */
export const failures = signal<Readonly<Partial<Record<Place, string>>>>({});
/** What screen readers are told next. */
export const announcement = signal('');
/** The step whose heading takes the focus next. */
export const destination = signal<Step | undefined>(undefined);

const quantizedWith = signal<{readonly settings: Settings; readonly samples: SampleInfo | undefined} | undefined>(
  undefined,
);
/** Whether settings or samples changed since the model was quantized. */
export const isStale = computed(() => {
  const made = quantizedWith.value;
  if (!isQuantized.value || !made) return false;
  const hasOtherSamples = made.samples !== undefined && made.samples !== samples.value;
  return hasOtherSamples || JSON.stringify(made.settings) !== JSON.stringify(settings.value);
});

const worker = new Worker(new URL('./worker/worker.ts', import.meta.url), {name: 'workbench'});
export const bench: Remote<Workbench> = wrap<Workbench>(worker);

/** What the worker does; rejects if it could not start or ended, which nobody would hear of. */
async function ofWorker<T>(work: Promise<T>): Promise<T> {
  const over = new AbortController();
  const stopped = new Promise<never>((_, reject) => {
    const fail = ({message}: ErrorEvent) =>
      reject(new Error(`What does the work here stopped: ${message || 'its script did not load'}. Reload the page.`));
    worker.addEventListener('error', fail, {signal: over.signal});
  });
  try {
    return await Promise.race([work, stopped]);
  } finally {
    over.abort();
  }
}

/** Stops what is going on. */
let stopTask: () => void = () => void bench.cancel();

/**
 * Does something long for a step: shows how far it is, and what goes wrong. Resolves to undefined if it failed or was
 * cancelled, or if something else is going on. What is no work of the bench brings its own `stop`, upon which `work` rejects
 * with an AbortError.
 */
export async function perform<T>(
  step: Place,
  doing: string,
  work: (onProgress: OnProgress) => Promise<T>,
  stop: () => void = () => void bench.cancel(),
): Promise<T | undefined> {
  if (isBusy.value) return undefined;
  // What is told comes on a way of its own, and may come after the result.
  let isOver = false;
  const show = (progress: Progress) => {
    if (!isOver) task.value = {step, progress};
  };
  show({doing, done: 0, total: undefined});
  say(`${doing}…`);
  failures.value = {...failures.value, [step]: undefined};
  stopTask = stop;
  const focused = document.activeElement;
  try {
    const result = await ofWorker(started.then(() => work(proxy(show))));
    say('');
    return result;
  } catch (error) {
    const {name, message} = error as Error;
    if (name === 'AbortError') say('Cancelled. All is as it was before.');
    else failures.value = {...failures.value, [step]: message};
    return undefined;
  } finally {
    isOver = true;
    task.value = undefined;
    requestAnimationFrame(() => giveFocusBack(focused));
  }
}

/** What was pressed could not keep the focus while something went on, nor can a button that is gone. */
function giveFocusBack(to: Element | null): void {
  if (document.activeElement === document.body && to instanceof HTMLElement) to.focus();
}

export function cancel(): void {
  stopTask();
}

export function say(text: string): void {
  announcement.value = text;
}

/** Leads the visitor on to a step, once it is on the page. */
function goTo(step: Step): void {
  destination.value = step;
}

export async function chooseBackend(name: string): Promise<void> {
  const chosen = await perform('machine', `Starting ${name}`, () => bench.useBackend(name));
  if (chosen) backend.value = chosen.name;
}

async function start(): Promise<void> {
  const {name, available} = await bench.useBackend();
  backend.value = name;
  backends.value = available;
  await restore();
}

/** Shows nothing where there was no last visit, nor where the visitor does something already. */
async function restore(): Promise<void> {
  let shown: typeof task.value;
  let isOver = false;
  const show = (progress: Progress) => {
    if (!isOver && task.value === shown) task.value = shown = {step: 'model', progress};
  };
  try {
    const kept = await bench.restore(proxy(show));
    if (kept) takeRestored(kept);
  } catch (error) {
    const {name, message} = error as Error;
    if (name !== 'AbortError')
      failures.value = {...failures.value, model: `Your last model did not come back. ${message}`};
  } finally {
    isOver = true;
    if (task.value === shown) task.value = undefined;
  }
}

function takeRestored(kept: Restored): void {
  takeModel(kept.model, undefined);
  settings.value = kept.settings ?? settings.value;
  isQuantized.value = kept.isQuantized;
  quantizedWith.value = kept.isQuantized ? {settings: settings.value, samples: undefined} : undefined;
}

export async function forget(): Promise<void> {
  await bench.forget();
  takeModel(undefined, undefined);
  say('Forgotten: nothing of it is kept in this browser.');
  goTo('model');
}

/** All that was of the model before goes with it. */
function takeModel(info: ModelInfo | undefined, source: ModelSource | undefined): void {
  model.value = info;
  modelSource.value = source;
  settings.value = DEFAULTS;
  failures.value = {};
  isQuantized.value = false;
  quantizedWith.value = undefined;
  takeSamples(undefined, undefined);
  takeScores(undefined);
}

export function hasBatchNorm({layers}: ModelInfo): boolean {
  return layers.some(({className}) => className === 'BatchNormalization');
}

async function readModel(source: ModelSource): Promise<boolean> {
  const info = await perform('model', 'Reading the model', onProgress => bench.openModel(source, onProgress));
  if (info) takeModel(info, source);
  return info !== undefined;
}

/** Resolves to whether it was read. */
export async function openModel(source: ModelSource): Promise<boolean> {
  const isRead = await readModel(source);
  if (isRead) goTo('samples');
  return isRead;
}

/** An example with its own samples, in one go. */
export async function openExample({name, hasSamples}: Example): Promise<boolean> {
  if (!(await readModel({kind: 'example', name}))) return false;
  if (hasSamples) await openSamples({kind: 'example'});
  else goTo('samples');
  return true;
}

function takeSamples(info: SampleInfo | undefined, source: SampleSource | undefined): void {
  const before = samples.value;
  samples.value = info;
  sampleSource.value = source;
  before?.previews.forEach(preview => preview.close());
}

export async function openSamples(source: SampleSource): Promise<boolean> {
  const info = await perform('samples', 'Reading the samples', onProgress => bench.openSamples(source, onProgress));
  if (!info) return false;
  const before = sampleSource.value;
  takeSamples(info, source);
  // Who reads the same files another way is not done here.
  if (source.kind !== 'files' || before?.kind !== 'files' || source.files !== before.files) goTo('quantize');
  if (isQuantized.value && !scores.value) void score();
  return true;
}

export async function setScaling(scaling: Scaling, inverted: boolean): Promise<void> {
  const info = await perform('samples', 'Scaling the samples', () => bench.setScaling(scaling, inverted));
  if (info) takeSamples(info, sampleSource.value);
}

function takeScores(now: Scores | undefined): void {
  scores.value = now;
  scoresBefore.value = undefined;
  report.value = undefined;
  curve.value = [];
}

/** Of the last visit's quantized model, once there are samples. */
async function score(): Promise<void> {
  const now = await perform('quantize', 'Comparing it with the float model', onProgress => bench.score(onProgress));
  if (!now) return;
  takeScores(now);
  goTo('see');
}

export async function quantize(): Promise<void> {
  const made = {settings: settings.value, samples: samples.value};
  const now = await perform('quantize', 'Quantizing', onProgress => bench.quantize(made.settings, onProgress));
  if (!now) return;
  takeScores(now);
  isQuantized.value = true;
  quantizedWith.value = made;
  goTo('see');
}

export async function suggestWidths(bitsPerWeight: number): Promise<void> {
  const layers = await perform('quantize', 'Trying widths', onProgress =>
    bench.suggestWidths(bitsPerWeight, settings.value, onProgress),
  );
  if (layers) settings.value = {...settings.value, layers};
}

/** Of one layer; undefined takes it back to what all have. */
export function setLayer(name: string, layer: LayerSettings | undefined): void {
  const others = Object.entries(settings.value.layers).filter(([other]) => other !== name);
  const layers = Object.fromEntries<LayerSettings>(layer ? [...others, [name, layer]] : others);
  settings.value = {...settings.value, layers};
}

export async function improve(improvement: Improvement): Promise<void> {
  const doing = improvement.kind === 'train' ? 'Training' : 'Teaching';
  const before = curve.value;
  curve.value = [];
  let isCancelled = false;
  const now = await perform('improve', doing, onProgress => {
    const onPoint = (point: CurvePoint) => {
      if (isCancelled) return;
      curve.value = [...curve.value, point];
      onProgress({doing, done: point.step, total: point.steps});
    };
    return bench.improve(improvement, proxy(onPoint));
  });
  if (!now) {
    isCancelled = true;
    curve.value = before;
    return;
  }
  scoresBefore.value = scores.value;
  scores.value = now;
  report.value = undefined;
  say('Improved.');
}

const started = ofWorker(start());
started.catch((error: unknown) => {
  failures.value = {...failures.value, model: (error as Error).message};
});
