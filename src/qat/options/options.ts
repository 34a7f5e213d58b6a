/** What quantizeModel is asked for, and what that makes of each layer's quantizers. */
import type {Kind} from '../../layers/specs/layer_spec';
import type {CustomLayers} from '../../layers/weights';
import type {FakeQuantizerOptions, Observer} from '../../quantizer/options';
import type {End} from '../placement/ends';

/**
 * How weights are quantized.
 *
 * @example
 * ```js
 * import {quantizeModel} from 'tfjs-quantization/qat';
 *
 * const q = quantizeModel(model, {weights: {numBits: 4, perChannel: false}});
 * ```
 */
export interface WeightOptions {
  /** Width, 2 to 16 bits; 8 by default. */
  readonly numBits?: number;
  /** Whether each output channel has a range of its own; true by default, for an Embedding (its rows) false. */
  readonly perChannel?: boolean;
  /** Whether the range is symmetric about 0; true by default. */
  readonly symmetric?: boolean;
  /** Whether the lowest level is left out; true by default. */
  readonly narrowRange?: boolean;
  /**
   * Of 2 bits: has no weight at 0, but all on four levels, half a step and one and a half steps on either side (ParetoQ: Liu et
   * al. 2025). A channel of zeros gets a step next to nothing, and stays there. By default true wherever it can be: at 2 bits,
   * with the recipe 'learned', on symmetric ranges, if nothing is said of narrowRange.
   */
  readonly zeroFree?: boolean;
}

/**
 * How activations are quantized.
 *
 * @example
 * ```js
 * import {quantizeModel} from 'tfjs-quantization/qat';
 *
 * const q = quantizeModel(model, {activations: {numBits: 16, symmetric: true, decay: 0.9}});
 * ```
 */
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

/**
 * What differs for one layer; `false` leaves its weights or its activations as they are.
 *
 * @example
 * ```js
 * import {quantizeModel} from 'tfjs-quantization/qat';
 *
 * const q = quantizeModel(model, {
 *   weights: {numBits: 4},
 *   layers: {conv: {weights: {numBits: 8}}, scores: {activations: false}, pool: false},
 * });
 * ```
 */
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
 *
 * @example
 * ```js
 * import {quantizeModel} from 'tfjs-quantization/qat';
 *
 * // Gradient descent learns the ranges, of 8 bits too.
 * const q = quantizeModel(model, {recipe: 'learned'});
 * ```
 */
export type Recipe = 'minMax' | 'learned';

/**
 * What {@link quantizeModel} takes: see {@link TfmotOptions} for the scheme of TensorFlow's toolkit.
 *
 * @example
 * ```js
 * import {quantizeModel} from 'tfjs-quantization/qat';
 *
 * const q = quantizeModel(model, {
 *   weights: {numBits: 3},
 *   activations: {numBits: 4},
 *   keepEnds8bit: true,
 *   ranges: {image: [0, 1]},
 * });
 * ```
 */
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

/**
 * What {@link quantizeModel} takes to do exactly as TensorFlow's toolkit does by default: all else is fixed.
 *
 * @example
 * ```js
 * import {quantizeModel} from 'tfjs-quantization/qat';
 *
 * const q = quantizeModel(model, {scheme: 'tfmot', layers: {scores: false}});
 * ```
 */
export interface TfmotOptions {
  /** 'tfmot': as tfmot.quantization.keras.quantize_model. */
  readonly scheme: 'tfmot';
  /** By layer name: `false` leaves the layer as it is. None by default. */
  readonly layers?: Readonly<Record<string, false>>;
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

/** The quantizers of one layer; undefined where nothing is quantized. */
export interface LayerConfigs {
  readonly weights: QuantizerConfig | undefined;
  readonly activations: QuantizerConfig | undefined;
}

/** Up to this width, on either side, training the ranges pays. */
const LEARNED_BITS = 4;

/** The recipe asked for, or the one for the fewest bits. */
export function recipeOf({recipe, weights, activations, layers = {}}: QuantizeOptions): Recipe {
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

/** What is against weights without a level at 0. */
export function zeroFreeProblems(
  {numBits = 8, symmetric = true, narrowRange}: WeightOptions,
  recipe: Recipe,
): string[] {
  return [
    numBits === 2 ? '' : `has 2 bits, but numBits was ${numBits}. Set numBits: 2`,
    symmetric ? '' : 'is symmetric, but symmetric was false. Leave symmetric out',
    narrowRange === undefined ? '' : `has four levels, but narrowRange was ${narrowRange}. Leave narrowRange out`,
    recipe === 'learned' ? '' : `is learned, but recipe was '${recipe}'. Set recipe: 'learned'`,
  ].filter(Boolean);
}

/** The quantizers that the options give a layer, of which `own` are those of its own. */
export function configsFor(
  options: QuantizeOptions,
  own: LayerOptions | false | undefined,
  kind: Kind,
  end?: End,
): LayerConfigs {
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
  const given = {...all, ...own};
  const zeroFree = given.zeroFree !== false && zeroFreeProblems(given, recipe).length === 0;
  const {numBits = 8, perChannel = kind !== 'embedding', symmetric = true, narrowRange = !zeroFree} = given;
  const grid = {numBits, perChannel, symmetric, narrowRange, ...(zeroFree && {zeroFree})};
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
