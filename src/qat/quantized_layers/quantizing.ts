/** What the layers have in common that round: what they round, and how others reach it. */
import {cast, mul, type Tensor} from '@tensorflow/tfjs-core';
import type {LayersModel} from '@tensorflow/tfjs-layers';
import {allLayers, asContainer, type Layer} from '../../layers/graph';
import {LayerWrapper} from '../../layers/layer_wrapper';
import {checkModel} from '../../layers/model';
import type {BatchNorm} from '../../layers/tfjs_internals';
import type {FakeQuantizer} from '../../quantizer/fake_quantizer';
import type {RangeMemory} from '../../quantizer/range';

/** Where a layer rounds activations. */
export type Site = 'before' | 'between' | 'output';

/** What is rounded of a layer's activations, as tables and errors call it; 'activation' is tfmot's, 'output 2' the second. The
 * states of cells are 'cell state', 'forward hidden state' and so on. */
export type ActivationName =
  'before activation' | 'between' | 'activation' | 'output' | `output ${number}` | `${string} state`;

/** What each site is called. */
export const NAME_OF_SITE = {
  before: 'before activation',
  between: 'between',
  output: 'output',
} as const satisfies Record<Site, ActivationName>;

/** One thing that a layer rounds. */
export type Rounding = RoundingOfWeight | RoundingOfActivation;

/** A weight and its quantizer. */
interface RoundingOfWeight {
  readonly of: 'weights';
  /** The weight's name. */
  readonly what: string;
  readonly quantizer: FakeQuantizer;
  readonly fixed?: undefined;
}

/** An activation and its quantizer. */
export interface RoundingOfActivation {
  readonly of: 'activations';
  readonly what: ActivationName;
  readonly quantizer: FakeQuantizer;
  /** A range that never moves, and that counts from the first batch on. */
  readonly fixed?: readonly [number, number] | undefined;
}

/** The rounding of an activation, if it has a quantizer. */
export function roundingOf(
  what: ActivationName,
  quantizer: FakeQuantizer | undefined,
  fixed?: readonly [number, number],
): RoundingOfActivation[] {
  return quantizer ? [{of: 'activations', what, quantizer, fixed}] : [];
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
  /** Frees what is kept for predictions, until the next one. */
  forget?(): void;
}

/** Whether a layer rounds. */
export function isQuantizing(layer: Layer): layer is Quantizing {
  return 'roundings' in layer;
}

/** The layers with quantizers, at any depth; throws if there are none. */
export function quantizingLayers(caller: string, model: LayersModel): Quantizing[] {
  checkModel(caller, model);
  const layers = allLayers(asContainer(model)).filter(isQuantizing);
  if (layers.length > 0) return layers;
  throw new Error(`${caller}: model ${model.name} is not quantized. Give it the model that quantizeModel returned.`);
}

/** Integers and booleans as floats. A cast alone leaves integers what they are on tfjs's WebGPU backend, whose transpose takes floats only. */
function asFloats(x: Tensor): Tensor {
  return x.dtype === 'int32' || x.dtype === 'bool' ? mul(cast(x, 'float32'), 1) : x;
}

/** Rounds what a layer is given or gives; integers and booleans as the floats that other layers would make of them. */
export function roundTensor(quantizer: FakeQuantizer, x: Tensor, training = false): Tensor {
  return quantizer.apply(asFloats(x), {training});
}

/** Sets fixed ranges, from when on they round. */
export function settle(roundings: readonly Rounding[]): void {
  for (const {fixed, quantizer} of roundings) if (fixed && !quantizer.isSet()) quantizer.setRange(...fixed);
}

/** A layer around another, some of whose weights and activations it rounds. */
export abstract class QuantizingWrapper extends LayerWrapper implements Quantizing {
  /** What the wrapper rounds. */
  abstract get roundings(): readonly Rounding[];

  /** What of its weights the wrapper rounds. */
  abstract roundedWeights(): readonly RoundedWeight[];

  /** Gives another layer of the same class the weights that this one computes with. */
  abstract assignRounded(copy: Layer): void;
}
