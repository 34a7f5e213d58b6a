/** What is rounded of a model, what it takes at each width, and of what of it the options leave the width open. */
import type {Tensor} from '@tensorflow/tfjs-core';
import type {LayersModel} from '@tensorflow/tfjs-layers';
import {allLayers, asContainer, type Layer, variablesOf} from '../../layers/graph';
import type {QuantizeOptions} from '../options/options';
import {optionsByLayer, type OwnOptions} from '../options/options_by_layer';
import {PlacedModel} from '../placement/placed_model';
import {roundedActivations} from './activations';
import {FLOAT_BYTES, Group, type Rounded, sumOf, type What} from './group';
import {weightsOf} from './weights';

/** Two widths below 8, which is what may be kept at the ends. */
const PROBES = [3, 4];

/** The layers that are as wide as the options say for all: nothing says otherwise of these in particular. */
function followers(model: LayersModel, options: QuantizeOptions, what: What): ReadonlySet<Layer> {
  const container = asContainer(model);
  const own = optionsByLayer(container, options.layers ?? {});
  if (options[what] === false) return new Set();
  const probes = PROBES.map(numBits => ({
    numBits,
    placed: new PlacedModel(container, {...options, [what]: {...options[what], numBits}}, own),
  }));
  const follows = ([layer, {options: told}]: [Layer, OwnOptions]) =>
    told !== false && probes.every(({numBits, placed}) => placed.configsOf(layer)[what]?.numBits === numBits);
  return new Set([...own].filter(follows).map(([layer]) => layer));
}

/** Groups by name of what layers round, in the order of the model. */
function groupsOf(
  what: What,
  rounded: ReadonlyMap<Layer, readonly Rounded[]>,
  following: ReadonlySet<Layer>,
  canBeTold: (layer: Layer) => boolean,
): Group[] {
  const all = [...rounded.keys()];
  const names = [...new Set(all.filter(layer => rounded.get(layer)!.length > 0).map(({name}) => name))];
  return names.map(name => {
    const namesakes = all.filter(layer => layer.name === name);
    // What is told a name is told all that have it, and those in which nothing is rounded refuse it.
    const isFree = namesakes.every(layer => following.has(layer) && canBeTold(layer));
    return new Group(
      name,
      what,
      isFree,
      namesakes.flatMap(layer => rounded.get(layer)!),
    );
  });
}

/** A model as quantizeModel would round it by some options, and what it takes at other widths. */
export class ModelBits {
  /** Weights, then activations if their widths are to be chosen. */
  readonly groups: readonly Group[];
  /** Those whose width is to be chosen. */
  readonly free: readonly Group[];
  /** The name by which the options address what a layer of the quantized model rounds of activations. */
  readonly addressOf: (layer: string) => string;
  readonly #options: QuantizeOptions;
  /** Bytes of all that is not rounded: biases, statistics, weights that the options leave float. */
  readonly #otherBytes: number;

  /** A batch tells how many activations there are; without, their widths stay. */
  constructor(model: LayersModel, options: QuantizeOptions, batch?: readonly Tensor[]) {
    const container = asContainer(model);
    const placed = new PlacedModel(container, options, optionsByLayer(container, options.layers ?? {}));
    const all = [...new Set(allLayers(container))];
    const weights = new Map(all.map(layer => [layer, weightsOf(layer, placed)]));
    const ofWeights = groupsOf(
      'weights',
      weights,
      followers(model, options, 'weights'),
      layer => weights.get(layer)!.length > 0,
    );
    const activations = batch && roundedActivations(model, options, batch);
    const ofActivations = activations
      ? groupsOf('activations', activations.byLayer, followers(model, options, 'activations'), layer =>
          activations.measured.has(layer),
        )
      : [];
    this.groups = [...ofWeights, ...ofActivations];
    this.free = this.groups.filter(({isFree}) => isFree);
    this.addressOf = layer => activations?.addresses.get(layer) ?? layer;
    const variables = [...new Set(all.flatMap(variablesOf))];
    this.#options = options;
    this.#otherBytes = FLOAT_BYTES * (sumOf(variables, each => each.read().size) - this.#total('weights', 'count'));
  }

  /** Bytes of all parameters, with these widths of the free groups. */
  bytesAt(widths: readonly number[]): number {
    return this.#otherBytes + this.#total('weights', 'bytesAt', widths);
  }

  /** Bytes of all rounded activations of a sample, likewise. */
  activationBytesAt(widths: readonly number[]): number {
    return this.#total('activations', 'bytesAt', widths);
  }

  /** Bits of a rounded weight, or activation, on average, likewise. */
  averageAt(widths: readonly number[], what: What): number {
    return this.#total(what, 'bitsAt', widths) / (this.#total(what, 'count') || 1);
  }

  /** The options with these widths of the free groups. */
  optionsAt(widths: readonly number[]): QuantizeOptions {
    const layers = {...this.#options.layers};
    this.free.forEach(({name, what}, i) => {
      const own = layers[name] || {};
      layers[name] = {...own, [what]: {...own[what], numBits: widths[i]!}};
    });
    return {...this.#options, layers};
  }

  #total(what: What, of: 'count' | 'bitsAt' | 'bytesAt', widths: readonly number[] = []): number {
    const widthOf = new Map(this.free.map((group, i) => [group, widths[i]]));
    return sumOf(
      this.groups.filter(group => group.what === what),
      group => (of === 'count' ? group.count : group[of](widthOf.get(group))),
    );
  }
}
