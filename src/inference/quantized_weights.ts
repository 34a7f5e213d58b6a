/** The integers that a quantized model computes with, for whoever writes a format of their own. */
import {clone, type Tensor, tidy} from '@tensorflow/tfjs-core';
import type {LayersModel} from '@tensorflow/tfjs-layers';
import {must, throwProblems} from '../check/rules';
import {floatTensor} from '../check/tensors';
import type {Layer} from '../layers/graph';
import {withModel} from '../layers/model';
import {type Quantizing, quantizingLayers} from '../qat/quantized_layers/quantizing';
import type {FakeQuantizer} from '../quantizer/fake_quantizer';
import {
  channelOf,
  gridOfQuantizer,
  type IntegerGrid,
  type LevelArray,
  levelsOf,
  type WeightLevels,
} from '../quantizer/levels';
import {LayerReader} from './read_layers';

/**
 * A grid in signed integers: value = (level - zeroPoint) * scale, of which each is exact in float32.
 *
 * @example
 * ```js
 * import {quantizedWeights} from 'tfjs-quantization/qat';
 *
 * const [{bits, scale, zeroPoint, min, max}] = (await quantizedWeights(q)).activations;
 * const valueOf = level => (level - zeroPoint[0]) * scale[0];
 * console.log(valueOf(-(2 ** (bits - 1))) - min, valueOf(2 ** (bits - 1) - 1) - max); // 0 0
 * ```
 */
export interface SignedGrid {
  /** How many bits the levels take: the width of the grid, but of zero-free weights of 2 bits 3. */
  readonly bits: number;
  /** How far neighbouring levels are apart: 2 of zero-free weights, whose levels are ±1 and ±3; else 1. */
  readonly spacing: 1 | 2;
  /** The step of each channel, or the one of all: float32. 0 where a range is empty and everything is 0. */
  readonly scale: Float32Array;
  /** The level that stands for 0, likewise. */
  readonly zeroPoint: Int32Array;
  /** The dimension of the channels; undefined for one step. */
  readonly axis: number | undefined;
}

/**
 * Values as integers, one after the other: of up to 8 bits as Int8Array, of more as Int16Array.
 *
 * @example
 * ```js
 * import * as tf from '@tensorflow/tfjs';
 * import {FakeQuantizer, quantizedValues} from 'tfjs-quantization/qat';
 *
 * const quantizer = new FakeQuantizer({numBits: 4, initialRange: [0, 30]});
 * const {levels, scale, zeroPoint} = await quantizedValues(tf.tensor([0, 7, 30]), quantizer);
 * const values = Array.from(levels, level => (level - zeroPoint[0]) * scale[0]);
 * console.log(values.join(' ')); // 0 8 30
 * ```
 */
export interface QuantizedValues extends SignedGrid {
  /** The integers. */
  readonly levels: Int8Array | Int16Array;
  /** The shape in which `axis` counts: the values' own, but [height * width, channels * multiplier] of a depthwise kernel. */
  readonly view: readonly number[];
}

/**
 * A weight of a layer.
 *
 * @example
 * ```js
 * import {quantizedWeights} from 'tfjs-quantization/qat';
 *
 * const {weights} = await quantizedWeights(q);
 * const kernel = weights.find(({layer}) => layer === 'conv');
 * console.log(kernel.name, kernel.shape, kernel.bits, kernel.axis); // kernel [3,3,1,8] 8 3
 * const json = JSON.stringify({scale: [...kernel.scale], levels: [...kernel.levels]});
 * ```
 */
export interface QuantizedWeight extends QuantizedValues {
  /** The layer's name. */
  readonly layer: string;
  /** Its attribute: 'kernel', 'depthwiseKernel', … */
  readonly name: string;
  /** The weight's own shape. */
  readonly shape: readonly number[];
  /** The values are the weight's times the gain of the BatchNormalization that follows (weights per tensor only). */
  readonly folded: boolean;
}

/**
 * The grid of an activation.
 *
 * @example
 * ```js
 * import {quantizedWeights} from 'tfjs-quantization/qat';
 *
 * const {activations} = await quantizedWeights(q);
 * for (const {layer, what, scale, zeroPoint} of activations) {
 *   console.log(layer, what, scale[0], zeroPoint[0]);
 * }
 * ```
 */
export interface QuantizedActivation extends SignedGrid {
  /** The layer's name. */
  readonly layer: string;
  /** Where in the layer: 'output', 'before activation', 'between'. */
  readonly what: string;
  /** The low end of the range: (lowest level - zeroPoint) * scale. */
  readonly min: number;
  /** The high end, likewise. */
  readonly max: number;
}

/**
 * What {@link quantizedWeights} gives.
 *
 * @example
 * ```js
 * import {quantizedWeights} from 'tfjs-quantization/qat';
 *
 * const {weights, activations} = await quantizedWeights(q);
 * console.log(weights.map(({layer}) => layer).join(' ')); // conv scores
 * ```
 */
export interface QuantizedNumbers {
  /** Every weight that is rounded. */
  readonly weights: readonly QuantizedWeight[];
  /** Without those whose range is not set. */
  readonly activations: readonly QuantizedActivation[];
}

/** Where the lowest level of a signed integer of `bits` is; symmetric grids leave out one on the side of the lowest. */
function zeroPointsOf({bits, lowest, highest}: IntegerGrid): Int32Array {
  const half = 2 ** (bits - 1);
  return lowest.map((low, c) => (low >= -half && highest[c]! < half ? 0 : -half - low));
}

function signed(grid: IntegerGrid): SignedGrid {
  const {bits, spacing, scale, axis} = grid;
  return {bits, spacing, scale, zeroPoint: zeroPointsOf(grid), axis};
}

function signedValues(levels: LevelArray, view: readonly number[], grid: IntegerGrid): QuantizedValues {
  const {zeroPoint, ...rest} = signed(grid);
  const channel = channelOf(view, grid.axis);
  const stored = grid.bits <= 8 ? new Int8Array(levels.length) : new Int16Array(levels.length);
  levels.forEach((level, i) => (stored[i] = level + zeroPoint[channel(i)]!));
  return {levels: stored, view, zeroPoint, ...rest};
}

/**
 * The integers of a model's weights, and the grids of its activations: the numbers that training used.
 *
 * @param model - a quantized model.
 * @returns for each weight its levels with their steps, and for each activation its grid. `(level - zeroPoint) * scale`,
 * computed in float32, is bit for bit what the model computes with.
 * @throws if the model is not quantized, or with all weights at once that hold NaN or Infinity.
 *
 * @example
 * ```js
 * import {quantizedWeights} from 'tfjs-quantization/qat';
 *
 * const {weights, activations} = await quantizedWeights(q);
 * for (const {layer, name, levels, scale} of weights) {
 *   console.log(layer, name, levels.length, scale.length);
 * }
 * for (const {layer, what, min, max} of activations) console.log(layer, what, min, max);
 * ```
 */
export async function quantizedWeights(model: LayersModel): Promise<QuantizedNumbers> {
  const layers = quantizingLayers('quantizedWeights', model);
  return withModel('quantizedWeights', model, () => numbersOf(layers));
}

async function numbersOf(layers: readonly Quantizing[]): Promise<QuantizedNumbers> {
  const weights: QuantizedWeight[] = [];
  const activations: QuantizedActivation[] = [];
  const reader = new LayerReader();
  throwProblems('quantizedWeights', await reader.nonFiniteProblems(layers));
  for (const layer of layers) {
    for (const [name, levels] of await reader.weights(layer)) weights.push(quantizedWeight(layer, name, levels));
    for (const [what, grid] of await reader.grids(layer))
      if (grid) activations.push(quantizedActivation(layer, what, grid));
  }
  return {weights, activations};
}

function quantizedWeight(
  {name: layer}: Layer,
  name: string,
  {levels, grid, view, shape, gain}: WeightLevels,
): QuantizedWeight {
  return {layer, name, shape, folded: gain !== undefined, ...signedValues(levels, view, grid)};
}

function quantizedActivation({name: layer}: Layer, what: string, grid: IntegerGrid): QuantizedActivation {
  const [min, max] = [grid.lowest[0]! * grid.scale[0]!, grid.highest[0]! * grid.scale[0]!];
  return {layer, what, min, max, ...signed(grid)};
}

const QUANTIZER = must(
  'a FakeQuantizer',
  (value: Partial<FakeQuantizer> | null | undefined) => typeof value?.snapshot === 'function',
);

/**
 * Values as integers on the grid of a quantizer, for code without layers.
 *
 * @param x - float32 tensor.
 * @param quantizer - one whose range is set.
 * @returns the levels of what `quantizer.apply(x)` gives, and their steps.
 * @throws if the range is not set, or `x` holds NaN.
 *
 * @example
 * ```js
 * import * as tf from '@tensorflow/tfjs';
 * import {FakeQuantizer, quantizedValues} from 'tfjs-quantization/qat';
 *
 * const quantizer = new FakeQuantizer({numBits: 4, initialRange: [0, 1.5]});
 * const x = tf.tensor([0, 0.31, 1.5]);
 * const {levels, zeroPoint} = await quantizedValues(x, quantizer);
 * console.log(levels.join(' '), zeroPoint[0]); // -8 -5 7 -8
 * ```
 */
export async function quantizedValues(x: Tensor, quantizer: FakeQuantizer): Promise<QuantizedValues> {
  throwProblems('quantizedValues', QUANTIZER(quantizer, 'quantizer'));
  // A copy, as what is not rounded is x itself.
  const input = tidy(() => clone(floatTensor<Tensor>('quantizedValues', 'x', x)));
  const {shape} = input;
  let grid: IntegerGrid | undefined;
  let values: Float32Array;
  try {
    grid = await gridOfQuantizer(quantizer);
    if (!grid) throw new Error(`${quantizer.name}: the range is not set yet. Apply it to a batch in training first.`);
    const rounded = tidy(() => quantizer.apply(input));
    values = await rounded.data<'float32'>();
    rounded.dispose();
  } finally {
    input.dispose();
  }
  if (values.some(Number.isNaN)) {
    throw new Error(`quantizedValues: x holds NaN, for which ${quantizer.name} has no level. Give it numbers.`);
  }
  const axis = grid.axis === undefined || grid.axis >= 0 ? grid.axis : grid.axis + shape.length;
  const counted = {...grid, axis};
  return signedValues(levelsOf(values, shape, counted), shape, counted);
}
