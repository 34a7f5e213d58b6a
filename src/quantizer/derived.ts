/** A tensor that is computed from others, and kept until one of them changes. */
import {engine, type Tensor, tidy, type Variable, variable} from '@tensorflow/tfjs-core';

/**
 * What does not change from one prediction to the next is computed once: rounded weights, and the grids of ranges. A tensor's
 * data never change, and a variable that is assigned to gets other data.
 */
export class Derived {
  /** A variable, which lives on beyond scopes, and ends where all others do: by tf.disposeVariables. */
  #value: Variable | undefined;
  #sources: readonly object[] = [];

  /**
   * What `compute` gives, of tensors that `sources` lists once it has run. Where a gradient is asked for, which has to pass
   * through it, nothing is kept. The caller does not dispose of it.
   */
  of(sources: () => readonly Tensor[], compute: () => Tensor): Tensor {
    if (engine().state.gradientDepth > 0) {
      this.forget();
      return compute();
    }
    const isSame = () => {
      const now = sources();
      return now.length === this.#sources.length && now.every(({dataId}, i) => dataId === this.#sources[i]);
    };
    if (this.#value && !this.#value.isDisposed && isSame()) return this.#value;
    this.forget();
    this.#value = tidy(() => variable(compute(), false));
    this.#sources = sources().map(({dataId}) => dataId);
    return this.#value;
  }

  /** Frees it, until it is asked for again. */
  forget(): void {
    this.#value?.dispose();
    this.#value = undefined;
  }
}
