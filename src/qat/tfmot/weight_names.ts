/** The names of wrapped layers' weights in files: the layer's own or, once Keras has loaded the model from a file, the wrapper's. */
import type {NamedTensorMap} from '@tensorflow/tfjs-core';
import {asContainer, type Container, isContainer, type Layer} from '../../layers/graph';
import type {LayerWrapper} from '../../layers/layer_wrapper';
import {onLoadWeights, renameWeight} from '../../layers/tfjs_internals';

/** Names the weights of a layer within after it, as Keras does; tfjs names them after the wrapper, which builds them. */
export function nameAfterLayer({layer, name}: LayerWrapper): void {
  for (const weight of layer.weights) {
    const {originalName} = weight;
    if (originalName.startsWith(`${name}/`)) renameWeight(weight, layer.name + originalName.slice(name.length));
  }
}

type IsWrapper = (layer: Layer) => layer is LayerWrapper;

let areBothAccepted = false;

/** Lets models find the weights of layers within wrappers under either name. */
export function acceptBothNames(isWrapper: IsWrapper): void {
  if (areBothAccepted) return;
  areBothAccepted = true;
  onLoadWeights((model, weights) => {
    const wrappers = wrappersIn(asContainer(model), isWrapper);
    return wrappers.length > 0 ? renamed(weights, wrappers) : weights;
  });
}

/** Without building a Sequential, which changes it. */
function wrappersIn({layers}: Container, isWrapper: IsWrapper): LayerWrapper[] {
  return layers.flatMap(layer => {
    if (isContainer(layer)) return wrappersIn(layer, isWrapper);
    return isWrapper(layer) ? [layer] : [];
  });
}

function renamed(weights: NamedTensorMap, wrappers: readonly LayerWrapper[]): NamedTensorMap {
  const names = new Map(
    wrappers.flatMap(({name, layer}) =>
      layer.weights.map(({originalName}) => [name + originalName.slice(layer.name.length), originalName] as const),
    ),
  );
  return Object.fromEntries(Object.entries(weights).map(([name, value]) => [names.get(name) ?? name, value]));
}
