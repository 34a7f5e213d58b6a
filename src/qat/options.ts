/** What quantizeModel is asked for, checked, with its defaults. */
import type {FakeQuantizerOptions, Observer} from './fake_quantizer';
import type {CustomLayers, Kind} from './kinds';

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
  readonly weights?: WeightOptions | false;
  readonly activations?: ActivationOptions | false;
}

/**
 * How ranges are found. 'minMax': a weight's range is that of its values, an activation's a moving average over batches.
 * 'learned': gradient descent trains them along with the weights, from the range of least squared error for weights, from
 * the calibrated or the first batch's range for activations.
 */
export type Recipe = 'minMax' | 'learned';

/** What {@link quantizeModel} takes. */
export interface QuantizeOptions extends LayerOptions {
  /** How ranges are found; by default 'learned' if any width is 4 bits or fewer, else 'minMax'. */
  readonly recipe?: Recipe;
  /**
   * Keeps the model's ends at 8 bits where they would have fewer: its inputs, the weights of the first layers, and the
   * weights and outputs of the last. They cost most accuracy, and are rarely large. False by default.
   */
  readonly keepEnds8bit?: boolean;
  /** 'tfmot' does exactly as TensorFlow's toolkit does by default, and takes no other options but `layers: {name: false}`. */
  readonly scheme?: 'default' | 'tfmot';
  /**
   * By layer name: what differs there; `false` leaves the layer as it is, and gives one of a class of your own its values as
   * they are. The name of a model within this one, or of a
   * TimeDistributed around a model, is for all layers in it; what a layer itself is told goes before.
   */
  readonly layers?: Readonly<Record<string, LayerOptions | false>>;
  /**
   * By the name of a layer or an input: the range that its output is rounded to, [min, max], which holds 0. It counts from
   * the start, and neither training nor calibrate moves it. Of layers that are rounded once, after the last of them, any
   * may be named.
   */
  readonly ranges?: Readonly<Record<string, readonly [min: number, max: number]>>;
  /**
   * Layer classes of one's own, by class name: the attributes of the weights to quantize, each with the axis of its
   * channels, if it has one.
   */
  readonly customLayers?: CustomLayers;
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

/** Says everything that is wrong at once. */
export function throwProblems(caller: string, problems: readonly string[]): void {
  if (problems.length === 0) return;
  const list = problems.length === 1 ? problems[0]! : `${problems.length} problems:\n- ${problems.join('\n- ')}`;
  throw new Error(`${caller}: ${list}`);
}

function badBits(where: string, options: WeightOptions | ActivationOptions | false | undefined): string[] {
  if (!options || options.numBits === undefined) return [];
  const {numBits} = options;
  if (Number.isInteger(numBits) && numBits >= 2 && numBits <= 16) return [];
  return [`${where}.numBits must be an integer between 2 and 16, inclusive, but was ${String(numBits)}.`];
}

/** What is wrong with the widths. */
export function bitProblems(options: QuantizeOptions): string[] {
  const of = (where: string, each: LayerOptions | false) =>
    each ? [...badBits(`${where}weights`, each.weights), ...badBits(`${where}activations`, each.activations)] : [];
  return [
    ...of('', options),
    ...Object.entries(options.layers ?? {}).flatMap(([name, each]) => of(`layers.${name}.`, each)),
  ];
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
