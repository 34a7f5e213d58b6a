/** What is to be trained, and how much of it there is: nothing here needs tfjs. */
import {BATCH, type Row, ROWS, SIZES} from './rows';

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

/** A network that is to be trained and measured. */
export interface Cell {
  readonly row: Row;
  readonly width: string;
}

/** What of a plan is not done yet. */
export function openCells({rows, widths, seed, done}: Plan, trains: Row['trains']): Cell[] {
  return ROWS.filter(row => row.trains === trains && rows.includes(row.name)).flatMap(row =>
    widths
      .filter(width => row.widths?.includes(width) ?? true)
      .filter(width => !done.includes(keyOf({row: row.name, width, seed})))
      .map(width => ({row, width})),
  );
}

/** Whether the accuracy of the float network is still to be measured. */
export function isFloatOpen({seed, done}: Plan): boolean {
  return !done.includes(keyOf({row: 'float', width: '', seed}));
}

/** How many steps a plan takes that are not done yet. */
export function stepCount(plan: Plan): number {
  const {epochs, trainCount} = SIZES[plan.task]!;
  const perEpoch = Math.ceil(trainCount / BATCH);
  const [quantized, after] = [openCells(plan, 'quantized'), openCells(plan, 'float')];
  const trained = quantized.length + (after.length > 0 || isFloatOpen(plan) ? 1 : 0);
  if (trained === 0) return 0;
  const distilled = after.reduce((sum, {row}) => sum + (row.distils ?? 0), 0);
  return perEpoch * ((plan.float ? 0 : epochs.float) + epochs.more * trained) + distilled;
}
