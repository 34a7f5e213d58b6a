/** The layers that files have operators for: how each class of them is computed. */
import {isContainer, type Layer, steppedLayer} from '../layers/graph';
import {type LoweredClass, specOf} from '../layers/specs';
import {attributesOf, weightOf} from '../layers/tfjs_internals';
import type {Value} from './graph';
import {
  activated,
  ELSE_FLOAT,
  leakyRelu,
  objectionToActivation,
  prelu,
  relu,
  softmax,
  thresholdedRelu,
} from './lowerings/activation';
import {LayerCall, type Lowering, type LoweringOfMany} from './lowerings/layer_call';
import {add, average, concatenate, dot, maximum, minimum, multiply, objectionToDot} from './lowerings/merge';
import {
  centerCrop,
  cropping2d,
  embedding,
  flatten,
  permute,
  repeatVector,
  reshape,
  unchanged,
  zeroPadding2d,
} from './lowerings/move';
import {categoryEncoding, layerNormalization, masking} from './lowerings/of_floats';
import {globalAverage, globalMax, pool, resizing, upSampling2d} from './lowerings/pooling';
import {
  batchNorm,
  conv1d,
  conv2d,
  conv2dTranspose,
  dense,
  depthwiseConv2d,
  rescaling,
  separableConv2d,
} from './lowerings/product';
import {bidirectional, objectionToRecurrent, recurrent} from './lowerings/recurrent';
import {segment} from './lowerings/segment';
import {conv3d, conv3dTranspose, pool3d} from './lowerings/volumes';

/** Layers of this package that only round. */
type RoundingClass = 'QuantizeLayer' | 'tfjs-quantization>QuantizedInput';

/** By class name: of just the classes whose row in the table of layer classes says so. */
export const LOWERINGS = {
  Activation: activated,
  Add: add,
  AlphaDropout: unchanged,
  Average: average,
  AveragePooling1D: pool('average', 1),
  AveragePooling2D: pool('average', 2),
  AveragePooling3D: pool3d('average'),
  BatchNormalization: batchNorm,
  Bidirectional: bidirectional,
  CategoryEncoding: categoryEncoding,
  CenterCrop: centerCrop,
  Concatenate: concatenate,
  Conv1D: conv1d,
  Conv2D: conv2d,
  Conv2DTranspose: conv2dTranspose,
  ConvLSTM2D: recurrent,
  Conv3D: conv3d,
  Conv3DTranspose: conv3dTranspose,
  Cropping2D: cropping2d,
  Dense: dense,
  DepthwiseConv2D: depthwiseConv2d,
  Dot: dot,
  Dropout: unchanged,
  ELU: activated,
  Embedding: embedding,
  Flatten: flatten,
  GRU: recurrent,
  GaussianDropout: unchanged,
  GaussianNoise: unchanged,
  GlobalAveragePooling1D: globalAverage([1]),
  GlobalAveragePooling2D: globalAverage([1, 2]),
  GlobalMaxPooling1D: globalMax([1]),
  GlobalMaxPooling2D: globalMax([1, 2]),
  InputLayer: unchanged,
  LSTM: recurrent,
  LayerNormalization: layerNormalization,
  LeakyReLU: leakyRelu,
  Masking: masking,
  MaxPooling1D: pool('max', 1),
  MaxPooling2D: pool('max', 2),
  MaxPooling3D: pool3d('max'),
  Maximum: maximum,
  Minimum: minimum,
  Multiply: multiply,
  PReLU: prelu,
  Permute: permute,
  QuantizeLayer: unchanged,
  'tfjs-quantization>GraphSegment': segment,
  'tfjs-quantization>QuantizedInput': unchanged,
  RNN: recurrent,
  // tfjs widens images at random even when it is not trained, Keras never then.
  RandomWidth: unchanged,
  ReLU: relu,
  RepeatVector: repeatVector,
  Rescaling: rescaling,
  Reshape: reshape,
  Resizing: resizing,
  SeparableConv2D: separableConv2d,
  SimpleRNN: recurrent,
  Softmax: softmax,
  SpatialDropout1D: unchanged,
  ThresholdedReLU: thresholdedRelu,
  TimeDistributed: timeDistributed,
  UpSampling2D: upSampling2d,
  ZeroPadding2D: zeroPadding2d,
} satisfies Record<LoweredClass | RoundingClass, Lowering | LoweringOfMany>;

/** A layer that is called on each step: on all of them at once, as on so many samples. */
async function timeDistributed(call: LayerCall, x: Value): Promise<readonly Value[]> {
  const {graph, layer, numbers, inputs, shape} = call;
  const inner = steppedLayer(layer)!;
  const within = async (given: Value, output: readonly number[], from: readonly Value[]) => {
    const made = await loweringOf(inner)!(new LayerCall(graph, inner, numbers, from, output), given);
    return made instanceof Array ? (made[0] as Value) : made;
  };
  // It looks at the last dimension only.
  if (inner.getClassName() === 'Dense') return [call.round(await within(x, shape, inputs), 'output')];
  const samples = graph.reshape(x, samplesOf(x.shape));
  const y = await within(samples, samplesOf(shape), [samples]);
  return [call.round(graph.reshape(y, shape), 'output')];
}

/** The shape of all steps of sequences, as so many samples. */
export function samplesOf([batch, steps, ...others]: readonly number[]): number[] {
  return [batch! * steps!, ...others];
}

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
  // tfjs gives its channels last then, and says first.
  const isChannelsFirst = attributesOf(layer).dataFormat === 'channelsFirst';
  if (name === 'Conv1D' && isChannelsFirst) return "its data format is channelsFirst. Build it with 'channelsLast'";
  if (name === 'SeparableConv2D' && isChannelsFirst && weightOf(layer, 'bias'))
    return "tfjs adds its bias to the rows of channelsFirst images. Build it without one, or with 'channelsLast'";
  if (name === 'Dot') return objectionToDot(layer, inFloat);
  if (specOf(layer)?.kind === 'recurrent') return objectionToRecurrent(layer, inFloat);
  const inner = steppedLayer(layer);
  if (!inner) return objectionToActivation(layer, inFloat);
  // Of a model, all layers are asked themselves.
  return isContainer(inner) ? undefined : objectionTo(inner, inFloat);
}
