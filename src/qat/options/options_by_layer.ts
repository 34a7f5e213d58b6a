/** Which of the options by name hold for which layer. */
import {type Container, graphOf, innerLayers, isContainer, type Layer} from '../../layers/graph';
import type {LayerOptions} from './options';

type Named = Readonly<Record<string, LayerOptions | false>>;

/** What the options say of one layer. */
export interface OwnOptions {
  readonly options: LayerOptions | false | undefined;
  /** Says so the name of a model that the layer is in. */
  readonly isModels: boolean;
}

/** What a layer is told, by itself and by the name of the model that it is in. */
function mergedOptions(model: OwnOptions['options'], own: OwnOptions['options']): OwnOptions['options'] {
  if (own === undefined) return model;
  if (!own || !model) return own;
  const merge = <T extends object>(one: T | false | undefined, other: T | false | undefined) =>
    other === undefined ? one : other && one ? {...one, ...other} : other;
  const [weights, activations] = [merge(model.weights, own.weights), merge(model.activations, own.activations)];
  return {...(weights !== undefined && {weights}), ...(activations !== undefined && {activations})};
}

/** What the options say of each layer, of models within, and of layers and models in those. */
export function optionsByLayer(model: Container, named: Named): ReadonlyMap<Layer, OwnOptions> {
  const found = new Map<Layer, OwnOptions>();
  const visit = (layer: Layer, around: OwnOptions['options']) => {
    if (found.has(layer)) return;
    const options = mergedOptions(around, named[layer.name]);
    found.set(layer, {options, isModels: named[layer.name] === undefined});
    if (isContainer(layer)) within(layer, options);
    else for (const inner of innerLayers(layer).filter(isContainer)) visit(inner, options);
  };
  const within = (container: Container, options: OwnOptions['options']) => {
    // A Sequential knows models of which its graph only knows the layers.
    for (const layer of [...container.layers, ...graphOf(container).layers]) visit(layer, options);
  };
  within(model, undefined);
  return found;
}
