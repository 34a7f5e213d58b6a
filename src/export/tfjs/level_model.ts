/** A quantized model that stays one, its weights stored as levels. */
import type {LayersModel, LayerVariable} from '@tensorflow/tfjs-layers';
import type {LayerReader} from '../../inference/read_layers';
import {allLayers, asContainer} from '../../layers/graph';
import {QuantizedLayer} from '../../qat/quantized_layers/quantized_layer';
import {QuantizingWrapper} from '../../qat/quantized_layers/quantizing';
import {spanOf} from '../../quantizer/levels';
import {type SmallModel, type Stored, storedLevels} from './stored';

/** A quantized model whose weights are stored as their levels: it rounds as before wherever this package is. */
export async function modelOfLevels(q: LayersModel, reader: LayerReader): Promise<SmallModel> {
  const stored = new Map<LayerVariable, Stored>();
  const wrappers = allLayers(asContainer(q)).filter(layer => layer instanceof QuantizingWrapper);
  const others = wrappers.filter(layer => !(layer instanceof QuantizedLayer)).map(({name}) => name);
  if (others.length > 0) {
    throw new Error(
      `quantizedSaveHandler: the levels of layers of scheme 'tfmot' (${others.join(', ')}) cannot be kept. Leave out fakeQuant.`,
    );
  }
  for (const layer of wrappers as QuantizedLayer[]) {
    const weights = await reader.weights(layer);
    for (const weight of layer.weightQuantizers) {
      const {host, attr, name} = weight.slot;
      const levels = weight.keepLevels(weights.get(name)!);
      stored.set(host[attr]!, storedLevels(levels, ...spanOf(levels)));
    }
  }
  return {model: q, stored};
}
