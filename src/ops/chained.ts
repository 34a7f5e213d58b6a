/**
 * The ops as methods: x.fakeQuant(0, 6). On the prototype of Tensor and in the module that declares it, as tfjs's own: see
 * tfjs-core's public/chained_ops.
 */
import {Tensor, type TensorLike} from '@tensorflow/tfjs-core';
import {
  fakeQuant,
  type FakeQuantArgsOptions,
  type FakeQuantOptions,
  type FakeQuantPerChannelOptions,
  fakeQuantWithMinMaxArgs,
  fakeQuantWithMinMaxVars,
  fakeQuantWithMinMaxVarsPerChannel,
  quantizeAndDequantizeV4,
  type QuantizeAndDequantizeOptions,
} from './ops';
import {sharedTensorClass} from './tfjs_internals';

declare module '@tensorflow/tfjs-core/dist/tensor.js' {
  interface Tensor {
    /** Rounds this tensor to a grid over [min, max]: see `fakeQuant`. */
    fakeQuant<T extends Tensor>(
      this: T,
      min: Tensor | TensorLike,
      max: Tensor | TensorLike,
      options?: FakeQuantPerChannelOptions,
    ): T;
    /** See `fakeQuantWithMinMaxArgs`. */
    fakeQuantWithMinMaxArgs<T extends Tensor>(this: T, options?: FakeQuantArgsOptions): T;
    /** See `fakeQuantWithMinMaxVars`. */
    fakeQuantWithMinMaxVars<T extends Tensor>(
      this: T,
      min: Scalar | TensorLike,
      max: Scalar | TensorLike,
      options?: FakeQuantOptions,
    ): T;
    /** See `fakeQuantWithMinMaxVarsPerChannel`. */
    fakeQuantWithMinMaxVarsPerChannel<T extends Tensor>(
      this: T,
      min: Tensor1D | TensorLike,
      max: Tensor1D | TensorLike,
      options?: FakeQuantPerChannelOptions,
    ): T;
    /** See `quantizeAndDequantizeV4`. */
    quantizeAndDequantizeV4<T extends Tensor>(
      this: T,
      inputMin?: Tensor | TensorLike,
      inputMax?: Tensor | TensorLike,
      options?: QuantizeAndDequantizeOptions,
    ): T;
  }
}

const METHODS = {
  fakeQuant,
  fakeQuantWithMinMaxArgs,
  fakeQuantWithMinMaxVars,
  fakeQuantWithMinMaxVarsPerChannel,
  quantizeAndDequantizeV4,
};

/** Gives every tensor the methods. */
export function addChainedMethods(): void {
  for (const {prototype} of new Set([Tensor, sharedTensorClass() ?? Tensor])) {
    for (const [name, method] of Object.entries(METHODS)) {
      Object.defineProperty(prototype, name, {
        value(this: Tensor, ...args: unknown[]): Tensor {
          return (method as (x: Tensor, ...rest: unknown[]) => Tensor)(this, ...args);
        },
        configurable: true,
        writable: true,
      });
    }
  }
}
