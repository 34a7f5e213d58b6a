/** What each class of layer is to an int8 runtime: which weights it multiplies with, and what happens to its output. */
import type {LayerVariable} from '@tensorflow/tfjs-layers';
import {innerLayers, isContainer, type Layer} from './graph';

/** How an int8 runtime treats a layer. */
export type Kind =
  /** Multiplies with weights; takes a BatchNormalization and an activation into itself. */
  | 'compute'
  /** As a whole, as its inside works step by step. */
  | 'recurrent'
  /** Looks rows up by the numbers that it is given. */
  | 'embedding'
  /** Counts the numbers that it is given. */
  | 'encoding'
  /** Compares what it is given with one value. */
  | 'masking'
  | 'batchNorm'
  | 'activation'
  /** Takes an activation into itself. */
  | 'merge'
  | 'concat'
  /** Computes new values. */
  | 'elementwise'
  /** Moves values around, or chooses among them: what was on a grid stays on it. */
  | 'passing'
  /** A model called step by step. */
  | 'nested'
  | 'custom'
  | 'unknown';

/** The kinds that multiply with weights. */
export const MULTIPLIES: ReadonlySet<Kind> = new Set<Kind>(['compute', 'recurrent', 'embedding', 'custom']);

/** The kinds that a rounded value would be another value to: they take values as they are. */
export const EXACT: ReadonlySet<Kind> = new Set<Kind>(['embedding', 'encoding', 'masking']);

const CLASSES: Readonly<Record<Exclude<Kind, 'nested' | 'custom' | 'unknown'>, readonly string[]>> = {
  compute: [
    'Dense',
    'Conv1D',
    'Conv2D',
    'Conv3D',
    'Conv2DTranspose',
    'Conv3DTranspose',
    'DepthwiseConv2D',
    'SeparableConv2D',
  ],
  recurrent: [
    'SimpleRNN',
    'GRU',
    'LSTM',
    'RNN',
    'ConvLSTM2D',
    'ConvRNN2D',
    'Bidirectional',
    'SimpleRNNCell',
    'GRUCell',
    'LSTMCell',
    'ConvLSTM2DCell',
    'StackedRNNCells',
  ],
  embedding: ['Embedding'],
  encoding: ['CategoryEncoding'],
  masking: ['Masking'],
  batchNorm: ['BatchNormalization'],
  activation: ['Activation', 'ReLU', 'LeakyReLU', 'PReLU', 'ELU', 'ThresholdedReLU', 'Softmax'],
  merge: ['Add', 'Multiply', 'Average', 'Maximum', 'Minimum', 'Dot'],
  concat: ['Concatenate'],
  elementwise: [
    'LayerNormalization',
    'AveragePooling1D',
    'AveragePooling2D',
    'AveragePooling3D',
    'GlobalAveragePooling1D',
    'GlobalAveragePooling2D',
    'Rescaling',
    // Images that are too small are not cropped, but scaled up.
    'CenterCrop',
  ],
  passing: [
    'InputLayer',
    'Flatten',
    'Reshape',
    'Permute',
    'RepeatVector',
    'Dropout',
    'SpatialDropout1D',
    'GaussianNoise',
    'GaussianDropout',
    'AlphaDropout',
    'ZeroPadding2D',
    'Cropping2D',
    'MaxPooling1D',
    'MaxPooling2D',
    'MaxPooling3D',
    'GlobalMaxPooling1D',
    'GlobalMaxPooling2D',
  ],
};

const KIND_OF = new Map(
  Object.entries(CLASSES).flatMap(([kind, names]) => names.map(name => [name, kind as Kind] as const)),
);

/** Classes that compute new pixels, or repeat those that there are, as their interpolation says. */
const RESIZING: ReadonlySet<string> = new Set(['RandomWidth', 'Resizing', 'UpSampling2D']);

/** The weights of a layer class of one's own that are to be quantized: their attributes, each with its channels' axis. */
export type CustomWeights = Readonly<
  Record<
    string,
    | {
        /** The dimension of the channels, with a range for each; one range by default. */
        readonly axis?: number;
      }
    | undefined
  >
>;

/** Custom classes by name. */
export type CustomLayers = Readonly<Record<string, CustomWeights | undefined>>;

/** What `layer` is. What is called step by step is as what it calls. */
export function kindOf(layer: Layer, custom: CustomLayers): Kind {
  const name = layer.getClassName();
  if (custom[name]) return 'custom';
  if (name === 'TimeDistributed') {
    const inner = innerLayers(layer)[0]!;
    return isContainer(inner) ? 'nested' : kindOf(inner, custom);
  }
  if (RESIZING.has(name)) {
    return (layer as unknown as {interpolation: string}).interpolation === 'bilinear' ? 'elementwise' : 'passing';
  }
  return KIND_OF.get(name) ?? 'unknown';
}

/** The activation that a layer has or is; 'linear' if it has none. */
export function activationOf(layer: Layer): string {
  const name = layer.getClassName();
  if (name === 'TimeDistributed') return activationOf(innerLayers(layer)[0]!);
  if (name === 'ReLU') return (layer as unknown as {maxValue?: number}).maxValue === undefined ? 'relu' : 'relu6';
  if (name === 'Softmax') return 'softmax';
  if (KIND_OF.get(name) === 'activation' && name !== 'Activation') return name;
  const {activation} = layer as unknown as {activation?: {getClassName(): string} | null};
  return activation?.getClassName() ?? 'linear';
}

/** Activations that a runtime computes as a clamp of what it accumulated. */
export function isClamp(activation: string): boolean {
  return activation === 'linear' || activation === 'relu' || activation === 'relu6';
}

/**
 * Activations whose range is known: their output's range in a runtime, for a grid of `numBits`. An int16 has 0 in its
 * middle, so 16 bits reach as far below 0 as above, whatever the activation.
 */
export function fixedRange(activation: string, numBits: number): [number, number] | undefined {
  const step = 2 ** -numBits;
  const isPositive = activation === 'sigmoid' || activation === 'softmax' || activation === 'hardSigmoid';
  if (isPositive && numBits < 16) return [0, 1 - step];
  return isPositive || activation === 'tanh' ? [-1, 1 - 2 * step] : undefined;
}

/** A weight that is quantized, where the layer looks for it when it is called. */
export interface Slot {
  /** The layer that reads the weight: the one quantized, or one inside. */
  readonly host: Record<string, LayerVariable>;
  readonly attr: string;
  /** What tells the slot from the others of its layer. */
  readonly name: string;
  /** The dimension of output channels; 'depthwise' where in and multiplier are both. */
  readonly axis: number | 'depthwise' | undefined;
}

const ATTRS = ['kernel', 'depthwiseKernel', 'pointwiseKernel', 'recurrentKernel', 'embeddings'];

function axisOf(layer: Layer, attr: string, rank: number): Slot['axis'] {
  if (attr === 'depthwiseKernel') return 'depthwise';
  if (attr === 'embeddings') return 0;
  return layer.getClassName().endsWith('Transpose') ? rank - 2 : rank - 1;
}

/** The weights to quantize of a built layer. */
export function slotsOf(layer: Layer, custom: CustomWeights | undefined, prefix = ''): Slot[] {
  const host = layer as unknown as Slot['host'];
  const attrs = custom ? Object.keys(custom) : ATTRS.filter(attr => host[attr]);
  const own = attrs.map(attr => {
    const {rank} = host[attr]!.read();
    const axis = custom ? custom[attr]?.axis : axisOf(layer, attr, rank);
    return {host, attr, name: prefix + attr, axis: typeof axis === 'number' && axis < 0 ? axis + rank : axis};
  });
  const inner = custom ? [] : innerLayers(layer).filter(each => !isContainer(each));
  return [...own, ...inner.flatMap((each, i) => slotsOf(each, undefined, `${prefix}${innerPrefix(layer, i)}`))];
}

function innerPrefix(layer: Layer, index: number): string {
  if (layer.getClassName() === 'Bidirectional') return index === 0 ? 'forward_' : 'backward_';
  return 'cells' in layer ? `cell${index}_` : '';
}
