/** The numbers of a quantized model's layers, read from the device: each variable, each range and each rounded weight once. */
import {clone, tidy} from '@tensorflow/tfjs-core';
import {foldingGainOf} from '../layers/folding';
import type {Layer} from '../layers/graph';
import {unwrapped} from '../layers/layer_wrapper';
import {type BatchNorm, weightOf} from '../layers/tfjs_internals';
import {hostsOf, slotsOf} from '../layers/weights';
import {isQuantizing, QuantizingWrapper, type RoundedWeight} from '../qat/quantized_layers/quantizing';
import type {FakeQuantizer} from '../quantizer/fake_quantizer';
import {gridOfQuantizer, type IntegerGrid, levelsOf, type WeightLevels} from '../quantizer/levels';

/** Variables of layers that are no rounded weights. */
const VALUES = ['bias', 'gamma', 'beta', 'movingMean', 'movingVariance', 'alpha'] as const;

export type ValueName = (typeof VALUES)[number];

/** What a layer computes with. */
export interface LayerNumbers {
  /** Rounded weights, by attribute. */
  readonly weights: ReadonlyMap<string, WeightLevels>;
  /** Weights that could be rounded, and are not, by attribute. */
  readonly floats: ReadonlyMap<string, Float32Array>;
  /** Other variables, by attribute; in layers inside with what is in front of the names of their weights. */
  readonly values: ReadonlyMap<string, Float32Array>;
  /** Where the layer rounds activations: 'before activation', 'between', 'activation', 'output'. */
  readonly grids: ReadonlyMap<string, IntegerGrid>;
}

/** A layer's variables as they are. */
interface Variables {
  readonly values: ReadonlyMap<string, Float32Array>;
  /** The names of those that hold NaN or Infinity, which no integer can tell. */
  readonly nonFinite: readonly string[];
}

/** Reads layers. Only rounded weights move anything: their ranges, as a prediction would. */
export class LayerReader {
  readonly #variables = new Map<Layer, Variables>();
  readonly #onlyOn: boolean;

  /** `onlyOn`: what quantizers that are switched off would round is read as it is, and on no grid. */
  constructor(onlyOn = false) {
    this.#onlyOn = onlyOn;
  }

  /** What is wrong with the variables of layers: kernels, biases, statistics. */
  async nonFiniteProblems(layers: readonly Layer[]): Promise<string[]> {
    const problems: string[] = [];
    for (const layer of layers) {
      const {nonFinite} = await this.#variablesOf(unwrapped(layer));
      problems.push(
        ...nonFinite.map(
          name =>
            `layer ${layer.name}: its ${name} holds NaN or Infinity. Go back to weights from before training diverged.`,
        ),
      );
    }
    return problems;
  }

  /** Variables that are no rounded weights. */
  async values(layer: Layer): Promise<LayerNumbers['values']> {
    return (await this.#variablesOf(unwrapped(layer))).values;
  }

  /** The grids on which a layer rounds activations; undefined where the range is not set. */
  async grids(layer: Layer): Promise<ReadonlyMap<string, IntegerGrid | undefined>> {
    const grids = new Map<string, IntegerGrid | undefined>();
    if (!isQuantizing(layer)) return grids;
    for (const {what, of, quantizer} of layer.roundings) {
      if (of === 'activations' && this.#reads(quantizer)) grids.set(what, await gridOfQuantizer(quantizer));
    }
    return grids;
  }

  /** The weights that a layer does not round, of those that could be. */
  async floats(layer: Layer): Promise<LayerNumbers['floats']> {
    const rounded = this.#roundedWeights(layer).map(({name}) => name);
    const slots = slotsOf(unwrapped(layer), undefined).filter(({name}) => !rounded.includes(name));
    const found = new Map<string, Float32Array>();
    for (const {name, host, attr} of slots) found.set(name, await host[attr]!.read().data<'float32'>());
    return found;
  }

  /** The weights that a layer rounds, as integers. */
  async weights(layer: Layer): Promise<LayerNumbers['weights']> {
    const found = new Map<string, WeightLevels>();
    for (const weight of this.#roundedWeights(layer)) found.set(weight.name, await this.#levelsOf(weight));
    return found;
  }

  #reads({quantizing}: FakeQuantizer): boolean {
    return quantizing || !this.#onlyOn;
  }

  #roundedWeights(layer: Layer): RoundedWeight[] {
    if (!(layer instanceof QuantizingWrapper)) return [];
    return layer.roundedWeights().filter(({quantizer}) => this.#reads(quantizer));
  }

  async #levelsOf({quantizer, rounded, shape, norm}: RoundedWeight): Promise<WeightLevels> {
    // A copy, as what is not rounded is the weight itself.
    const tensor = tidy(() => clone(rounded()));
    const view = tensor.shape;
    let values: ArrayLike<number>;
    try {
      values = await tensor.data();
    } finally {
      tensor.dispose();
    }
    const grid = (await gridOfQuantizer(quantizer))!;
    return {levels: levelsOf(values, view, grid), grid, view, shape, gain: norm && (await this.#gainOf(norm))};
  }

  async #gainOf(norm: BatchNorm): Promise<Float64Array> {
    const {values} = await this.#variablesOf(norm);
    return foldingGainOf(values.get('gamma'), values.get('movingVariance')!, norm.epsilon);
  }

  async #variablesOf(layer: Layer): Promise<Variables> {
    const known = this.#variables.get(layer);
    if (known) return known;
    const read = await readVariables(layer);
    this.#variables.set(layer, read);
    return read;
  }
}

async function readVariables(layer: Layer): Promise<Variables> {
  const hosts = hostsOf(layer);
  const values = new Map<string, Float32Array>();
  const nonFinite: string[] = [];
  for (const variable of layer.weights) {
    const data = await variable.read().data<'float32'>();
    for (const {host, prefix} of hosts) {
      const attribute = VALUES.find(name => weightOf(host, name) === variable);
      if (attribute) values.set(prefix + attribute, data);
    }
    if (data.every(Number.isFinite)) continue;
    const {originalName} = variable;
    nonFinite.push(
      originalName.startsWith(`${layer.name}/`) ? originalName.slice(layer.name.length + 1) : originalName,
    );
  }
  return {values, nonFinite};
}
