/** Where models are loaded from. */
import {io} from '@tensorflow/tfjs-core';
import {isRecord} from '../check/rules';
import {type FetchedFile, FileFetcher} from './fetch_files';
import {inJson, jsonProblem} from './model_json';
import {weightDataOf} from './weights';

/**
 * What importModel and mendLayers load: what tf.loadLayersModel and tf.loadGraphModel take, the synchronous ones included.
 *
 * @example
 * ```js
 * import * as tf from '@tensorflow/tfjs';
 * import {importModel} from 'tfjs-quantization/import';
 *
 * const byUrl = await importModel('https://…/model.json');
 * const {files} = document.querySelector('input'); // model.json and its weights
 * const chosen = await importModel(tf.io.browserFiles([...files]));
 * const json = await (await fetch('model.json')).json();
 * const weights = await (await fetch('weights.bin')).arrayBuffer();
 * const ofBytes = await importModel([json, weights]);
 * ```
 */
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

/** What a value is, whatever realm it is of: 'Promise', 'ArrayBuffer', ... */
function kindOf(value: unknown): string {
  return {}.toString.call(value).slice(8, -1);
}

function isBuffer(weights: unknown): weights is io.WeightData {
  return kindOf(weights) === 'ArrayBuffer' || (Array.isArray(weights) && weights.every(isBuffer));
}

/** As tf.loadGraphModelSync puts them together. */
function artifactsOf(caller: string, modelJSON: unknown, weights: unknown): io.ModelArtifacts {
  const refuse = (which: string, problem: string): never => {
    throw new Error(`${caller}: the ${which} of [modelJSON, weights] ${problem}`);
  };
  if (typeof modelJSON === 'string') return refuse('first', 'is text. Parse it: JSON.parse(text).');
  const problem = jsonProblem(modelJSON);
  if (problem) return refuse('first', problem);
  if (!isBuffer(weights)) {
    const remedy = 'Await what is a Promise; of a Buffer or Uint8Array give new Uint8Array(bytes).buffer.';
    const must = 'must be an ArrayBuffer with all the weights, or a list of them';
    return refuse('second', `${must}, but was of type ${kindOf(weights)}. ${remedy}`);
  }
  const json = modelJSON as io.ModelJSON;
  return io.getModelArtifactsForJSONSync(json, io.getWeightSpecs(json.weightsManifest ?? []), weights);
}

const BROWSER_FILES = 'Give tf.io.browserFiles([model.json, ...weight files]).';
const WITH_WEIGHTS = 'Give [modelJSON, weights]: the parsed model.json, and an ArrayBuffer.';

/** What people give that is no source, by its type, and what to give instead. */
const INSTEAD: Readonly<Record<string, string>> = {
  ArrayBuffer: WITH_WEIGHTS,
  Blob: BROWSER_FILES,
  File: BROWSER_FILES,
  FileList: BROWSER_FILES,
  Promise: 'Await it first.',
  Response: 'Give its URL.',
  URL: 'Give its href.',
  Uint8Array: WITH_WEIGHTS,
};

/** What is no source, and why. */
function sourceProblem(source: unknown): string {
  const must =
    "source must be the model's URL, an IOHandler with a load method (as tf.io.browserFiles makes of files), " +
    'ModelArtifacts, or [modelJSON, weights]';
  const kind = kindOf(Array.isArray(source) ? source[0] : source);
  if (Object.hasOwn(INSTEAD, kind)) {
    return `${must}, but was ${Array.isArray(source) ? 'a list ' : ''}of type ${kind}. ${INSTEAD[kind]}`;
  }
  return `${must}, but was ${isRecord(source) ? 'an object without load()' : inJson(source)}.`;
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
  if (Array.isArray(source) && source.length === 2 && kindOf(source[0]) !== 'File') {
    const artifacts = artifactsOf(caller, source[0], source[1]);
    return handling({load: () => artifacts});
  }
  if (typeof source === 'object' && source !== null) {
    if ('predict' in source) throw new Error(`${caller}: source is a loaded model. Give what it was loaded from.`);
    if ('load' in source && typeof source.load === 'function') return handling(source as Handler);
    if ('modelTopology' in source) {
      if ('weightsManifest' in source && !('weightSpecs' in source)) {
        throw new Error(`${caller}: source is a model.json without its weights. ${WITH_WEIGHTS}`);
      }
      return handling({load: () => source as io.ModelArtifacts});
    }
  }
  throw new Error(`${caller}: ${sourceProblem(source)}`);
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
    // By the hundredth, as files come in thousands of pieces.
    if (fraction >= told + 0.01 || (fraction === 1 && told < 1)) options.onProgress?.((told = fraction));
  };
  const {handler, files} = sourceOf(caller, source, {...options, onProgress});
  onProgress(0);
  const loaded = (await handler.load()) as io.ModelArtifacts | null | undefined;
  if (!isRecord(loaded)) throw new Error(`${caller}: load() must give ModelArtifacts, but gave ${inJson(loaded)}.`);
  const weightData = await weightDataOf(loaded);
  onProgress(1);
  return {artifacts: {...loaded, ...(weightData && {weightData})}, files: files()};
}
