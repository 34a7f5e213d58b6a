/** The ends of ranges, on the device. */
import {maximum, minimum, reshape, type Tensor, unstack} from '@tensorflow/tfjs-core';
import {minMax} from '../ops/min_max';

/** A range's ends: scalars, or one of each for a channel. */
export type Ends = readonly [low: Tensor, high: Tensor];

/** All dimensions but `axis`; undefined for all of them. */
export function otherAxes({rank}: Tensor, axis: number | undefined): number[] | undefined {
  return axis === undefined ? undefined : Array.from({length: rank}, (_, i) => i).filter(i => i !== axis);
}

/** A value for each slice of x along `axis`, in a shape that is broadcast to x's. */
export function alongAxis(values: Tensor, {rank}: Tensor, axis: number | undefined): Tensor {
  if (axis === undefined) return values;
  const shape = Array.from({length: rank}, () => 1);
  shape[axis < 0 ? axis + rank : axis] = -1;
  return reshape(values, shape);
}

/** The two rows of a tensor. Not of a vector as it is: tfjs's WebGL backend cannot slice one that is not packed. */
export function halves(rows: Tensor): [Tensor, Tensor] {
  const [first, second] = unstack(reshape(rows, [2, -1]));
  const shape = rows.shape.slice(1);
  return [reshape(first!, shape), reshape(second!, shape)];
}

/** x's extremes and 0. */
export function extremesOf(x: Tensor, axis?: number): [Tensor, Tensor] {
  const [low, high] = halves(minMax(x, axis));
  return [minimum(low, 0), maximum(high, 0)];
}
