/** Which operator of TensorFlow Lite's computes what one of a graph does, what it is given, and in which order. */
import type {Node, Value} from '../../inference/graph';
import type {Convolution, Numbers, Operator, Pool} from '../../inference/operators';
import {padsNothing, type Padding} from '../../inference/window';
import {type OperatorName, type Options, PADDINGS} from './schema';

/** What an operator takes: with the places of a filter's two tensors and of the output's shape. */
export type Operand =
  | Value
  | {readonly int32: readonly number[]; readonly shape?: readonly number[]}
  /** Numbers on the grid of the output that is chosen from them. */
  | {readonly table: Numbers}
  /** Numbers on a grid about 0 as fine as the operator's integers allow. */
  | {readonly factors: Numbers}
  | 'weights'
  | 'bias'
  | 'shape';

interface Written {
  readonly operator: OperatorName;
  readonly operands: readonly Operand[];
  readonly options: Options;
}

/** Something is padded where 'same' says so alone. */
function paddingCode(padding: Padding): number {
  return PADDINGS[padding.rule ?? (padsNothing(padding) ? 'valid' : 'same')];
}

function ofConvolution({strides, dilations, padding}: Convolution): Options {
  const [strideH, strideW] = strides;
  return {
    padding: paddingCode(padding),
    strideH,
    strideW,
    dilationHFactor: dilations[0],
    dilationWFactor: dilations[1],
  };
}

function ofPool({size, strides, padding}: Pool): Options {
  const [strideH, strideW] = strides;
  return {padding: paddingCode(padding), strideH, strideW, filterHeight: size[0], filterWidth: size[1]};
}

function written(operator: OperatorName, operands: readonly Operand[], options: Options = {}): Written {
  return {operator, operands, options};
}

/** An operator that takes its inputs and nothing else. */
function plain(operator: OperatorName, options?: Options): (node: Node) => Written {
  return ({inputs}) => written(operator, inputs, options);
}

function resize(operator: OperatorName): (node: Node<'resizeBilinear' | 'resizeNearest'>) => Written {
  return ({inputs, output, attributes}) => {
    const options = {alignCorners: attributes.alignCorners ? 1 : 0};
    return written(operator, [...inputs, {int32: output.shape.slice(1, 3)}], options);
  };
}

/** Those that are one operator in a file, too. */
type Plain = Exclude<Operator, 'constant' | 'lstm' | 'operation'>;

export type PlainNode = Node<Plain>;

const WRITTEN: {readonly [Name in Plain]: (node: Node<Name>) => Written} = {
  add: plain('ADD'),
  averagePool: ({inputs, attributes}) => written('AVERAGE_POOL_2D', inputs, ofPool(attributes)),
  // Not RELU6, which takes its input's grid to be its output's on microcontrollers.
  clamp: plain('RELU'),
  concat: ({inputs, attributes: {axis}}) => written('CONCATENATION', inputs, {axis}),
  conv2d: ({inputs, attributes}) => written('CONV_2D', [...inputs, 'weights', 'bias'], ofConvolution(attributes)),
  dense: ({inputs, output}) =>
    written('FULLY_CONNECTED', [...inputs, 'weights', 'bias'], {keepNumDims: output.shape.length > 2 ? 1 : 0}),
  dequantize: plain('DEQUANTIZE'),
  depthwiseConv2d: ({inputs, attributes}) => {
    const options = {...ofConvolution(attributes), depthMultiplier: attributes.filter.shape[3]!};
    return written('DEPTHWISE_CONV_2D', [...inputs, 'weights', 'bias'], options);
  },
  elu: plain('ELU'),
  gelu: ({inputs, attributes: {approximate}}) => written('GELU', inputs, {approximate: approximate ? 1 : 0}),
  leakyRelu: ({inputs, attributes: {slope}}) => written('LEAKY_RELU', inputs, {alpha: slope}),
  lookup: ({inputs, attributes: {table}}) => written('GATHER', [{table}, ...inputs]),
  matmul: ({inputs, attributes: {transposeX, transposeY}}) =>
    written('BATCH_MATMUL', inputs, {adjX: transposeX ? 1 : 0, adjY: transposeY ? 1 : 0}),
  max: ({inputs, attributes: {axes}}) => written('REDUCE_MAX', [...inputs, {int32: axes}]),
  maxPool: ({inputs, attributes}) => written('MAX_POOL_2D', inputs, ofPool(attributes)),
  maximum: plain('MAXIMUM'),
  mean: ({inputs, attributes: {axes}}) => written('MEAN', [...inputs, {int32: axes}]),
  minimum: plain('MINIMUM'),
  multiply: plain('MUL'),
  pad: ({inputs, attributes: {amounts}}) =>
    written('PAD', [...inputs, {int32: amounts.flat(), shape: [amounts.length, 2]}]),
  prelu: ({inputs, attributes: {slopes}}) => written('PRELU', [...inputs, {factors: slopes}]),
  requantize: plain('QUANTIZE'),
  reshape: ({inputs, output}) => written('RESHAPE', [...inputs, {int32: anyBatch(output)}]),
  resizeBilinear: resize('RESIZE_BILINEAR'),
  resizeNearest: resize('RESIZE_NEAREST_NEIGHBOR'),
  // Microcontrollers reverse nothing, but look rows up.
  reverse: ({inputs, attributes: {axis}}) => {
    const count = inputs[0]!.shape[axis]!;
    return written('GATHER', [...inputs, {int32: Array.from({length: count}, (_, i) => count - 1 - i)}], {axis});
  },
  sigmoid: plain('LOGISTIC'),
  slice: ({inputs, output, attributes: {begin}}) =>
    written('SLICE', [...inputs, {int32: begin}, {int32: anyBatch(output)}]),
  softmax: plain('SOFTMAX', {beta: 1}),
  subtract: plain('SUB'),
  tanh: plain('TANH'),
  transpose: ({inputs, attributes: {permutation}}) => written('TRANSPOSE', [...inputs, {int32: permutation}]),
  transposedConv2d: ({inputs, attributes}) =>
    written('TRANSPOSE_CONV', ['shape', 'weights', ...inputs, 'bias'], ofConvolution(attributes)),
};

/** A shape whose first dimension may come to be another one when the file is run. */
export function anyBatch({shape}: Value): number[] {
  return shape.length === 0 ? [] : [-1, ...shape.slice(1)];
}

/** An operator as it is written. */
export function writtenAs(node: PlainNode): Written {
  return (WRITTEN[node.operator] as (node: Node) => Written)(node);
}

/** Whether a node is one operator in a file. */
export function isPlain(node: Node): node is PlainNode {
  return !['constant', 'lstm', 'operation'].includes(node.operator);
}
