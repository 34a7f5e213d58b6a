/** What wrappers of layers share: the layer within, on which everything but rounding is left to. */
import type {Tensor} from '@tensorflow/tfjs-core';
import {layers as tfLayers, type LayerVariable, SymbolicTensor} from '@tensorflow/tfjs-layers';
import type {Call, Layer, Shape} from './graph';
import type {Config} from './serialization';
import {type Swap, swapped} from './swapped';
import {asRecurrent, ownWeights, referencesOf, setReferences} from './tfjs_internals';

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

/** Has a layer tell its output's shape without changing the one that it is given, as tfjs lets it: it is asked twice. */
function shapeSwap(layer: Layer): Swap {
  const compute = layer.computeOutputShape.bind(layer);
  return {host: layer, attr: 'computeOutputShape', value: (shape: Shape | Shape[]) => compute(structuredClone(shape))};
}

/** What a layer makes of the arguments of a symbolic call: it is called, and the call is struck out. */
function symbolicCall(layer: Layer, inputs: SymbolicTensors, kwargs: Config): Call {
  const references = referencesOf(layer);
  swapped([shapeSwap(layer)], () => layer.apply(inputs, {...kwargs}));
  const call = layer.inboundNodes.pop()!;
  for (const {outboundNodes} of call.inboundLayers) outboundNodes.splice(outboundNodes.lastIndexOf(call), 1);
  setReferences(layer, references);
  return call;
}

/** The arguments of a call that did not become inputs of it. */
export function argumentsBeside({inputTensors, callArgs = {}}: Call): Config {
  const isInput = (value: unknown) => inputTensors.includes(value as SymbolicTensor);
  return Object.fromEntries(Object.entries(callArgs).filter(([, value]) => ![value].flat().some(isInput)));
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
    return [...(this.layer?.trainableWeights ?? []), ...(this.trainable ? ownWeights(this).trainable : [])];
  }

  override get nonTrainableWeights(): LayerVariable[] {
    const {trainable, others} = ownWeights(this);
    return [...(this.layer?.nonTrainableWeights ?? []), ...(this.trainable ? [] : trainable), ...others];
  }

  override get losses(): Layer['losses'] {
    return this.layer?.losses ?? [];
  }

  override get stateful(): boolean {
    return this.layer?.stateful ?? false;
  }

  override resetStates(states?: Tensors, training?: boolean): void {
    asRecurrent(this.layer).resetStates(states, training);
  }

  /** The states of a recurrent layer. */
  get states(): Tensor[] {
    return asRecurrent(this.layer).states;
  }

  set states(states: Tensor[]) {
    asRecurrent(this.layer).states = states;
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
