/** Ranges that fit a tensor better than its extremes do. On a GPU all of it happens there: nothing is read back. */
import {
  add,
  cast,
  div,
  fill,
  getBackend,
  greater,
  lessEqual,
  neg,
  scalar,
  sum,
  tensor,
  type Tensor,
  type TensorLike,
  tidy,
  where,
} from '@tensorflow/tfjs-core';
import {checkOptions} from '../check/options';
import {bits, flag, integer, percent, type Rules} from '../check/rules';
import {checkAxis, floatTensor} from '../check/tensors';
import {alongAxis, extremesOf, otherAxes} from './ends';
import type {RoundingOptions} from './learned_rounding';
import {mseRangeOnDevice} from './mse_on_device';
import {type HostRange, mseRangeOnHost} from './mse_on_host';

/**
 * The grid that {@link mseRange} finds a range for.
 *
 * @example
 * ```js
 * import * as tf from '@tensorflow/tfjs';
 * import {mseRange} from 'tfjs-quantization/qat';
 *
 * const kernel = tf.randomNormal([3, 3, 8, 16]);
 * const options = {numBits: 4, symmetric: true, narrowRange: true, axis: 3};
 * const [min, max] = mseRange(kernel, options);
 * console.log(min.shape); // [16]
 * ```
 */
export interface MseRangeOptions {
  /** Width of the grid, 2 to 16 bits; 8 by default. */
  readonly numBits?: number;
  /** Keeps the range symmetric about 0; else, by default, it merely holds 0. */
  readonly symmetric?: boolean;
  /** Leaves out the lowest level; false by default. */
  readonly narrowRange?: boolean;
  /** The dimension with a range for each of its slices; left out for one range. */
  readonly axis?: number;
}

/**
 * How much {@link percentileRange} leaves out.
 *
 * @example
 * ```js
 * import * as tf from '@tensorflow/tfjs';
 * import {percentileRange} from 'tfjs-quantization/qat';
 *
 * const [min, max] = percentileRange(tf.randomNormal([1000, 3]), {percentile: 99, axis: 1});
 * console.log(max.shape); // [3]
 * ```
 */
export interface PercentileRangeOptions {
  /** How many of a hundred values stay inside, as many left out above as below; 99.99 by default. */
  readonly percentile?: number;
  /** The dimension with a range for each of its slices; left out for one range. */
  readonly axis?: number;
}

const MSE_RANGE: Rules<MseRangeOptions> = {numBits: bits, symmetric: flag, narrowRange: flag, axis: integer};
const PERCENTILE_RANGE: Rules<PercentileRangeOptions> = {percentile: percent, axis: integer};

/** Halvings in search of a percentile: as fine as float32. */
const HALVINGS = 25;

/** Whether there is no GPU to search in parallel, so that less is to be computed; the numbers are at hand then. */
function computesOnHost(): boolean {
  return !['webgl', 'webgpu'].includes(getBackend());
}

/** The ranges of x's slices, or of all of it. */
function hostRange(
  x: Tensor,
  axis: number | undefined,
  rangeOf: (values: Float32Array) => HostRange,
): [Tensor, Tensor] {
  const values = x.dataSync<'float32'>();
  if (axis === undefined) return rangeOf(values).map(end => scalar(end)) as [Tensor, Tensor];
  const channels = x.shape[axis]!;
  const inner = x.shape.slice(axis + 1).reduce((size, dim) => size * dim, 1);
  const slice = new Float32Array(values.length / channels);
  const ends = [new Float32Array(channels), new Float32Array(channels)] as const;
  for (let c = 0; c < channels; ++c) {
    for (let i = 0; i < slice.length; ++i) {
      slice[i] = values[(Math.floor(i / inner) * channels + c) * inner + (i % inner)]!;
    }
    [ends[0][c], ends[1][c]] = rangeOf(slice);
  }
  return [tensor(ends[0]), tensor(ends[1])];
}

/**
 * The range on which a grid of `numBits` moves the values of `x` least, in the mean square: at few bits narrower than
 * the extremes, as clipping few values costs less than coarse steps for all.
 *
 * @param x - float32 tensor, or numbers.
 * @param options - the grid.
 * @returns [min, max] around 0, scalars or a value for each slice of the axis. They are the caller's to dispose.
 * @throws if the width or the axis is out of its limits.
 *
 * @example
 * ```js
 * import * as tf from '@tensorflow/tfjs';
 * import {fakeQuant} from 'tfjs-quantization';
 * import {mseRange} from 'tfjs-quantization/qat';
 *
 * const x = tf.randomNormal([1000]);
 * const [min, max] = mseRange(x, {numBits: 3});
 * const y = fakeQuant(x, min, max, {numBits: 3});
 * ```
 */
export function mseRange(x: Tensor | TensorLike, options: MseRangeOptions = {}): [Tensor, Tensor] {
  checkOptions('mseRange', options, MSE_RANGE);
  const {numBits = 8, symmetric = false, narrowRange = false, axis} = options;
  const grid = {numBits, symmetric, narrowRange, zeroFree: false, ...(axis !== undefined && {axis})};
  return tidy(() => leastSquaresRange(floatTensor<Tensor>('mseRange', 'x', x), grid));
}

/** {@link mseRange} of any grid that weights have. */
export function leastSquaresRange(x: Tensor, grid: RoundingOptions): [Tensor, Tensor] {
  const axis = grid.axis === undefined ? undefined : checkAxis('mseRange', x, grid.axis);
  if (computesOnHost()) return hostRange(x, axis, values => mseRangeOnHost(values, grid));
  return mseRangeOnDevice(x, axis === undefined ? grid : {...grid, axis});
}

/** The smallest value that no more than `left` of x exceed, between 0 and the largest, for each channel. */
function upperEnd(x: Tensor, largest: Tensor, left: number, axis: number | undefined): Tensor {
  let [low, high]: Tensor[] = [fill(largest.shape, 0), largest];
  for (let i = 0; i < HALVINGS; ++i) {
    [low, high] = tidy(() => {
      const middle = div(add(low!, high!), 2);
      const above = sum(cast(greater(x, alongAxis(middle, x, axis)), 'float32'), otherAxes(x, axis));
      const fits = lessEqual(above, left);
      return [where(fits, low!, middle), where(fits, middle, high!)];
    });
  }
  return high!;
}

/** The range of all values but `left` on either side, and of 0. NaN is on neither side. */
function hostPercentile(values: Float32Array, left: number): HostRange {
  const sorted = values.slice().sort();
  let {length} = sorted;
  while (Number.isNaN(sorted[length - 1])) --length;
  if (left >= length) return [0, 0];
  return [Math.min(0, sorted[left]!), Math.max(0, sorted[length - 1 - left]!)];
}

/**
 * The range that holds all but the outermost values of `x`, to the precision of float32.
 *
 * @param x - float32 tensor, or numbers.
 * @param options - how many values stay inside.
 * @returns [min, max] around 0, scalars or a value for each slice of the axis. They are the caller's to dispose.
 * @throws if the percentile or the axis is out of its limits.
 *
 * @example
 * ```js
 * import * as tf from '@tensorflow/tfjs';
 * import {percentileRange} from 'tfjs-quantization/qat';
 *
 * const [min, max] = percentileRange(tf.range(-100, 101), {percentile: 90});
 * min.print(); // -90
 * max.print(); // 90
 * ```
 */
export function percentileRange(x: Tensor | TensorLike, options: PercentileRangeOptions = {}): [Tensor, Tensor] {
  checkOptions('percentileRange', options, PERCENTILE_RANGE);
  const {percentile = 99.99} = options;
  return tidy(() => {
    const input = floatTensor<Tensor>('percentileRange', 'x', x);
    const axis = options.axis === undefined ? undefined : checkAxis('percentileRange', input, options.axis);
    const count = axis === undefined ? input.size : input.size / input.shape[axis]!;
    // 5 of 1000 at 99, whatever the last bit of the product.
    const left = Math.floor(count * ((100 - percentile) / 200) * (1 + 2 ** -40));
    if (computesOnHost()) return hostRange(input, axis, values => hostPercentile(values, left));
    const [low, high] = extremesOf(input, axis);
    return [neg(upperEnd(neg(input), neg(low), left, axis)), upperEnd(input, high, left, axis)];
  });
}
