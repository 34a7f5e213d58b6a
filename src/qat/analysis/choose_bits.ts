/** The width of each layer's weights within a budget. */
import {clone, dispose, keep, type Tensor, tidy} from '@tensorflow/tfjs-core';
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
  throwProblems,
} from '../../check/rules';
import {asContainer} from '../../layers/graph';
import {checkModel} from '../../layers/model';
import {cloneLayer, rebuild} from '../../layers/rebuild';
import {modelOptionProblems} from '../options/check_options';
import type {QuantizeOptions} from '../options/options';
import {optionsByLayer} from '../options/options_by_layer';
import {batchesOf} from '../tools/batches';
import {sampleRule, type Samples} from '../tools/samples';
import type {BitChoice} from './bit_choice';
import {BitChooser} from './bit_chooser';

/** How {@link chooseBits} goes about it. Its budget is exactly one of `bytes`, `bitsPerWeight` and `maxLoss`. */
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
   * The most that may be lost, measured on the samples with activations rounded too, for as few bytes as that allows: where an
   * output is classes, of the share of samples whose highest class is the float model's (0.01 for a hundredth); else of the
   * divergence, as `Agreement` has it.
   */
  readonly maxLoss?: number;
  /** The widths to choose from, of 2 to 8 bits; [2, 3, 4, 8] by default, [4, 8] for .tflite files. */
  readonly widths?: readonly number[];
  /**
   * What else quantizeModel is told, of activations above all. A layer stays as it is whose weights' numBits it names, or that
   * it leaves float, or that keepEnds8bit keeps. None by default.
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

const above0: Rule = must('a number above 0', (value: number) => Number.isFinite(value) && value > 0);
const atLeast0: Rule = must('a number, 0 or more', (value: number) => Number.isFinite(value) && value >= 0);
const aSignal: Rule = must(
  'an AbortSignal',
  (value: unknown) => typeof (value as AbortSignal | null)?.throwIfAborted === 'function',
);

const CHOOSE_BITS: Rules<ChooseBitsOptions> = {
  bytes: above0,
  bitsPerWeight: above0,
  maxLoss: atLeast0,
  widths: (value, path) => {
    const problems = listOf(between(2, 8))(value, path);
    if (problems.length > 0 || new Set(value as unknown[]).size > 1) return problems;
    return [`${path} must be two or more different widths to choose from, but were [${String(value)}].`];
  },
  quantize: (value, path) => {
    if (!isRecord(value)) return [`${path} must be an object, the options of quantizeModel.`];
    const {scheme, weights} = value;
    const named = isRecord(weights) && weights['numBits'] !== undefined;
    return [
      ...(scheme === 'tfmot' ? [`${path}.scheme 'tfmot' fixes all widths. Leave it out.`] : []),
      ...(named ? [`${path}.weights.numBits is what is chosen. Leave it out, or name it for some layers.`] : []),
    ];
  },
  reestimateBatchNorm: flag,
  samples: count,
  batchSize: count,
  onProgress: callback,
  signal: aSignal,
};

/** Exactly one is given. */
const BUDGETS = ['bytes', 'bitsPerWeight', 'maxLoss'] as const;

/** Fewer samples than this tell little. */
const FEW_SAMPLES = 64;

const WIDTHS = [2, 3, 4, 8];

function budgetProblems(options: unknown): string[] {
  const given = isRecord(options) ? BUDGETS.filter(name => options[name] !== undefined) : [...BUDGETS.slice(0, 1)];
  if (given.length === 1) return [];
  const found = given.length === 0 ? 'none was' : `${given.join(' and ')} were`;
  return [`a budget is exactly one of ${BUDGETS.join(', ')}, but ${found} given.`];
}

/** Throws all that is wrong with what chooseBits is given. */
function checkAll(model: LayersModel, samples: Samples, options: ChooseBitsOptions): void {
  checkModel('chooseBits', model);
  const problems = [
    ...sampleRule(samples, 'samples'),
    ...optionProblems(options, CHOOSE_BITS, '', remedyFor),
    ...budgetProblems(options),
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

function copyOf(model: LayersModel): LayersModel {
  return rebuild(model, {
    replace: from => {
      const layer = cloneLayer(from);
      return {layer, variables: {to: layer, from}};
    },
  });
}

/**
 * Chooses the width of each layer's weights, so that least is lost within a budget, or as few bytes are taken as a loss
 * allows. What a layer loses at a width is measured by rounding its weights alone: the divergence of the outputs from the
 * float model's. Losses add up, nearly; so widths for all layers are a knapsack, whose Pareto front is computed. The model
 * stays as it is.
 *
 * It takes a pass over the samples for each layer and width and a few more. Twice as many with `reestimateBatchNorm`, which
 * models with BatchNormalization want: what few bits do to a layer, new statistics after it largely undo.
 *
 * @param model - a float model.
 * @param samples - unlabelled samples, as {@link calibrate} takes them; 256 do.
 * @param options - the budget, and what else quantizeModel is to be told.
 * @returns the options for quantizeModel, what they take and lose, predicted and measured, and what else there would be.
 * @throws with all that is wrong at once; if no widths keep the budget, with the least that some take or lose; if the signal
 * is aborted, its reason.
 *
 * @example
 * ```ts
 * const bits = await chooseBits(model, images, {bytes: 300e3, reestimateBatchNorm: true});
 * bits.print();
 * const q = quantizeModel(model, bits.options);
 * await reestimateBatchNorm(q, images);
 * await calibrate(q, images);
 * ```
 */
export async function chooseBits(model: LayersModel, samples: Samples, options: ChooseBitsOptions): Promise<BitChoice> {
  checkAll(model, samples, options);
  options.signal?.throwIfAborted();
  const {samples: atMost = 256, batchSize = 32} = options;
  const float = copyOf(model);
  const batches: (readonly Tensor[])[] = [];
  try {
    for await (const batch of batchesOf('chooseBits', float, samples, {batchSize, atMost})) {
      options.signal?.throwIfAborted();
      batches.push(tidy(() => batch.map(each => keep(clone(each)))));
    }
    warnOfFew(batches);
    return await new BitChooser(float, batches, {...options, widths: options.widths ?? WIDTHS}).choose();
  } finally {
    dispose(batches.flat());
    float.dispose();
  }
}

function warnOfFew(batches: readonly (readonly Tensor[])[]): void {
  const total = batches.reduce((sum, [first]) => sum + first!.shape[0], 0);
  if (total >= FEW_SAMPLES) return;
  console.warn(`chooseBits: ${total} samples tell little of what widths lose. Give it ${FEW_SAMPLES} or more; 256 do.`);
}
