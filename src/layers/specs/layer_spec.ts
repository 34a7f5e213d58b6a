/** What a row of the table of layer classes says. */
import type {Layer} from '../graph';

/** How an int8 runtime treats a layer. */
export type Kind =
  /** Multiplies with weights; takes a BatchNormalization and an activation into itself. */
  | 'compute'
  /** As a whole, as its inside works step by step. */
  | 'recurrent'
  /** Looks rows up by the numbers that it is given. */
  | 'embedding'
  /** Counts the numbers that it is given. */
  | 'encoding'
  /** Compares what it is given with one value. */
  | 'masking'
  | 'batchNorm'
  | 'activation'
  /** Takes an activation into itself. */
  | 'merge'
  | 'concat'
  /** Computes new values. */
  | 'elementwise'
  /** Moves values around, or chooses among them: what was on a grid stays on it. */
  | 'passing'
  /** Runs operations of a graph, in float: its outputs are rounded where integers take them. */
  | 'segment'
  /** A model called step by step. */
  | 'nested'
  /** A class of the user's own, with its weights named. */
  | 'custom'
  /** A class of which nothing is known. */
  | 'unknown';

/**
 * The dimension of a weight's output channels, from its end if negative; 'depthwise' where input and multiplier are both;
 * 'gates' of an LSTM's kernels, of which each quarter of the columns has a step.
 */
export type ChannelAxis = number | 'depthwise' | 'gates';

/** The grid of one output: its own, that of the output or of a cell's state whose values it repeats, or none and why. */
export type OutputGrid = 'own' | {readonly of: number} | {readonly state: string} | {readonly float: string};

/** What tfmot's default scheme does with a class. */
type TfmotTreatment =
  /** Rounds nothing: what it gives is on a grid as it is, or rounded elsewhere. */
  | 'nothing'
  /** Rounds its output. */
  | 'output'
  /** Rounds its output, where the activation that it is wants that. */
  | 'activation'
  /** Rounds its weights, one range each, and what its activation gives. */
  | 'weights'
  /** Rounds its weights, a range for each channel of the last dimension, and what its activation gives. */
  | 'weightsPerChannel'
  /** As 'weights', in a transposed convolution. */
  | 'weightsTransposed'
  /** Puts a DepthwiseConv2D and a Conv2D in its place. */
  | 'parts';

/** All that is known of a layer class. What is left out is as most classes are. */
export interface LayerSpec {
  /** What the class is to a runtime; where that hangs on the layer, a function that is given how to ask for layers within. */
  readonly kind: Kind | ((layer: Layer, kindOf: (inner: Layer) => Kind) => Kind);
  /** The weights to quantize, by attribute, in the order in which the layer uses them. None by default. */
  readonly weights?: Readonly<Record<string, ChannelAxis | ((layer: Layer) => ChannelAxis)>>;
  /** The activation that the layer is, by name. By default the one in its attribute `activation`. */
  readonly activation?: string | ((layer: Layer, activationOf: (inner: Layer) => string) => string);
  /** Whether it is two products, with a tensor between them that is rounded as well. */
  readonly between?: true;
  /** Whether it makes values as evenly spaced as those it is given, so that its range must keep off their ties. */
  readonly keepsSpacing?: true;
  /** Whether it makes a mask. */
  readonly makesMask?: true | ((layer: Layer) => boolean);
  /** Whether what it gives in training is by chance, and nothing else about it differs from inference. */
  readonly addsNoise?: true;
  /** The grids of its outputs, by those of the states of layers within. By default each output has its own, states their cell's. */
  readonly outputs?: (layer: Layer, gridsOfStates: (inner: Layer, output: OutputGrid) => OutputGrid[]) => OutputGrid[];
  /** What tfjs leaves out of its config, or gets wrong there. */
  readonly missingConfig?: (layer: Layer) => Readonly<Record<string, unknown>>;
  /** Whether its outputs are its kernel's channels times a step each, so that small files hold levels and steps apart. */
  readonly splits?: true;
  /** What tfmot's scheme does with it. By default it refuses it. */
  readonly tfmot?: TfmotTreatment;
  /** What it can be computed in: `src/inference` has a lowering for just the classes that say so. Integers can be floats, too. */
  readonly lowered?: 'integers' | 'float';
}
