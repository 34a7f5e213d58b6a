/** What the layers have in common that round: what they round, and how others reach it. */
import {cast, type Tensor} from '@tensorflow/tfjs-core';
import type {BatchNorm} from '../layers/folding';
import type {Layer} from '../layers/graph';
import {LayerWrapper} from '../layers/layer_wrapper';
import type {FakeQuantizer, RangeMemory} from '../quantizer/fake_quantizer';

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

/** Rounds what a layer is given or gives; integers and booleans as the floats that other layers would make of them. */
export function roundTensor(quantizer: FakeQuantizer, x: Tensor, training = false): Tensor {
  const isCountable = x.dtype === 'int32' || x.dtype === 'bool';
  return quantizer.apply(isCountable ? cast(x, 'float32') : x, {training});
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
