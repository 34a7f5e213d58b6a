/** BatchNormalization as the product before it has it in a runtime: each of its output channels times a gain. */
import {
  abs,
  add,
  customGrad,
  div,
  type GradSaveFunc,
  less,
  onesLike,
  sqrt,
  type Tensor,
  where,
  zerosLike,
} from '@tensorflow/tfjs-core';
import {type Layer, steppedLayer} from './graph';
import {specOf} from './specs';
import {attributesOf, type BatchNorm} from './tfjs_internals';

/** Whether a layer is a BatchNormalization, and not merely calls one. */
export function isBatchNorm(layer: Layer): layer is BatchNorm {
  return specOf(layer)?.kind === 'batchNorm';
}

/** A channel whose gain is smaller is as good as switched off, and nothing can be divided by it. */
const SMALLEST = 1e-12;

/** Whether a BatchNormalization normalizes just the output channels of a layer that multiplies. */
export function normalizesChannels(norm: Layer, layer: Layer): boolean {
  return normAxis(norm) === channelAxis(layer);
}

/** The axis counted from the end, as what is called step by step has one more in front. */
function normAxis(norm: Layer): number {
  const stepped = steppedLayer(norm);
  if (stepped) return normAxis(stepped);
  const [first] = [attributesOf(norm).axis!].flat() as [number]; // Keras saves a list
  return first < 0 ? first : first - norm.inputSpec[0]!.ndim!;
}

function channelAxis(layer: Layer): number {
  const stepped = steppedLayer(layer);
  if (stepped) return channelAxis(stepped);
  const {dataFormat, rank} = attributesOf(layer);
  return dataFormat === 'channelsFirst' ? -1 - (rank ?? 2) : -1;
}

/** What folding multiplies a weight's output channels with; a channel that is switched off keeps its scale. */
export function foldingGain({gamma, movingVariance, epsilon}: BatchNorm): Tensor {
  const deviation = sqrt(add(movingVariance.read(), epsilon));
  return orOne(div(gamma ? gamma.read() : onesLike(deviation), deviation));
}

/** What the gain is of. */
export function foldingSources({gamma, movingVariance}: BatchNorm): Tensor[] {
  return [movingVariance.read(), ...(gamma ? [gamma.read()] : [])];
}

/** The gain, or 1 where it is none. tfjs has no gradient for conditions, and looks for one wherever they hang on variables. */
function orOne(gain: Tensor): Tensor {
  const isOff = (x: Tensor) => less(abs(x), SMALLEST);
  return customGrad((x, save) => {
    const given = x as Tensor;
    (save as GradSaveFunc)([given]);
    const value = where(isOff(given), onesLike(given), given);
    return {value, gradFunc: (dy, [saved]) => where(isOff(saved!), zerosLike(dy), dy)};
  })(gain);
}

/** gamma / sqrt(variance + epsilon), of each channel. */
export function gainOf(gamma: Float64Array, variance: Float64Array, epsilon: number): Float64Array {
  return gamma.map((each, c) => each / Math.sqrt(variance[c]! + epsilon));
}

/** {@link foldingGain}, on the host. */
export function foldingGainOf(
  gamma: ArrayLike<number> | undefined,
  movingVariance: ArrayLike<number>,
  epsilon: number,
): Float64Array {
  const variance = Float64Array.from(movingVariance);
  const gammas = gamma ? Float64Array.from(gamma) : variance.map(() => 1);
  return gainOf(gammas, variance, epsilon).map(gain => (Math.abs(gain) < SMALLEST ? 1 : gain));
}
