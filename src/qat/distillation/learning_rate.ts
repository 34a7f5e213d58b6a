/** How large the steps of training are. */
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

/** From 1 at the start of training to 0 at its end. */
export function cosine(progress: number): number {
  return (1 + Math.cos(Math.PI * progress)) / 2;
}
