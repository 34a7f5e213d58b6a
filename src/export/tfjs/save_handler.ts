/** What `q.save` is given to save a quantized model small: the artifacts that tfjs hands over, as those of another model. */
import {dispose, io, type NamedTensorMap, tensor, util} from '@tensorflow/tfjs-core';
import {loadLayersModel, type LayersModel} from '@tensorflow/tfjs-layers';
import {checkOptions} from '../../check/options';
import {flag, isRecord, must, type Rules, throwProblems} from '../../check/rules';
import {LayerReader} from '../../inference/read_layers';
import {assign} from '../../layers/assign';
import {allLayers, asContainer} from '../../layers/graph';
import {tellAll} from '../../layers/serialization';
import {modelOfLevels} from './level_model';
import {smallModel} from './small_model';
import type {SmallModel} from './stored';
import {quantizingLayers} from '../../qat/quantized_layers/quantizing';

/**
 * What {@link quantizedSaveHandler} keeps.
 *
 * @example
 * ```js
 * import * as tf from '@tensorflow/tfjs';
 * import {quantizedSaveHandler} from 'tfjs-quantization/qat';
 *
 * const handler = tf.io.withSaveHandler(async artifacts => {
 *   const modelArtifactsInfo = tf.io.getModelArtifactsInfoForJSON(artifacts);
 *   console.log(`${modelArtifactsInfo.weightDataBytes} bytes of weights`);
 *   return {modelArtifactsInfo};
 * });
 * await q.save(quantizedSaveHandler(handler, {fakeQuant: true}));
 * ```
 */
export interface QuantizedSaveOptions {
  /** Keeps the rounding: the model loads where this package is, and computes what it computed. False by default. */
  readonly fakeQuant?: boolean;
}

const RULES: Rules<QuantizedSaveOptions> = {fakeQuant: flag};

const DESTINATION = must(
  'a URL or an IOHandler that saves',
  (value: string | Partial<io.IOHandler> | null) => typeof value === 'string' || typeof value?.save === 'function',
);

const ARTIFACTS = must(
  'a layers model with its weights, as model.save gives',
  (value: Partial<io.ModelArtifacts> | null | undefined) => {
    const {modelTopology = {}, weightData} = value ?? {};
    return (
      isRecord(modelTopology) && ('model_config' in modelTopology || 'class_name' in modelTopology) && !!weightData
    );
  },
);

/** The weights among artifacts, but an optimizer's. On the CPU they stay where they are: they are as large as all else. */
async function weightsIn({weightSpecs = [], weightData}: io.ModelArtifacts): Promise<NamedTensorMap> {
  const bytes = Array.isArray(weightData) ? await new Blob(weightData).arrayBuffer() : weightData!;
  const weights: NamedTensorMap = {};
  let offset = 0;
  for (const spec of weightSpecs.filter(({group}) => group !== 'optimizer')) {
    const {name, shape, dtype} = spec;
    const size = util.sizeFromShape(shape);
    const isAligned = dtype === 'float32' && offset % 4 === 0;
    const end = offset + size * (dtype === 'bool' ? 1 : 4);
    weights[name] = isAligned
      ? tensor(new Float32Array(bytes, offset, size), shape)
      : io.decodeWeights(bytes.slice(offset, end), [spec])[name]!;
    offset = end;
  }
  return weights;
}

/** The model of artifacts. */
async function loaded(artifacts: io.ModelArtifacts): Promise<LayersModel> {
  const {userDefinedMetadata, weightSpecs = []} = artifacts;
  let isKnown = false;
  const model = await loadLayersModel({
    load: () =>
      Promise.resolve({
        modelTopology: JSON.parse(JSON.stringify(artifacts.modelTopology)) as object,
        ...(userDefinedMetadata && {userDefinedMetadata}),
        weightSpecs,
        // tfjs asks whether there are weights, to leave out initializers, and then for them, of which it makes copies.
        get weightData() {
          const data = isKnown ? undefined : artifacts.weightData;
          isKnown = true;
          return data as io.WeightData;
        },
      }),
  });
  const weights = await weightsIn(artifacts);
  try {
    model.loadWeights(weights);
    // Once more without constraints: what was given counts.
    for (const variable of model.weights) {
      const given = weights[variable.originalName];
      if (given) assign(variable, () => given);
    }
  } catch (error) {
    model.dispose();
    throw error;
  } finally {
    dispose(weights);
  }
  allLayers(asContainer(model)).forEach(tellAll);
  return model;
}

function bytesOf({buffer, byteOffset, byteLength}: ArrayBufferView): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength);
}

/** Artifacts of another model, with its variables as they are stored. */
async function smallArtifacts(artifacts: io.ModelArtifacts, {model, stored}: SmallModel): Promise<io.ModelArtifacts> {
  const weightSpecs: io.WeightsManifestEntry[] = [];
  const parts: Uint8Array[] = [];
  for (const variable of model.weights) {
    const {shape, dtype} = variable.read();
    const spec = {name: variable.originalName, shape, dtype: dtype as 'float32'};
    const {codes, quantization} = stored.get(variable) ?? {};
    weightSpecs.push(quantization ? {...spec, quantization} : spec);
    parts.push(bytesOf(codes ?? (await variable.read().data())));
  }
  const weightData = new Uint8Array(parts.reduce((size, {length}) => size + length, 0));
  let offset = 0;
  for (const part of parts) {
    weightData.set(part, offset);
    offset += part.length;
  }
  const others = {...artifacts};
  delete others.trainingConfig;
  const modelTopology = model.toJSON(null, false) as object;
  return {...others, modelTopology, weightSpecs, weightData: weightData.buffer};
}

function handlerFor(destination: string | io.IOHandler): io.IOHandler {
  if (typeof destination !== 'string') return destination;
  const handlers = io.getSaveHandlers(destination);
  if (handlers.length === 1) return handlers[0]!;
  throw new Error(
    `quantizedSaveHandler: ${handlers.length} handlers of tf.io save to '${destination}'. Give one that saves there.`,
  );
}

/**
 * For `q.save`: saves a quantized model as a float one of about a quarter of the size, which `tf.loadLayersModel` loads
 * without this package. It computes with the rounded weights; activations are not rounded any more. It trains on as any model.
 *
 * Weights with one range are stored as their codes and come back bit for bit. Of weights with a range for each channel the
 * levels come back exactly, times a power of two, and what is missing to the steps is in the BatchNormalization that follows,
 * or in a Rescaling that is added and, with the activation after it, takes the layer's name. Where that cannot be (recurrent
 * and separable layers, layers of one's own, models with masks), the nearest of 256 values is stored.
 *
 * With `fakeQuant` the layers stay quantized, so that the import of this package is needed to load them; the levels of all
 * weights come back exactly, and with them the values, bit for bit; on a GPU, but for the last bit of a learned scale. Their
 * ranges are then frozen, also in training, until `freezeRanges(model, false, 'all')`.
 *
 * @param destination - where to: what `model.save` takes, a URL or a handler.
 * @param options - whether to keep the rounding; not by default.
 * @returns a handler to save with. Saving fails, before anything is saved, with all weights at once that hold NaN or Infinity.
 * @throws if nothing saves to `destination`, or an option is unknown.
 *
 * @example
 * ```js
 * import {quantizedSaveHandler} from 'tfjs-quantization/qat';
 *
 * await q.save(quantizedSaveHandler('indexeddb://my-model')); // or 'downloads://my-model'
 * ```
 */
export function quantizedSaveHandler(
  destination: string | io.IOHandler,
  options: QuantizedSaveOptions = {},
): io.IOHandler {
  throwProblems('quantizedSaveHandler', DESTINATION(destination, 'destination'));
  checkOptions('quantizedSaveHandler', options, RULES);
  const {fakeQuant = false} = options;
  const handler = handlerFor(destination);
  return {
    save: async artifacts => {
      if (!handler.save) throw new Error('quantizedSaveHandler: the handler has no method save. Give one that saves.');
      throwProblems('quantizedSaveHandler', ARTIFACTS(artifacts, 'what is saved'));
      const q = await loaded(artifacts);
      const reader = new LayerReader();
      let small: SmallModel | undefined;
      try {
        quantizingLayers('quantizedSaveHandler', q);
        throwProblems('quantizedSaveHandler', await reader.nonFiniteProblems(allLayers(asContainer(q))));
        small = await (fakeQuant ? modelOfLevels : smallModel)(q, reader);
        return await handler.save(await smallArtifacts(artifacts, small));
      } finally {
        if (small && small.model !== q) small.model.dispose();
        q.dispose();
      }
    },
  };
}
