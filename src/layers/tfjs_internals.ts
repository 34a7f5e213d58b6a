/**
 * What this package leans on in tfjs-layers 4.22.0 beyond its typings, each with the file in its dist/ that has it.
 * test/layers/tfjs_internals.spec.ts asks tfjs itself, and fails where it changes one of them.
 */
import {type NamedTensorMap, serialization, type Tensor} from '@tensorflow/tfjs-core';
import {
  CallbackList,
  CustomCallback,
  type layers,
  LayersModel,
  type LayerVariable,
  type Shape,
} from '@tensorflow/tfjs-layers';

type Layer = layers.Layer;

interface Activation {
  apply(x: Tensor, axis?: number): Tensor;
  getClassName(): string;
}

/** Rows and columns, before and behind: layers/padding.js, layers/convolutional.js */
type Margins = [rows: [number, number], columns: [number, number]];

/** What classes of layers have and their typings hide, by tfjs's names. */
export interface Attributes {
  /** What a layer applies last; none where it is null or absent. layers/core.js, layers/convolutional.js, layers/recurrent.js */
  readonly activation: Activation | null;
  /** Of a LeakyReLU; of a PReLU it is a weight. layers/advanced_activations.js */
  readonly alpha: number;
  /** The dimension that either input is summed over. layers/merge.js: Dot */
  readonly axes: number | number[];
  /** The dimension that is normalized, which is a list in models of Keras, or joined. layers/normalization.js, layers/merge.js */
  readonly axis: number | number[];
  /** layers/wrappers.js: Bidirectional */
  readonly backwardLayer: Layer;
  /** What a recurrent layer calls step by step. layers/recurrent.js: RNN */
  readonly cell: Layer;
  /** layers/recurrent.js: StackedRNNCells */
  readonly cells: Layer[];
  /** layers/preprocessing/image_resizing.js */
  readonly cropToAspectRatio: boolean;
  /** layers/convolutional.js: Cropping2D */
  readonly cropping: Margins;
  /** layers/convolutional.js, layers/convolutional_depthwise.js, layers/pooling.js */
  readonly dataFormat: 'channelsFirst' | 'channelsLast';
  /** layers/convolutional.js: SeparableConv */
  readonly depthMultiplier: number;
  /** layers/convolutional_depthwise.js */
  readonly depthwiseConstraint: serialization.Serializable | null;
  /** layers/convolutional.js: BaseConv */
  readonly dilationRate: number | number[];
  /** The order of a Permute's dimensions, from 1. layers/core.js */
  readonly dims: number[];
  /** The mask of the last call, which stays until the next. layers/recurrent.js: the cells */
  readonly dropoutMask: Tensor | Tensor[] | null;
  /** layers/normalization.js */
  readonly epsilon: number;
  /** layers/wrappers.js: Bidirectional */
  readonly forwardLayer: Layer;
  /** Whether the last step comes first. layers/recurrent.js: RNN */
  readonly goBackwards: boolean;
  /** Of images. layers/preprocessing/image_resizing.js, center_crop.js */
  readonly height: number;
  /** layers/convolutional.js: UpSampling2D; layers/preprocessing/image_resizing.js, random_width.js */
  readonly interpolation: string;
  /** What a wrapper calls. layers/wrappers.js: Wrapper */
  readonly layer: Layer;
  /** layers/embeddings.js */
  readonly maskZero: boolean;
  /** layers/core.js: Masking */
  readonly maskValue: number;
  /** layers/advanced_activations.js: ReLU */
  readonly maxValue: number;
  /** null where both directions are outputs. layers/wrappers.js: Bidirectional */
  readonly mergeMode: string | null;
  /** layers/merge.js: Dot */
  readonly normalize: boolean;
  /** layers/noise.js: AlphaDropout */
  readonly noiseShape: number[];
  /** layers/preprocessing/category_encoding.js */
  readonly numTokens: number;
  /** layers/preprocessing/image_preprocessing.js: Rescaling */
  readonly offset: number;
  /** layers/preprocessing/category_encoding.js */
  readonly outputMode: string;
  /** A rule in layers/convolutional.js and layers/pooling.js; layers/padding.js: ZeroPadding2D */
  readonly padding: 'same' | 'valid' | Margins;
  /** layers/pooling.js */
  readonly poolSize: number | number[];
  /** Of convolutions, the dimensions they slide over. layers/convolutional.js: BaseConv */
  readonly rank: number;
  /** What the gates of a GRU and an LSTM apply. layers/recurrent.js: the cells */
  readonly recurrentActivation: Activation;
  /** As `dropoutMask`. layers/recurrent.js: the cells */
  readonly recurrentDropoutMask: Tensor | Tensor[] | null;
  /** Whether all steps are the output; else the last alone. layers/recurrent.js: RNN; layers/wrappers.js: Bidirectional */
  readonly returnSequences: boolean;
  /** Whether the last states are outputs, too. layers/recurrent.js: RNN; layers/wrappers.js: Bidirectional */
  readonly returnState: boolean;
  /** layers/preprocessing/image_preprocessing.js: Rescaling */
  readonly scale: number;
  /** layers/recurrent.js: the cells */
  readonly stateSize: number | number[];
  /** layers/convolutional.js, layers/pooling.js */
  readonly strides: number | number[];
  /** layers/advanced_activations.js: ThresholdedReLU */
  readonly theta: number;
  /** As `height`. */
  readonly width: number;
}

/** layers/normalization.js: BatchNormalization */
export interface BatchNorm extends Layer {
  readonly gamma?: LayerVariable | null;
  readonly beta?: LayerVariable | null;
  readonly movingMean: LayerVariable;
  readonly movingVariance: LayerVariable;
  readonly epsilon: number;
  /** How much of the statistics stays from one batch to the next. */
  momentum: number;
}

/** layers/convolutional.js: SeparableConv */
export interface Separable extends Layer {
  readonly depthwiseKernel: LayerVariable;
  readonly pointwiseKernel: LayerVariable;
  readonly bias: LayerVariable | null;
  readonly strides: [number, number];
  readonly padding: 'valid' | 'same';
  readonly dilationRate: [number, number];
  readonly dataFormat: 'channelsFirst' | 'channelsLast';
  readonly activation: Activation;
}

/** layers/recurrent.js: RNN; layers/wrappers.js: Bidirectional */
interface Recurrent extends Layer {
  states: Tensor[];
  resetStates(states?: Tensor | Tensor[], training?: boolean): void;
}

/** Those of the attributes that a layer's class has. */
export function attributesOf(layer: Layer): Partial<Attributes> {
  return layer as unknown as Partial<Attributes>;
}

/** A BatchNormalization. */
export function asBatchNorm(layer: Layer): BatchNorm {
  return layer as BatchNorm;
}

/** A SeparableConv2D. */
export function asSeparable(layer: Layer): Separable {
  return layer as Separable;
}

/** A recurrent layer. */
export function asRecurrent(layer: Layer): Recurrent {
  return layer as Recurrent;
}

/** A layer by the attributes that have its variables. It reads them from there at each call. */
export function hostOf(layer: Layer): Record<string, LayerVariable> {
  return layer as unknown as Record<string, LayerVariable>;
}

/** The variable in an attribute of a layer, if there is one. */
export function weightOf(layer: Layer, attr: string): LayerVariable | undefined {
  return hostOf(layer)[attr];
}

/** engine/topology.js: Layer */
interface LayerPrivates {
  _trainableWeights: LayerVariable[];
  _nonTrainableWeights: LayerVariable[];
  _refCount: number | null;
  trainable_: boolean;
  addWeight(
    name: string,
    shape: Shape,
    dtype: 'float32' | 'int32',
    initializer: {apply(shape: number[], dtype: 'float32' | 'int32'): Tensor},
    regularizer: undefined,
    trainable: boolean,
  ): LayerVariable;
}

const privatesOf = (layer: Layer) => layer as unknown as LayerPrivates;

/** The variables that a layer has itself, by what they were made to be; not those of layers inside. */
export function ownWeights(layer: Layer): {trainable: readonly LayerVariable[]; others: readonly LayerVariable[]} {
  const {_trainableWeights: trainable, _nonTrainableWeights: others} = privatesOf(layer);
  return {trainable, others};
}

/** Adds a variable to a layer that no optimizer trains. */
export function addConstant(
  layer: Layer,
  name: string,
  shape: Shape,
  dtype: 'float32' | 'int32',
  make: (shape: number[], dtype: 'float32' | 'int32') => Tensor,
): LayerVariable {
  return privatesOf(layer).addWeight(name, shape, dtype, {apply: make}, undefined, false);
}

/** The name under which a variable is saved and found again. variables.js: LayerVariable */
export function renameWeight(variable: LayerVariable, name: string): void {
  (variable as {originalName: string}).originalName = name;
}

/** Sets what a variable is held to whenever a value is written; null for nothing. variables.js: LayerVariable.write */
export function setConstraint(variable: LayerVariable, constraint: LayerVariable['constraint'] | null): void {
  (variable as {constraint: LayerVariable['constraint'] | null}).constraint = constraint;
}

/** In how many places a layer is used, so many times `dispose` is to be called: 0 once it is disposed, null before it is used. */
export function referencesOf(layer: Layer): number | null {
  return privatesOf(layer)._refCount;
}

/** See {@link referencesOf}. */
export function setReferences(layer: Layer, count: number | null): void {
  privatesOf(layer)._refCount = count;
}

/** Sets what a model says of itself, and leaves its layers alone, which its own setter would not. engine/container.js */
export function setTrainableFlag(model: LayersModel, trainable: boolean): void {
  privatesOf(model).trainable_ = trainable;
}

/** Whether a `fit` of the model is going on. engine/training.js: LayersModel.fit, fitDataset */
export function isTraining(model: LayersModel): boolean {
  return (model as unknown as {isTraining: boolean}).isTraining;
}

/**
 * Makes a layer as a model does that is loaded; undefined if no such class is registered. tfjs-core's serialization.js, and
 * utils/generic_utils.js: deserializeKerasObject
 */
export function makeLayer(className: string, config: Record<string, unknown>): Layer | undefined {
  const [cls, fromConfig] = serialization.SerializationMap.getMap().classNameMap[className] ?? [];
  return cls && fromConfig && (fromConfig(cls, config as serialization.ConfigDict) as unknown as Layer);
}

/**
 * Has models that load weights take them by other names than those in the file.
 *
 * A change of the class, for want of anything smaller: `loadLayersModel` makes a model and has it load its weights in one go;
 * the model notes the name of each of its weights before it looks at one of the file, and no layer is told which model it is
 * in. models.js: loadLayersModelFromIOHandler; engine/container.js: Container.loadWeights
 */
export function onLoadWeights(renamed: (model: LayersModel, weights: NamedTensorMap) => NamedTensorMap): void {
  type LoadWeights = (this: LayersModel, weights: NamedTensorMap, strict?: boolean) => void;
  const models: {loadWeights: LoadWeights} = LayersModel.prototype;
  const {loadWeights} = models;
  models.loadWeights = function (weights, strict) {
    loadWeights.call(this, renamed(this, weights), strict);
  };
}

export type Callbacks = CallbackList['callbacks'];

/**
 * Has lists of callbacks changed before a `fit` uses them.
 *
 * A change of the class, for want of anything smaller: `fit` takes callbacks either all for instances or all for plain objects,
 * as the first of them is, and then makes a list of which no callback is told. base_callbacks.js: standardizeCallbacks,
 * configureCallbacks, which calls CallbackList.setParams before all else
 */
export function onCallbackList(changed: (callbacks: Callbacks) => Callbacks): void {
  type SetParams = (this: CallbackList, params: Parameters<CallbackList['setParams']>[0]) => void;
  const lists: {setParams: SetParams} = CallbackList.prototype;
  const {setParams} = lists;
  lists.setParams = function (params) {
    this.callbacks = changed(this.callbacks);
    setParams.call(this, params);
  };
}

/** The function `onTrainBegin` of what `fit` took for a plain object. base_callbacks.js: CustomCallback */
export function trainBeginOf(callback: Callbacks[number]): object | undefined {
  return callback instanceof CustomCallback ? (callback as unknown as {trainBegin?: object}).trainBegin : undefined;
}
