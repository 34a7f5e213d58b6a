/** TensorFlow's lists of tensors, as values that never change. */
import type {DataType, Tensor} from '@tensorflow/tfjs-core';

/** A shape, -1 for a dimension that is any. */
export type Dims = readonly number[];

/** What nodes give to each other. */
export type Value = Tensor | TensorList;

let lists = 0;

/**
 * A list among the values of a graph. It passes tfjs's executor as a tensor that is kept does: that asks for an id, and disposes
 * of nothing that is kept.
 */
export class TensorList {
  readonly kept = true;
  readonly id = `list ${++lists}`;
  readonly tensors: readonly (Tensor | undefined)[];
  /** The shape of its elements, -1 for a dimension that is any; undefined if not even the rank is known. */
  readonly elementShape: Dims | undefined;
  readonly dtype: DataType;

  constructor(tensors: readonly (Tensor | undefined)[], elementShape: Dims | undefined, dtype: DataType) {
    this.tensors = tensors;
    this.elementShape = elementShape;
    this.dtype = dtype;
  }

  with(tensors: readonly (Tensor | undefined)[]): TensorList {
    return new TensorList(tensors, this.elementShape, this.dtype);
  }
}

/** The tensors that a value holds. */
export function tensorsIn(value: Value): Tensor[] {
  return value instanceof TensorList ? value.tensors.filter(each => each !== undefined) : [value];
}
