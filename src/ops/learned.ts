/** Fake quantization whose scale is learned by gradient descent. */
import {op, type Tensor, type TensorLike} from '@tensorflow/tfjs-core';
import type {LearnedAttrs} from '../../kernels/op_table';
import {runKernel} from '../../kernels/register';
import {givenOptions} from '../check/options';
import {anything, bits, flag, integer, invalid, type Rules} from '../check/rules';
import {checkAxis, checkPerChannel, checkScalars, floatTensor} from '../check/tensors';

/**
 * The grid of {@link fakeQuantWithLearnedScale}.
 *
 * @example
 * ```js
 * import {fakeQuantWithLearnedScale} from 'tfjs-quantization';
 *
 * const weights = [[-1, 0.3], [0.4, 2]];
 * const perColumn = {symmetric: true, numBits: 4, axis: 1};
 * fakeQuantWithLearnedScale(weights, [0.5, 1], perColumn).print(); // [[-1, 0], [0.5, 2]]
 * const withLowEnd = {offset: -0.5, numBits: 3};
 * fakeQuantWithLearnedScale([-1, 0.3, 2], 0.5, withLowEnd).print(); // [-0.5, 0.5, 2]
 * ```
 */
export interface LearnedScaleOptions {
  /** The low end of the range, 0 or less, in the unit of `x` and of the shape of `scale`; left out where it is fixed. */
  offset?: Tensor | TensorLike;
  /** Whether the levels lie on both sides of 0, or from 0 upwards; false by default. Goes without an `offset`. */
  symmetric?: boolean;
  /** Width of the grid, 2 to 16 bits; 8 by default. */
  numBits?: number;
  /** Leaves out the lowest level, so that a symmetric grid has as many levels on either side of 0; false by default. */
  narrowRange?: boolean;
  /** The dimension with a scale for each of its slices; left out for one scale. */
  axis?: number;
}

const RULES: Rules<LearnedScaleOptions> = {
  offset: anything,
  symmetric: flag,
  numBits: bits,
  narrowRange: flag,
  axis: integer,
};

const NAME = 'fakeQuantWithLearnedScale';

function fakeQuantWithLearnedScale_<T extends Tensor>(
  x: T | TensorLike,
  scale: Tensor | TensorLike,
  options: LearnedScaleOptions = {},
): T {
  const {offset, ...given} = givenOptions(NAME, options, RULES);
  const attrs: LearnedAttrs = {numBits: 8, narrowRange: false, symmetric: false, ...given};
  if (attrs.symmetric && offset !== undefined) {
    throw invalid(NAME, 'a symmetric grid has its low end from the scale. Leave out one of them.');
  }
  if (typeof scale === 'number' && !(scale > 0 && scale < Infinity)) {
    throw invalid(NAME, `scale must be above 0 and finite, but was ${scale}.`);
  }
  const inputs = floatTensor<T>(NAME, 'x', x);
  const grid: Record<string, Tensor> = {scale: floatTensor<Tensor>(NAME, 'scale', scale)};
  if (offset !== undefined) grid['offset'] = floatTensor<Tensor>(NAME, 'offset', offset);
  if (given.axis === undefined) checkScalars(NAME, grid);
  else checkPerChannel(NAME, inputs, (attrs.axis = checkAxis(NAME, inputs, given.axis)), grid);
  const kernelName = offset === undefined ? 'FakeQuantWithLearnedScale' : 'FakeQuantWithLearnedRange';
  return runKernel<T>(kernelName, {inputs, ...grid}, attrs);
}

/**
 * Fake quantization with a learned step size (LSQ: Esser et al. 2020, "Learned Step Size Quantization"), one kernel
 * forward and one or two for each gradient.
 *
 * 0 is always a level, so that an integer runtime can hold the grid:
 *
 *     y = roundHalfEven(clamp(x, qmin * scale, qmax * scale) / scale) * scale
 *
 * in float32, the division as a product with 1 / scale. With n = 2^numBits - 1, or one less if `narrowRange`, the
 * levels qmin to qmax are
 * - symmetric: -2^(numBits - 1), or one more if narrow, to 2^(numBits - 1) - 1;
 * - else, without an `offset`, 0 to n: for what a ReLU gives;
 * - with one, clamp(floor(offset / scale + 0.5), -n, 0) and n more.
 *
 * Gradients are straight-through: what TensorFlow's automatic differentiation gives where the roundings, and the clamp of
 * the low end, have the derivative of the identity. With v = x / scale:
 * - x: dy inside the range, both ends included; dy * 0 outside of it.
 * - scale: the sum of dy times round(v) - v inside, qmin below and qmax above; with an offset, less offset / scale below
 *   and above, since there the range moves with the offset.
 * - offset: the sum of dy outside the range.
 *
 * These are the plain gradients; LSQ scales that of the scale by 1 / sqrt(size * qmax), which matters to SGD and not
 * to Adam. NaN in `x` stays NaN, infinities become the ends. A scale that is 0, negative, NaN, infinite or a denormal
 * number makes every value NaN, and its gradient; so does an offset that is NaN. There is no second derivative.
 *
 * @param x - float32 tensor.
 * @param scale - the value of one step, above 0: a scalar, or a tensor [d] with an axis of size d.
 * @param options - {@link LearnedScaleOptions}
 * @returns a tensor of x's shape, every value a level times the scale.
 * @throws if a scale given as a number is not above 0, if the shape of the scale or the offset is not what the axis asks
 * for, or if an option is out of its limits.
 *
 * @example
 * ```js
 * import * as tf from '@tensorflow/tfjs';
 * import {fakeQuantWithLearnedScale} from 'tfjs-quantization';
 *
 * const options = {numBits: 3, symmetric: true};
 * const rounded = scale => fakeQuantWithLearnedScale([-1, 0.25, 2], scale, options);
 * rounded(tf.scalar(0.5)).print(); // [-1, 0, 1.5]
 * tf.grad(rounded)(tf.scalar(0.5)).print(); // 2.5
 * ```
 *
 * @function
 */
export const fakeQuantWithLearnedScale = /*#__PURE__*/ op({fakeQuantWithLearnedScale_});
