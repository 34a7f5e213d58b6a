/** What is measured of activations on the device, for histograms that are added up on the host. */
import {clone, concat, dispose, keep, reshape, slice, type Tensor, type Tensor2D} from '@tensorflow/tfjs-core';
import {CODES_EACH, extremesIn} from '../../kernels/histogram';
import {countBins, extremesOfParts, histogramOf} from '../ops/training';
import {type Histogram, LOOKED_AT} from './histogram';

/** What is asked for, beside the extremes. */
export interface Asked {
  /** Counts, in the bins of kernels/histogram.ts. */
  readonly counting: boolean;
  /** Some of the values. */
  readonly sampling: boolean;
}

/** An activation that passed. */
interface Passed {
  readonly histogram: Histogram;
  readonly size: number;
  /** Low ones and high ones in turn, in each row; a high one is infinite where a value is no finite number. */
  readonly extremes: Tensor2D;
  /** Counts; or bins, in float32, until they are counted. */
  counts: Tensor | undefined;
  readonly sample: Tensor | undefined;
}

/**
 * Numbers that tell bins are kept up to this share of the largest activation, as a prediction holds two such, and so many at
 * least: to read each tensor's at once would have the device wait for each.
 */
const KEPT_BINS = {share: 1 / 2, least: 2 ** 14};

/** A batch on its way through a model. It keeps what was measured, and no activation. */
export class MeasuredBatch {
  readonly #passed: Passed[] = [];
  #waiting = 0;
  #largest = 0;

  /** Measures `x`, which is not empty. */
  add(histogram: Histogram, x: Tensor, {counting, sampling}: Asked): void {
    this.#largest = Math.max(this.#largest, x.size);
    const most = Math.max(KEPT_BINS.least, KEPT_BINS.share * this.#largest);
    // Reading takes as much again: what waits is read before more comes, and what is much is read alone.
    if (this.#waiting > 0 && this.#waiting + x.size / CODES_EACH > most) this.#countNow();
    const extremes = extremesOfParts(x);
    const counts = counting ? histogramOf(x, extremes) : undefined;
    const sample = sampling ? someOf(x) : undefined;
    for (const each of [extremes, counts, sample]) if (each) keep(each);
    this.#passed.push({histogram, size: x.size, extremes, counts, sample});
    if (counts?.dtype === 'float32') this.#waiting += counts.size;
    if (this.#waiting > most) this.#countNow();
  }

  /** Adds all to the histograms. Gives those that nothing was added to, as there was a value that is no finite number. */
  async read(): Promise<ReadonlySet<Histogram>> {
    const ends = await read(this.#passed.map(({extremes}) => extremes));
    // What was told before them is there as well.
    this.#countNow();
    const notFinite = new Set<Histogram>();
    await Promise.all(
      this.#passed.map(async ({histogram, counts, sample}, i) => {
        const [low, high] = extremesIn(ends[i]!);
        const [numbers, values] = await Promise.all([counts?.data<'int32'>(), sample?.data()]);
        if (high === Infinity) return void notFinite.add(histogram);
        histogram.addExtremes(low, high);
        if (numbers) histogram.addCounts(low, high, numbers);
        if (values) histogram.note(values);
      }),
    );
    return notFinite;
  }

  dispose(): void {
    for (const {extremes, counts, sample} of this.#passed) {
      for (const each of [extremes, counts, sample]) each?.dispose();
    }
  }

  /** Of a backend that tells bins, which is one that can be read at once. */
  #countNow(): void {
    const told = this.#passed.filter(({counts}) => counts?.dtype === 'float32');
    this.#waiting = 0;
    if (told.length === 0) return;
    const bins = told.map(({counts}) => counts!);
    const counted = countBins(
      bins,
      told.map(({size}) => size),
    );
    dispose(bins);
    told.forEach((passed, i) => (passed.counts = keep(counted[i]!)));
  }
}

/** Not sliced for nothing: tfjs's WebGPU backend cannot slice what were integers. */
function someOf(x: Tensor): Tensor {
  return x.size <= LOOKED_AT ? clone(x) : slice(reshape(x, [-1]), 0, LOOKED_AT);
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
