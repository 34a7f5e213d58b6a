/** What is known of a tensor without waiting for the device: what was just loaded or given is still on the host. */
import type {Tensor} from '@tensorflow/tfjs-core';
import {isOnHost} from '../ops/tfjs_internals';

/**
 * Something told by a tensor's data, for as long as there are these data: a variable that gets back what it held before, as the
 * best state of a training, is known again.
 */
export class Known<T> {
  readonly #noted = new WeakMap<object, T>();
  #last: T | undefined;

  /** What was told last, whatever has become of the tensor. */
  get last(): T | undefined {
    return this.#last;
  }

  /** What was noted, or is read from the host; undefined where only the device knows. */
  of(tensor: Tensor, read: (values: ArrayLike<number>) => T): T | undefined {
    const noted = this.#noted.get(tensor.dataId);
    if (noted === undefined && !isOnHost(tensor)) return undefined;
    const value = noted ?? read(tensor.dataSync());
    this.note(tensor, value);
    return value;
  }

  /** Notes what a tensor was just given. */
  note({dataId}: Tensor, value: T): void {
    this.#noted.set(dataId, value);
    this.#last = value;
  }
}
