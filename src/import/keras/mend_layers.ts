/** What tfjs cannot read, or reads as something else, of the models of layers that Keras writes. */
import type {io} from '@tensorflow/tfjs-core';
import {isRecord} from '../../check/rules';
import {textOf} from './fields';
import {inJson} from '../../graph_model/model_json';
import {handlerOf, type ModelSource} from '../../graph_model/model_source';
import {type FileFacts, mendModel, TopologyWriter} from './mend_model';
import {Problems} from './problems';
import {type Config, type KerasModel, TopologyReader} from './topology';
import {makesWeights, mendWeights, renamedParts} from './weights';

const CALLER = 'mendLayers';

/** More than this, one within the other, would fill the stack. */
const DEEPEST = 1000;

/** Whether a file nests its values deeper than tfjs could follow. */
function isTooDeep(topology: unknown): boolean {
  let level: unknown[] = [topology];
  for (let depth = 0; level.length > 0; depth++) {
    if (depth > DEEPEST) return true;
    level = level.flatMap(value =>
      typeof value === 'object' && value !== null ? (Object.values(value) as unknown[]) : [],
    );
  }
  return false;
}

/** The class and config of the model, and where they are in the file. */
function modelIn(topology: unknown): {className: string; config: Config} {
  const refuse = (problem: string): never => {
    throw new Error(`${CALLER}: ${problem}`);
  };
  if (topology === undefined || topology === null)
    return refuse('there is no model topology. Give all of a model.json.');
  if (!isRecord(topology))
    return refuse(`the model topology must be that of a model.json, but was ${inJson(topology)}.`);
  if ('node' in topology) {
    return refuse(
      'this is a graph model, not a layers model. Load it with tf.loadGraphModel(mendGraph(…)), or importModel.',
    );
  }
  if (isTooDeep(topology)) return refuse(`the model topology has values within values more than ${DEEPEST} deep.`);
  const model = topology['model_config'] ?? topology;
  if (!isRecord(model) || typeof model['class_name'] !== 'string') {
    return refuse(
      `the model topology must have a class_name and a config, but was ${inJson(model)}. Convert the model anew.`,
    );
  }
  const config = model['config'];
  // Keras before 2.2.3 wrote the layers of a Sequential alone.
  if (Array.isArray(config)) return {className: model['class_name'], config: {name: 'sequential', layers: config}};
  if (!isRecord(config))
    return refuse(`the config of the model must be an object, but was ${inJson(config)}. Convert the model anew.`);
  return {className: model['class_name'], config};
}

/** Whether a value of a file says the same as another, whatever the order of its fields. */
function isSame(a: unknown, b: unknown): boolean {
  if (Array.isArray(a)) return Array.isArray(b) && a.length === b.length && a.every((each, i) => isSame(each, b[i]));
  if (!isRecord(a)) return a === b;
  const [x, y] = [Object.keys(a), isRecord(b) ? Object.keys(b) : []];
  return x.length === y.length && x.every(key => isRecord(b) && Object.hasOwn(b, key) && isSame(a[key], b[key]));
}

function hasMasks(model: KerasModel): boolean {
  return model.layers.some(
    ({className, config, model: within}) =>
      className === 'Masking' ||
      (className === 'Embedding' && config['mask_zero'] === true) ||
      (within && hasMasks(within)),
  );
}

function mendArtifacts(artifacts: io.ModelArtifacts): io.ModelArtifacts {
  const topology: unknown = artifacts?.modelTopology;
  const {className, config} = modelIn(topology);
  const version = isRecord(topology) ? textOf(topology['keras_version']) : '';
  const isOwn = version.startsWith('tfjs');
  const isKeras3 = Number.parseInt(version) >= 3;
  const problems = new Problems();
  const reader = new TopologyReader(problems, isKeras3);
  const model = reader.model(className, config, []);
  problems.refuse(CALLER);
  if (!model || isOwn) return artifacts;
  const refuse = (problem: string) => problems.add(problem);
  const facts: FileFacts = {isKeras3, hasMasks: hasMasks(model), read: (...asked) => reader.model(...asked), refuse};
  const mended = mendModel(model, facts);
  problems.refuse(CALLER);
  const renamed = renamedParts(mended);
  const {weightSpecs, weightData} = artifacts;
  if (!(weightSpecs && weightData) && makesWeights(mended)) {
    problems.add(
      'the file has no weights, and some layers get weights that are made of its own. Give the weights as well.',
    );
  }
  const weights = weightSpecs && mendWeights(mended, renamed, weightSpecs, weightData, problems);
  problems.refuse(CALLER);
  const written = new TopologyWriter(renamed).write(mended);
  const isUnchanged = isSame({class_name: className, config}, written);
  if (isUnchanged && !weights?.isChanged) return artifacts;
  const whole = topology as Record<string, unknown>;
  return {
    ...artifacts,
    ...(!isUnchanged && {
      modelTopology: 'model_config' in whole ? {...whole, model_config: written} : {...whole, ...written},
    }),
    ...(weights?.isChanged && {weightSpecs: weights.specs, ...(weights.data && {weightData: weights.data})}),
  };
}

/**
 * Wraps the loading of a layers model so that what Keras 3 and Keras 2 (tf_keras) write becomes what tfjs reads, and computes
 * the same: `batch_shape`, dtype policies, calls with `args` and `kwargs`, models within models, the names of weights, and
 * fields and classes that tfjs lacks where its layers can stand for them (a pooling with `keepdims`, `silu`, `Subtract`,
 * `Normalization`, `x / 127.5 - 1`, causal convolutions, …). What tfjs would ignore or cannot compute is refused by name, all
 * of it at once. A file that tfjs reads as it is passes unchanged.
 *
 * Layers that augment images in training (`RandomFlip`, …) hand on what they are given, also when the model is trained here.
 *
 * @example
 * ```js
 * import * as tf from '@tensorflow/tfjs';
 * import {mendLayers} from 'tfjs-quantization/import';
 *
 * const ofKeras3 = await tf.loadLayersModel(mendLayers('model/model.json'));
 * ```
 *
 * @param source - what `tf.loadLayersModel` takes: the model's URL, or an IOHandler (`tf.io.browserFiles(files)`, ...); and an
 * IOHandlerSync, ModelArtifacts, or a parsed model.json and its weights.
 * @param options - the load options that a URL is loaded with (`requestInit`, `onProgress`, ...).
 * @returns an IOHandler for `tf.loadLayersModel`, which has no synchronous form.
 * @throws if `source` is nothing that can load; at loading, if the file holds no layers model, is malformed, or has what tfjs
 * cannot compute: the error names each layer, its class, the field and the remedy. What the handler throws reaches
 * `tf.loadLayersModel`.
 */
export function mendLayers(source: ModelSource, options?: io.LoadOptions): io.IOHandler {
  const handler = handlerOf(CALLER, source, options ?? {});
  return {load: async () => mendArtifacts(await handler.load())};
}
