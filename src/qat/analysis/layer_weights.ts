/** What the weights of a model's layers take at each width, and of which of them the options leave the width open. */
import type {LayersModel} from '@tensorflow/tfjs-layers';
import {allLayers, asContainer, type Container, type Layer, variablesOf} from '../../layers/graph';
import {kindOf, MULTIPLIES} from '../../layers/kinds';
import {slotsOf} from '../../layers/weights';
import type {QuantizeOptions} from '../options/options';
import {optionsByLayer} from '../options/options_by_layer';
import {PlacedModel} from '../placement/placed_model';
import {channelsIn} from '../quantized_layers/weight_quantizer';

/** The weights that are rounded of all layers of one name, which the options cannot tell apart. */
export interface LayerWeights {
  readonly name: string;
  /** Whether the width is to be chosen; else the options say it. */
  readonly isFree: boolean;
  /** How many weights. */
  readonly count: number;
  /** Bits of all weights, packed at a width, or at what the options say. */
  bitsAt(numBits?: number): number;
  /** Bytes of the same, each weight's to a whole one, with its scales. */
  bytesAt(numBits?: number): number;
}

/** A float32. */
const FLOAT_BYTES = 4;

/** One weight of a layer. */
interface Weight {
  readonly count: number;
  /** Numbers that its grid has: a scale for each range and, where it is not symmetric, a zero point. */
  readonly gridNumbers: number;
  /** As the options say. */
  readonly numBits: number;
}

function weightsOf(layer: Layer, placed: PlacedModel): Weight[] {
  const custom = placed.options.customLayers ?? {};
  const {weights: config} = placed.configsOf(layer);
  if (!config || !MULTIPLIES.has(kindOf(layer, custom))) return [];
  return slotsOf(layer, custom[layer.getClassName()]).map(slot => {
    const ranges = config.perChannel ? (channelsIn(slot)?.count ?? 1) : 1;
    const count = slot.host[slot.attr]!.read().size;
    return {count, gridNumbers: ranges * (config.symmetric === false ? 2 : 1), numBits: config.numBits};
  });
}

function layerWeights(name: string, weights: readonly Weight[], isFree: boolean): LayerWeights {
  const total = (of: (weight: Weight) => number) => weights.reduce((sum, weight) => sum + of(weight), 0);
  return {
    name,
    isFree,
    count: total(({count}) => count),
    bitsAt: bits => total(({count, numBits}) => count * (bits ?? numBits)),
    bytesAt: bits =>
      total(({count, gridNumbers, numBits}) => Math.ceil((count * (bits ?? numBits)) / 8) + FLOAT_BYTES * gridNumbers),
  };
}

/** The layers whose weights are as wide as the options say for all: nothing says otherwise of these in particular. */
function followers(model: Container, options: QuantizeOptions, layers: readonly Layer[]): ReadonlySet<Layer> {
  const own = optionsByLayer(model, options.layers ?? {});
  // Two widths below 8, which is what may be kept at the ends.
  const probes = [3, 4].map(numBits => ({
    numBits,
    placed: new PlacedModel(model, {...options, weights: {...options.weights, numBits}}, own),
  }));
  return new Set(
    layers.filter(layer => probes.every(({numBits, placed}) => placed.configsOf(layer).weights?.numBits === numBits)),
  );
}

/** A model's weights, as quantizeModel would round them by some options, and what they take at other widths. */
export class ModelWeights {
  /** In the order of the model. */
  readonly layers: readonly LayerWeights[];
  readonly #options: QuantizeOptions;
  /** Bytes of all that is not rounded: biases, statistics, weights that the options leave float. */
  readonly #otherBytes: number;

  constructor(model: LayersModel, options: QuantizeOptions) {
    const container = asContainer(model);
    const placed = new PlacedModel(container, options, optionsByLayer(container, options.layers ?? {}));
    const all = [...new Set(allLayers(container))];
    const weights = new Map(all.map(layer => [layer, weightsOf(layer, placed)]));
    const following = followers(container, options, all);
    const names = [...new Set(all.filter(layer => weights.get(layer)!.length > 0).map(({name}) => name))];
    this.layers = names.map(name => {
      const namesakes = all.filter(layer => layer.name === name);
      // What is told a name is told all that have it, and those without weights refuse it.
      const isFree = namesakes.every(layer => following.has(layer) && weights.get(layer)!.length > 0);
      const ofName = namesakes.flatMap(layer => weights.get(layer)!);
      return layerWeights(name, ofName, isFree);
    });
    const variables = [...new Set(all.flatMap(variablesOf))];
    const parameters = variables.reduce((sum, variable) => sum + variable.read().size, 0);
    this.#options = options;
    this.#otherBytes = FLOAT_BYTES * (parameters - this.#total(({count}) => count));
  }

  /** Those whose width is to be chosen. */
  get free(): LayerWeights[] {
    return this.layers.filter(({isFree}) => isFree);
  }

  /** Bytes of all parameters, with these widths of the free layers. */
  bytesAt(numBits: readonly number[]): number {
    const widths = this.#widths(numBits);
    return this.#otherBytes + this.#total(layer => layer.bytesAt(widths.get(layer)));
  }

  /** Bits of a rounded weight on average, likewise. */
  bitsPerWeightAt(numBits: readonly number[]): number {
    const widths = this.#widths(numBits);
    return this.#total(layer => layer.bitsAt(widths.get(layer))) / this.#total(({count}) => count);
  }

  /** The options with these widths of the free layers. */
  optionsAt(numBits: readonly number[]): QuantizeOptions {
    const layers = this.free.map(({name}, i) => {
      const own = this.#options.layers?.[name] || {};
      return [name, {...own, weights: {...own.weights, numBits: numBits[i]!}}] as const;
    });
    return {...this.#options, layers: {...this.#options.layers, ...Object.fromEntries(layers)}};
  }

  #widths(numBits: readonly number[]): ReadonlyMap<LayerWeights, number> {
    return new Map(this.free.map((layer, i) => [layer, numBits[i]!]));
  }

  #total(of: (layer: LayerWeights) => number): number {
    return this.layers.reduce((sum, layer) => sum + of(layer), 0);
  }
}
