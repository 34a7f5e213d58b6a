/** How large a model's weights are, before any file is made: about, since files hold more than weights. */
import type {LayerInfo, ModelInfo, Settings} from './worker/contract';

export function bytesOfWeights({layers}: ModelInfo, settings: Settings): number {
  const weighted = layers.filter(({hasWeights}) => hasWeights);
  const ends = settings.keepEnds8bit ? [weighted[0], weighted.at(-1)] : [];
  const bits = layers.map(layer => layer.parameters * bitsOf(layer, settings, ends.includes(layer)));
  return Math.ceil(bits.reduce((sum, n) => sum + n, 0) / 8);
}

function bitsOf({name, float}: LayerInfo, {weights, layers}: Settings, isEnd: boolean): number {
  const own = layers[name];
  return float !== undefined || own?.isFloat ? 32 : (own?.weights ?? (isEnd ? 8 : weights));
}
