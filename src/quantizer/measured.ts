/** What is measured of a tensor on the device, for a histogram that is added up on the host. */
import {clone, reshape, slice, type Tensor} from '@tensorflow/tfjs-core';
import {extremesOrInfinite, histogramOf} from '../ops/range';
import {LOOKED_AT} from './histogram';

/** Tensors of a batch; they are the caller's to keep or to dispose. */
export interface Measured {
  /** The largest is infinite where a value is no finite number. */
  readonly extremes: Tensor;
  /** In the bins of kernels/histogram.ts. */
  readonly counts: Tensor | undefined;
  /** Some of the values. */
  readonly sample: Tensor | undefined;
}

/** Measures `x`, which is not empty; counts it and takes some of its values where that is asked for. */
export function measured(x: Tensor, {counting, sampling}: {counting: boolean; sampling: boolean}): Measured {
  const extremes = extremesOrInfinite(x);
  const counts = counting ? histogramOf(x, extremes) : undefined;
  // Not sliced for nothing: tfjs's WebGPU backend cannot slice what were integers.
  const some = () => (x.size <= LOOKED_AT ? clone(x) : slice(reshape(x, [-1]), 0, LOOKED_AT));
  return {extremes, counts, sample: sampling ? some() : undefined};
}
