/** Which operator of TensorFlow Lite's computes what one of a graph does, what it is given, and in which order. */
import type {Convolution, Node, Numbers, Operator, Pool, Value} from '../../integer/graph';
import {padsNothing, type Padding} from '../../integer/window';
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
  readonly options?: Options;
}

/** Something is padded where 'same' says so alone. */
function paddingOf(padding: Padding): number {
  return PADDINGS[padding.rule ?? (padsNothing(padding) ? 'valid' : 'same')];
}

function ofConvolution({strides, dilations, padding}: Convolution): Options {
  const [strideH, strideW] = strides;
  return {padding: paddingOf(padding), strideH, strideW, dilationH: dilations[0], dilationW: dilations[1]};
}

function ofPool({size, strides, padding}: Pool): Options {
  const [strideH, strideW] = strides;
  return {padding: paddingOf(padding), strideH, strideW, filterH: size[0], filterW: size[1]};
}

const PRODUCT = ['weights', 'bias'] as const;

/** An operator that takes its inputs and nothing else. */
function plain(operator: OperatorName, options: Options = {}): (node: Node) => Written {
  return ({inputs}) => ({operator, operands: inputs, options});
}

const WRITTEN: {readonly [Name in Operator]: (node: Node<Name>) => Written} = {
  add: plain('ADD'),
  averagePool: ({inputs, attributes}) => ({
    operator: 'AVERAGE_POOL_2D',
    operands: inputs,
    options: ofPool(attributes),
  }),
  // Not RELU6, which takes its input's grid to be its output's on microcontrollers.
  clamp: plain('RELU'),
  concat: ({inputs, attributes: {axis}}) => ({operator: 'CONCATENATION', operands: inputs, options: {axis}}),
  conv2d: ({inputs, attributes}) => ({
    operator: 'CONV_2D',
    operands: [...inputs, ...PRODUCT],
    options: ofConvolution(attributes),
  }),
  dense: ({inputs, output}) => ({
    operator: 'FULLY_CONNECTED',
    operands: [...inputs, ...PRODUCT],
    options: {keepNumDims: output.shape.length > 2 ? 1 : 0},
  }),
  depthwiseConv2d: ({inputs, attributes}) => ({
    operator: 'DEPTHWISE_CONV_2D',
    operands: [...inputs, ...PRODUCT],
    options: {...ofConvolution(attributes), depthMultiplier: attributes.filter.shape[3]!},
  }),
  elu: plain('ELU'),
  leakyRelu: ({inputs, attributes}) => ({
    operator: 'LEAKY_RELU',
    operands: inputs,
    options: {alpha: attributes.slope},
  }),
  lookup: ({inputs, attributes}) => ({operator: 'GATHER', operands: [attributes, ...inputs]}),
  max: ({inputs, attributes: {axes}}) => ({operator: 'REDUCE_MAX', operands: [...inputs, {int32: axes}]}),
  maxPool: ({inputs, attributes}) => ({operator: 'MAX_POOL_2D', operands: inputs, options: ofPool(attributes)}),
  maximum: plain('MAXIMUM'),
  mean: ({inputs, attributes: {axes}}) => ({operator: 'MEAN', operands: [...inputs, {int32: axes}]}),
  minimum: plain('MINIMUM'),
  multiply: plain('MUL'),
  pad: ({inputs, attributes: {amounts}}) => ({
    operator: 'PAD',
    operands: [...inputs, {int32: amounts.flat(), shape: [amounts.length, 2]}],
  }),
  prelu: ({inputs, attributes: {slopes}}) => ({operator: 'PRELU', operands: [...inputs, {factors: slopes}]}),
  requantize: plain('QUANTIZE'),
  // The first dimension may come to be another one when the file is run.
  reshape: ({inputs, output}) => ({
    operator: 'RESHAPE',
    operands: [...inputs, {int32: [-1, ...output.shape.slice(1)]}],
  }),
  resizeBilinear: ({inputs, output}) => ({
    operator: 'RESIZE_BILINEAR',
    operands: [...inputs, {int32: output.shape.slice(1, 3)}],
  }),
  resizeNearest: ({inputs, output}) => ({
    operator: 'RESIZE_NEAREST_NEIGHBOR',
    operands: [...inputs, {int32: output.shape.slice(1, 3)}],
  }),
  sigmoid: plain('LOGISTIC'),
  slice: ({inputs, output, attributes: {begin}}) => ({
    operator: 'SLICE',
    operands: [...inputs, {int32: begin}, {int32: [-1, ...output.shape.slice(1)]}],
  }),
  softmax: plain('SOFTMAX', {beta: 1}),
  tanh: plain('TANH'),
  transpose: ({inputs, attributes: {permutation}}) => ({
    operator: 'TRANSPOSE',
    operands: [...inputs, {int32: permutation}],
  }),
  transposedConv2d: ({inputs, attributes}) => ({
    operator: 'TRANSPOSE_CONV',
    operands: ['shape', 'weights', ...inputs, 'bias'],
    options: ofConvolution(attributes),
  }),
};

/** An operator as it is written. */
export function writtenAs(node: Node): Required<Written> {
  const write = WRITTEN[node.operator] as (node: Node) => Written;
  return {options: {}, ...write(node)};
}
