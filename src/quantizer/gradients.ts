/** An identity with a gradient of its own, for what an optimizer trains. */
import {clone, customGrad, type Tensor, zerosLike} from '@tensorflow/tfjs-core';

/** x, with a gradient of 0 for `variable`: optimizers count on each variable to have one in every step. */
export function besides<T extends Tensor>(x: T, variable: Tensor): T {
  return customGrad((given, idle) => ({
    value: clone(given as Tensor),
    gradFunc: dy => [dy, zerosLike(idle as Tensor)],
  }))(x, variable) as T;
}
