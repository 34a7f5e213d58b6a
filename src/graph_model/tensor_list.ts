/**
 * TensorFlow's lists of tensors, as values that never change: TensorLists, and the TensorArrays of older graphs, whose value
 * travels along their flow.
 */
import {
  clone,
  concat,
  type DataType,
  scalar,
  slice,
  stack,
  type Tensor,
  tensor1d,
  unstack,
  zeros,
} from '@tensorflow/tfjs-core';
import {type Op, type OpNode, readNumber, readNumbers, type Value} from './own_op';

type Dims = readonly number[];

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

function asList(value: Value | undefined, {where}: OpNode): TensorList {
  if (value instanceof TensorList) return value;
  throw new Error(`${where} takes a list of tensors, but is given a tensor.`);
}

/** The shape that a tensor tells: -1 alone stands for any. */
function shapeIn(value: Value | undefined, node: OpNode): Dims | undefined {
  if (value === undefined) return undefined;
  const shape = readNumbers(value, node);
  return (value as Tensor).rank === 0 ? undefined : shape;
}

/** The shape of an element, as far as the list, the op that asks, and the other elements know it. */
function shapeOf(list: TensorList, asked: Dims | undefined): number[] | undefined {
  const known = [list.elementShape, asked, list.tensors.find(each => each !== undefined)?.shape];
  const full = known.find(shape => shape?.every(size => size >= 0));
  return full && [...full];
}

/** An element; zeros where none was set. */
function element(list: TensorList, index: number, node: OpNode, asked?: Dims): Tensor {
  if (!Number.isInteger(index) || index < 0 || index >= list.tensors.length) {
    throw new Error(`${node.where} asks for element ${index} of a list of ${list.tensors.length}.`);
  }
  const found = list.tensors[index];
  if (found) return clone(found);
  const shape = shapeOf(list, asked);
  if (!shape)
    throw new Error(`${node.where} asks for element ${index}, which was never set and whose shape nobody knows.`);
  return zeros(shape, list.dtype);
}

function withElement(list: TensorList, index: number, value: Value, node: OpNode): TensorList {
  if (!Number.isInteger(index) || index < 0) throw new Error(`${node.where} sets element ${index}.`);
  const tensors = [...list.tensors];
  while (tensors.length < index) tensors.push(undefined);
  // A copy: the executor frees what it was given once all that take it have run.
  tensors[index] = clone(value as Tensor);
  return list.with(tensors);
}

function stacked(list: TensorList, indices: readonly number[], node: OpNode, asked?: Dims): Tensor {
  if (indices.length > 0) return stack(indices.map(index => element(list, index, node, asked)));
  const shape = shapeOf(list, asked);
  if (!shape) throw new Error(`${node.where} stacks no elements, whose shape nobody knows.`);
  return zeros([0, ...shape], list.dtype);
}

function everyIndex(list: TensorList): number[] {
  return list.tensors.map((_, i) => i);
}

function scattered(list: TensorList, tensor: Value, indices: readonly number[], node: OpNode): TensorList {
  const rows = unstack(tensor as Tensor);
  return indices.reduce((made, index, i) => withElement(made, index, rows[i]!, node), list);
}

/** Elements one behind the other, and how long each is. */
function concatenated(list: TensorList, node: OpNode, asked?: Dims): Tensor[] {
  const all = everyIndex(list).map(index => element(list, index, node, asked));
  const lengths = tensor1d(
    all.map(({shape}) => shape[0] ?? 0),
    'int32',
  );
  const rows = asked ?? list.elementShape ?? [];
  return [all.length > 0 ? concat(all) : zeros([0, ...rows.slice(1)], list.dtype), lengths];
}

function cut(tensor: Value, lengths: readonly number[], list: TensorList): TensorList {
  const whole = tensor as Tensor;
  let at = 0;
  return list.with(
    lengths.map(length => {
      const begin = [at, ...whole.shape.slice(1).map(() => 0)];
      at += length;
      return slice(whole, begin, [length, ...whole.shape.slice(1)]);
    }),
  );
}

function made(size: number, shape: Dims | undefined, dtype: unknown): TensorList {
  return new TensorList(Array.from({length: Math.max(0, size)}), shape, (dtype as DataType | null) ?? 'float32');
}

const dims = (shape: unknown): Dims | undefined => (Array.isArray(shape) ? (shape as number[]) : undefined);

const listScatter: Op = ([tensor, indices, shape, size], node) => {
  const count = size ? readNumber(size, node) : 0;
  const list = made(count, shapeIn(shape, node), (tensor as Tensor).dtype);
  return scattered(list, tensor!, readNumbers(indices!, node), node);
};

const listConcat: Op = ([handle, shape], node) =>
  concatenated(asList(handle, node), node, shape ? shapeIn(shape, node) : dims(node.attrs['element_shape']));

/** The ops of lists. */
export const LIST_OPS: Readonly<Record<string, Op>> = {
  TensorListReserve: ([shape, size], node) =>
    made(readNumber(size!, node), shapeIn(shape, node), node.attrs['element_dtype']),
  EmptyTensorList: ([shape], node) => made(0, shapeIn(shape, node), node.attrs['element_dtype']),
  TensorListFromTensor: ([tensor, shape], node) =>
    new TensorList(unstack(tensor as Tensor), shapeIn(shape, node), (tensor as Tensor).dtype),
  TensorListSetItem: ([handle, index, item], node) =>
    withElement(asList(handle, node), readNumber(index!, node), item!, node),
  TensorListGetItem: ([handle, index, shape], node) =>
    element(asList(handle, node), readNumber(index!, node), node, shapeIn(shape, node)),
  TensorListStack: ([handle, shape], node) => {
    const list = asList(handle, node);
    return stacked(list, everyIndex(list), node, shapeIn(shape, node));
  },
  TensorListGather: ([handle, indices, shape], node) =>
    stacked(asList(handle, node), readNumbers(indices!, node), node, shapeIn(shape, node)),
  TensorListScatter: listScatter,
  TensorListScatterV2: listScatter,
  TensorListScatterIntoExistingList: ([handle, tensor, indices], node) =>
    scattered(asList(handle, node), tensor!, readNumbers(indices!, node), node),
  TensorListConcat: listConcat,
  TensorListConcatV2: listConcat,
  TensorListSplit: ([tensor, shape, lengths], node) =>
    cut(tensor!, readNumbers(lengths!, node), made(0, shapeIn(shape, node), (tensor as Tensor).dtype)),
  TensorListPushBack: ([handle, item], node) => {
    const list = asList(handle, node);
    return list.with([...list.tensors, clone(item as Tensor)]);
  },
  TensorListPopBack: ([handle, shape], node) => {
    const list = asList(handle, node);
    const last = element(list, list.tensors.length - 1, node, shapeIn(shape, node));
    return [list.with(list.tensors.slice(0, -1)), last];
  },
  TensorListLength: ([handle], node) => scalar(asList(handle, node).tensors.length, 'int32'),
  TensorListResize: ([handle, size], node) => {
    const list = asList(handle, node);
    const length = readNumber(size!, node);
    return list.with(Array.from({length}, (_, i) => list.tensors[i]));
  },
  TensorListElementShape: ([handle], node) => {
    const {elementShape} = asList(handle, node);
    return elementShape ? tensor1d([...elementShape], 'int32') : scalar(-1, 'int32');
  },

  TensorArrayV3: ([size], node) => {
    const array = made(readNumber(size!, node), dims(node.attrs['element_shape']), node.attrs['dtype']);
    return [array, array];
  },
  TensorArrayWriteV3: ([, index, value, flow], node) =>
    withElement(asList(flow, node), readNumber(index!, node), value!, node),
  TensorArrayReadV3: ([, index, flow], node) => element(asList(flow, node), readNumber(index!, node), node),
  TensorArrayGatherV3: ([, indices, flow], node) =>
    stacked(asList(flow, node), readNumbers(indices!, node), node, dims(node.attrs['element_shape'])),
  TensorArrayScatterV3: ([, indices, value, flow], node) =>
    scattered(asList(flow, node), value!, readNumbers(indices!, node), node),
  TensorArrayConcatV3: ([, flow], node) => concatenated(asList(flow, node), node),
  TensorArraySplitV3: ([, value, lengths, flow], node) => cut(value!, readNumbers(lengths!, node), asList(flow, node)),
  TensorArraySizeV3: ([, flow], node) => scalar(asList(flow, node).tensors.length, 'int32'),
  TensorArrayCloseV3: ([handle], node) => asList(handle, node),
};
