/** What wrappers of layers share: the layer within, on which everything but rounding is left to. */
import {serialization, type Tensor} from '@tensorflow/tfjs-core';
import {layers as tfLayers, type LayerVariable, SymbolicTensor} from '@tensorflow/tfjs-layers';
import {type Call, innerLayers, type Layer, type Shape} from './graph';
import {specOf} from './specs';

export type Config = Record<string, unknown>;
export type Tensors = Tensor | Tensor[];
type SymbolicTensors = SymbolicTensor | SymbolicTensor[];

/**
 * Whether a value has the mark of a class, by which `instanceof` goes, as tfjs has it for Tensor: a page or a process may hold
 * this package twice, as an ES module and in CommonJS, whose layers meet in one model.
 */
export function isMarked(value: unknown, mark: symbol): boolean {
  return typeof value === 'object' && value !== null && mark in value;
}

/** The layer within a wrapper, or the layer itself. */
export function unwrapped(layer: Layer): Layer {
  return layer instanceof LayerWrapper ? layer.layer : layer;
}

/** What tfjs leaves out of a layer's config, and what it gets wrong. */
function missingConfig(layer: Layer): Config {
  return specOf(layer)?.missingConfig?.(layer) ?? {};
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

/** What tfjs notes of a layer's symbolic calls. */
interface Noting {
  readonly inboundNodes: (Call & {readonly inboundLayers: Noting[]})[];
  readonly outboundNodes: Call[];
  _refCount: number | null;
}

/** Has a layer tell its output's shape without changing the one that it is given, as tfjs lets it: it is asked twice. */
function shapeSwap(layer: Layer): Swap {
  const compute = layer.computeOutputShape.bind(layer);
  return {host: layer, attr: 'computeOutputShape', value: (shape: Shape | Shape[]) => compute(structuredClone(shape))};
}

/** What a layer makes of the arguments of a symbolic call: it is called, and the call is struck out. */
function symbolicCall(layer: Layer, inputs: SymbolicTensors, kwargs: Config): Call {
  const noting = layer as unknown as Noting;
  const references = noting._refCount;
  swapped([shapeSwap(layer)], () => layer.apply(inputs, {...kwargs}));
  const call = noting.inboundNodes.pop()!;
  for (const {outboundNodes} of call.inboundLayers) outboundNodes.splice(outboundNodes.lastIndexOf(call), 1);
  noting._refCount = references;
  return call;
}

/** The arguments of a call that did not become inputs of it. */
export function argumentsBeside({inputTensors, callArgs = {}}: Call): Config {
  const isInput = (value: unknown) => inputTensors.includes(value as SymbolicTensor);
  return Object.fromEntries(Object.entries(callArgs).filter(([, value]) => ![value].flat().some(isInput)));
}

/** What recurrent layers have beside what all have. */
interface Recurrent {
  states: Tensor[];
  resetStates(states?: Tensors, training?: boolean): void;
}

const WRAPPER: unique symbol = Symbol.for('tfjs-quantization.LayerWrapper');

/** A layer around another. tfjs-layers has such a class, but does not export it. */
export abstract class LayerWrapper extends tfLayers.Layer {
  static override [Symbol.hasInstance](value: unknown): boolean {
    return isMarked(value, WRAPPER);
  }

  readonly [WRAPPER] = true;
  readonly layer: Layer;

  constructor(layer: Layer, name: string) {
    const {batchInputShape, dtype} = layer;
    super({name, ...(batchInputShape && {batchInputShape}), ...(dtype && {dtype})});
    this.layer = layer;
    this.supportsMasking = layer.supportsMasking;
  }

  /**
   * The layer within has its say first: recurrent layers make inputs of the states that they are given as arguments, and
   * it is the layer within that knows what it takes.
   */
  override apply(inputs: Tensors | SymbolicTensors, kwargs: Config = {}): Tensors | SymbolicTensors {
    const [first] = [inputs].flat();
    if (!(first instanceof SymbolicTensor)) return super.apply(inputs, kwargs);
    const call = symbolicCall(this.layer, inputs as SymbolicTensors, kwargs);
    const all = call.inputTensors;
    return super.apply(all.length === 1 ? all[0]! : all, argumentsBeside(call));
  }

  // The layer within warns.
  protected override warnOnIncompatibleInputShape(): void {
    return;
  }

  override computeOutputShape(inputShape: Shape | Shape[]): Shape | Shape[] {
    return swapped([shapeSwap(this.layer)], () => this.layer.computeOutputShape(inputShape));
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

  override resetStates(states?: Tensors, training?: boolean): void {
    (this.layer as unknown as Recurrent).resetStates(states, training);
  }

  /** The states of a recurrent layer. */
  get states(): Tensor[] {
    return (this.layer as unknown as Recurrent).states;
  }

  set states(states: Tensor[]) {
    (this.layer as unknown as Recurrent).states = states;
  }

  override setFastWeightInitDuringBuild(value: boolean): void {
    super.setFastWeightInitDuringBuild(value);
    this.layer.setFastWeightInitDuringBuild(value);
  }

  /** Builds the layer within, unless it is built. */
  protected buildLayer(inputShape: Shape | Shape[]): void {
    if (this.layer.built) return;
    this.layer.build(inputShape);
    this.layer.built = true;
  }
}
