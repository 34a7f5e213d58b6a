/** Ranges that stay on the GPU: measured, moved from batch to batch and used, without a value being read back. */
import {op, type Tensor, type Tensor2D, type TensorLike, zeros} from '@tensorflow/tfjs-core';
import {type MovingObserver, symmetricRatio} from '../../kernels/observe';
import {runKernel} from '../../kernels/register';
import {checkAxis, floatTensor} from '../check/tensors';

/** How a moving range follows the batches, and the grid that it is for. */
export interface MovingRangeOptions {
  readonly numBits: number;
  readonly narrowRange: boolean;
  /** Counted from 0; left out for one range per tensor. */
  readonly axis?: number;
  readonly observer: MovingObserver;
  /** How much of a moving average stays from one batch to the next. */
  readonly decay: number;
  /** Whether the average is over the batches seen, and not also over the initial range. */
  readonly debias: boolean;
  /** Whether low and high are kept symmetric about 0; else they merely hold 0. */
  readonly symmetric: boolean;
}

/** A range before its first batch: rows of lows, of highs, and of the weight of what was seen. */
export function initialRange(channels: number | undefined): Tensor {
  return zeros(channels === undefined ? [3] : [3, channels]);
}

/**
 * Measures `x`, moves `range` towards what was measured, and rounds `x` to the grid of the moved range: at most four
 * dispatches. Returns [y, the moved range]. Only `x` has a gradient.
 */
export function fakeQuantWithMovingRange<T extends Tensor>(
  x: T,
  range: Tensor,
  options: MovingRangeOptions,
): [T, Tensor] {
  const {numBits, narrowRange, axis, observer, decay, debias, symmetric} = options;
  const rule = {observer, rate: 1 - decay, debias, ratio: symmetric ? symmetricRatio(numBits, narrowRange) : 0};
  const attrs = {numBits, narrowRange, ...rule, ...(axis !== undefined && {axis})};
  return runKernel<[T, Tensor]>('FakeQuantWithMovingRange', {inputs: x, range}, attrs);
}

/** Rounds `x` to the grid of a range that stays as it is. Only `x` has a gradient. */
export function fakeQuantWithRange<T extends Tensor>(
  x: T,
  range: Tensor,
  attrs: {numBits: number; narrowRange: boolean; axis?: number},
): T {
  return runKernel<T>('FakeQuantWithRange', {inputs: x, range}, attrs);
}

/**
 * The smallest and the largest value of `x`, [2]; the largest is infinite where any is no finite number. The first step of
 * {@link histogramOf}.
 */
export function extremesOrInfinite(x: Tensor): Tensor {
  return runKernel('MinMax', {x}, {strict: true});
}

/**
 * The same of parts that make up `x`, in one dispatch: [rows, 2 * parts], in each row a smallest and a largest value in turn.
 */
export function extremesOfParts(x: Tensor): Tensor2D {
  return runKernel('MinMaxOfParts', {x}, {});
}

/**
 * How many values of `x`, all finite, lie in each bin about their extremes: int32, [4096]; or, in float32, the bins of all, to be
 * counted on the host: kernels/histogram.ts has both.
 */
export function histogramOf(x: Tensor, extremes: Tensor): Tensor {
  return runKernel('HistogramOfExtremes', {x, extremes}, {});
}

function minMax_(x: Tensor | TensorLike, axis?: number): Tensor {
  const tensor = floatTensor('minMax', 'x', x);
  return runKernel('MinMax', {x: tensor}, axis === undefined ? {} : {axis: checkAxis('minMax', tensor, axis)});
}

/**
 * The smallest and the largest value of `x` in one pass over it, at most two dispatches; nothing is read back.
 *
 * NaN is skipped; of nothing but NaN, or of nothing at all, it is Infinity and -Infinity. `tf.unstack` takes the two apart.
 *
 * @param x - float32 tensor, or numbers.
 * @param axis - the dimension with extremes for each of its slices; left out for the extremes of all.
 * @returns a tensor [2], or [2, d] with an axis of size d: the minima, then the maxima. It has no gradient.
 * @throws if the axis is out of range.
 *
 * @example
 * ```js
 * import * as tf from '@tensorflow/tfjs';
 * import {minMax} from 'tfjs-quantization';
 *
 * const [min, max] = tf.unstack(minMax([[3, -1], [0.5, 2]], 1)); // of each column
 * min.print(); // [0.5, -1]
 * max.print(); // [3, 2]
 * ```
 *
 * @function
 */
export const minMax = /*#__PURE__*/ op({minMax_});
