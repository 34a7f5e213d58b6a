/** A model with all that was decided of its layers: where each is rounded, and what the options say of it. */
import type {SymbolicTensor} from '@tensorflow/tfjs-layers';
import {
  allLayers,
  type Call,
  type Container,
  isContainer,
  isInput,
  type Layer,
  steppedModels,
} from '../../layers/graph';
import {kindOf, MULTIPLIES} from '../../layers/kinds';
import {configsFor, type LayerConfigs, type QuantizeOptions} from '../options/options';
import type {OwnOptions} from '../options/options_by_layer';
import type {PlacementOptions} from './demand';
import {type End, modelEnds} from './ends';
import {type Place, place, type Placement, type UnroundedValue} from './placement';

/** Whether something of what a layer computes is rounded. */
function roundsAt(place: Place | undefined): boolean {
  return place !== undefined && (place.before || place.between || !!place.later || place.output !== 'none');
}

/** A model, placed by the options that it is quantized with. */
export class PlacedModel {
  readonly options: QuantizeOptions;
  readonly #own: ReadonlyMap<Layer, OwnOptions>;
  /** Of the model, then of those that it calls step by step. */
  readonly #placements: readonly Placement[];
  readonly #ends: ReadonlyMap<Layer, End>;

  constructor(model: Container, options: QuantizeOptions, own: ReadonlyMap<Layer, OwnOptions>) {
    this.options = options;
    this.#own = own;
    const rules = this.#rules();
    this.#placements = [model, ...steppedModels(model)].map((each, i) => place(each, rules, i > 0));
    this.#ends = modelEnds(this.#placements[0]!.flat, layer => MULTIPLIES.has(kindOf(layer, rules.custom)));
  }

  /** All layers, inputs and models within. */
  get named(): readonly Layer[] {
    return [...this.#own.keys()];
  }

  /** All layers that are no models, inputs left out. */
  get layers(): readonly Layer[] {
    return [...new Set(this.#placements.flatMap(({layers}) => [...layers.keys()]))];
  }

  /** Whether an input of the outermost model is computed with in integers. */
  isRoundedInput(layer: Layer): boolean {
    return this.#placements[0]!.roundedInputs.has(layer);
  }

  /** What a value needs on its way to a call, as nobody has rounded it before; undefined if nothing. */
  between(value: SymbolicTensor, taker: Call): UnroundedValue | undefined {
    return this.#placements.map(({between}) => between(value, taker)).find(each => each !== undefined);
  }

  /** Where a layer is rounded; undefined of models. */
  placeOf(layer: Layer): Place | undefined {
    const [found, ...others] = this.#placements.flatMap(({layers}) => layers.get(layer) ?? []);
    // What one model calls for each step, and another as it is, is followed by different layers.
    return found && others.length > 0 ? {...found, folds: undefined} : found;
  }

  /** The quantizers of a layer or an input. */
  configsOf(layer: Layer): LayerConfigs {
    const own = this.#own.get(layer)?.options;
    if (!isInput(layer)) {
      return configsFor(this.options, own, kindOf(layer, this.options.customLayers ?? {}), this.#ends.get(layer));
    }
    if (own === false) return {weights: undefined, activations: undefined};
    return configsFor(this.options, own, 'elementwise', {weights: false, activations: true});
  }

  /** Options for what layers give where nothing of it is rounded, and for models in which nothing is. */
  get unusedProblems(): readonly string[] {
    const ofLayers = this.#placements.flatMap(({layers}) =>
      [...layers].flatMap(([{name}, found]) => {
        const own = this.options.layers?.[name];
        if (!own || !own.activations || roundsAt(found)) return [];
        const remedy = found.by ? `Name ${found.by.name} in its place` : 'Leave it out';
        return [`layers.${name}.activations: nothing is rounded there (${found.reason}). ${remedy}.`];
      }),
    );
    return [...ofLayers, ...[...this.#own.keys()].filter(isContainer).flatMap(each => this.#unusedInModel(each))];
  }

  #unusedInModel(model: Container): string[] {
    const {layers: named, customLayers = {}} = this.options;
    const own = named?.[model.name];
    if (!own) return [];
    const within = allLayers(model);
    const hasWeights = within.some(layer => MULTIPLIES.has(kindOf(layer, customLayers)));
    const rounds = within.some(layer => this.#placements.some(({layers}) => roundsAt(layers.get(layer))));
    const says = (what: string) => `layers.${model.name}.${what}: no layer of model ${model.name}`;
    return [
      ...(own.weights && !hasWeights ? [`${says('weights')} has weights to quantize. Leave it out.`] : []),
      ...(own.activations && !rounds ? [`${says('activations')} gives what is rounded. Leave it out.`] : []),
    ];
  }

  #rules(): PlacementOptions {
    const isFloat = (layer: Layer) => this.#own.get(layer)?.options === false;
    return {
      custom: this.options.customLayers ?? {},
      isFloat,
      isWithinFloat: layer => isFloat(layer) && this.#own.get(layer)!.isModels,
      onOneGrid: layer => {
        const {weights} = configsFor(this.options, this.#own.get(layer)?.options, 'embedding');
        return weights !== undefined && weights.perChannel !== true;
      },
    };
  }
}
