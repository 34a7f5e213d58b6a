/** What layers compute, by op. */
import type {Pattern} from '../pattern';
import {activation, leakyRelu, parametricRelu} from './activations';
import {biasAdd, negative} from './elementwise';
import {
  fakeQuantWithMinMaxArgs,
  fakeQuantWithMinMaxVars,
  fakeQuantWithMinMaxVarsPerChannel,
  quantizeAndDequantize,
} from './fake_quant';
import {add, addN, concat, divide, maximum, minimum, multiply, square, subtract} from './merging';
import {cast, expandDims, gather, identity, reshape, squeeze, transpose} from './moving';
import {fusedBatchNorm} from './normalization';
import {pad, slice, stridedSlice} from './padding';
import {PASSING_ON} from './parts';
import {avgPool, avgPool3d, maxPool, maxPool3d, reduction} from './pooling';
import {conv2d, conv2dTranspose, conv3d, depthwiseConv2d, spaceToBatch} from './convolutions';
import {matMul} from './matrices';
import {resize} from './resizing';

export const PATTERNS: Readonly<Record<string, Pattern>> = {
  .../*#__PURE__*/ Object.fromEntries([...PASSING_ON].map(op => [op, identity])),
  Cast: cast,

  Conv2D: conv2d,
  _FusedConv2D: conv2d,
  DepthwiseConv2dNative: depthwiseConv2d,
  FusedDepthwiseConv2dNative: depthwiseConv2d,
  Conv3D: conv3d,
  Conv2DBackpropInput: conv2dTranspose,
  SpaceToBatchND: spaceToBatch,
  MatMul: matMul,
  _FusedMatMul: matMul,
  BatchMatMul: matMul,
  BatchMatMulV2: matMul,
  BatchMatMulV3: matMul,

  FusedBatchNorm: fusedBatchNorm,
  FusedBatchNormV2: fusedBatchNorm,
  FusedBatchNormV3: fusedBatchNorm,

  Add: add,
  AddV2: add,
  AddN: addN,
  BiasAdd: biasAdd,
  Sub: subtract,
  Mul: multiply,
  RealDiv: divide,
  Div: divide,
  Neg: negative,
  Square: square,
  Maximum: maximum,
  Minimum: minimum,
  Concat: concat,
  ConcatV2: concat,

  ClipByValue: activation,
  Elu: activation,
  LeakyRelu: leakyRelu,
  LogSoftmax: activation,
  Prelu: parametricRelu,
  Relu: activation,
  Relu6: activation,
  Selu: activation,
  Sigmoid: activation,
  Softmax: activation,
  Softplus: activation,
  Softsign: activation,
  Tanh: activation,

  FakeQuantWithMinMaxArgs: fakeQuantWithMinMaxArgs,
  FakeQuantWithMinMaxVars: fakeQuantWithMinMaxVars,
  FakeQuantWithMinMaxVarsPerChannel: fakeQuantWithMinMaxVarsPerChannel,
  QuantizeAndDequantizeV2: quantizeAndDequantize,
  QuantizeAndDequantizeV3: quantizeAndDequantize,
  QuantizeAndDequantizeV4: quantizeAndDequantize,

  AvgPool: avgPool,
  AvgPool3D: avgPool3d,
  MaxPool: maxPool,
  MaxPool3D: maxPool3d,
  Max: reduction,
  Mean: reduction,
  Sum: reduction,

  ExpandDims: expandDims,
  Gather: gather,
  GatherV2: gather,
  Pad: pad,
  PadV2: pad,
  Reshape: reshape,
  ResizeBilinear: resize,
  ResizeNearestNeighbor: resize,
  Slice: slice,
  Squeeze: squeeze,
  StridedSlice: stridedSlice,
  Transpose: transpose,
};
