/** What chooseBits is asked for, and what may be wrong with it. */
import type {LayersModel} from '@tensorflow/tfjs-layers';
import {optionProblems, remedyFor} from '../../check/options';
import {
  between,
  callback,
  count,
  flag,
  isRecord,
  listOf,
  must,
  type Rule,
  type Rules,
  shown,
  signal,
  throwProblems,
} from '../../check/rules';
import {asContainer} from '../../layers/graph';
import {checkModel} from '../../layers/model';
import {modelOptionProblems} from '../options/check_options';
import type {QuantizeOptions} from '../options/options';
import {optionsByLayer} from '../options/options_by_layer';
import {sampleRule, type Samples} from '../tools/samples';

/**
 * How chooseBits goes about it. Its budget is exactly one of `bytes`, `bitsPerWeight` and `maxLoss`.
 *
 * @example
 * ```js
 * import {chooseBits} from 'tfjs-quantization/qat';
 *
 * // As few bytes of a .tflite file as leave 95 of 100 samples the float model's class.
 * const bits = await chooseBits(model, images, {maxLoss: 0.05, widths: [4, 8]});
 * console.log(bits.bytes, bits.measured.top1);
 * ```
 */
export interface ChooseBitsOptions {
  /**
   * The most bytes that all parameters may take, as a file has them whose weights are packed: of each rounded weight its
   * elements times their bits, to a whole byte, and 4 for the scale of each range (8 with a zero point, where ranges are not
   * symmetric); 4 for each other number, such as biases and statistics.
   */
  readonly bytes?: number;
  /** The most bits that a rounded weight may take on average, pinned layers' included. */
  readonly bitsPerWeight?: number;
  /**
   * The most bits that a rounded activation may take on average, over all of a sample: widths of activations are then chosen
   * too, beside those of weights within `bytes` or `bitsPerWeight`. Fixed and pinned ones count, and stay. Without it
   * activations are as `quantize` says.
   */
  readonly bitsPerActivation?: number;
  /**
   * The most that may be lost, measured on the samples with activations rounded too, for as few bytes as that allows: where an
   * output is classes, of the share of samples whose highest class is the float model's (0.01 for a hundredth); else of the
   * divergence, as `Agreement` has it.
   */
  readonly maxLoss?: number;
  /**
   * Of `maxLoss`: whether widths of activations are chosen too. As few bytes then are those of all parameters and of the
   * rounded activations of one sample, packed. False by default.
   */
  readonly activations?: boolean;
  /** The widths to choose from, of 2 to 8 bits; [2, 3, 4, 8] by default, [4, 8] for .tflite files. */
  readonly widths?: readonly number[];
  /**
   * What else quantizeModel is told, of activations above all. What it names the numBits of by layer stays as it is, and so
   * does what it leaves float, or what keepEnds8bit keeps. None by default.
   */
  readonly quantize?: QuantizeOptions;
  /**
   * Whether the statistics of BatchNormalization are measured anew, of the float model at the start and with whatever is
   * rounded: as they will be if that is done before `calibrate`, or by it. Twice the time. False by default.
   */
  readonly reestimateBatchNorm?: boolean;
  /** How many samples to look at; 256 by default. */
  readonly samples?: number;
  /** Samples at a time, where tensors are given; 32 by default. */
  readonly batchSize?: number;
  /** Called after each pass over the samples. Nobody by default. */
  readonly onProgress?: (progress: {readonly done: number; readonly total: number}) => void;
  /** Stops it; it then rejects with the signal's reason. None by default. */
  readonly signal?: AbortSignal;
}

const above0: Rule = /*#__PURE__*/ must('a number above 0', (value: number) => Number.isFinite(value) && value > 0);
const atLeast0: Rule = /*#__PURE__*/ must(
  'a number, 0 or more',
  (value: number) => Number.isFinite(value) && value >= 0,
);

/** What else quantizeModel is told, but the widths that are chosen. */
function quantizeRule(value: unknown, path: string): string[] {
  if (!isRecord(value)) return [`${path} must be an object, the options of quantizeModel, but was ${shown(value)}.`];
  const {scheme, weights} = value;
  const named = isRecord(weights) && weights['numBits'] !== undefined;
  return [
    ...(scheme === 'tfmot' ? [`${path}.scheme 'tfmot' fixes all widths. Leave it out.`] : []),
    ...(named ? [`${path}.weights.numBits is what is chosen. Leave it out, or name it for some layers.`] : []),
  ];
}

const CHOOSE_BITS: Rules<ChooseBitsOptions> = {
  bytes: above0,
  bitsPerWeight: above0,
  bitsPerActivation: above0,
  maxLoss: atLeast0,
  activations: flag,
  widths: (value, path) => {
    const problems = listOf(between(2, 8))(value, path);
    if (problems.length > 0 || new Set(value as unknown[]).size > 1) return problems;
    return [`${path} must be two or more different widths to choose from, but were [${String(value)}].`];
  },
  quantize: quantizeRule,
  reestimateBatchNorm: flag,
  samples: count,
  batchSize: count,
  onProgress: callback,
  signal,
};

/** Exactly one is given. */
const BUDGETS = ['bytes', 'bitsPerWeight', 'maxLoss'] as const;

function budgetProblems(options: ChooseBitsOptions): string[] {
  const given = BUDGETS.filter(name => options[name] !== undefined);
  const found = given.length === 0 ? 'none was' : `${given.join(' and ')} were`;
  const {maxLoss, activations, bitsPerActivation, quantize} = options;
  const told = quantize?.activations;
  const named = told && told.numBits !== undefined;
  return [
    ...(given.length === 1 ? [] : [`a budget is exactly one of ${BUDGETS.join(', ')}, but ${found} given.`]),
    ...(maxLoss !== undefined && bitsPerActivation !== undefined
      ? ['bitsPerActivation is beside bytes or bitsPerWeight. With maxLoss, set activations: true in its place.']
      : []),
    ...(maxLoss === undefined && activations === true && bitsPerActivation === undefined
      ? ['activations need a budget of their own beside bytes or bitsPerWeight. Set bitsPerActivation in its place.']
      : []),
    ...(choosesActivations(options) && named
      ? ['quantize.activations.numBits is what is chosen. Leave it out, or name it for some layers.']
      : []),
  ];
}

/** Whether widths of activations are chosen too. */
export function choosesActivations({activations, bitsPerActivation}: ChooseBitsOptions): boolean {
  return activations === true || bitsPerActivation !== undefined;
}

/** Throws all that is wrong with what chooseBits is given. */
export function checkAll(model: LayersModel, samples: Samples, options: ChooseBitsOptions): void {
  checkModel('chooseBits', model);
  const problems = [
    ...sampleRule(samples, 'samples'),
    ...optionProblems(options, CHOOSE_BITS, '', remedyFor),
    ...(isRecord(options) ? budgetProblems(options) : []),
  ];
  const quantize = isRecord(options) ? (options['quantize'] ?? {}) : {};
  if (isRecord(quantize) && quantize['scheme'] !== 'tfmot') {
    const container = asContainer(model);
    const {layers} = quantize as QuantizeOptions;
    const own = optionsByLayer(container, isRecord(layers) ? layers : {});
    problems.push(...modelOptionProblems(container, quantize, own).map(each => `quantize: ${each}`));
  }
  throwProblems('chooseBits', problems);
}
