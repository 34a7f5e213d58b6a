/** What is known of a tensor without waiting for the device: what was just loaded or given is still on the host. */
import type {Tensor} from '@tensorflow/tfjs-core';
import {isOnHost} from '../ops/tfjs_internals';

/** Something told by a tensor's data, which counts for as long as the tensor has no others. */
export class Known<T> {
  #noted: {readonly data: object; readonly value: T} | undefined;

  /** What was noted last, whatever has become of the tensor. */
  get last(): T | undefined {
    return this.#noted?.value;
  }

  /** What was noted, or is read from the host; undefined where only the device knows. */
  of(tensor: Tensor, read: (values: ArrayLike<number>) => T): T | undefined {
    if (this.#noted?.data === tensor.dataId) return this.#noted.value;
    if (!isOnHost(tensor)) return undefined;
    const value = read(tensor.dataSync());
    this.note(tensor, value);
    return value;
  }

  /** Notes what a tensor was just given. */
  note({dataId}: Tensor, value: T): void {
    this.#noted = {data: dataId, value};
  }
}
