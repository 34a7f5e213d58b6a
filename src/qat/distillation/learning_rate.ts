/** How large the steps of training are. */
import {maximum, mean, mul, scalar, sqrt, square, type Tensor, tidy, type Variable} from '@tensorflow/tfjs-core';
import type {LayersModel} from '@tensorflow/tfjs-layers';
import {allLayers, asContainer} from '../../layers/graph';
import {unwrapped} from '../../layers/layer_wrapper';
import {slotsOf} from '../../layers/weights';
import {isQuantizing, type Quantizing} from '../quantized_layers/quantizing';

/**
 * Adam's rate at the start where weights and activations have 4 bits or more, and where some have fewer. A network that asks for
 * relative steps knows more than the samples show: at 4 bits it came nearer to its teacher by a third of the rate, and on other
 * photos than those it saw it lost less (87 % of crops got the teacher's class, not 85; of other photos 84 %, not 80). With fewer bits
 * there is more to learn.
 */
const RATES = {
  many: {absolute: 3e-3, relative: 1e-3},
  few: {absolute: 6e-3, relative: 6e-3},
} as const;

/**
 * What a rate is of. 'absolute': a step changes each weight by about the rate, which serves where a BatchNormalization follows,
 * whatever the size of weights. 'relative': it changes each by that share of the root mean square of its output channel, which
 * serves where statistics are folded into weights, so that those of channels differ a hundredfold.
 *
 * @example
 * ```js
 * import {distil} from 'tfjs-quantization/qat';
 *
 * const {rate} = await distil(q, model, images, {steps: 20, learningRate: 1e-3});
 * console.log(rate); // absolute
 * ```
 */
export type RateKind = 'absolute' | 'relative';

/** By what a variable's rate is multiplied. */
export type ShareOfRate = (variable: Variable) => Tensor;

function quantizingIn(q: LayersModel): Quantizing[] {
  return allLayers(asContainer(q)).filter(isQuantizing);
}

/** The learning rates that the widths of a quantized model ask for. */
export function ratesFor(q: LayersModel): Readonly<Record<RateKind, number>> {
  const isFew = quantizingIn(q).some(({roundings}) => roundings.some(({quantizer}) => quantizer.numBits <= 3));
  return isFew ? RATES.few : RATES.many;
}

/** The shares of the rate that the variables of a model take. */
export function sharesOf(q: LayersModel, kind: RateKind): ShareOfRate {
  if (kind === 'absolute') return () => scalar(1);
  const logs = new Set(
    quantizingIn(q).flatMap(({roundings}) => roundings.flatMap(({quantizer}) => quantizer.variables)),
  );
  const channels = channelsIn(q);
  return variable => {
    // A range is learnt as its logarithm, of which any step is relative.
    if (logs.has(variable)) return scalar(1);
    return tidy(() => sizesOf(variable, channels.get(variable) ?? [variable.rank - 1]));
  };
}

/** The root mean square of each channel, but no less than this share of that of all, and than this. */
const LEAST = {share: 0.01, size: 1e-3} as const;

function sizesOf(variable: Variable, channels: readonly number[]): Tensor {
  const size = (axes?: number[]) => sqrt(mean(square(variable), axes, true));
  const least = maximum(mul(size(), LEAST.share), LEAST.size);
  if (variable.rank < 2) return maximum(size(), LEAST.size);
  const others = variable.shape.map((_, axis) => axis).filter(axis => !channels.includes(axis));
  return maximum(size(others), least);
}

/** The axes of output channels, of weights that are known to have them elsewhere than last. */
function channelsIn(q: LayersModel): Map<Variable, readonly number[]> {
  const slots = quantizingIn(q).flatMap(layer => slotsOf(unwrapped(layer), undefined));
  return new Map(
    slots.flatMap(({host, attr, axis}) => {
      const variable = host[attr]!.read() as Variable;
      if (axis === undefined) return [];
      const last = variable.rank - 1;
      return [[variable, axis === 'depthwise' ? [last - 1, last] : [axis === 'gates' ? last : axis]]];
    }),
  );
}

/** From 1 at the start of training to 0 at its end. */
export function cosine(progress: number): number {
  return (1 + Math.cos(Math.PI * progress)) / 2;
}
