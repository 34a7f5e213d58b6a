/** From a quantized model back to an ordinary one. */
import type {LayersModel} from '@tensorflow/tfjs-layers';
import {allOrNothing} from '../../layers/all_or_nothing';
import type {Layer} from '../../layers/graph';
import {unwrapped} from '../../layers/layer_wrapper';
import {cloneLayer, rebuild, type Replacement} from '../../layers/rebuild';
import {isQuantizing, quantizingLayers, QuantizingWrapper} from '../quantized_layers/quantizing';

/**
 * An ordinary float model with the weights that the quantized one computes with. Activations are not rounded any more.
 *
 * @param model - a quantized model, which stays as it is.
 * @returns a model of the original's layers and names.
 * @throws if the model is not quantized, or is disposed.
 *
 * @example
 * ```js
 * import {dequantizeModel} from 'tfjs-quantization/qat';
 *
 * const float = dequantizeModel(q);
 * console.log(float.getLayer('conv').getClassName()); // Conv2D
 * const scores = float.predict(images);
 * ```
 */
export function dequantizeModel(model: LayersModel): LayersModel {
  quantizingLayers('dequantizeModel', model);
  const copies = new Map<QuantizingWrapper, Layer>();
  const replace = (layer: Layer): Replacement | undefined => {
    if (!(layer instanceof QuantizingWrapper) && isQuantizing(layer)) return undefined;
    const from = unwrapped(layer);
    const copy = cloneLayer(from);
    if (layer instanceof QuantizingWrapper) copies.set(layer, copy);
    return {layer: copy, variables: {to: copy, from}};
  };
  return allOrNothing(() => {
    const float = rebuild(model, {replace});
    for (const [layer, copy] of copies) layer.assignRounded(copy);
    return float;
  });
}
