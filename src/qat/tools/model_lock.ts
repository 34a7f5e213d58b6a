/** What keeps a model to one function at a time. */
import type {LayersModel} from '@tensorflow/tfjs-layers';
import {allLayers, asContainer} from '../../layers/graph';
import {withModel} from '../../layers/model';
import {isQuantizing} from '../quantized_layers/quantizing';

/** Layers of models that something passes samples through, and what does. */
const busy = new WeakMap<object, string>();

/** Runs what must be alone with a model, else what it measures would be of two states of it. Throws if something else is at work. */
export async function withModelLock<T>(caller: string, model: LayersModel, run: () => Promise<T>): Promise<T> {
  const layers = allLayers(asContainer(model));
  const [other] = layers.flatMap(layer => busy.get(layer) ?? []);
  if (other !== undefined) {
    throw new Error(`${caller}: ${other}. Wait until it is done (await).`);
  }
  for (const layer of layers) busy.set(layer, `${caller} is at work on model ${model.name}`);
  try {
    return await withModel(caller, model, run);
  } finally {
    for (const layer of layers) {
      busy.delete(layer);
      // What the predictions on the way have kept.
      if (isQuantizing(layer)) layer.forget?.();
    }
  }
}
