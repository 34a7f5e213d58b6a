/** What quantizeModel is asked for, checked, with its defaults. */
import type {FakeQuantizerOptions, Observer} from './fake_quantizer';
import type {Layer} from './graph';
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
  /** How a range follows the batches; 'movingAverage' by default. */
  readonly observer?: Observer;
  /** How much of a moving average stays from one batch to the next; 0.99 by default. */
  readonly decay?: number;
}

/** What differs for one layer; `false` leaves its weights or its activations as they are. */
export interface LayerOptions {
  readonly weights?: WeightOptions | false;
  readonly activations?: ActivationOptions | false;
}

/** What {@link quantizeModel} takes. */
export interface QuantizeOptions extends LayerOptions {
  /** 'tfmot' does exactly as TensorFlow's toolkit does by default, and takes no other options but `layers: {name: false}`. */
  readonly scheme?: 'default' | 'tfmot';
  /** By layer name: what differs there; `false` leaves the layer as it is. */
  readonly layers?: Readonly<Record<string, LayerOptions | false>>;
  /**
   * Layer classes of one's own, by class name: the attributes of the weights to quantize, each with the axis of its
   * channels, if it has one.
   */
  readonly customLayers?: CustomLayers;
}

/** A quantizer's options as a wrapper saves them. */
export type QuantizerConfig = Omit<Required<FakeQuantizerOptions>, 'axis' | 'initialRange' | 'name'> & {
  /** A range that never moves. */
  readonly fixed?: readonly [number, number];
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

/** The options that hold for a layer. */
export function planOf(options: QuantizeOptions, layer: Layer, kind: Kind): LayerPlan {
  const own = options.layers?.[layer.name];
  if (own === false) return {weights: undefined, activations: activationConfig(options.activations, {})};
  return {
    weights: weightConfig(options.weights, own?.weights, kind),
    activations: activationConfig(options.activations, own?.activations),
  };
}

function weightConfig(
  all: WeightOptions | false | undefined,
  own: WeightOptions | false | undefined,
  kind: Kind,
): QuantizerConfig | undefined {
  if (own === false || (all === false && !own)) return undefined;
  const {numBits = 8, perChannel = kind !== 'embedding', symmetric = true, narrowRange = true} = {...all, ...own};
  return {numBits, perChannel, symmetric, narrowRange, observer: 'lastValue', decay: 0.99, debias: true};
}

function activationConfig(
  all: ActivationOptions | false | undefined,
  own: ActivationOptions | false | undefined,
): QuantizerConfig | undefined {
  if (own === false || (all === false && !own)) return undefined;
  const {numBits = 8, symmetric = false, narrowRange = false} = {...all, ...own};
  const {observer = 'movingAverage', decay = 0.99} = {...all, ...own};
  return {numBits, symmetric, narrowRange, observer, decay, debias: true};
}
