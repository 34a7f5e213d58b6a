/** What makes a model's outputs depend on chance in training, switched off. */
import type {LayersModel} from '@tensorflow/tfjs-layers';
import {isBatchNorm} from '../../layers/folding';
import {allLayers, asContainer, type Layer, withInner} from '../../layers/graph';
import {unwrapped} from '../../layers/layer_wrapper';
import {specOf} from '../../layers/specs';
import type {BatchNorm} from '../../layers/tfjs_internals';

/** Whether chance has a part in what a layer gives in training. Of recurrent layers that is all that training changes. */
function isNoisy(layer: Layer): boolean {
  const spec = specOf(layer);
  return spec?.addsNoise === true || spec?.kind === 'recurrent';
}

/** The layers of a model in which chance has a part. */
export function noisyLayers(model: LayersModel): Layer[] {
  return [...new Set(allLayers(asContainer(model)).flatMap(withInner))].filter(isNoisy);
}

/** The layers that normalize by statistics, within wrappers too. */
export function normsOf(model: LayersModel): BatchNorm[] {
  return allLayers(asContainer(model)).map(unwrapped).filter(isBatchNorm);
}

/** Runs `run` with layers as in inference, whatever they are told. */
export function withoutNoise<T>(layers: readonly Layer[], run: () => T): T {
  const own = layers.map(layer => Object.getOwnPropertyDescriptor(layer, 'call'));
  for (const layer of layers) {
    const call = layer.call.bind(layer);
    layer.call = (inputs, kwargs) => call(inputs, {...kwargs, training: false});
  }
  try {
    return run();
  } finally {
    layers.forEach((layer, i) => {
      if (own[i]) Object.defineProperty(layer, 'call', own[i]);
      else delete (layer as {call?: Layer['call']}).call;
    });
  }
}
