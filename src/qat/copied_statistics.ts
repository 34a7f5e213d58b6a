/** Which BatchNormalizations still have the float network's statistics, as quantizeModel copied them. */
import type {LayersModel} from '@tensorflow/tfjs-layers';
import {isBatchNorm} from '../layers/folding';
import {allLayers, asContainer, type Layer} from '../layers/graph';
import {unwrapped} from '../layers/layer_wrapper';

/** By layer, what tells its mean from any other: whatever moves it, by training or by hand, gives it new data. */
const copied = /*#__PURE__*/ new WeakMap<Layer, object>();

const dataOf = (layer: Layer) => (isBatchNorm(layer) ? layer.movingMean.read().dataId : undefined);

/** Remembers the statistics of a model as its float network's; gives the model. */
export function withCopiedStatistics(model: LayersModel): LayersModel {
  for (const layer of allLayers(asContainer(model)).map(unwrapped)) {
    const data = dataOf(layer);
    if (data) copied.set(layer, data);
  }
  return model;
}

/** Whether a layer is a BatchNormalization with the float network's statistics. */
export function hasCopiedStatistics(layer: Layer): boolean {
  return copied.has(layer) && copied.get(layer) === dataOf(layer);
}
