/** Extremes that stay on the GPU. */
import {op, type Tensor, type TensorLike} from '@tensorflow/tfjs-core';
import {runKernel} from '../../kernels/register';
import {checkAxis, floatTensor} from '../check/tensors';

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
