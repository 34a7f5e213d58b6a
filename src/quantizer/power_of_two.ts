/** Symmetric ranges whose step is a power of two, so that integers are shifted where they are multiplied else. */
import {
  cast,
  concat,
  expandDims,
  greater,
  max,
  maximum,
  mul,
  neg,
  slice,
  type Tensor,
  tensor1d,
} from '@tensorflow/tfjs-core';

const LOWEST = -20;
/** Logarithms and powers are inexact on GPUs: what may come out is listed. */
const POWERS = Array.from({length: 41}, (_, i) => 2 ** (LOWEST + i));
/** The next larger range of such a step: the lower end's row, and the upper one's. */
export function atPowerOfTwo(range: Tensor, numBits: number): Tensor {
  const most = expandDims(neg(slice(range, 0, 1)), -1);
  // What holds 1 is a little more than that, as there is a level fewer above 0: no value moves by more than a step.
  const isBeyond = greater(most, tensor1d(POWERS.map(power => power * (1 + 1.5 * 2 ** (1 - numBits)))));
  const next = max(mul(cast(isBeyond, 'float32'), tensor1d(POWERS.map(power => 2 * power))), -1);
  const end = maximum(next, POWERS[0]!);
  return concat([neg(end), mul(end, 1 - 2 ** (1 - numBits))]);
}
