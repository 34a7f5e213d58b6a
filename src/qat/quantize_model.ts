/** From a model to one that trains quantized. */
import type {LayersModel, LayerVariable, SymbolicTensor} from '@tensorflow/tfjs-layers';
import {isRecord, throwProblems} from '../check/rules';
import {checkModel} from '../layers/model';
import {isQuantizing} from './quantizing';
import {
  asContainer,
  type Call,
  type Container,
  flatten,
  graphOf,
  innerLayers,
  isContainer,
  type Layer,
  leavesOf,
} from '../layers/graph';
import {activationOf, fixedRange, kindOf, MULTIPLIES, slotsOf} from '../layers/kinds';
import {
  type End,
  type LayerOptions,
  type LayerPlan,
  planOf,
  type QuantizeOptions,
  quantizeProblems,
  type QuantizerConfig,
  type TfmotOptions,
  unusedProblems,
} from './options';
import {
  type Bare,
  endsOf,
  isLasting,
  LEFT_OUT,
  type OutputRange,
  place,
  type Place,
  type Placement,
  type PlacementOptions,
  reasonOfKind,
} from './placement';
import {QuantizedInput, QuantizedLayer, type QuantizedLayerArgs} from './quantized_layer';
import {cloneLayer, rebuild, type Replacement} from '../layers/rebuild';
import {QuantizeLayer} from './tfmot/quantize_layer';
import {QuantizeWrapperV2} from './tfmot/wrappers';
import {placeAsTfmot} from './tfmot/placement';
import {separableProblems, withoutSeparables} from './tfmot/separable';

/** The models that a model calls step by step, whose layers have graphs of their own. */
function steppedModels(model: Container): Container[] {
  const own = leavesOf(model)
    .filter(layer => layer.getClassName() === 'TimeDistributed')
    .map(layer => innerLayers(layer)[0]!)
    .filter(isContainer);
  return own.flatMap(each => [each, ...steppedModels(each)]);
}

/** A model's layers at any depth. */
export function allLayers(model: Container): Layer[] {
  return [model, ...steppedModels(model)].flatMap(leavesOf);
}

type Named = Readonly<Record<string, LayerOptions | false>>;

/** What the options say of one layer. */
interface OwnOptions {
  readonly options: LayerOptions | false | undefined;
  /** Says so the name of a model that the layer is in. */
  readonly isModels: boolean;
}

/** What a layer is told, by itself and by the name of the model that it is in. */
function mergedOptions(model: OwnOptions['options'], own: OwnOptions['options']): OwnOptions['options'] {
  if (own === undefined) return model;
  if (!own || !model) return own;
  const merge = <T extends object>(one: T | false | undefined, other: T | false | undefined) =>
    other === undefined ? one : other && one ? {...one, ...other} : other;
  const [weights, activations] = [merge(model.weights, own.weights), merge(model.activations, own.activations)];
  return {...(weights !== undefined && {weights}), ...(activations !== undefined && {activations})};
}

/** What the options say of each layer, of models within, and of layers and models in those. */
function optionsByLayer(model: Container, named: Named): ReadonlyMap<Layer, OwnOptions> {
  const found = new Map<Layer, OwnOptions>();
  const visit = (layer: Layer, around: OwnOptions['options']) => {
    if (found.has(layer)) return;
    const options = mergedOptions(around, named[layer.name]);
    found.set(layer, {options, isModels: named[layer.name] === undefined});
    if (isContainer(layer)) within(layer, options);
    else for (const inner of innerLayers(layer).filter(isContainer)) visit(inner, options);
  };
  const within = (container: Container, options: OwnOptions['options']) => {
    // A Sequential knows models of which its graph only knows the layers.
    for (const layer of [...container.layers, ...graphOf(container).layers]) visit(layer, options);
  };
  within(model, undefined);
  return found;
}

/** Options for layers that are not there, and layers that are quantized already. */
function namingProblems(layers: readonly Layer[], named: unknown, models: readonly Layer[] = []): string[] {
  const names = new Set([...layers, ...models].map(({name}) => name));
  const missing = Object.keys(isRecord(named) ? named : {}).filter(name => !names.has(name));
  const [quantized] = layers.filter(isQuantizing);
  return [
    ...missing.map(name => `there is no layer ${name} to set options for. The model has: ${[...names].join(', ')}.`),
    ...(quantized
      ? [`the model is quantized already (layer ${quantized.name}). dequantizeModel makes it float again.`]
      : []),
  ];
}

function unknownProblems(
  layers: readonly Layer[],
  {customLayers}: QuantizeOptions,
  own: ReadonlyMap<Layer, OwnOptions>,
): string[] {
  if (layers.some(isQuantizing)) return [];
  const unknown = layers.filter(
    layer => kindOf(layer, customLayers ?? {}) === 'unknown' && own.get(layer)?.options !== false,
  );
  return unknown.map(
    layer =>
      `layer ${layer.name} is of the class ${layer.getClassName()}, which is not known. Name its weights ` +
      `(customLayers: {${layer.getClassName()}: {kernel: {axis: -1}}}), or leave it as it is (layers: {${layer.name}: false}).`,
  );
}

/** An axis that a weight does not have. */
function axisProblems(layer: Layer, attr: string, customLayers: QuantizeOptions['customLayers']): string[] {
  const name = layer.getClassName();
  const {shape} = (layer as unknown as Record<string, LayerVariable>)[attr]!;
  const axis = customLayers?.[name]?.[attr]?.axis;
  if (!Number.isInteger(axis) || (axis! >= -shape.length && axis! < shape.length)) return [];
  return [
    `customLayers.${name}.${attr}.axis must be an integer in [${-shape.length}, ${shape.length}) for the shape [${shape}], ` +
      `but was ${axis}.`,
  ];
}

function customProblems(layers: readonly Layer[], {customLayers}: QuantizeOptions): string[] {
  return layers.flatMap(layer => {
    const weights = Object.keys(customLayers?.[layer.getClassName()] ?? {});
    const missing = weights.filter(
      attr => !(layer as unknown as Record<string, {read?: unknown} | undefined>)[attr]?.read,
    );
    return [
      ...missing.map(attr => `layer ${layer.name} (${layer.getClassName()}) has no weight in the attribute ${attr}.`),
      ...weights.filter(attr => !missing.includes(attr)).flatMap(attr => axisProblems(layer, attr, customLayers)),
    ];
  });
}

/** Whether something of what a layer computes is rounded. */
function roundsAt(place: Place | undefined): boolean {
  return place !== undefined && (place.before || place.between || !!place.later || place.output !== 'none');
}

class Quantization {
  readonly #options: QuantizeOptions;
  readonly #own: ReadonlyMap<Layer, OwnOptions>;
  readonly #placements: readonly Placement[];
  readonly #ends: ReadonlyMap<Layer, End>;
  readonly #pinned = new Map<Layer, readonly [number, number]>();
  readonly #between = new Map<number, QuantizedInput | undefined>();
  readonly #names: Set<string>;
  readonly #problems: string[] = [];
  /** What the options leave out, for the first wrapper to know. */
  readonly #leftOut: {name: string}[] = [];

  constructor(model: Container, options: QuantizeOptions, own: ReadonlyMap<Layer, OwnOptions>) {
    this.#options = options;
    this.#own = own;
    this.#names = new Set([...own.keys()].map(({name}) => name));
    const rules = this.#rules();
    this.#ends = endsOf(flatten(model), layer => MULTIPLIES.has(kindOf(layer, rules.custom)));
    this.#placements = [model, ...steppedModels(model)].map((each, i) => place(each, rules, i > 0));
    this.#pin(options.ranges ?? {});
    const placed = new Map(this.#placements.flatMap(({layers}) => [...layers]));
    for (const [layer, {kind}] of placed) {
      if (!reasonOfKind(kind) && !this.#argsFor(layer)) this.#leftOut.push({name: layer.name});
    }
  }

  /** What is wrong with the ranges, and options for what is not rounded. */
  get problems(): readonly string[] {
    return [...this.#problems, ...this.#unusedProblems()];
  }

  replace(layer: Layer): Replacement {
    const copy = cloneLayer(layer);
    const args = this.#argsFor(layer);
    const leftOut = args && this.#leftOut.splice(0);
    const wrapped = args && new QuantizedLayer({...args, layer: copy, leftOut: leftOut!});
    return {layer: wrapped ?? copy, variables: {to: copy, from: layer}};
  }

  /** Options for what layers give where nothing of it is rounded, and for models in which nothing is. */
  #unusedProblems(): string[] {
    const ofLayers = this.#placements.flatMap(({layers}) =>
      [...layers].flatMap(([{name}, found]) => {
        const own = this.#options.layers?.[name];
        if (!own || !own.activations || roundsAt(found)) return [];
        const remedy = found.by ? `Name ${found.by.name} in its place` : 'Leave it out';
        return [`layers.${name}.activations: nothing is rounded there (${found.reason}). ${remedy}.`];
      }),
    );
    return [...ofLayers, ...[...this.#own.keys()].filter(isContainer).flatMap(each => this.#unusedInModel(each))];
  }

  #unusedInModel(model: Container): string[] {
    const {layers: named, customLayers = {}} = this.#options;
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

  /** The layer that rounds a value on its way to a call. */
  between(value: SymbolicTensor, taker: Call): QuantizedInput | undefined {
    const bare = this.#placements.map(({between}) => between(value, taker)).find(each => each !== undefined);
    if (bare && !this.#between.has(value.id)) this.#between.set(value.id, this.#rounds(value, bare));
    return bare && this.#between.get(value.id);
  }

  #rounds({sourceLayer}: SymbolicTensor, {from, range}: Bare): QuantizedInput | undefined {
    const quantizer = this.#outputQuantizer(from, range);
    if (!quantizer) return undefined;
    let name = `${sourceLayer.name}_quantized`;
    for (let i = 1; this.#names.has(name); ++i) name = `${sourceLayer.name}_quantized_${i}`;
    this.#names.add(name);
    return new QuantizedInput({name, quantizer});
  }

  #placeOf(layer: Layer): Place | undefined {
    const [found, ...others] = this.#placements.flatMap(({layers}) => layers.get(layer) ?? []);
    // What one model calls for each step, and another as it is, is followed by different layers.
    return found && others.length > 0 ? {...found, folds: undefined} : found;
  }

  #planOf(layer: Layer): LayerPlan {
    const own = this.#own.get(layer)?.options;
    if (layer.getClassName() !== 'InputLayer') {
      return planOf(this.#options, own, kindOf(layer, this.#options.customLayers ?? {}), this.#ends.get(layer));
    }
    const plan = planOf(this.#options, own, 'elementwise', {weights: false, activations: true});
    return own === false ? {weights: undefined, activations: undefined} : plan;
  }

  /** What a layer's wrapper is made of; undefined if it needs none. */
  #argsFor(layer: Layer): Omit<QuantizedLayerArgs, 'layer'> | undefined {
    const found = this.#placeOf(layer);
    if (!found) return undefined;
    const {kind, before, between, output, folds} = found;
    const {weights, activations} = this.#planOf(layer);
    const custom = this.#options.customLayers?.[layer.getClassName()];
    const hasWeights = weights && MULTIPLIES.has(kind) && slotsOf(layer, custom).length > 0;
    const outputConfig = output === 'none' ? undefined : this.#outputQuantizer(layer, output);
    const beforeConfig = before ? activations : undefined;
    const reason = outputConfig ? undefined : this.#reasonOf(layer, found);
    const isTold = reason === undefined || reason === LEFT_OUT || reason === reasonOfKind(kind);
    if (!hasWeights && !outputConfig && !beforeConfig && isTold) return undefined;
    return {
      weights: hasWeights ? weights : null,
      before: beforeConfig ?? null,
      between: between && activations ? activations : null,
      output: outputConfig ?? null,
      allOutputs: true,
      customWeights: custom ? Object.entries(custom).map(([name, each]) => ({name, axis: each?.axis ?? null})) : null,
      folds: hasWeights && folds && weights.perChannel === false ? {name: folds.name} : null,
      reason: reason === undefined ? null : {name: reason},
    };
  }

  /** Why a layer's output is not rounded, by what becomes of the layer that does it in its place. */
  #reasonOf(layer: Layer, {output, by, later, reason}: Place): string {
    if (output !== 'none') return LEFT_OUT;
    if (later && !this.#outputQuantizer(layer, later)) return LEFT_OUT;
    if (!this.#planOf(layer).activations && !by) return isLasting(reason) ? reason : LEFT_OUT;
    const next = by && this.#placeOf(by);
    if (!next || (next.output !== 'none' && this.#outputQuantizer(by, next.output))) return reason;
    return this.#reasonOf(by, next);
  }

  #outputQuantizer(layer: Layer, range: OutputRange): QuantizerConfig | undefined {
    const {activations: config} = this.#planOf(layer);
    if (!config) return undefined;
    const {numBits, narrowRange = false} = config;
    const pinned = this.#pinned.get(layer);
    if (pinned) return {numBits, narrowRange, fixed: [...pinned], pinned: true};
    const activation = activationOf(layer);
    const fixed = range === 'fixed' ? fixedRange(activation, numBits) : undefined;
    if (fixed) return {numBits, fixed};
    const isReLU = activation === 'relu' || activation === 'relu6';
    return config.observer === 'learned' && isReLU && !config.symmetric ? {...config, nonNegative: true} : config;
  }

  #pin(ranges: NonNullable<QuantizeOptions['ranges']>): void {
    const namedBy = new Map<Layer, string>();
    for (const [name, range] of Object.entries(ranges) as [string, readonly [number, number] | undefined][]) {
      if (!range) continue;
      const target = this.#pinnable(name);
      if (typeof target === 'string') {
        this.#problems.push(`ranges.${name}: ${target}`);
        continue;
      }
      const [min, max] = range;
      if (min > 0 || max < 0) {
        const held = `[${Math.min(min, 0)}, ${Math.max(max, 0)}]`;
        this.#problems.push(
          `ranges.${name} must hold 0, which integers need a level for, but was [${min}, ${max}]. Give it ${held}.`,
        );
      }
      const other = this.#pinned.get(target);
      if (other && (other[0] !== min || other[1] !== max)) {
        this.#problems.push(
          `ranges.${namedBy.get(target)!} and ranges.${name} are of one output, which is rounded once, after ` +
            `${target.name}, but differ. Leave one out.`,
        );
      }
      const own = this.#options.layers?.[target.name];
      const idle = Object.keys((own && own.activations) || {}).filter(key =>
        ['symmetric', 'observer', 'decay'].includes(key),
      );
      for (const key of idle) {
        this.#problems.push(
          `layers.${target.name}.activations.${key} is of a range that is measured, but ranges.${name} pins it. Leave one out.`,
        );
      }
      this.#pinned.set(target, range);
      namedBy.set(target, name);
    }
  }

  /** The layer or input whose rounding has the range that is asked for by a name; or why there is none. */
  #pinnable(name: string): Layer | string {
    const all = [...this.#own.keys()];
    const layer = all.find(each => each.name === name);
    if (!layer) return `there is no layer or input ${name}. The model has: ${all.map(each => each.name).join(', ')}.`;
    const rounded = this.#placements[0]!.roundedInputs.has(layer);
    if (layer.getClassName() === 'InputLayer' && !rounded) {
      return 'nobody computes with this input in integers, so that it is not rounded there. Name the layer behind it that rounds, or leave it out.';
    }
    const target = rounded ? layer : this.#roundedFor(layer);
    if (typeof target === 'string' || this.#planOf(target).activations) return target;
    return `the options leave the activations of ${target.name} out. Quantize them, or leave the range out.`;
  }

  #roundedFor(layer: Layer): Layer | string {
    const found = this.#placeOf(layer);
    if (!found) return 'it is a model. Name the layer in it that gives its output.';
    const {kind, output, later, by, reason} = found;
    if (output === 'fixed' || later === 'fixed') {
      return `the range of ${activationOf(layer)} is fixed, as runtimes have it. Leave it out.`;
    }
    if (output === 'measured' || later) return layer;
    if (kind === 'passing') return 'the layer moves values only. Name the layer, or the input, that they come from.';
    if (!by) return `its output is not rounded: ${reason}. Leave it out.`;
    const isConcat = this.#placeOf(by)?.kind === 'concat';
    return isConcat ? `it is rounded together with others, after ${by.name}. Name ${by.name}.` : this.#roundedFor(by);
  }

  #rules(): PlacementOptions {
    const isFloat = (layer: Layer) => this.#own.get(layer)?.options === false;
    return {
      custom: this.#options.customLayers ?? {},
      isFloat,
      isWithinFloat: layer => isFloat(layer) && this.#own.get(layer)!.isModels,
      onOneGrid: layer => {
        const {weights} = planOf(this.#options, this.#own.get(layer)?.options, 'embedding');
        return weights !== undefined && weights.perChannel !== true;
      },
    };
  }
}

const TFMOT_INPUT = {
  className: 'AllValuesQuantizer',
  config: {numBits: 8, perAxis: false, symmetric: false, narrowRange: false},
};

function quantizeAsTfmot(model: LayersModel, options: TfmotOptions): LayersModel {
  const layers: NonNullable<TfmotOptions['layers']> = isRecord(options.layers) ? options.layers : {};
  const isFloat = ({name}: Layer) => layers[name] === false;
  const apart = withoutSeparables(model, isFloat);
  try {
    const container = asContainer(apart ?? model);
    const nested = graphOf(container).layers.filter(isContainer);
    const {places, problems} = placeAsTfmot(flatten(container));
    throwProblems('quantizeModel', [
      ...quantizeProblems(options),
      ...namingProblems([...allLayers(asContainer(model)), ...allLayers(container)], layers),
      ...separableProblems(model, isFloat),
      ...nested.map(({name}) => `model ${name} is inside another, which scheme 'tfmot' does not support.`),
      ...(nested.length > 0 ? [] : problems.filter(({layer}) => layers[layer] !== false).map(({message}) => message)),
    ]);
    return rebuild(apart ?? model, {
      replace: layer => {
        const copy = cloneLayer(layer);
        const place = isFloat(layer) ? undefined : places.get(layer);
        const wrapper = place && new QuantizeWrapperV2({layer: copy, name: `quant_${layer.name}`, ...place});
        return {layer: wrapper ?? copy, variables: {to: copy, from: layer}};
      },
      onInput: (_, index) =>
        new QuantizeLayer({name: index === 0 ? 'quantize_layer' : `quantize_layer_${index}`, quantizer: TFMOT_INPUT}),
    });
  } finally {
    apart?.dispose();
  }
}

/**
 * A copy of `model` that trains quantized: weights and activations are rounded wherever an integer runtime would round
 * them. The original is untouched; names, weights and trainable flags are kept.
 *
 * @param model - Sequential or functional, built; of any depth.
 * @param options - widths and schemes, for all and by layer.
 * @returns the quantized model, to compile, train, save and load as any other.
 * @throws with all offending layers at once.
 *
 * @example
 * ```ts
 * const q = quantizeModel(model, {weights: {numBits: 4}, layers: {logits: {weights: {numBits: 8}}, embedding: false}});
 * ```
 */
export function quantizeModel(model: LayersModel, options: QuantizeOptions | TfmotOptions = {}): LayersModel {
  checkModel('quantizeModel', model);
  const container = asContainer(model);
  graphOf(container);
  const layers = allLayers(container);
  if (!isRecord(options)) throwProblems('quantizeModel', quantizeProblems(options));
  if (options.scheme === 'tfmot') return quantizeAsTfmot(model, options);
  const own = optionsByLayer(container, options.layers ?? {});
  const problems = [
    ...quantizeProblems(options),
    ...namingProblems(layers, options.layers, [...own.keys()]),
    ...unknownProblems(layers, options, own),
    ...customProblems(layers, options),
    ...unusedProblems(layers, options),
  ];
  throwProblems('quantizeModel', problems);
  const quantization = new Quantization(container, options, own);
  throwProblems('quantizeModel', quantization.problems);
  return rebuild(model, {
    replace: layer => quantization.replace(layer),
    between: (value, taker) => quantization.between(value, taker),
  });
}
