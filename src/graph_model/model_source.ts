/** Where models are loaded from. */
import {io} from '@tensorflow/tfjs-core';
import {inJson} from './check_graph';

/** What hands over a model. */
export interface Handler {
  load(): io.ModelArtifacts | Promise<io.ModelArtifacts>;
}

function isBuffer(weights: unknown): weights is io.WeightData {
  return weights instanceof ArrayBuffer || (Array.isArray(weights) && weights.every(isBuffer));
}

/** As tf.loadGraphModelSync puts them together. */
function artifactsOf(caller: string, modelJSON: io.ModelJSON, weights: io.WeightData): io.ModelArtifacts {
  if (typeof modelJSON !== 'object' || modelJSON === null) {
    throw new Error(
      `${caller}: the first of [modelJSON, weights] must be a parsed model.json, but was ${inJson(modelJSON)}.`,
    );
  }
  if (!isBuffer(weights)) {
    throw new Error(`${caller}: the second of [modelJSON, weights] must be an ArrayBuffer with all the weights.`);
  }
  return io.getModelArtifactsForJSONSync(modelJSON, io.getWeightSpecs(modelJSON.weightsManifest ?? []), weights);
}

/** Where tf.loadGraphModel looks for the model of a URL. */
function handlerOfUrl(caller: string, source: string, options: io.LoadOptions): io.IOHandler {
  const url = options.fromTFHub ? `${source.replace(/\/?$/, '/')}model.json?tfjs-format=file` : source;
  const handlers = options.requestInit ? [] : io.getLoadHandlers(url, options);
  if (handlers.length > 1) throw new Error(`${caller}: ${handlers.length} load handlers claim the URL '${url}'.`);
  return handlers[0] ?? io.browserHTTPRequest(url, options);
}

/** What loads a model from whatever tf.loadGraphModel and tf.loadLayersModel take, the synchronous ones included. */
export function handlerOf(caller: string, source: unknown, options: io.LoadOptions): Handler {
  if (typeof source === 'string' && source !== '') return handlerOfUrl(caller, source, options) as Handler;
  if (Array.isArray(source) && source.length === 2) {
    const artifacts = artifactsOf(caller, ...(source as [io.ModelJSON, io.WeightData]));
    return {load: () => artifacts};
  }
  if (typeof source === 'object' && source !== null) {
    if ('load' in source && typeof source.load === 'function') return source as Handler;
    if ('modelTopology' in source) return {load: () => source as io.ModelArtifacts};
  }
  const was = typeof source === 'object' && source !== null ? 'an object without load()' : inJson(source);
  throw new Error(
    `${caller}: source must be the model's URL, an IOHandler with a load method (as tf.io.browserFiles makes of files), ` +
      `ModelArtifacts, or [modelJSON, weights], but was ${was}.`,
  );
}
