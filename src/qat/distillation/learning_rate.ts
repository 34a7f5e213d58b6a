/** How large the steps of training are. */
import {clipByValue, mean, mul, scalar, sqrt, square, type Tensor, tidy, type Variable} from '@tensorflow/tfjs-core';
import type {LayersModel} from '@tensorflow/tfjs-layers';
import {allLayers, asContainer} from '../../layers/graph';
import {isQuantizing} from '../quantized_layers/quantizing';

/** Adam's rate at the start where weights and activations have 4 bits or more, and where some have fewer. */
const RATES = {many: 3e-3, few: 6e-3} as const;

/** The learning rate that the widths of a quantized model ask for. */
export function learningRateFor(q: LayersModel): number {
  const layers = allLayers(asContainer(q)).filter(isQuantizing);
  const isFew = layers.some(({roundings}) => roundings.some(({quantizer}) => quantizer.numBits <= 3));
  return isFew ? RATES.few : RATES.many;
}

/** Weights whose root mean square is below this take smaller steps. The networks that the rates were measured on have none. */
const USUAL = 0.1;
/** So that weights that are 0 train, too. */
const LEAST = 0.01;

/**
 * The share of the rate that a variable takes: steps of one size would destroy weights that are small, as some of large
 * networks are. Only weights that multiply have a size to go by. Not measured on its own.
 */
export function shareOfRate(variable: Variable): Tensor {
  if (variable.rank < 2) return scalar(1);
  return tidy(() => clipByValue(mul(sqrt(mean(square(variable))), 1 / USUAL), LEAST, 1));
}

/** From 1 at the start of training to 0 at its end. */
export function cosine(progress: number): number {
  return (1 + Math.cos(Math.PI * progress)) / 2;
}
