/** Layers from their configs, and the configs of layers: all that makes one again, less its weights. */
import type {serialization} from '@tensorflow/tfjs-core';
import {innerLayers, type Layer, steppedLayer} from './graph';
import {specOf} from './specs';
import {makeLayer} from './tfjs_internals';

/** What something is made of again, as tfjs has it once a file is read. */
export type Config = Record<string, unknown>;

/** A class and its config. */
export interface Serialized {
  readonly className: string;
  readonly config: Config;
}

/** What tfjs leaves out of a layer's config, and what it gets wrong. */
function missingConfig(layer: Layer): Config {
  return specOf(layer)?.missingConfig?.(layer) ?? {};
}

/** The config of a layer, all of it. */
export function configOf(layer: Layer): Config {
  const config = JSON.parse(JSON.stringify({...layer.getConfig(), ...missingConfig(layer)})) as Config;
  const inner = steppedLayer(layer);
  return inner ? {...config, layer: {className: inner.getClassName(), config: configOf(inner)}} : config;
}

/** Has a layer tell all of its config, also where tfjs asks: when it saves a model, or a layer around this one. */
export function tellAll(layer: Layer): void {
  if (Object.keys(missingConfig(layer)).length > 0) {
    const ofClass = Object.getPrototypeOf(layer) as Layer;
    layer.getConfig = () => ({...ofClass.getConfig.call(layer), ...missingConfig(layer)}) as serialization.ConfigDict;
  }
  innerLayers(layer).forEach(tellAll);
}

/** Makes a layer from a config, as tfjs-layers does for its own wrappers. */
export function layerFrom({className, config}: Serialized): Layer {
  const layer = makeLayer(className, config);
  if (!layer) throw new Error(`Unknown layer class ${className}. Register it: tf.serialization.registerClass.`);
  tellAll(layer);
  return layer;
}
