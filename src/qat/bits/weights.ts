/** The weights of a layer that are rounded. */
import type {Layer} from '../../layers/graph';
import {kindOf, MULTIPLIES} from '../../layers/kinds';
import {slotsOf} from '../../layers/weights';
import type {PlacedModel} from '../placement/placed_model';
import {channelsIn} from '../quantized_layers/weight_quantizer';
import {FLOAT_BYTES, type Rounded} from './group';

/** What is rounded of a layer's weights: a grid has a scale for each range and, where it is not symmetric, a zero point. */
export function weightsOf(layer: Layer, placed: PlacedModel): Rounded[] {
  const custom = placed.options.customLayers ?? {};
  const {weights: config} = placed.configsOf(layer);
  if (!config || !MULTIPLIES.has(kindOf(layer, custom))) return [];
  return slotsOf(layer, custom[layer.getClassName()]).map(slot => {
    const ranges = config.perChannel ? (channelsIn(slot)?.count ?? 1) : 1;
    const count = slot.host[slot.attr]!.read().size;
    return {count, gridBytes: FLOAT_BYTES * ranges * (config.symmetric === false ? 2 : 1), numBits: config.numBits};
  });
}
