/**
 * A quantized model as a small float one that tfjs loads by itself: its weights are stored as the uint8 codes of tfjs's own
 * manifest. That has one step for a tensor. So where there is one for each channel, the levels are stored with the power of
 * two next to the largest step, so that they train as weights do, and what is missing to the steps, a factor for each
 * channel, moves into the BatchNormalization that follows the layer, or into a Rescaling that is put there. Where the
 * rounding is kept, all weights are stored as levels, and the layers take the steps from their ranges.
 */
import {
  dispose,
  div,
  io,
  type NamedTensorMap,
  tensor,
  type Tensor,
  tidy,
  util,
  type Variable,
} from '@tensorflow/tfjs-core';
import {loadLayersModel, type LayersModel, type LayerVariable} from '@tensorflow/tfjs-layers';
import {checkOptions} from '../../check/options';
import {flag, isRecord, must, type Rules, throwProblems} from '../../check/rules';
import {unwrapped} from '../../layers/layer_wrapper';
import {configOf, layerFrom, tellAll} from '../../layers/serialization';
import {isQuantizing, QuantizingWrapper} from '../../qat/quantizing';
import {quantizingLayers} from '../../qat/tools/control';
import {type BatchNorm, isBatchNorm, normalizesChannels} from '../../layers/folding';
import {allLayers, asContainer, flatten, type Layer, variablesOf} from '../../layers/graph';
import {LayerReader} from '../../integer/read_layers';
import {channelOf, spanOf, type WeightLevels} from '../../quantizer/levels';
import {activationOf, makesMask} from '../../layers/kinds';
import {specOf} from '../../layers/specs';
import {slotsOf} from '../../layers/weights';
import {QuantizedLayer} from '../../qat/quantized_layer';
import {cloneLayer, rebuild, type Replacement} from '../../layers/rebuild';

/** How a variable is stored: as codes, of which tfjs makes code * scale + min in float64 and rounds once. */
interface Stored {
  readonly quantization: {readonly dtype: 'uint8' | 'uint16'; readonly scale: number; readonly min: number};
  readonly codes: Uint8Array | Uint16Array;
}

type Attributes = Readonly<Record<string, LayerVariable | undefined>>;

const attributesOf = (layer: Layer) => layer as unknown as Attributes;

/** A layer whose kernel has a step for each channel: its copy holds the levels, and something after it the factors. */
interface Split {
  readonly levels: ArrayLike<number>;
  /** What the copy's kernel is in steps of. */
  readonly unit: number;
  /** What its outputs are to be multiplied with. */
  readonly factors: Float32Array;
  readonly copy: Layer;
  /** The BatchNormalization that takes the factors, if the model has one there. */
  readonly norm: Layer | undefined;
  /** What is put there otherwise: a Rescaling, and the activation if there is one. */
  readonly added: readonly Layer[];
}

/** The BatchNormalization that alone takes what a layer gives, if each is called once. */
function normsAfter(model: LayersModel): (layer: Layer) => Layer | undefined {
  const graph = flatten(asContainer(model));
  const callsOf = (layer: Layer) => graph.ops.filter(op => op.layer === layer);
  return layer => {
    const [call, ...others] = callsOf(layer);
    if (!call || others.length > 0 || activationOf(unwrapped(layer)) !== 'linear') return undefined;
    const norm = graph.soleConsumer(call.outputs[0]!)?.layer;
    if (!norm) return undefined;
    const inner = unwrapped(norm);
    const isNorm = isBatchNorm(inner) && inner.gamma;
    const isAlone = callsOf(norm).length === 1;
    return isNorm && isAlone && normalizesChannels(inner, unwrapped(layer)) ? norm : undefined;
  };
}

/**
 * The step of each output channel of a weight that was rounded with or without a gain. tfmot's scheme has one for each
 * multiplier of a depthwise kernel.
 */
function stepsOf({grid: {scale}, gain, shape}: WeightLevels, isDepthwise: boolean): Float64Array {
  const outputs = isDepthwise ? shape[2]! * shape[3]! : (gain ?? scale).length;
  return Float64Array.from({length: outputs}, (_, c) => scale[c % scale.length]! / Math.abs(gain?.[c] ?? 1));
}

/** The power of two next above all steps, and each step's share of it: exact in float32, and 1 where everything is 0. */
function sharesOf(steps: Float64Array): {unit: number; factors: Float32Array} {
  const unit = 2 ** Math.ceil(Math.log2(steps.reduce((most, each) => Math.max(most, each), 0) || 1));
  return {unit, factors: Float32Array.from(steps, step => step / unit || 1)};
}

/** The levels without a gain's sign. */
function levelsWithout({levels, view, gain}: WeightLevels, outputs: number): ArrayLike<number> {
  if (!gain?.some(each => each < 0)) return levels;
  const channel = channelOf(view, outputs);
  return Int32Array.from(levels, (level, i) => (gain[channel(i)]! < 0 ? -level : level));
}

/**
 * Whether a BatchNormalization of what is not multiplied with the factors yet still does in training what it did: its
 * epsilon counts for less there, which would wake up channels that are as good as dead.
 */
async function takesFactors(norm: Layer, factors: Float32Array): Promise<boolean> {
  const {movingVariance, epsilon} = unwrapped(norm) as unknown as BatchNorm;
  const variances = await movingVariance.read().data();
  return factors.every((factor, c) => variances[c]! + epsilon * factor ** 2 >= (variances[c]! + epsilon) / 2);
}

/** A copy that holds no weight to a constraint: tfjs would when it loads, and move levels and rounded weights. */
function unconstrained(layer: Layer, changes: object = {}): Layer {
  const config = JSON.stringify(configOf(layer), (key, value: unknown) => (key.endsWith('Constraint') ? null : value));
  const copy = layerFrom({
    className: layer.getClassName(),
    config: {...(JSON.parse(config) as object), ...changes},
  });
  copy.setFastWeightInitDuringBuild(true);
  return copy;
}

async function splitOf(
  {layer}: QuantizingWrapper,
  weights: ReadonlyMap<string, WeightLevels>,
  norm: Layer | undefined,
  isMasked: boolean,
): Promise<Split | undefined> {
  const [first, ...others] = weights;
  if (!first || others.length > 0 || !specOf(layer)?.splits) return undefined;
  const [attr, weight] = first;
  const isFirst = (layer as unknown as {dataFormat?: string}).dataFormat === 'channelsFirst';
  if ((weight.grid.scale.length === 1 && !weight.gain) || isFirst) return undefined;
  const {axis} = slotsOf(layer, undefined).find(slot => slot.attr === attr)!;
  const levels = levelsWithout(weight, typeof axis === 'number' ? axis : 1);
  const shares = {levels, ...sharesOf(stepsOf(weight, axis === 'depthwise'))};
  if (norm && (await takesFactors(norm, shares.factors))) {
    return {...shares, copy: unconstrained(layer), norm, added: []};
  }
  // A Rescaling ends a mask.
  return isMasked ? undefined : {...shares, norm: undefined, ...withFactors(layer, shares.factors)};
}

/** A layer in parts: what multiplies with levels, what multiplies with factors, and its activation. The last has its name. */
function withFactors(layer: Layer, factors: Float32Array): Pick<Split, 'copy' | 'added'> {
  const {name} = layer;
  const isLinear = activationOf(layer) === 'linear';
  const copy = unconstrained(layer, {name: `${name}_levels`, activation: 'linear'});
  // Nine digits tell any float32.
  const scale = Array.from(factors, factor => Number(factor.toPrecision(9)));
  const steps = layerFrom({className: 'Rescaling', config: {name: isLinear ? name : `${name}_steps`, scale}});
  const {activation} = configOf(layer);
  const applied = () => layerFrom({className: 'Activation', config: {name, activation}});
  return {copy, added: isLinear ? [steps] : [steps, applied()]};
}

function assign(variable: LayerVariable, compute: (value: Tensor) => Tensor): void {
  tidy(() => (variable.read() as Variable).assign(compute(variable.read())));
}

/** Divides what comes after the kernel by the factors, once all layers are built. */
async function divideByFactors({copy, norm, factors}: Split, copyOf: ReadonlyMap<Layer, Layer>): Promise<void> {
  const {bias} = attributesOf(copy);
  if (bias) assign(bias, value => div(value, tensor(factors)));
  if (!norm) return;
  const {movingMean, movingVariance, epsilon} = copyOf.get(norm) as unknown as BatchNorm;
  assign(movingMean, value => div(value, tensor(factors)));
  const variances = await movingVariance.read().data();
  const divided = Float32Array.from(variances, (each, c) => (each + epsilon) / factors[c]! ** 2 - epsilon);
  assign(movingVariance, () => tensor(divided));
}

/** Integers from `low` to `high` as codes, of a step each. */
function storedLevels(levels: ArrayLike<number>, low: number, high: number, scale = 1): Stored {
  const dtype = high - low < 256 ? 'uint8' : 'uint16';
  const codes = dtype === 'uint8' ? new Uint8Array(levels.length) : new Uint16Array(levels.length);
  for (let i = 0; i < codes.length; ++i) codes[i] = levels[i]! - low;
  return {codes, quantization: {dtype, scale, min: scale * low}};
}

/** The nearest of 256 values: for weights with a step for each channel where nothing after them can take the steps. */
function nearest(values: ArrayLike<number>): Stored {
  const [low, high] = spanOf(values);
  const scale = (high - low) / 255 || 1;
  const codes = new Uint8Array(values.length);
  for (let i = 0; i < codes.length; ++i) codes[i] = Math.round((values[i]! - low) / scale);
  return {codes, quantization: {dtype: 'uint8', scale, min: low}};
}

/** A small model, and how its variables are stored; the others as they are. */
interface SmallModel {
  readonly model: LayersModel;
  readonly stored: ReadonlyMap<LayerVariable, Stored>;
}

async function smallModel(q: LayersModel, reader: LayerReader): Promise<SmallModel> {
  const normOf = normsAfter(q);
  const layers = allLayers(asContainer(q));
  const isMasked = layers.some(layer => makesMask(unwrapped(layer)));
  const splits = new Map<Layer, Split>();
  const codesOf = new Map<QuantizingWrapper, ReadonlyMap<string, Stored | undefined>>();
  for (const layer of layers.filter(each => each instanceof QuantizingWrapper)) {
    const weights = await reader.weights(layer);
    const split = await splitOf(layer, weights, normOf(layer), isMasked);
    if (split) splits.set(layer, split);
    codesOf.set(layer, new Map([...weights].map(([name, weight]) => [name, codesIn(weight, split)])));
  }
  const copyOf = new Map<Layer, Layer>();
  const replace = (layer: Layer): Replacement | undefined => {
    if (!(layer instanceof QuantizingWrapper) && isQuantizing(layer)) return undefined;
    const split = splits.get(layer);
    const from = unwrapped(layer);
    const copy = split?.copy ?? (layer instanceof QuantizingWrapper ? unconstrained(from) : cloneLayer(from));
    copyOf.set(layer, copy);
    return {layer: copy, variables: {to: copy, from}, ...(split && {then: split.added})};
  };
  const model = rebuild(q, {replace});
  for (const split of splits.values()) await divideByFactors(split, copyOf);
  const stored = new Map<LayerVariable, Stored>();
  for (const [layer, codes] of codesOf) {
    for (const each of await storedIn(layer, copyOf.get(layer)!, codes)) stored.set(...each);
  }
  return {model, stored};
}

/** A weight's levels as they are stored; undefined for one with a step for each channel that is left with it. */
function codesIn({levels, grid, gain}: WeightLevels, split: Split | undefined): Stored | undefined {
  if (split) return storedLevels(split.levels, ...spanOf(split.levels), split.unit);
  if (grid.scale.length > 1 || gain) return undefined;
  return storedLevels(levels, grid.lowest[0]!, grid.highest[0]!, grid.scale[0]! || 1);
}

/** How the rounded weights of a layer are stored, by the variables of its copy. */
async function storedIn(
  layer: QuantizingWrapper,
  copy: Layer,
  codes: ReadonlyMap<string, Stored | undefined>,
): Promise<[LayerVariable, Stored][]> {
  const [from, to] = [variablesOf(layer.layer), variablesOf(copy)];
  const places = [...codes].map(([name, known]) => {
    const slot = slotsOf(layer.layer, undefined).find(each => each.name === name);
    const source = slot ? slot.host[slot.attr] : attributesOf(layer.layer)[name];
    return {known, source: source!, variable: to[from.indexOf(source!)]!};
  });
  if (places.some(({known}) => !known)) layer.assignRounded(copy);
  const stored: [LayerVariable, Stored][] = [];
  for (const {known, source, variable} of places) {
    stored.push([variable, known ?? nearest(await variable.read().data())]);
    // Frees the rounded values.
    assign(variable, () => source.read());
  }
  return stored;
}

/** A quantized model whose weights are stored as their levels: it rounds as before wherever this package is. */
async function modelOfLevels(q: LayersModel, reader: LayerReader): Promise<SmallModel> {
  const stored = new Map<LayerVariable, Stored>();
  const wrappers = allLayers(asContainer(q)).filter(layer => layer instanceof QuantizingWrapper);
  const others = wrappers.filter(layer => !(layer instanceof QuantizedLayer)).map(({name}) => name);
  if (others.length > 0) {
    throw new Error(
      `quantized: the levels of layers of scheme 'tfmot' (${others.join(', ')}) cannot be kept. Leave out fakeQuant.`,
    );
  }
  for (const layer of wrappers as QuantizedLayer[]) {
    const weights = await reader.weights(layer);
    for (const weight of layer.weightQuantizers) {
      const {host, attr, name} = weight.slot;
      const levels = weight.keepLevels(weights.get(name)!);
      stored.set(host[attr]!, storedLevels(levels, ...spanOf(levels)));
    }
  }
  return {model: q, stored};
}

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
    `quantized: ${handlers.length} handlers of tf.io save to '${destination}'. Give one that saves there.`,
  );
}

/** What {@link quantized} keeps. */
export interface SmallModelOptions {
  /** Keeps the rounding: the model loads where this package is, and computes what it computed. False by default. */
  readonly fakeQuant?: boolean;
}

const RULES: Rules<SmallModelOptions> = {fakeQuant: flag};

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
 *
 * @example
 * ```ts
 * await q.save(quantized('downloads://my-model'));
 * ```
 */
export function quantized(destination: string | io.IOHandler, options: SmallModelOptions = {}): io.IOHandler {
  throwProblems('quantized', DESTINATION(destination, 'destination'));
  checkOptions('quantized', options, RULES);
  const {fakeQuant = false} = options;
  const handler = handlerFor(destination);
  return {
    save: async artifacts => {
      if (!handler.save) throw new Error('quantized: the handler has no method save. Give one that saves.');
      throwProblems('quantized', ARTIFACTS(artifacts, 'what is saved'));
      const q = await loaded(artifacts);
      let small: SmallModel | undefined;
      try {
        quantizingLayers('quantized', q);
        const reader = new LayerReader();
        throwProblems('quantized', await reader.nonFiniteProblems(allLayers(asContainer(q))));
        small = await (fakeQuant ? modelOfLevels : smallModel)(q, reader);
        return await handler.save(await smallArtifacts(artifacts, small));
      } finally {
        if (small && small.model !== q) small.model.dispose();
        q.dispose();
      }
    },
  };
}
