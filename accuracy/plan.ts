/** What is to be trained, and how much of it there is: nothing here needs tfjs. */
import {ROWS, SIZES} from './rows';

/** Examples in a batch. */
export const BATCH = 64;

/** What a page is asked for: everything of one seed. */
export interface Plan {
  readonly task: string;
  readonly seed: number;
  readonly rows: readonly string[];
  readonly widths: readonly string[];
  /** The weights of the float network, layer by layer, if it is trained already. */
  readonly float?: readonly SavedTensor[];
  /** Results that are there already: {@link keyOf}. */
  readonly done: readonly string[];
}

export interface SavedTensor {
  readonly shape: readonly number[];
  /** Of float32, in base64. */
  readonly data: string;
}

/** One number of the table. */
export interface Result {
  readonly row: string;
  /** '' for float. */
  readonly width: string;
  readonly seed: number;
  /** Of the test images, in percent. */
  readonly accuracy: number;
  /** Of a step of training, in ms: the median over its epochs. */
  readonly step?: number;
}

export function keyOf({row, width, seed}: Pick<Result, 'row' | 'width' | 'seed'>): string {
  return `${row} ${width} ${seed}`;
}

/** How many steps a plan takes that are not done yet. */
export function stepCount({task, rows, widths, seed, float, done}: Plan): number {
  const {epochs, trainCount} = SIZES[task]!;
  const perEpoch = Math.ceil(trainCount / BATCH);
  const trained = ROWS.filter(({name, trains}) => rows.includes(name) && trains === 'quantized');
  const open = trained.flatMap(({name: row}) =>
    widths.filter(width => !done.includes(keyOf({row, width, seed}))),
  ).length;
  return (
    perEpoch * ((float ? 0 : epochs.float) + epochs.more * (open + (needsMore({rows, widths, seed, done}) ? 1 : 0)))
  );
}

/** Whether the float network has to be trained on, for those that are quantized afterwards. */
export function needsMore({rows, widths, seed, done}: Pick<Plan, 'rows' | 'widths' | 'seed' | 'done'>): boolean {
  const after = ROWS.filter(({name, trains}) => rows.includes(name) && trains === 'float');
  const keys = after.flatMap(({name: row}) => widths.map(width => keyOf({row, width, seed})));
  return [keyOf({row: 'float', width: '', seed}), ...keys].some(key => !done.includes(key));
}
