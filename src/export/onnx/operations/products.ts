/** Operations that multiply, and windows over images, with the channels behind the batch. */
import {isConstant} from '../../../inference/operation_view';
import {permuted} from '../../../inference/permuted';
import {type Pair, paddingOf} from '../../../inference/window';
import type {Attributes} from '../model_proto';
import {missingBehind} from '../transposed';
import {floats, type Made, type OperationCall, type Row} from './operation_call';

/** The numbers of an image's, or a volume's, dimensions in a list for all. */
function inSpace(call: OperationCall, name: string): number[] {
  const rank = call.shape.length;
  return call.attrs.ints(name, new Array<number>(rank).fill(1)).slice(1, rank - 1);
}

/** What 'same' pads before and behind each dimension of what a window slides over. */
function sameAmounts(
  size: readonly number[],
  window: readonly number[],
  strides: readonly number[],
  dilations: readonly number[],
) {
  return size.map((dim, i): Pair => {
    const twice = (value: number): Pair => [value, value];
    return paddingOf('same', twice(dim), twice(window[i]!), twice(strides[i]!), twice(dilations[i]!)).amounts[0];
  });
}

const sides = (amounts: readonly Pair[]) => [0, 1].flatMap(side => amounts.map(pair => pair[side]!));

/** What an operation pads of images of a size. */
function amountsOf(call: OperationCall, size: readonly number[], window: readonly number[]): readonly Pair[] {
  const rule = call.attrs.text('padding', 'VALID').toLowerCase();
  if (rule === 'same') return sameAmounts(size, window, inSpace(call, 'strides'), inSpace(call, 'dilations'));
  if (rule === 'valid') return size.map((): Pair => [0, 0]);
  const amounts = call.attrs.ints('explicit_paddings');
  if (rule !== 'explicit' || amounts.length !== 8) call.refuse(`its padding is ${rule}`);
  return size.map((_, i): Pair => [amounts[2 * i + 2]!, amounts[2 * i + 3]!]);
}

/** What slides over images, and what is put around them. */
function windowOf(call: OperationCall, window: readonly number[]): Attributes {
  const format = call.attrs.text('data_format', 'NHWC').toUpperCase();
  if (format !== 'NHWC' && format !== 'NDHWC') call.refuse(`its images are in the format ${format}`);
  const [strides, dilations] = [inSpace(call, 'strides'), inSpace(call, 'dilations')];
  const pads = sides(amountsOf(call, call.x.shape.slice(1, -1), window));
  return {kernel_shape: window, strides, ...(dilations.some(each => each > 1) && {dilations}), pads};
}

/** Activations that may be fused with a product. */
const AFTER: Readonly<Record<string, (call: OperationCall, y: string) => string>> = {
  Elu: (call, y) => call.add('Elu', [y]),
  LeakyRelu: (call, y) => call.add('LeakyRelu', [y], {alpha: {float: call.attrs.float('leakyrelu_alpha', 0.2)}}),
  Prelu: (call, y) => call.add('PRelu', [y, alphaOf(call)]),
  Relu: (call, y) => call.add('Relu', [y]),
  Relu6: (call, y) => call.add('Clip', [y, call.list.float(0), call.list.float(6)]),
  Sigmoid: (call, y) => call.add('Sigmoid', [y]),
};

/** Behind the bias; of as many numbers as there are channels, which images have behind the batch. */
function alphaOf(call: OperationCall): string {
  const {shape} = call.operand(3);
  const others = call.shape.length - 2;
  const alpha = call.take(3);
  if (shape.length === call.shape.length - 1)
    return call.add('Transpose', [alpha], {perm: [others, ...Array(others).keys()]});
  return call.add('Reshape', [alpha, call.list.ints([-1, ...new Array<number>(others).fill(1)])]);
}

/** The bias of a product, if it has one, and what is done to it. */
function fused(call: OperationCall): {readonly bias: readonly string[]; readonly after: (y: string) => string} {
  const [first, ...others] = call.attrs.texts('fused_ops');
  const hasBias = first === 'BiasAdd';
  const [activation, ...more] = hasBias || first === undefined ? others : [first, ...others];
  if (more.length > 0) call.refuse(`it is fused with ${more.join(', ')}`);
  if (activation !== undefined && !AFTER[activation]) call.refuse(`it is fused with ${activation}`);
  const bias = hasBias ? [call.add('Reshape', [call.take(2), call.list.ints([-1])])] : [];
  return {bias, after: y => (activation === undefined ? y : AFTER[activation]!(call, y))};
}

/** The kernel of an operation, its dimensions in another order and then in a shape. */
function kernel(call: OperationCall, order: readonly number[], shape: readonly number[]): string {
  const filter = call.operand(1);
  if (!isConstant(filter)) {
    const moved = call.add('Transpose', [call.take(1, 'float32')], {perm: order});
    return call.add('Reshape', [moved, call.list.ints(shape)]);
  }
  const values = filter.values as Float32Array;
  const bytes = () => new Uint8Array(permuted(values, filter.shape, order).buffer);
  return call.list.tensor('weights', {type: 'float32', shape, size: values.byteLength, bytes});
}

function convolved(call: OperationCall, weights: string, group: number): Made {
  const window = call.operand(1).shape.slice(0, -2);
  const {bias, after} = fused(call);
  const given = [call.take(0, 'float32', 'first'), weights, ...bias];
  return floats(after(call.add('Conv', given, {...windowOf(call, window), group})), 'first');
}

/** Of images or volumes. */
const convolution: Row = call => {
  const {shape} = call.operand(1);
  const space = shape.length - 2;
  const [channels, outputs] = shape.slice(space) as [number, number];
  const order = [space + 1, space, ...Array(space).keys()];
  const weights = kernel(call, order, [outputs, channels, ...shape.slice(0, space)]);
  return convolved(call, weights, call.x.shape[space + 1]! / channels);
};

/** The convolution that would give its third operand from its output, turned. */
const transposedConvolution: Row = call => {
  const {shape} = call.operand(1);
  const space = shape.length - 2;
  const window = shape.slice(0, space);
  const [outputs, channels] = shape.slice(space) as [number, number];
  const weights = kernel(call, [space + 1, space, ...Array(space).keys()], [channels, outputs, ...window]);
  const [size, whole] = [call.operand(2).shape.slice(1, -1), call.shape.slice(1, -1)];
  const [strides, dilations] = [inSpace(call, 'strides'), inSpace(call, 'dilations')];
  const amounts = amountsOf(call, whole, window);
  const name = call.add('ConvTranspose', [call.take(2, 'float32', 'first'), weights], {
    kernel_shape: window,
    strides,
    dilations,
    pads: sides(amounts),
    output_padding: missingBehind({size, whole, window, strides, dilations, amounts}),
  });
  return floats(name, 'first');
};

const depthwiseConv2d: Row = call => {
  const [height, width, channels, multiplier] = call.operand(1).shape as [number, number, number, number];
  return convolved(call, kernel(call, [2, 3, 0, 1], [channels * multiplier, 1, height, width]), channels);
};

/** A matrix, or matrices, turned if the operation says so. */
function turned(call: OperationCall, index: number, isTurned: boolean): string {
  const x = call.take(index, 'float32');
  const {length} = call.operand(index).shape;
  const order = [...Array(length).keys()];
  return isTurned ? call.add('Transpose', [x], {perm: [...order.slice(0, -2), length - 1, length - 2]}) : x;
}

function multiply(x: string, y: string): Row {
  return call => {
    const {bias, after} = fused(call);
    const flags = [call.attrs.flag(x), call.attrs.flag(y)] as const;
    const product = call.add('MatMul', [turned(call, 0, flags[0]), turned(call, 1, flags[1])]);
    return floats(after(bias[0] === undefined ? product : call.add('Add', [product, bias[0]])));
  };
}

const matMul = multiply('transpose_a', 'transpose_b');
const batchMatMul = multiply('adj_x', 'adj_y');

function pool(op: string): Row {
  return call => {
    const window = windowOf(call, inSpace(call, 'ksize'));
    return floats(call.add(op, [call.take(0, 'float32', 'first')], window), 'first');
  };
}

/** By constants: a gain and an offset of each channel. */
const batchNorm: Row = call => {
  const {gain, offset} = call.gainAndOffset();
  const form = call.commonForm([0]);
  const spread = form === 'first' ? new Array<number>(call.shape.length - 2).fill(1) : [];
  const each = (values: readonly number[]) => call.list.floats(values, [values.length, ...spread]);
  const scaled = call.add('Mul', [call.take(0, 'float32', form), each(gain)]);
  return floats(call.add('Add', [scaled, each(offset)]), form);
};

export const PRODUCTS: Readonly<Record<string, Row>> = {
  AvgPool: pool('AveragePool'),
  BatchMatMul: batchMatMul,
  BatchMatMulV2: batchMatMul,
  BatchMatMulV3: batchMatMul,
  Conv2D: convolution,
  Conv2DBackpropInput: transposedConvolution,
  Conv3D: convolution,
  Conv3DBackpropInputV2: transposedConvolution,
  DepthwiseConv2dNative: depthwiseConv2d,
  FusedBatchNorm: batchNorm,
  FusedBatchNormV2: batchNorm,
  FusedBatchNormV3: batchNorm,
  FusedDepthwiseConv2dNative: depthwiseConv2d,
  MatMul: matMul,
  MaxPool: pool('MaxPool'),
  _FusedConv2D: convolution,
  _FusedMatMul: matMul,
};
