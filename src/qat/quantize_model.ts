/** From a model to one that trains quantized. */
import type {LayersModel, LayerVariable} from '@tensorflow/tfjs-layers';
import {asContainer, type Container, flatten, graphOf, innerLayers, isContainer, type Layer, leavesOf} from './graph';
import {activationOf, fixedRange, kindOf, MULTIPLIES, slotsOf} from './kinds';
import {
  type End,
  planOf,
  type QuantizeOptions,
  quantizeProblems,
  type QuantizerConfig,
  type TfmotOptions,
  throwProblems,
  unusedProblems,
} from './options';
import {endsOf, place, type Place, type Placement, type PlacementOptions} from './placement';
import {isQuantizing} from './layer_wrapper';
import {QuantizedInput, QuantizedLayer} from './quantized_layer';
import {cloneLayer, rebuild, type Replacement} from './rebuild';
import {checkModel, isRecord} from './rules';
import {QuantizeLayer, QuantizeWrapperV2} from './tfmot';
import {placeAsTfmot} from './tfmot_placement';
import {separableProblems, withoutSeparables} from './tfmot_separable';

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

/** Options for layers that are not there, and layers that are quantized already. */
function namingProblems(layers: readonly Layer[], named: unknown): string[] {
  const names = new Set(layers.map(({name}) => name));
  const missing = Object.keys(isRecord(named) ? named : {}).filter(name => !names.has(name));
  const [quantized] = layers.filter(isQuantizing);
  return [
    ...missing.map(name => `there is no layer ${name} to set options for. The model has: ${[...names].join(', ')}.`),
    ...(quantized
      ? [`the model is quantized already (layer ${quantized.name}). dequantizeModel makes it float again.`]
      : []),
  ];
}

function unknownProblems(layers: readonly Layer[], {layers: named, customLayers}: QuantizeOptions): string[] {
  if (layers.some(isQuantizing)) return [];
  const unknown = layers.filter(
    layer => kindOf(layer, customLayers ?? {}) === 'unknown' && named?.[layer.name] !== false,
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

class Quantization {
  readonly #options: QuantizeOptions;
  readonly #placements: readonly Placement[];
  readonly #ends: ReadonlyMap<Layer, End>;

  constructor(model: Container, options: QuantizeOptions) {
    this.#options = options;
    const rules = this.#rules();
    this.#ends = endsOf(flatten(model), layer => MULTIPLIES.has(kindOf(layer, options.customLayers ?? {})));
    this.#placements = [model, ...steppedModels(model)].map(each => place(flatten(each), rules));
  }

  replace(layer: Layer): Replacement {
    const copy = cloneLayer(layer);
    const found = this.#placements.map(({layers}) => layers.get(layer)).find(each => each !== undefined);
    const wrapped = found && this.#wrapped(layer, copy, found);
    return {layer: wrapped ?? copy, variables: {to: copy, from: layer}};
  }

  /** Options for what layers give where nothing of it is rounded. */
  unusedProblems(): string[] {
    return this.#placements.flatMap(({layers}) =>
      [...layers].flatMap(([{name}, {before, between, output, reason}]) => {
        const own = this.#options.layers?.[name];
        if (!own || !own.activations || before || between || output !== 'none') return [];
        return [`layers.${name}.activations: nothing is rounded there (${reason}). Leave it out.`];
      }),
    );
  }

  /** The layer that rounds a model's input. */
  onInput(name: string, index: number): QuantizedInput | undefined {
    const end = {weights: false, activations: true};
    const quantizer = planOf(this.#options, {name} as Layer, 'elementwise', end).activations;
    const isLeftOut = this.#options.layers?.[name] === false || !this.#placements[0]!.inputs[index];
    if (!quantizer || isLeftOut) return undefined;
    return new QuantizedInput({name: `${name}_quantized`, quantizer});
  }

  #wrapped(layer: Layer, copy: Layer, {kind, before, between, output, folds}: Place): QuantizedLayer | undefined {
    const {weights, activations} = planOf(this.#options, layer, kind, this.#ends.get(layer));
    const custom = this.#options.customLayers?.[layer.getClassName()];
    const hasWeights = weights && MULTIPLIES.has(kind) && slotsOf(layer, custom).length > 0;
    const outputConfig = activations && outputQuantizer(activations, output, layer);
    const beforeConfig = before ? activations : undefined;
    if (!hasWeights && !outputConfig && !beforeConfig) return undefined;
    return new QuantizedLayer({
      layer: copy,
      weights: hasWeights ? weights : null,
      before: beforeConfig ?? null,
      between: between && activations ? activations : null,
      output: outputConfig ?? null,
      customWeights: custom ? Object.entries(custom).map(([name, each]) => ({name, axis: each?.axis ?? null})) : null,
      folds: Boolean(hasWeights && folds && weights.perChannel === false),
    });
  }

  #rules(): PlacementOptions {
    const {customLayers = {}, layers = {}} = this.#options;
    return {
      custom: customLayers,
      isFloat: ({name}) => layers[name] === false,
      perRow: layer => planOf(this.#options, layer, 'embedding').weights?.perChannel === true,
    };
  }
}

function outputQuantizer(config: QuantizerConfig, output: Place['output'], layer: Layer): QuantizerConfig | undefined {
  if (output === 'none') return undefined;
  const activation = activationOf(layer);
  const fixed = output === 'fixed' ? fixedRange(activation, config.numBits) : undefined;
  if (fixed) return {numBits: config.numBits, fixed};
  const isReLU = activation === 'relu' || activation === 'relu6';
  return config.observer === 'learned' && isReLU && !config.symmetric ? {...config, nonNegative: true} : config;
}

const TFMOT_INPUT = {
  className: 'AllValuesQuantizer',
  config: {numBits: 8, perAxis: false, symmetric: false, narrowRange: false},
};

function quantizeAsTfmot(model: LayersModel, options: TfmotOptions): LayersModel {
  const {layers = {}} = options;
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
  const problems = [
    ...quantizeProblems(options),
    ...namingProblems(layers, options.layers),
    ...unknownProblems(layers, options),
    ...customProblems(layers, options),
    ...unusedProblems(layers, options),
  ];
  throwProblems('quantizeModel', problems);
  const quantization = new Quantization(container, options);
  throwProblems('quantizeModel', quantization.unusedProblems());
  return rebuild(model, {
    replace: layer => quantization.replace(layer),
    onInput: ({sourceLayer}, index) => quantization.onInput(sourceLayer.name, index),
  });
}
