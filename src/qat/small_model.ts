/**
 * A quantized model as a small float one that tfjs loads by itself: its weights are stored as the uint8 codes of tfjs's own
 * manifest. That has one step for a tensor. So where there is one for each channel, the levels are stored as they are, and
 * the steps move into the BatchNormalization that follows the layer, or into one that is put there. Where the rounding is
 * kept, all weights are stored as levels, and the layers take the steps from their ranges.
 */
import {div, io, mul, tensor, type Tensor, tidy, type Variable} from '@tensorflow/tfjs-core';
import {layers as tfLayers, loadLayersModel, type LayersModel, type LayerVariable} from '@tensorflow/tfjs-layers';
import {flag, must, type Rules, throwProblems} from '../check';
import {quantizingLayers} from './control';
import {asContainer, flatten, type Layer, variablesOf} from './graph';
import {type IntegerGrid, weightLevels, type WeightLevels} from './grids';
import {activationOf, slotsOf} from './kinds';
import {configOf, isQuantizing, layerFrom, LayerWrapper, unwrapped} from './layer_wrapper';
import {allLayers} from './quantize_model';
import {QuantizedLayer} from './quantized_layer';
import {cloneLayer, rebuild, type Replacement} from './rebuild';
import {checkOptions} from './rules';

/** How a variable is stored: as round((value - min) / scale). */
interface Code {
  readonly dtype: 'uint8' | 'uint16';
  readonly scale: number;
  readonly min: number;
}

/** Layers whose outputs are their kernel's channels times a step. */
const SPLITTABLE = ['Conv1D', 'Conv2D', 'Conv2DTranspose', 'Dense', 'DepthwiseConv2D'];

type Attributes = Readonly<Record<string, LayerVariable | undefined>>;

const attributesOf = (layer: Layer) => layer as unknown as Attributes;

/** A layer whose kernel has a step for each channel: its copy holds the levels, and something after it the steps. */
interface Split {
  readonly from: LayerWrapper;
  readonly attr: string;
  readonly weight: WeightLevels;
  readonly copy: Layer;
  /** The BatchNormalization that takes the steps, if the model has one there. */
  readonly norm: Layer | undefined;
  /** What is put there otherwise: a BatchNormalization, and the activation if there is one. */
  readonly added: readonly Layer[];
}

/** The BatchNormalization that alone takes what a layer gives, if each is called once. */
function normsAfter(model: LayersModel): (layer: Layer) => Layer | undefined {
  const {ops, outputs} = flatten(asContainer(model));
  return layer => {
    const [call, ...others] = ops.filter(op => op.layer === layer);
    if (!call || others.length > 0 || activationOf(unwrapped(layer)) !== 'linear') return undefined;
    const tensor = call.outputs[0]!;
    const takers = ops.filter(({inputs}) => inputs.includes(tensor));
    const [norm] = takers.map(op => op.layer);
    if (!norm || takers.length > 1 || outputs.includes(tensor)) return undefined;
    const {gamma, axis} = unwrapped(norm) as unknown as {gamma?: unknown; axis: number};
    const isLast = axis === -1 || axis === (unwrapped(layer).inputSpec?.[0]?.ndim ?? 4) - 1;
    const isNorm = unwrapped(norm).getClassName() === 'BatchNormalization' && gamma && isLast;
    return isNorm && ops.filter(op => op.layer === norm).length === 1 ? norm : undefined;
  };
}

/** A layer's step for each output channel; 1 where everything is 0. */
function stepsOf({weight: {grid}}: Split, channels: number): Float32Array {
  return Float32Array.from({length: channels}, (_, c) => grid.scale[c % grid.scale.length]! || 1);
}

function splitOf(
  from: LayerWrapper,
  weights: ReadonlyMap<string, WeightLevels>,
  norm: Layer | undefined,
): Split | undefined {
  const {layer} = from;
  const [first, ...others] = weights;
  if (!first || others.length > 0 || !SPLITTABLE.includes(layer.getClassName())) return undefined;
  const [attr, weight] = first;
  const isFirst = (layer as unknown as {dataFormat?: string}).dataFormat === 'channelsFirst';
  if (weight.folded || weight.grid.scale.length === 1 || isFirst) return undefined;
  if (norm) return {from, attr, weight, copy: cloneLayer(layer), norm, added: []};
  return {from, attr, weight, norm, ...withSteps(layer)};
}

/** A layer in parts: what multiplies with levels, what multiplies with steps, and its activation. The last has its name. */
function withSteps(layer: Layer): Pick<Split, 'copy' | 'added'> {
  const {name} = layer;
  const config = configOf(layer);
  const isLinear = activationOf(layer) === 'linear';
  const copy = layerFrom({
    className: layer.getClassName(),
    config: {...config, name: `${name}_levels`, activation: 'linear'},
  });
  copy.setFastWeightInitDuringBuild(true);
  const steps = tfLayers.batchNormalization({name: isLinear ? name : `${name}_steps`, center: false, epsilon: 0});
  const activation = () => layerFrom({className: 'Activation', config: {name, activation: config['activation']}});
  return {copy, added: isLinear ? [steps] : [steps, activation()]};
}

function assign(variable: LayerVariable, compute: (value: Tensor) => Tensor): void {
  tidy(() => (variable.read() as Variable).assign(compute(variable.read())));
}

/** Distributes kernel and steps, once all layers are built. */
function fillSplit(split: Split, copyOf: ReadonlyMap<Layer, Layer>): void {
  const {from, attr, weight, copy, norm, added} = split;
  const {[attr]: kernel, bias} = attributesOf(copy);
  assign(kernel!, () => tensor(Float32Array.from(weight.levels), weight.shape as number[]));
  const own = attributesOf(from.layer)['bias'];
  const target = norm ? attributesOf(copyOf.get(norm)!) : attributesOf(added[0]!);
  const channels = target['gamma']!.shape[0]!;
  const steps = stepsOf(split, channels);
  if (bias && own) assign(bias, () => div(own.read(), tensor(steps)));
  if (norm) {
    assign(target['gamma']!, gamma => mul(gamma, tensor(steps)));
    assign(target['movingMean']!, mean => div(mean, tensor(steps)));
    return;
  }
  assign(target['gamma']!, () => tensor(steps));
}

function codeOf({scale, lowest, highest}: IntegerGrid): Code {
  const dtype = highest[0]! - lowest[0]! < 256 ? 'uint8' : 'uint16';
  // In float64, as tfjs adds it in float64 and rounds once.
  return {dtype, scale: scale[0]! || 1, min: (scale[0]! || 1) * lowest[0]!};
}

function codeOfLevels(levels: Int32Array): Code {
  const [low, high] = [levels.reduce((a, b) => Math.min(a, b), 0), levels.reduce((a, b) => Math.max(a, b), 0)];
  return {dtype: high - low < 256 ? 'uint8' : 'uint16', scale: 1, min: low};
}

/** The nearest of 256 values: for weights with a step for each channel where no BatchNormalization can take the steps. */
function nearest(values: ArrayLike<number>): Code {
  const all = Array.from(values);
  const [low, high] = [all.reduce((a, b) => Math.min(a, b), 0), all.reduce((a, b) => Math.max(a, b), 0)];
  return {dtype: 'uint8', scale: (high - low) / 255 || 1, min: low};
}

/** A small model, and how its variables are stored. */
interface SmallModel {
  readonly model: LayersModel;
  readonly codes: ReadonlyMap<LayerVariable, Code>;
}

async function smallModel(q: LayersModel): Promise<SmallModel> {
  const normOf = normsAfter(q);
  const wrappers = allLayers(asContainer(q)).filter(layer => layer instanceof LayerWrapper);
  const weights = new Map<LayerWrapper, ReadonlyMap<string, WeightLevels>>();
  for (const layer of wrappers) weights.set(layer, await weightLevels(layer));
  const splits = wrappers.flatMap(layer => splitOf(layer, weights.get(layer)!, normOf(layer)) ?? []);
  const copyOf = new Map<Layer, Layer>(splits.map(({from, copy}) => [from, copy]));
  const replace = (layer: Layer): Replacement | undefined => {
    if (!(layer instanceof LayerWrapper) && isQuantizing(layer)) return undefined;
    const split = splits.find(({from}) => from === layer);
    const from = unwrapped(layer);
    const copy = split?.copy ?? cloneLayer(from);
    copyOf.set(layer, copy);
    return {layer: copy, variables: {to: copy, from}, ...(split && {then: split.added})};
  };
  const model = rebuild(q, {replace});
  for (const split of splits) fillSplit(split, copyOf);
  const whole = wrappers.filter(layer => !splits.some(({from}) => from === layer));
  for (const layer of whole) layer.assignRounded(copyOf.get(layer)!);
  return {model, codes: await codesOf(splits, whole, weights, copyOf)};
}

/** The variable of a layer's copy that holds the weight of a name. */
function counterpart({layer}: LayerWrapper, copy: Layer, name: string): LayerVariable {
  const slot = slotsOf(layer, undefined).find(each => each.name === name);
  const variable = slot ? slot.host[slot.attr] : attributesOf(layer)[name];
  return variablesOf(copy)[variablesOf(layer).indexOf(variable!)]!;
}

async function codesOf(
  splits: readonly Split[],
  whole: readonly LayerWrapper[],
  weights: ReadonlyMap<LayerWrapper, ReadonlyMap<string, WeightLevels>>,
  copyOf: ReadonlyMap<Layer, Layer>,
): Promise<ReadonlyMap<LayerVariable, Code>> {
  const codes = new Map<LayerVariable, Code>();
  for (const {copy, attr, weight, added} of splits) {
    codes.set(attributesOf(copy)[attr]!, codeOfLevels(weight.levels));
    for (const name of added[0] ? ['movingMean', 'movingVariance'] : []) {
      const variable = attributesOf(added[0]!)[name]!;
      codes.set(variable, {dtype: 'uint8', scale: 1, min: (await variable.read().data())[0] ?? 0});
    }
  }
  for (const layer of whole) {
    for (const [name, {grid, folded}] of weights.get(layer)!) {
      const variable = counterpart(layer, copyOf.get(layer)!, name);
      const isWhole = grid.scale.length === 1 && !folded;
      codes.set(variable, isWhole ? codeOf(grid) : nearest(await variable.read().data()));
    }
  }
  return codes;
}

/** A quantized model whose weights are their levels: it rounds as before wherever this package is. */
async function modelOfLevels(q: LayersModel): Promise<SmallModel> {
  const codes = new Map<LayerVariable, Code>();
  const wrappers = allLayers(asContainer(q)).filter(layer => layer instanceof LayerWrapper);
  const others = wrappers.filter(layer => !(layer instanceof QuantizedLayer)).map(({name}) => name);
  if (others.length > 0) {
    throw new Error(
      `quantized: the levels of layers of scheme 'tfmot' (${others.join(', ')}) cannot be kept. Leave out fakeQuant.`,
    );
  }
  for (const layer of wrappers as QuantizedLayer[]) {
    const weights = await weightLevels(layer);
    for (const weight of layer.weightQuantizers) {
      const {host, attr, name} = weight.slot;
      codes.set(host[attr]!, codeOfLevels(weight.storeLevels(weights.get(name)!)));
    }
  }
  return {model: q, codes};
}

function encoded(values: ArrayLike<number>, {dtype, scale, min}: Code): Uint8Array {
  const levels = Array.from(values, value => Math.round((value - min) / scale));
  return new Uint8Array((dtype === 'uint8' ? Uint8Array.from(levels) : Uint16Array.from(levels)).buffer);
}

/** A model's artifacts with its variables stored by their codes. */
async function encodedArtifacts({model, codes}: SmallModel): Promise<io.ModelArtifacts> {
  let artifacts: io.ModelArtifacts | undefined;
  await model.save(
    io.withSaveHandler(saved => {
      artifacts = saved;
      return Promise.resolve({modelArtifactsInfo: {dateSaved: new Date(0), modelTopologyType: 'JSON'}});
    }),
  );
  const {weightSpecs = [], ...rest} = artifacts!;
  const specs: io.WeightsManifestEntry[] = [];
  const parts: Uint8Array[] = [];
  for (const [i, spec] of weightSpecs.entries()) {
    const variable = model.weights[i]!;
    const code = codes.get(variable);
    const values = await variable.read().data();
    specs.push(code ? {...spec, quantization: code} : spec);
    parts.push(code ? encoded(values, code) : new Uint8Array(values.slice().buffer));
  }
  return {...rest, weightSpecs: specs, weightData: await new Blob(parts as BlobPart[]).arrayBuffer()};
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

/**
 * For `q.save`: saves a quantized model as a float one of about a quarter of the size, which `tf.loadLayersModel` loads
 * without this package. It computes with the rounded weights; activations are not rounded any more.
 *
 * Weights with one range are stored as their codes and come back bit for bit. Of weights with a range for each channel the
 * levels come back exactly, and the steps are in the BatchNormalization that follows, or in one that is added and, with the
 * activation after it, takes the layer's name. Where that cannot be (recurrent and separable layers, layers of one's own),
 * the nearest of 256 values is stored.
 *
 * With `fakeQuant` the layers stay quantized, so that the import of this package is needed to load them; the levels of all
 * weights come back exactly, and with them the values, bit for bit; on a GPU, but for the last bit of a learned scale. Their
 * ranges are then frozen.
 *
 * @param destination - where to: what `model.save` takes, a URL or a handler.
 * @param options - whether to keep the rounding; not by default.
 * @returns a handler to save with.
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
      const copy = JSON.parse(JSON.stringify(artifacts.modelTopology)) as object;
      const q = await loadLayersModel(io.fromMemory({...artifacts, modelTopology: copy}));
      let small: SmallModel | undefined;
      try {
        quantizingLayers('quantized', q);
        small = fakeQuant ? await modelOfLevels(q) : await smallModel(q);
        return await handler.save(await encodedArtifacts(small));
      } finally {
        if (small && small.model !== q) small.model.dispose();
        q.dispose();
      }
    },
  };
}
