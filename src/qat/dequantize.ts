/** From a quantized model back to an ordinary one. */
import type {Variable} from '@tensorflow/tfjs-core';
import {tidy} from '@tensorflow/tfjs-core';
import type {LayersModel} from '@tensorflow/tfjs-layers';
import {quantizingLayers} from './control';
import {type Layer} from './graph';
import {QuantizedInput, QuantizedLayer} from './quantized_layer';
import {cloneLayer, rebuild, type Replacement} from './rebuild';

/**
 * An ordinary float model with the weights that the quantized one computes with. Activations are not rounded any more.
 *
 * @param model - a quantized model, which stays as it is.
 * @returns a model of the original's layers and names.
 */
export function dequantizeModel(model: LayersModel): LayersModel {
  quantizingLayers('dequantizeModel', model);
  const copies = new Map<QuantizedLayer, Layer>();
  const replace = (layer: Layer): Replacement | undefined => {
    if (layer instanceof QuantizedInput) return undefined;
    const from = layer instanceof QuantizedLayer ? layer.layer : layer;
    const copy = cloneLayer(from);
    if (layer instanceof QuantizedLayer) copies.set(layer, copy);
    return {layer: copy, variables: {to: copy, from}};
  };
  const float = rebuild(model, {replace});
  for (const [layer, copy] of copies) assignQuantized(layer, copy);
  return float;
}

function assignQuantized(layer: QuantizedLayer, copy: Layer): void {
  const targets = layer.slotsIn(copy);
  layer.quantizedWeights().forEach((value, i) => {
    const {host, attr} = targets[i]!;
    tidy(() => (host[attr]!.read() as Variable).assign(value));
    value.dispose();
  });
}
