/** What is wrong with the options of quantizeModel: by themselves, and for the model that they are of. */
import {byName, optionProblems, orFalse, remedyFor} from '../../check/options';
import {bits, flag, integer, isRecord, oneOf, range, type Rule, type Rules, share} from '../../check/rules';
import {allLayers, type Container, isInput, type Layer} from '../../layers/graph';
import {kindOf, MULTIPLIES} from '../../layers/kinds';
import {weightOf} from '../../layers/tfjs_internals';
import type {CustomWeights} from '../../layers/weights';
import {OBSERVER} from '../../quantizer/options';
import {isQuantizing} from '../quantized_layers/quantizing';
import {
  type ActivationOptions,
  type LayerOptions,
  type QuantizeOptions,
  recipeOf,
  type WeightOptions,
  zeroFreeProblems,
} from './options';
import type {OwnOptions} from './options_by_layer';

const WEIGHTS: Rules<WeightOptions> = {
  numBits: bits,
  perChannel: flag,
  symmetric: flag,
  narrowRange: flag,
  zeroFree: flag,
};

const ACTIVATIONS: Rules<ActivationOptions> = {
  numBits: bits,
  symmetric: flag,
  narrowRange: flag,
  observer: OBSERVER,
  decay: share,
};

const LAYER: Rules<LayerOptions> = {weights: orFalse(WEIGHTS), activations: activationsRule};

const QUANTIZE: Rules<Omit<QuantizeOptions, 'scheme'> & {scheme?: unknown}> = {
  ...LAYER,
  recipe: oneOf('minMax', 'learned'),
  keepEnds8bit: flag,
  scheme: oneOf('default', 'tfmot'),
  layers: byName('layer name', (value, path) => (value === false ? [] : within(value, LAYER, path))),
  customLayers: byName('class name', byName("the weights' attributes", customRule)),
  ranges: byName('the name of a layer or an input', range),
};

function activationsRule(value: unknown, path: string): string[] {
  const problems = orFalse(ACTIVATIONS)(value, path);
  if (problems.length > 0 || !isRecord(value)) return problems;
  const {observer, decay} = value;
  if (decay === undefined || observer !== 'learned') return [];
  return [`${path}.decay is of a moving average, which the observer 'learned' is not. Leave out one of them.`];
}

const CUSTOM: Rules<Exclude<CustomWeights[string], undefined>> = {axis: integer};

function customRule(value: unknown, path: string): string[] {
  return optionProblems(value, CUSTOM, path, remedyFor);
}

/** As {@link optionProblems}, with a word on what belongs one level deeper. */
function within(options: unknown, rules: Readonly<Record<string, Rule>>, path = ''): string[] {
  return optionProblems(options, rules, path, (name, known) => {
    const places = Object.entries({weights: WEIGHTS, activations: ACTIVATIONS}).filter(([, own]) =>
      Object.hasOwn(own, name),
    );
    return places.length > 0
      ? `It belongs into ${places.map(([place]) => place).join(' or ')}.`
      : remedyFor(name, known);
  });
}

/** What is wrong with the options by themselves. */
export function quantizeProblems(options: unknown): string[] {
  const isTfmot = isRecord(options) && options['scheme'] === 'tfmot';
  if (!isTfmot) return within(options, QUANTIZE);
  const {scheme, layers, ...others} = options;
  const named = isRecord(layers) ? Object.entries(layers) : [];
  return [
    ...within({scheme, layers, ...others}, QUANTIZE),
    ...Object.keys(others)
      .filter(name => Object.hasOwn(QUANTIZE, name) && others[name] !== undefined)
      .map(name => `scheme 'tfmot' is fixed and takes no ${name}. Leave it out, or the scheme.`),
    ...named
      .filter(([, each]) => each !== undefined && each !== false)
      .map(
        ([name]) =>
          `scheme 'tfmot' is fixed and takes nothing but false for layers.${name}. Leave it out, or the scheme.`,
      ),
  ];
}

/** Options for layers that are not there, and layers that are quantized already. */
export function namingProblems(layers: readonly Layer[], named: unknown, models: readonly Layer[] = []): string[] {
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
  const {shape} = weightOf(layer, attr)!;
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
    const missing = weights.filter(attr => !weightOf(layer, attr)?.read);
    return [
      ...missing.map(attr => `layer ${layer.name} (${layer.getClassName()}) has no weight in the attribute ${attr}.`),
      ...weights.filter(attr => !missing.includes(attr)).flatMap(attr => axisProblems(layer, attr, customLayers)),
    ];
  });
}

/** Options that no layer of the model has a use for. */
function unusedProblems(layers: readonly Layer[], {layers: named, customLayers}: QuantizeOptions): string[] {
  const custom = isRecord(customLayers) ? customLayers : {};
  const own = isRecord(named) ? (named as Readonly<Record<string, LayerOptions | false | undefined>>) : {};
  const classes = new Set(layers.filter(layer => !isInput(layer)).map(layer => layer.getClassName()));
  const absent = Object.keys(custom).filter(name => custom[name] && !classes.has(name));
  const weightless = layers.filter(layer => {
    const options = own[layer.name];
    return options && options.weights && !MULTIPLIES.has(kindOf(layer, custom));
  });
  return [
    ...absent.map(name => `customLayers.${name}: no layer is of this class. There are: ${[...classes].join(', ')}.`),
    ...weightless.map(
      layer =>
        `layers.${layer.name}.weights: layer ${layer.name} (${layer.getClassName()}) has no weights to quantize. Leave it out.`,
    ),
  ];
}

/** Weights that are told to have no level at 0, where what else they are told has one. */
function zeroFreeConflicts(options: QuantizeOptions, own: ReadonlyMap<Layer, OwnOptions>): string[] {
  const recipe = recipeOf(options);
  const all = options.weights || {};
  const conflicts = (path: string, told: WeightOptions | false | undefined, weights: WeightOptions) =>
    told && told.zeroFree
      ? zeroFreeProblems(weights, recipe).map(problem => `${path}.zeroFree ${problem}, or leave zeroFree out.`)
      : [];
  const named = [...own].flatMap(([{name}, {options: merged}]) => {
    const told = options.layers?.[name];
    return told && merged ? conflicts(`layers.${name}.weights`, told.weights, {...all, ...merged.weights}) : [];
  });
  return [...conflicts('weights', options.weights, all), ...new Set(named)];
}

/** What is wrong with the options for a model, of whose layers and models within `own` says what they are told. */
export function modelOptionProblems(
  model: Container,
  options: QuantizeOptions,
  own: ReadonlyMap<Layer, OwnOptions>,
): string[] {
  const layers = allLayers(model);
  const problems = quantizeProblems(options);
  return [
    ...problems,
    ...(problems.length > 0 ? [] : zeroFreeConflicts(options, own)),
    ...namingProblems(layers, options.layers, [...own.keys()]),
    ...unknownProblems(layers, options, own),
    ...customProblems(layers, options),
    ...unusedProblems(layers, options),
  ];
}
