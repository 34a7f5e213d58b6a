/** The layers that files have operators for: how each class of them is computed. */
import {type Layer, steppedLayer} from '../layers/graph';
import {type LoweredClass, specOf} from '../layers/specs';
import {attributesOf} from '../layers/tfjs_internals';
import {activated, ELSE_FLOAT, leakyRelu, objectionToActivation, prelu, relu} from './lowerings/activation';
import type {Lowering, LoweringOfMany} from './lowerings/layer_call';
import {add, concatenate, maximum, minimum, multiply} from './lowerings/merge';
import {cropping2d, embedding, permute, reshape, unchanged, zeroPadding2d} from './lowerings/move';
import {globalAverage, globalMax, pool, upSampling2d} from './lowerings/pooling';
import {
  batchNorm,
  conv1d,
  conv2d,
  conv2dTranspose,
  dense,
  depthwiseConv2d,
  rescaling,
  separableConv2d,
  timeDistributed,
} from './lowerings/product';
import {bidirectional, objectionToRecurrent, recurrent} from './lowerings/recurrent';
import {segment} from './lowerings/segment';

/** Layers of this package that only round. */
type RoundingClass = 'QuantizeLayer' | 'tfjs-quantization>QuantizedInput';

/** By class name: of just the classes whose row in the table of layer classes says so. */
export const LOWERINGS = {
  Activation: activated,
  Add: add,
  AveragePooling1D: pool('average', 1),
  AveragePooling2D: pool('average', 2),
  BatchNormalization: batchNorm,
  Bidirectional: bidirectional,
  Concatenate: concatenate,
  Conv1D: conv1d,
  Conv2D: conv2d,
  Conv2DTranspose: conv2dTranspose,
  ConvLSTM2D: recurrent,
  Cropping2D: cropping2d,
  Dense: dense,
  DepthwiseConv2D: depthwiseConv2d,
  Dropout: unchanged,
  ELU: activated,
  Embedding: embedding,
  Flatten: reshape,
  GRU: recurrent,
  GaussianDropout: unchanged,
  GaussianNoise: unchanged,
  GlobalAveragePooling1D: globalAverage([1]),
  GlobalAveragePooling2D: globalAverage([1, 2]),
  GlobalMaxPooling1D: globalMax([1]),
  GlobalMaxPooling2D: globalMax([1, 2]),
  LSTM: recurrent,
  LeakyReLU: leakyRelu,
  MaxPooling1D: pool('max', 1),
  MaxPooling2D: pool('max', 2),
  Maximum: maximum,
  Minimum: minimum,
  Multiply: multiply,
  PReLU: prelu,
  Permute: permute,
  QuantizeLayer: unchanged,
  'tfjs-quantization>GraphSegment': segment,
  'tfjs-quantization>QuantizedInput': unchanged,
  RNN: recurrent,
  ReLU: relu,
  Rescaling: rescaling,
  Reshape: reshape,
  SeparableConv2D: separableConv2d,
  SimpleRNN: recurrent,
  Softmax: activated,
  SpatialDropout1D: unchanged,
  TimeDistributed: timeDistributed,
  UpSampling2D: upSampling2d,
  ZeroPadding2D: zeroPadding2d,
} satisfies Record<LoweredClass | RoundingClass, Lowering | LoweringOfMany>;

/** Layers of images that are the same whichever dimension holds the channels. */
const ANY_FORMAT: ReadonlySet<string> = /*#__PURE__*/ new Set(['Cropping2D', 'ZeroPadding2D']);

/** How a layer is computed; undefined of a class that is not. */
export function loweringOf(layer: Layer): Lowering | LoweringOfMany | undefined {
  return (LOWERINGS as Readonly<Record<string, Lowering | LoweringOfMany | undefined>>)[layer.getClassName()];
}

/** What is against computing a layer, in integers unless floats are as good; undefined if nothing. */
export function objectionTo(layer: Layer, inFloat: boolean): string | undefined {
  const name = layer.getClassName();
  if (!loweringOf(layer))
    return `there are no operators for the class ${name}. Use other layers, or export a model of those that have some`;
  if (!inFloat && specOf(layer)?.lowered === 'float') return `the class ${name} has no integer operator. ${ELSE_FLOAT}`;
  if (attributesOf(layer).dataFormat === 'channelsFirst' && !ANY_FORMAT.has(name))
    return "its data format is channelsFirst. Build it with 'channelsLast'";
  if (specOf(layer)?.kind === 'recurrent') return objectionToRecurrent(layer, inFloat);
  const inner = steppedLayer(layer);
  if (!inner) return objectionToActivation(layer, inFloat);
  return inner.getClassName() === 'Dense'
    ? objectionTo(inner, inFloat)
    : 'only a Dense layer can be called step by step';
}
