/** Learned ranges of weights, found where the first pass would find them: before it, one by one. */
import {tidy} from '@tensorflow/tfjs-core';
import type {Layer} from '../../layers/graph';
import {QuantizingWrapper, type RoundedWeight} from '../quantized_layers/quantizing';

/** Finds those that are not set, with time for a page between them. Gives the weights that they are of. */
export async function startWeights(layers: readonly Layer[], onEach: () => void): Promise<readonly RoundedWeight[]> {
  const started: RoundedWeight[] = [];
  for (const layer of layers) {
    for (const weight of layer instanceof QuantizingWrapper ? layer.roundedWeights() : []) {
      const {quantizer, rounded} = weight;
      if (quantizer.variables.length === 0 || quantizer.isSet()) continue;
      tidy(() => void rounded());
      started.push(weight);
      onEach();
      await new Promise(resolve => setTimeout(resolve));
    }
  }
  return started;
}

/** Finds ranges anew, once the statistics of the BatchNormalizations that are folded into their weights have moved. */
export function restartWeights(weights: readonly RoundedWeight[]): void {
  for (const {norm, quantizer, rounded} of weights) {
    if (!norm) continue;
    quantizer.watcher = folded => quantizer.restart(folded);
    try {
      tidy(() => void rounded());
    } finally {
      quantizer.watcher = undefined;
    }
  }
}
