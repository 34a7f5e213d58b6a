/** Operations that multiply, and windows over images, in float. */
import {sizeOf} from '../../../inference/graph';
import {constantOf, ints, isConstant, type Operand} from '../../../inference/operation_view';
import type {Constant} from '../../../inference/operators';
import {inFront} from '../filters';
import {FUSED_ACTIVATIONS, type FusedActivation, type OperatorName, type Options, PADDINGS} from '../schema';
import type {OperationCall, Row} from './operation_call';

/** Activations that an operator computes along. */
const FUSED: Readonly<Record<string, FusedActivation>> = {Relu: 'RELU', Relu6: 'RELU6'};

/** Activations of fused operations that are operators of their own. */
const AFTER: Readonly<Record<string, (call: OperationCall, y: Operand) => void>> = {
  Elu: (call, y) => call.give('ELU', [y]),
  LeakyRelu: (call, y) => call.give('LEAKY_RELU', [y], {alpha: call.attrs.float('leakyrelu_alpha', 0.2)}),
  Prelu: (call, y) => call.give('PRELU', [y, alphaOf(call)]),
  Sigmoid: (call, y) => call.give('LOGISTIC', [y]),
};

/** Behind the bias; of as many numbers as there are channels. */
function alphaOf(call: OperationCall): Operand {
  const alpha = call.operand(3);
  const dims = call.shape.length - 1;
  if (alpha.shape.length === dims) return alpha;
  return call.reshaped(alpha, [...new Array<number>(dims - 1).fill(1), sizeOf(alpha.shape)]);
}

/** A product as the operations that are fused with it leave it: its bias, and what comes after. */
function fused(call: OperationCall, channels: number, write: (bias: Operand, give: Give) => void): void {
  const [first, ...others] = call.attrs.texts('fused_ops');
  const hasBias = first === 'BiasAdd';
  const [activation, ...more] = hasBias || first === undefined ? others : [first, ...others];
  if (more.length > 0) call.refuse(`it is fused with ${more.join(', ')}`);
  const zeros = constantOf('float32', new Float32Array(channels), [channels]);
  const bias = hasBias ? call.reshaped(call.operand(2), [channels]) : zeros;
  const along = activation === undefined ? 'NONE' : FUSED[activation];
  const options = {fusedActivationFunction: FUSED_ACTIVATIONS[along ?? 'NONE']};
  if (along) {
    write(bias, (operator, inputs, own) => call.give(operator, inputs, {...own, ...options}));
    return;
  }
  const after = AFTER[activation!] ?? call.refuse(`it is fused with ${activation!}`);
  const {shape} = call;
  write(bias, (operator, inputs, own) => {
    const y = call.make(operator, inputs, {shape, type: 'float32'}, {...own, ...options});
    after(call, y);
  });
}

type Give = (operator: OperatorName, inputs: readonly Operand[], options: Options) => void;

/** The numbers of rows and columns in a list for all dimensions of images. */
function pairOf(call: OperationCall, name: string): readonly [number, number] {
  const [, rows = 1, columns = 1] = call.attrs.ints(name, [1, 1, 1, 1]);
  return [rows, columns];
}

/** The image, padded if the operation says how much, and the rule by which the operator pads it. */
function paddedImage(call: OperationCall): {readonly x: Operand; readonly padding: number} {
  const format = call.attrs.text('data_format', 'NHWC').toUpperCase();
  if (format !== 'NHWC') call.refuse(`its images are in the format ${format}`);
  const rule = call.attrs.text('padding', 'VALID').toLowerCase();
  const {x} = call;
  if (rule === 'same' || rule === 'valid') return {x, padding: PADDINGS[rule]};
  const amounts = call.attrs.ints('explicit_paddings');
  if (rule !== 'explicit' || amounts.length !== 8) call.refuse(`its padding is ${rule}`);
  const shape = x.shape.map((dim, i) => dim + amounts[2 * i]! + amounts[2 * i + 1]!);
  const padded = call.make('PAD', [x, ints([...amounts], [4, 2])], {shape, type: 'float32'});
  return {x: padded, padding: PADDINGS.valid};
}

function windowOptions(call: OperationCall, padding: number): Options {
  const [[strideH, strideW], [dilationHFactor, dilationWFactor]] = [pairOf(call, 'strides'), pairOf(call, 'dilations')];
  return {padding, strideH, strideW, dilationHFactor, dilationWFactor};
}

/** A matrix, or images' kernel, with its last dimension in front. */
function outputsFirst(call: OperationCall, filter: Operand): Operand {
  const {shape} = filter;
  const last = shape.length - 1;
  const moved = [shape[last]!, ...shape.slice(0, last)];
  if (isConstant(filter)) return {...filter, shape: moved, values: inFront(filter.values as Float32Array, shape, last)};
  const permutation = [last, ...shape.slice(0, last).map((_, i) => i)];
  return call.make('TRANSPOSE', [filter, ints(permutation)], {shape: moved, type: 'float32'});
}

const conv2d: Row = call => {
  const filter = call.operand(1);
  const [, , channels, outputs] = filter.shape as [number, number, number, number];
  const {x, padding} = paddedImage(call);
  if (x.shape[3] !== channels) call.refuse('it has groups of channels');
  const kernel = outputsFirst(call, filter);
  fused(call, outputs, (bias, give) => give('CONV_2D', [x, kernel, bias], windowOptions(call, padding)));
};

const depthwiseConv2d: Row = call => {
  const filter = call.operand(1);
  const [height, width, channels, depthMultiplier] = filter.shape as [number, number, number, number];
  const {x, padding} = paddedImage(call);
  const outputs = channels * depthMultiplier;
  const kernel = call.reshaped(filter, [1, height, width, outputs]);
  const options = {...windowOptions(call, padding), depthMultiplier};
  fused(call, outputs, (bias, give) => give('DEPTHWISE_CONV_2D', [x, kernel, bias], options));
};

const matMul: Row = call => {
  const {x, attrs} = call;
  const y = call.operand(1);
  const [adjX, adjY] = ['transpose_a', 'transpose_b'].map(name => (attrs.flag(name) ? 1 : 0)) as [number, number];
  const channels = call.shape[call.shape.length - 1]!;
  if (isConstant(y) && !adjX && x.shape.length === 2) {
    const weights = adjY ? y : outputsFirst(call, y);
    fused(call, channels, (bias, give) => give('FULLY_CONNECTED', [x, weights, bias], {}));
    return;
  }
  const {shape} = call;
  fused(call, channels, (bias, give) => {
    const product = call.make('BATCH_MATMUL', [x, y], {shape, type: 'float32'}, {adjX, adjY});
    give('ADD', [product, bias], {});
  });
};

const batchMatMul: Row = call => {
  call.atMost(5, call.x, call.operand(1));
  const [adjX, adjY] = ['adj_x', 'adj_y'].map(name => (call.attrs.flag(name) ? 1 : 0)) as [number, number];
  call.give('BATCH_MATMUL', [call.x, call.operand(1)], {adjX, adjY});
};

/** Of volumes, the number for each of their three dimensions. */
function volumeOptions(call: OperationCall): Options {
  const format = call.attrs.text('data_format', 'NDHWC').toUpperCase();
  if (format !== 'NDHWC') call.refuse(`its volumes are in the format ${format}`);
  const of = (name: string) => call.attrs.ints(name, [1, 1, 1, 1, 1]) as [number, number, number, number, number];
  const [[, strideD, strideH, strideW], [, dilationDFactor, dilationHFactor, dilationWFactor]] = [
    of('strides'),
    of('dilations'),
  ];
  const padding = call.attrs.text('padding', 'VALID').toLowerCase() === 'same' ? PADDINGS.same : PADDINGS.valid;
  return {padding, strideD, strideH, strideW, dilationDFactor, dilationHFactor, dilationWFactor};
}

const conv3d: Row = call => call.give('CONV_3D', [call.x, call.operand(1)], volumeOptions(call));

/** The gradient of a convolution, as which a transposed one is known. */
const conv3dTranspose: Row = call => {
  call.numbers(0, 'shape');
  call.give('CONV_3D_TRANSPOSE', [ints(call.shape), call.operand(1), call.operand(2)], volumeOptions(call));
};

function pool(operator: OperatorName): Row {
  return call => {
    const {x, padding} = paddedImage(call);
    const [filterHeight, filterWidth] = pairOf(call, 'ksize');
    const [strideH, strideW] = pairOf(call, 'strides');
    call.give(operator, [x], {padding, strideH, strideW, filterHeight, filterWidth});
  };
}

/** By constants: a gain and an offset of each channel. */
const batchNorm: Row = call => {
  const {gain, offset} = call.gainAndOffset();
  const each = (values: readonly number[]): Constant => constantOf('float32', values, [values.length]);
  const scaled = call.make('MUL', [call.x, each(gain)], {shape: call.shape, type: 'float32'});
  call.give('ADD', [scaled, each(offset)]);
};

export const PRODUCTS: Readonly<Record<string, Row>> = {
  AvgPool: pool('AVERAGE_POOL_2D'),
  BatchMatMul: batchMatMul,
  BatchMatMulV2: batchMatMul,
  BatchMatMulV3: batchMatMul,
  Conv2D: conv2d,
  Conv3D: conv3d,
  Conv3DBackpropInputV2: conv3dTranspose,
  DepthwiseConv2dNative: depthwiseConv2d,
  FusedBatchNorm: batchNorm,
  FusedBatchNormV2: batchNorm,
  FusedBatchNormV3: batchNorm,
  FusedDepthwiseConv2dNative: depthwiseConv2d,
  MatMul: matMul,
  MaxPool: pool('MAX_POOL_2D'),
  _FusedConv2D: conv2d,
  _FusedMatMul: matMul,
};
