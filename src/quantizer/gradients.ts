/** Identities with gradients of their own, for what an optimizer trains. */
import {clone, customGrad, mul, type Tensor, zerosLike} from '@tensorflow/tfjs-core';

/**
 * x * factor, with the gradient of x alone. An optimizer that adapts to a gradient's size (Adam) takes no notice if the
 * gradient is scaled; so it is the variable that is scaled, and any optimizer moves the product `factor` times as fast.
 */
export function hastened(x: Tensor, factor: number): Tensor {
  if (factor === 1) return x;
  return customGrad(given => ({value: mul(given as Tensor, factor), gradFunc: dy => dy}))(x);
}

/** x, with a gradient of 0 for `variable`: optimizers count on each variable to have one in every step. */
export function besides<T extends Tensor>(x: T, variable: Tensor): T {
  return customGrad((given, idle) => ({
    value: clone(given as Tensor),
    gradFunc: dy => [dy, zerosLike(idle as Tensor)],
  }))(x, variable) as T;
}
