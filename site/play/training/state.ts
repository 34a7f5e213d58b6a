/** Trainings: the one whose networks read, and the one that goes on. */
import {signal} from '@preact/signals';
import {proxy} from 'comlink';
import {decode} from '../../../lab/base64';
import {open} from '../reading/state';
import {startWorker} from '../workers';
import {epochCount, type Plan, type Score} from './plan';

/** Networks that were trained and compared, here or beforehand. */
export interface Comparison {
  readonly plan: Plan;
  readonly scores: readonly Score[];
  /** How it came about: 'Trained in 9 s on webgl.' */
  readonly origin: string;
}

/** What the form holds, as text. */
export interface Settings {
  readonly backend: string;
  readonly bits: string;
  readonly epochs: string;
  readonly seed: string;
  readonly seeds: string;
}

const DEFAULTS: Settings = {backend: 'auto', bits: '8,4,3,2', epochs: '12', seed: '1', seeds: '1'};

/** The address may say otherwise. */
export const settings = signal<Settings>({
  ...DEFAULTS,
  ...Object.fromEntries([...new URLSearchParams(location.search)].filter(([name]) => name in DEFAULTS)),
});
/** The last one that came to its end. */
export const finished = signal<Comparison | undefined>(undefined);

export interface Running {
  readonly comparison: Comparison;
  readonly doing: string;
  /** Epochs; undefined until the first begins. */
  readonly done: number | undefined;
  readonly total: number;
}

export const running = signal<Running | undefined>(undefined);
/** What went wrong last, in words. */
export const failure = signal('');

/** Of the .tflite files of the last comparison, where they were run: by width, as text. */
export const fileAccuracies = signal<Readonly<Record<number, string>> | undefined>(undefined);

function planOf({bits, epochs, seed, seeds}: Settings): Plan {
  return {
    bits: [...new Set(bits.split(',').map(Number))],
    epochs: Number(epochs),
    seed: Number(seed),
    seeds: Number(seeds),
  };
}

/** Makes a comparison the one that the page shows, and has its networks read: those of the first seed. */
function finish(comparison: Comparison): void {
  finished.value = comparison;
  fileAccuracies.value = undefined;
  open(
    comparison.scores.flatMap(({method, bits, seed, numbers}) =>
      numbers && seed === comparison.plan.seed ? [{method, bits, numbers}] : [],
    ),
  );
}

let stop: (() => void) | undefined;

/** Trains as the form says. Resolves to undefined if it was cancelled. */
export async function train(onEpoch?: (done: number, total: number) => void): Promise<Comparison | undefined> {
  const {backend: asked} = settings.value;
  const plan = planOf(settings.value);
  const total = epochCount(plan);
  const scores: Score[] = [];
  let backend = '';
  let done: number | undefined;
  let start = 0;
  // What the worker told before it was ended may come after that.
  let isOver = false;
  const show = (doing: string) => {
    if (isOver) return;
    running.value = {comparison: {plan, scores: [...scores], origin: ''}, doing, done, total};
    if (done !== undefined) onEpoch?.(done, total);
  };

  failure.value = '';
  show(asked === 'auto' ? 'Trying the backends' : `Opening ${asked}`);
  const {digits, broken, end} = startWorker();
  const cancelled = new Promise<'cancelled'>(resolve => (stop = () => resolve('cancelled')));
  const trained = digits.train(
    plan,
    asked,
    proxy(name => {
      backend = name;
      start = performance.now();
      done = 0;
      show(`Training on ${backend}`);
    }),
    proxy(score => {
      scores.push(score);
      if (score.method === 'PTQ') return;
      done! += 1;
      show(`Training on ${backend}`);
    }),
  );
  try {
    if ((await Promise.race([trained, broken, cancelled])) === 'cancelled') return undefined;
    const seconds = Math.round((performance.now() - start) / 1000);
    const comparison = {plan, scores, origin: `Trained in ${seconds} s on ${backend}.`};
    finish(comparison);
    return comparison;
  } finally {
    isOver = true;
    end();
    running.value = undefined;
  }
}

export function cancel(): void {
  stop?.();
}

/** The file of networks that were trained beforehand: those that read until a visitor trains others. */
export interface Beforehand {
  readonly plan: Plan;
  readonly scores: readonly (Omit<Score, 'numbers' | 'file'> & {readonly numbers?: string})[];
}

export async function openTrainedBeforehand(): Promise<void> {
  const response = await fetch(new URL('./trained.json', import.meta.url));
  if (!response.ok) throw new Error(`The trained networks did not come (${response.status}). Reload the page.`);
  const {plan, scores} = (await response.json()) as Beforehand;
  if (finished.value) return;
  finish({
    plan,
    origin: 'Trained beforehand.',
    scores: scores.map(({numbers, ...score}) => ({
      ...score,
      ...(numbers !== undefined && {numbers: new Float32Array(decode(numbers).buffer)}),
    })),
  });
}
