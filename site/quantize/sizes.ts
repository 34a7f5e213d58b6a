/** How large a model's weights are, before any file is made. */
import type {LayerInfo, ModelInfo, Settings} from './worker/contract';

export function bytesOfWeights({layers}: ModelInfo, settings: Settings): number {
  const bits = layers.map(layer => layer.parameters * bitsOf(layer, settings));
  return Math.ceil(bits.reduce((sum, n) => sum + n, 0) / 8);
}

function bitsOf({name, float}: LayerInfo, {weights, layers}: Settings): number {
  const own = layers[name];
  return float !== undefined || own?.isFloat ? 32 : (own?.weights ?? weights);
}
