/** What wrappers of layers share: the layer within, on which everything but rounding is left to. */
import {serialization, type Tensor} from '@tensorflow/tfjs-core';
import {layers as tfLayers, type LayerVariable} from '@tensorflow/tfjs-layers';
import type {FakeQuantizer, RangeMemory} from './fake_quantizer';
import type {BatchNorm} from './folding';
import {innerLayers, type Layer, type Shape} from './graph';

export type Config = Record<string, unknown>;
export type Tensors = Tensor | Tensor[];

/** One thing that a layer rounds. */
export interface Rounding {
  /** A weight's name, 'before activation' or 'output'. */
  readonly what: string;
  readonly of: 'weights' | 'activations';
  readonly quantizer: FakeQuantizer;
  /** A range that never moves, and that counts from the first batch on. */
  readonly fixed?: readonly [number, number] | undefined;
}

/** A weight that a layer rounds. */
export interface RoundedWeight {
  /** The weight's attribute, with what tells it from those of other layers inside. */
  readonly name: string;
  readonly quantizer: FakeQuantizer;
  /** What the quantizer gives, in the shape in which its axis counts. */
  readonly rounded: () => Tensor;
  /** The weight's own shape. */
  readonly shape: readonly number[];
  /** The BatchNormalization whose gain the weight is multiplied with. */
  readonly norm: BatchNorm | undefined;
}

/** A layer that rounds. */
export interface Quantizing extends Layer {
  readonly roundings: readonly Rounding[];
  /** Sets the ranges of weights that else only training moves; gives what they were. */
  measureWeights?(): readonly RangeMemory[];
}

/** Whether a layer rounds. */
export function isQuantizing(layer: Layer): layer is Quantizing {
  return 'roundings' in layer;
}

/** Sets fixed ranges, from when on they round. */
export function settle(roundings: readonly Rounding[]): void {
  for (const {fixed, quantizer} of roundings) if (fixed && !quantizer.isSet()) quantizer.setRange(...fixed);
}

/** The layer within a wrapper, or the layer itself. */
export function unwrapped(layer: Layer): Layer {
  return layer instanceof LayerWrapper ? layer.layer : layer;
}

/** What tfjs leaves out of a layer's config, and what it gets wrong: a depthwise one's constraint is its regularizer there. */
function missingConfig(layer: Layer): Config {
  const {depthMultiplier, noiseShape, depthwiseConstraint} = layer as unknown as {
    depthMultiplier: number;
    noiseShape?: number[];
    depthwiseConstraint?: serialization.Serializable;
  };
  switch (layer.getClassName()) {
    case 'SeparableConv2D':
      return {depthMultiplier};
    case 'AlphaDropout':
      return {noiseShape};
    case 'DepthwiseConv2D':
      return {
        depthwiseConstraint: depthwiseConstraint
          ? {className: depthwiseConstraint.getClassName(), config: depthwiseConstraint.getConfig()}
          : null,
      };
    default:
      return {};
  }
}

/** The config of a layer, all of it. */
export function configOf(layer: Layer): Config {
  const config = JSON.parse(JSON.stringify({...layer.getConfig(), ...missingConfig(layer)})) as Config;
  if (layer.getClassName() !== 'TimeDistributed') return config;
  const [inner] = innerLayers(layer);
  return {...config, layer: {className: inner!.getClassName(), config: configOf(inner!)}};
}

/** Has a layer tell all of its config, also where tfjs asks: when it saves a model, or a layer around this one. */
export function tellAll(layer: Layer): void {
  if (Object.keys(missingConfig(layer)).length > 0) {
    const ofClass = Object.getPrototypeOf(layer) as Layer;
    layer.getConfig = () => ({...ofClass.getConfig.call(layer), ...missingConfig(layer)}) as serialization.ConfigDict;
  }
  innerLayers(layer).forEach(tellAll);
}

/** Makes a layer from a config, as tfjs-layers does for its own wrappers. */
export function layerFrom({className, config}: {className: string; config: Config}): Layer {
  const [cls, fromConfig] = serialization.SerializationMap.getMap().classNameMap[className] ?? [];
  if (!cls || !fromConfig)
    throw new Error(`Unknown layer class ${className}. Register it: tf.serialization.registerClass.`);
  const layer = fromConfig(cls, config as never) as unknown as Layer;
  tellAll(layer);
  return layer;
}

/** A value for the place of a layer's own. */
export interface Swap {
  readonly host: object;
  readonly attr: string;
  readonly value: unknown;
}

/** Puts values in the place of a layer's own for one call. */
export function swapped<T>(swaps: readonly Swap[], run: () => T): T {
  const before = swaps.map(({host, attr}) => (host as Config)[attr]);
  for (const {host, attr, value} of swaps) (host as Config)[attr] = value;
  try {
    return run();
  } finally {
    swaps.forEach(({host, attr}, i) => ((host as Config)[attr] = before[i]));
  }
}

/** Has a layer's activation called by another function, apart from what comes before it. */
export function activationSwap(host: object, apply: (x: Tensor, activate: (x: Tensor) => Tensor) => Tensor): Swap {
  const {activation} = host as {activation: {apply(x: Tensor, axis?: number): Tensor}};
  const value = {
    // No name that tfjs would fuse.
    getClassName: () => 'quantized',
    apply: (x: Tensor, axis?: number) => apply(x, given => activation.apply(given, axis)),
  };
  return {host, attr: 'activation', value};
}

/** The variables of a wrapper itself. */
function ownVariables(layer: Layer): Record<'_trainableWeights' | '_nonTrainableWeights', LayerVariable[]> {
  return layer as never;
}

/** A layer around another. tfjs-layers has such a class, but does not export it. */
export abstract class LayerWrapper extends tfLayers.Layer {
  readonly layer: Layer;

  constructor(layer: Layer, name: string) {
    const {batchInputShape, dtype} = layer;
    super({name, ...(batchInputShape && {batchInputShape}), ...(dtype && {dtype})});
    this.layer = layer;
    this.supportsMasking = layer.supportsMasking;
  }

  override computeOutputShape(inputShape: Shape | Shape[]): Shape | Shape[] {
    return this.layer.computeOutputShape(inputShape);
  }

  override computeMask(inputs: Tensors, mask?: Tensors): Tensors {
    return this.layer.computeMask(inputs, mask);
  }

  // tfjs reads these before this class's constructor has run.
  override get trainable(): boolean {
    return this.layer?.trainable ?? true;
  }

  override set trainable(trainable: boolean) {
    if (this.layer) this.layer.trainable = trainable;
  }

  override get trainableWeights(): LayerVariable[] {
    return [...(this.layer?.trainableWeights ?? []), ...(this.trainable ? ownVariables(this)._trainableWeights : [])];
  }

  override get nonTrainableWeights(): LayerVariable[] {
    const {_trainableWeights: learned, _nonTrainableWeights: others} = ownVariables(this);
    return [...(this.layer?.nonTrainableWeights ?? []), ...(this.trainable ? [] : learned), ...others];
  }

  override get losses(): Layer['losses'] {
    return this.layer?.losses ?? [];
  }

  override get stateful(): boolean {
    return this.layer?.stateful ?? false;
  }

  override resetStates(): void {
    this.layer.resetStates();
  }

  override setFastWeightInitDuringBuild(value: boolean): void {
    super.setFastWeightInitDuringBuild(value);
    this.layer.setFastWeightInitDuringBuild(value);
  }

  /** What the wrapper rounds. */
  abstract get roundings(): readonly Rounding[];

  /** What of its weights the wrapper rounds. */
  abstract roundedWeights(): readonly RoundedWeight[];

  /** Gives another layer of the same class the weights that this one computes with. */
  abstract assignRounded(copy: Layer): void;

  /** Builds the layer within, unless it is built. */
  protected buildLayer(inputShape: Shape | Shape[]): void {
    if (this.layer.built) return;
    this.layer.build(inputShape);
    this.layer.built = true;
  }
}
