/** What is measured of activations on the device, for histograms that are added up on the host. */
import {clone, concat, keep, type Tensor, type Tensor2D} from '@tensorflow/tfjs-core';
import {CODES_EACH, extremesIn} from '../../kernels/histogram';
import {countBins, extremesOfParts, histogramOf} from '../ops/training';
import type {Histogram} from './histogram';

/** What is asked for, beside the extremes. */
export interface Asked {
  /** Counts, in the bins of kernels/histogram.ts. */
  readonly counting: boolean;
  /** The values themselves, for what is distinct among them. */
  readonly keeping: boolean;
}

/** An activation that passed. */
interface Passed {
  readonly histogram: Histogram;
  readonly size: number;
  /** Low ones and high ones in turn, in each row; a high one is infinite where a value is no finite number. */
  readonly extremes: Tensor2D;
  /** Counts; or bins, in float32, until they are counted. */
  counts: Tensor | undefined;
  readonly values: Tensor | undefined;
}

/**
 * Numbers that tell bins wait, on their way to the host, up to this share of the largest activation, as a prediction holds two
 * such, and so many at least: while the first ones are counted the device is at work on what came after.
 */
const KEPT_BINS = {share: 1 / 4, least: 2 ** 14};

/** Bins that a device told, on their way to the host to be counted: those of a batch that passes, and of the one before it. */
export class ToldBins {
  readonly #told: Passed[] = [];
  #waiting = 0;

  add(passed: Passed): void {
    if (!isTold(passed.counts)) return;
    this.#told.push(passed);
    this.#waiting += passed.counts.size;
  }

  /** Counts, those told first, until no more than so many numbers wait. */
  countUntil(most: number): void {
    while (this.#told.length > 0 && this.#waiting > most) this.#countFirst();
  }

  countAllOf(batch: readonly Passed[]): void {
    while (batch.some(({counts}) => isTold(counts))) this.#countFirst();
  }

  #countFirst(): void {
    const passed = this.#told.shift()!;
    const bins = passed.counts!;
    passed.counts = keep(countBins(bins, passed.size));
    this.#waiting -= bins.size;
    bins.dispose();
  }
}

/** Whether a device told bins, and did not count them. */
function isTold(counts: Tensor | undefined): counts is Tensor & {dtype: 'float32'} {
  return counts?.dtype === 'float32';
}

/** A batch on its way through a model. It keeps what was measured, and no activation but one that is asked for. */
export class MeasuredBatch {
  readonly #told: ToldBins;
  readonly #passed: Passed[] = [];
  #largest = 0;

  constructor(told: ToldBins) {
    this.#told = told;
  }

  /** Measures `x`, which is not empty. */
  add(histogram: Histogram, x: Tensor, {counting, keeping}: Asked): void {
    this.#largest = Math.max(this.#largest, x.size);
    const most = Math.max(KEPT_BINS.least, KEPT_BINS.share * this.#largest);
    this.#told.countUntil(most - x.size / CODES_EACH);
    const extremes = extremesOfParts(x);
    const counts = counting ? histogramOf(x, extremes) : undefined;
    const values = keeping ? clone(x) : undefined;
    for (const each of [extremes, counts, values]) if (each) keep(each);
    const passed: Passed = {histogram, size: x.size, extremes, counts, values};
    this.#passed.push(passed);
    this.#told.add(passed);
    this.#told.countUntil(most);
  }

  /**
   * Adds all to the histograms. Gives those that nothing was added to, as there was a value that is no finite number. What the
   * device is asked for meanwhile may be another batch.
   */
  async read(): Promise<ReadonlySet<Histogram>> {
    const notFinite = new Set<Histogram>();
    const [ends, counted, all] = await Promise.all([
      read(this.#passed.map(({extremes}) => extremes)),
      Promise.all(this.#passed.map(async ({counts}) => (isTold(counts) ? undefined : counts?.data<'int32'>()))),
      Promise.all(this.#passed.map(async ({values}) => values?.data())),
    ]);
    // What was told before the extremes were read is there as well.
    this.#told.countAllOf(this.#passed);
    for (const [i, {histogram, counts}] of this.#passed.entries()) {
      const [low, high] = extremesIn(ends[i]!);
      if (high === Infinity) {
        notFinite.add(histogram);
        continue;
      }
      histogram.addExtremes(low, high);
      const numbers = counted[i] ?? (await counts?.data<'int32'>());
      if (numbers) histogram.addCounts(low, high, numbers);
      if (all[i]) histogram.note(all[i]);
    }
    return notFinite;
  }

  dispose(): void {
    for (const {extremes, counts, values} of this.#passed) {
      for (const each of [extremes, counts, values]) each?.dispose();
    }
  }
}

type Rows = readonly ArrayLike<number>[];

/** What matrices of as many rows hold, read in one go, as a read of a GPU takes its time. */
async function read(matrices: readonly Tensor2D[]): Promise<Rows[]> {
  if (matrices.length === 0) return [];
  if (matrices.length === 1) return rowsOf(matrices, await matrices[0]!.data<'float32'>());
  const all = concat([...matrices], 1);
  try {
    return rowsOf(matrices, await all.data<'float32'>());
  } finally {
    all.dispose();
  }
}

/** The rows of each of some matrices that stand side by side. */
function rowsOf(matrices: readonly Tensor2D[], values: Float32Array): Rows[] {
  const width = matrices.reduce((sum, {shape}) => sum + shape[1], 0);
  let end = 0;
  return matrices.map(({shape: [height, columns]}) => {
    const start = end;
    end += columns;
    return Array.from({length: height}, (_, row) =>
      values.subarray(row * width + start, row * width + start + columns),
    );
  });
}
