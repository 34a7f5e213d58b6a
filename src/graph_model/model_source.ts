/** Where models are loaded from. */
import {io} from '@tensorflow/tfjs-core';
import {isRecord} from '../check/rules';
import {type FetchedFile, FileFetcher} from './fetch_files';
import {inJson, jsonProblem} from './model_json';
import {weightDataOf} from './weights';

/** What importModel and mendLayers load: what tf.loadLayersModel and tf.loadGraphModel take, the synchronous ones included. */
export type ModelSource =
  string | io.IOHandler | io.IOHandlerSync | io.ModelArtifacts | [modelJSON: io.ModelJSON, weights: io.WeightData];

/** What hands over a model. */
export interface Handler {
  load(): io.ModelArtifacts | Promise<io.ModelArtifacts>;
}

/** A model that was loaded, its weights in no stream any more. */
export interface LoadedModel {
  readonly artifacts: io.ModelArtifacts;
  /** What to call the bytes of its weights in errors. */
  readonly files: string;
}

/** Also of another realm, as test runners give them. */
function isBuffer(weights: unknown): weights is io.WeightData {
  const isOne = {}.toString.call(weights) === '[object ArrayBuffer]';
  return isOne || (Array.isArray(weights) && weights.every(isBuffer));
}

/** As tf.loadGraphModelSync puts them together. */
function artifactsOf(caller: string, modelJSON: unknown, weights: unknown): io.ModelArtifacts {
  const problem = jsonProblem(modelJSON);
  if (problem) throw new Error(`${caller}: the first of [modelJSON, weights] ${problem}`);
  if (!isBuffer(weights)) {
    throw new Error(
      `${caller}: the second of [modelJSON, weights] must be an ArrayBuffer with all the weights. Of a Buffer or Uint8Array ` +
        `give new Uint8Array(bytes).buffer.`,
    );
  }
  const json = modelJSON as io.ModelJSON;
  return io.getModelArtifactsForJSONSync(json, io.getWeightSpecs(json.weightsManifest ?? []), weights);
}
/** A source, and what to call the bytes of its weights once it is loaded. */
interface Source {
  readonly handler: Handler;
  readonly files: () => string;
}

/** Names weight files; of many the first and the last. */
function shownFiles(files: readonly FetchedFile[]): string {
  const names = files.map(({url, length}) => `'${url}' (${length} bytes)`);
  return (names.length > 3 ? [names[0], `${names.length - 2} files`, names.at(-1)] : names).join(', ');
}

/** Says of which URL an error speaks that does not. */
function naming(caller: string, url: string, handler: Handler): Handler {
  return {
    load: async () => {
      try {
        return await handler.load();
      } catch (error) {
        const {message = String(error)} = error as Partial<Error>;
        if (message.startsWith(caller)) throw error;
        throw new Error(`${caller}: '${url}' could not be loaded: ${message}`, {cause: error});
      }
    },
  };
}

/** Where tf.loadGraphModel looks for the model of a URL. */
function sourceOfUrl(caller: string, source: string, options: io.LoadOptions): Source {
  const url = options.fromTFHub ? `${source.replace(/\/?$/, '/')}model.json?tfjs-format=file` : source;
  const {onProgress, ...others} = options;
  const fetcher = new FileFetcher(caller, options.fetchFunc, onProgress);
  // Without tfjs's own progress, which fails on models without weights and where a file is not there.
  const toFetch: io.LoadOptions = {...others, fetchFunc: fetcher.fetch as typeof fetch};
  const isHttp = /^https?:\/\//.test(url);
  const handlers = options.requestInit ? [] : io.getLoadHandlers(url, isHttp ? toFetch : options);
  if (handlers.length > 1) throw new Error(`${caller}: ${handlers.length} load handlers claim the URL '${url}'.`);
  const handler = (handlers[0] ?? io.browserHTTPRequest(url, toFetch)) as Handler;
  return {
    handler: isHttp ? handler : naming(caller, url, handler),
    files: () => shownFiles(fetcher.files) || `'${url}'`,
  };
}

function sourceOf(caller: string, source: unknown, options: io.LoadOptions): Source {
  if (typeof source === 'string' && source !== '') return sourceOfUrl(caller, source, options);
  const handling = (handler: Handler) => ({handler, files: () => 'the weight data'});
  if (Array.isArray(source) && source.length === 2) {
    const artifacts = artifactsOf(caller, source[0], source[1]);
    return handling({load: () => artifacts});
  }
  if (typeof source === 'object' && source !== null) {
    if ('predict' in source) throw new Error(`${caller}: source is a loaded model. Give what it was loaded from.`);
    if ('load' in source && typeof source.load === 'function') return handling(source as Handler);
    if ('modelTopology' in source) return handling({load: () => source as io.ModelArtifacts});
  }
  const was = typeof source === 'object' && source !== null ? 'an object without load()' : inJson(source);
  throw new Error(
    `${caller}: source must be the model's URL, an IOHandler with a load method (as tf.io.browserFiles makes of files), ` +
      `ModelArtifacts, or [modelJSON, weights], but was ${was}.`,
  );
}

/** What loads a model from whatever tf.loadGraphModel and tf.loadLayersModel take, the synchronous ones included. */
export function handlerOf(caller: string, source: unknown, options: io.LoadOptions): Handler {
  return sourceOf(caller, source, options).handler;
}

/**
 * Loads a model, each of its files once.
 *
 * @param options - may have an onProgress, which is given fractions that grow, from 0 to 1.
 * @throws if it is not there or is none: the error names the URL, or the file, and what to do.
 */
export async function loadModel(caller: string, source: unknown, options: io.LoadOptions): Promise<LoadedModel> {
  let told = -1;
  const onProgress = (fraction: number) => {
    if (fraction > told) options.onProgress?.((told = fraction));
  };
  const {handler, files} = sourceOf(caller, source, {...options, onProgress});
  onProgress(0);
  const loaded = (await handler.load()) as io.ModelArtifacts | null | undefined;
  if (!isRecord(loaded)) throw new Error(`${caller}: load() must give ModelArtifacts, but gave ${inJson(loaded)}.`);
  const weightData = await weightDataOf(loaded);
  onProgress(1);
  return {artifacts: {...loaded, ...(weightData && {weightData})}, files: files()};
}
