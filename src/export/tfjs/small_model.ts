/**
 * A quantized model as a small float one that tfjs loads by itself: its weights are stored as the uint8 codes of tfjs's own
 * manifest. That has one step for a tensor. So where there is one for each channel, the levels are stored with the power of
 * two next to the largest step, so that they train as weights do, and what is missing to the steps, a factor for each
 * channel, moves into the BatchNormalization that follows the layer, or into a Rescaling that is put there.
 */
import {div, tensor} from '@tensorflow/tfjs-core';
import type {LayersModel, LayerVariable} from '@tensorflow/tfjs-layers';
import type {LayerReader} from '../../inference/read_layers';
import {assign} from '../../layers/assign';
import {isBatchNorm, normalizesChannels} from '../../layers/folding';
import {allLayers, asContainer, flatten, type Layer, variablesOf} from '../../layers/graph';
import {activationOf, makesMask} from '../../layers/kinds';
import {unwrapped} from '../../layers/layer_wrapper';
import {cloneLayer, rebuild, type Replacement} from '../../layers/rebuild';
import {configOf, layerFrom} from '../../layers/serialization';
import {specOf} from '../../layers/specs';
import {asBatchNorm, attributesOf, weightOf} from '../../layers/tfjs_internals';
import {slotsOf} from '../../layers/weights';
import {isQuantizing, QuantizingWrapper} from '../../qat/quantized_layers/quantizing';
import {channelOf, spanOf, type WeightLevels} from '../../quantizer/levels';
import {nearest, type SmallModel, type Stored, storedLevels} from './stored';

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
  const {movingVariance, epsilon} = asBatchNorm(unwrapped(norm));
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
  const isFirst = attributesOf(layer).dataFormat === 'channelsFirst';
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

/** Divides what comes after the kernel by the factors, once all layers are built. */
async function divideByFactors({copy, norm, factors}: Split, copyOf: ReadonlyMap<Layer, Layer>): Promise<void> {
  const bias = weightOf(copy, 'bias');
  if (bias) assign(bias, value => div(value, tensor(factors)));
  if (!norm) return;
  const {movingMean, movingVariance, epsilon} = asBatchNorm(copyOf.get(norm)!);
  assign(movingMean, value => div(value, tensor(factors)));
  const variances = await movingVariance.read().data();
  const divided = Float32Array.from(variances, (each, c) => (each + epsilon) / factors[c]! ** 2 - epsilon);
  assign(movingVariance, () => tensor(divided));
}

/** A float model that computes with the rounded weights, and what its variables are stored as. */
export async function smallModel(q: LayersModel, reader: LayerReader): Promise<SmallModel> {
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
    const source = slot ? slot.host[slot.attr] : weightOf(layer.layer, name);
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
