/** What quantizeModel is asked for, checked, with its defaults. */
import {byName, optionProblems, orFalse, remedyFor} from '../check/options';
import {bits, flag, integer, isRecord, oneOf, range, type Rule, type Rules, share} from '../check/rules';
import {type FakeQuantizerOptions, type Observer, OBSERVER} from '../quantizer/options';
import type {Layer} from '../layers/graph';
import {type CustomLayers, type CustomWeights, type Kind, kindOf, MULTIPLIES} from '../layers/kinds';

/** How weights are quantized. */
export interface WeightOptions {
  /** Width, 2 to 16 bits; 8 by default. */
  readonly numBits?: number;
  /** Whether each output channel has a range of its own; true by default, for an Embedding (its rows) false. */
  readonly perChannel?: boolean;
  /** Whether the range is symmetric about 0; true by default. */
  readonly symmetric?: boolean;
  /** Whether the lowest level is left out; true by default. */
  readonly narrowRange?: boolean;
}

/** How activations are quantized. */
export interface ActivationOptions {
  /** Width, 2 to 16 bits; 8 by default. */
  readonly numBits?: number;
  /** Whether the range is symmetric about 0; false by default. */
  readonly symmetric?: boolean;
  /** Whether the lowest level is left out; false by default. */
  readonly narrowRange?: boolean;
  /** How a range follows the batches; by default as the recipe says. */
  readonly observer?: Observer;
  /** How much of a moving average stays from one batch to the next; 0.99 by default. */
  readonly decay?: number;
}

/** What differs for one layer; `false` leaves its weights or its activations as they are. */
export interface LayerOptions {
  /** How its weights are quantized; false leaves them float. By default as the options for all layers say. */
  readonly weights?: WeightOptions | false;
  /** How what it gives is quantized; false leaves it float. By default as the options for all layers say. */
  readonly activations?: ActivationOptions | false;
}

/**
 * How ranges are found. 'minMax': a weight's range is that of its values, an activation's a moving average over batches.
 * 'learned': gradient descent trains them along with the weights, from the range of least squared error for weights, from
 * the calibrated or the first batch's range for activations.
 */
export type Recipe = 'minMax' | 'learned';

/** What {@link quantizeModel} takes: see {@link TfmotOptions} for the scheme of TensorFlow's toolkit. */
export interface QuantizeOptions extends LayerOptions {
  /** How weights are quantized: to 8 bits on symmetric ranges, one for each output channel, by default; false leaves them float. */
  readonly weights?: WeightOptions | false;
  /** How activations are quantized: to 8 bits on ranges that hold 0, by default; false leaves them float. */
  readonly activations?: ActivationOptions | false;
  /** 'default': the scheme that these options are of. */
  readonly scheme?: 'default';
  /** How ranges are found; by default 'learned' if any width is 4 bits or fewer, else 'minMax'. */
  readonly recipe?: Recipe;
  /**
   * Keeps the model's ends at 8 bits where they would have fewer: its inputs, the weights of the first layers, and the
   * weights and outputs of the last. They cost most accuracy, and are rarely large. False by default.
   */
  readonly keepEnds8bit?: boolean;
  /**
   * By layer name: what differs there; `false` leaves the layer as it is, and gives one of a class of your own its values as
   * they are. The name of a model within this one, or of a TimeDistributed around a model, is for all layers in it; what a
   * layer itself is told goes before. None by default.
   */
  readonly layers?: Readonly<Record<string, LayerOptions | false>>;
  /**
   * By the name of a layer or an input: the range that its output is rounded to, [min, max], which holds 0. It counts from
   * the start, and neither training nor calibrate moves it. Of layers that are rounded once, after the last of them, any
   * may be named. None by default.
   */
  readonly ranges?: Readonly<Record<string, readonly [min: number, max: number]>>;
  /**
   * Layer classes of one's own, by class name: the attributes of the weights to quantize, each with the axis of its
   * channels, if it has one. None by default.
   */
  readonly customLayers?: CustomLayers;
}

/** What {@link quantizeModel} takes to do exactly as TensorFlow's toolkit does by default: all else is fixed. */
export interface TfmotOptions {
  /** 'tfmot': as tfmot.quantization.keras.quantize_model. */
  readonly scheme: 'tfmot';
  /** By layer name: `false` leaves the layer as it is. None by default. */
  readonly layers?: Readonly<Record<string, false>>;
}

const WEIGHTS: Rules<WeightOptions> = {numBits: bits, perChannel: flag, symmetric: flag, narrowRange: flag};

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

/** Options that no layer of the model has a use for. */
export function unusedProblems(layers: readonly Layer[], {layers: named, customLayers}: QuantizeOptions): string[] {
  const custom = isRecord(customLayers) ? customLayers : {};
  const own = isRecord(named) ? (named as Readonly<Record<string, LayerOptions | false | undefined>>) : {};
  const classes = new Set(layers.map(layer => layer.getClassName()).filter(name => name !== 'InputLayer'));
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

/** A quantizer's options as a wrapper saves them. */
export type QuantizerConfig = Omit<FakeQuantizerOptions, 'axis' | 'initialRange' | 'name'> & {
  readonly numBits: number;
  /** A range that never moves. */
  readonly fixed?: readonly [number, number];
  /** A fixed range that counts from the start. Any other does so once there are ranges before it. */
  readonly pinned?: boolean;
  readonly perChannel?: boolean;
};

/** The options as they hold for one layer; undefined where nothing is quantized. */
export interface LayerPlan {
  readonly weights: QuantizerConfig | undefined;
  readonly activations: QuantizerConfig | undefined;
}

/** Where a layer is in its model: what {@link QuantizeOptions.keepEnds8bit} keeps. */
export interface End {
  readonly weights: boolean;
  readonly activations: boolean;
}

/** Up to this width, on either side, training the ranges pays. */
const LEARNED_BITS = 4;

/** The recipe asked for, or the one for the fewest bits. */
function recipeOf({recipe, weights, activations, layers = {}}: QuantizeOptions): Recipe {
  if (recipe !== undefined) return recipe;
  const own = Object.values(layers).flatMap(layer => (layer ? [layer.weights, layer.activations] : []));
  const isFew = (each: WeightOptions | ActivationOptions | false | undefined) =>
    each ? (each.numBits ?? 8) <= LEARNED_BITS : false;
  return [weights, activations, ...own].some(isFew) ? 'learned' : 'minMax';
}

/** All options with at least 8 bits, but for what a layer itself is told. */
function atLeast8bit<T extends WeightOptions | ActivationOptions>(all: T | false | undefined): T | false | undefined {
  return all && all.numBits !== undefined ? {...all, numBits: Math.max(8, all.numBits)} : all;
}

/** The options that hold for a layer, of which `own` are those of its own. */
export function planOf(
  options: QuantizeOptions,
  own: LayerOptions | false | undefined,
  kind: Kind,
  end?: End,
): LayerPlan {
  const recipe = recipeOf(options);
  const keeps = options.keepEnds8bit ? end : undefined;
  const weights = keeps?.weights ? atLeast8bit(options.weights) : options.weights;
  const activations = keeps?.activations ? atLeast8bit(options.activations) : options.activations;
  if (own === false) return {weights: undefined, activations: activationConfig(activations, {}, recipe)};
  return {
    weights: weightConfig(weights, own?.weights, kind, recipe),
    activations: activationConfig(activations, own?.activations, recipe),
  };
}

function weightConfig(
  all: WeightOptions | false | undefined,
  own: WeightOptions | false | undefined,
  kind: Kind,
  recipe: Recipe,
): QuantizerConfig | undefined {
  if (own === false || (all === false && !own)) return undefined;
  const {numBits = 8, perChannel = kind !== 'embedding', symmetric = true, narrowRange = true} = {...all, ...own};
  const grid = {numBits, perChannel, symmetric, narrowRange};
  if (recipe === 'learned') return {...grid, observer: 'learned', start: 'mse', learningRateScale: 1};
  return {...grid, observer: 'lastValue'};
}

function activationConfig(
  all: ActivationOptions | false | undefined,
  own: ActivationOptions | false | undefined,
  recipe: Recipe,
): QuantizerConfig | undefined {
  if (own === false || (all === false && !own)) return undefined;
  const {numBits = 8, symmetric = false, narrowRange = false} = {...all, ...own};
  const {observer = recipe === 'learned' ? 'learned' : 'movingAverage', decay = 0.99} = {...all, ...own};
  const grid = {numBits, symmetric, narrowRange};
  return observer === 'learned' ? {...grid, observer} : {...grid, observer, decay};
}
