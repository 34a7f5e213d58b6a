/** What the ops have in common that this package runs in tfjs's executor of graphs. */
import {cast, type Tensor, type TypedArray} from '@tensorflow/tfjs-core';
import {isOnHost} from '../ops/tfjs_internals';
import type {TensorList} from './tensor_list';

/** What nodes give to each other. */
export type Value = Tensor | TensorList;

/** A function of the graph's library. */
export type GraphFunction = (inputs: readonly Value[]) => Value[];

/** A node whose op is this package's. */
export interface OpNode {
  /** The node and its op, as errors name it. */
  readonly where: string;
  /** Its attributes as tfjs reads them: types by tfjs's names, shapes as lists, text in lower case. */
  readonly attrs: Readonly<Record<string, unknown>>;
  /** The functions that its attributes name, by the names of those; of lists by 'name 0' and so on. */
  readonly functions: Readonly<Record<string, GraphFunction>>;
}

/** What a node makes of its inputs, at once: tensors of its own, none of those that it is given. */
export type Op = (inputs: readonly Value[], node: OpNode) => Value | Value[];

/** The values of a tensor, read at once. */
export function readValues(value: Value, {where}: OpNode): TypedArray {
  const tensor = value as Tensor;
  if (isOnHost(tensor)) return tensor.dataSync();
  throw new Error(
    `${where} needs values that WebGPU has computed, and a layer cannot wait for them. ` +
      `Use another backend (tf.setBackend('webgl')), or cut the model before this node: cutModel(model, {outputs: […]}).`,
  );
}

export function readNumbers(value: Value, node: OpNode): number[] {
  return Array.from(readValues(value, node));
}

export function readNumber(value: Value, node: OpNode): number {
  const [number = NaN] = readValues(value, node);
  return number;
}

/** Whether a condition holds, as TensorFlow takes it: what has no single value holds if it is not empty. */
export function holds(value: Value, node: OpNode): boolean {
  const tensor = value as Tensor;
  if (tensor.rank > 0) return tensor.size > 0;
  return readValues(tensor.dtype === 'bool' ? tensor : cast(tensor, 'bool'), node)[0] !== 0;
}
