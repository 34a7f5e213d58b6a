/** What a FakeQuantizer is asked for, checked, with its defaults. */
import {checkOptions} from '../check/options';
import {
  bits,
  flag,
  integer,
  invalid,
  must,
  oneOf,
  range,
  type Rules,
  share,
  shown,
  text,
  throwProblems,
} from '../check/rules';

/**
 * How a range follows the batches: by a moving average, by the last batch, by all batches so far; or it is 'learned', by
 * gradient descent.
 *
 * @example
 * ```js
 * import {quantizeModel} from 'tfjs-quantization/qat';
 *
 * const q = quantizeModel(model, {activations: {observer: 'allValues'}});
 * ```
 */
export type Observer = 'movingAverage' | 'lastValue' | 'allValues' | 'learned';

/**
 * How a {@link FakeQuantizer} measures and rounds.
 *
 * @example
 * ```js
 * import * as tf from '@tensorflow/tfjs';
 * import {FakeQuantizer} from 'tfjs-quantization/qat';
 *
 * const grid = {numBits: 4, symmetric: true, narrowRange: true, axis: 1};
 * const perColumn = new FakeQuantizer({...grid, observer: 'allValues'});
 * perColumn.apply(tf.tensor([[7, -0.2], [1, 0.7]]), {training: true});
 * perColumn.range()[0].print(); // [-7, -0.7]
 * ```
 */
export interface FakeQuantizerOptions {
  /** Width of the grid, 2 to 16 bits; 8 by default. */
  numBits?: number;
  /** Keeps the range symmetric about 0; else, by default, it merely holds 0. */
  symmetric?: boolean;
  /** Leaves out the lowest level, so that a symmetric range has as many levels on either side of 0; false by default. */
  narrowRange?: boolean;
  /** The dimension with a range for each of its slices; left out for one range. */
  axis?: number;
  /** How the range follows the batches; 'movingAverage' by default. */
  observer?: Observer;
  /** How much of a moving average stays from one batch to the next; 0.99 by default. */
  decay?: number;
  /** Averages over the batches seen only, so that the first one sets the range; true by default. */
  debias?: boolean;
  /**
   * Of a learned, symmetric range of 2 bits that is not narrow: has no level at 0, but four on even terms, half a step and one
   * and a half steps on either side (ParetoQ: Liu et al. 2025), which suits weights. False by default.
   */
  zeroFree?: boolean;
  /** Of a learned range, which is not symmetric: keeps the low end at 0, as suits what a ReLU gives; false by default. */
  nonNegative?: boolean;
  /**
   * Of a learned range: where it starts, at the first batch's extremes ('minMax', the default) or at its range of least
   * squared error ('mse').
   */
  start?: 'minMax' | 'mse';
  /** Of a learned range: how many times as fast as the optimizer moves other variables its logarithm moves; 10 by default. */
  learningRateScale?: number;
  /** The range before any batch, min below max, of each channel. Without it, values pass unquantized until there is one. */
  initialRange?: readonly [min: number, max: number];
  /**
   * Of one range that is not symmetric: predictions round on a range wider by a level where 0 lies half-way between two
   * levels, as it does for pixels in [-1, 1]. These all lie half-way between two levels, too, and integer runtimes round
   * them apart. False by default.
   */
  offTies?: boolean;
  /**
   * Of a symmetric range that is neither narrow nor learned: widens what was measured until the step is a power of two, as
   * the states inside an LSTM have it in runtimes. False by default.
   */
  powerOfTwo?: boolean;
  /** What the quantizer is called in warnings and errors; 'FakeQuantizer' by default. */
  name?: string;
}

export const OBSERVER = oneOf('movingAverage', 'lastValue', 'allValues', 'learned');

export const FAKE_QUANTIZER: Rules<FakeQuantizerOptions> = {
  numBits: bits,
  symmetric: flag,
  narrowRange: flag,
  axis: integer,
  observer: OBSERVER,
  decay: share,
  debias: flag,
  zeroFree: flag,
  nonNegative: flag,
  start: oneOf('minMax', 'mse'),
  learningRateScale: must('a finite number above 0', (value: number) => Number.isFinite(value) && value > 0),
  initialRange: range,
  offTies: flag,
  powerOfTwo: flag,
  name: text,
};

/**
 * The grid and the observer, defaults filled in.
 *
 * @example
 * ```js
 * import {FakeQuantizer} from 'tfjs-quantization/qat';
 *
 * const {observer, decay, symmetric} = new FakeQuantizer({numBits: 4}).options;
 * console.log(observer, decay, symmetric); // movingAverage 0.99 false
 * ```
 */
export interface QuantizerOptions extends Readonly<
  Required<Omit<FakeQuantizerOptions, 'axis' | 'initialRange' | 'name'>>
> {
  /** The dimension with a range for each of its slices; left out for one range. */
  readonly axis?: number;
}

/** What is against having no level at 0. */
function zeroFreeProblems(options: Pick<QuantizerOptions, 'numBits' | 'symmetric' | 'narrowRange' | 'observer'>) {
  const needed = {numBits: 2, symmetric: true, narrowRange: false, observer: 'learned'} as const;
  return (Object.keys(needed) as (keyof typeof needed)[])
    .filter(name => options[name] !== needed[name])
    .map(
      name =>
        `zeroFree needs the ${name} ${shown(needed[name])}, but it was ${shown(options[name])}. Set it, or leave zeroFree out.`,
    );
}

/** What is against a step that is a power of two. */
function powerOfTwoProblems({symmetric, narrowRange, observer}: Omit<QuantizerOptions, 'axis'>) {
  return [
    symmetric ? '' : 'symmetric: true, but symmetric was false',
    narrowRange ? 'narrowRange: false, but narrowRange was true' : '',
    observer === 'learned' ? "an observer that measures, but observer was 'learned'" : '',
  ]
    .filter(Boolean)
    .map(problem => `powerOfTwo needs ${problem}. Set it, or leave powerOfTwo out.`);
}

/** The options with their defaults. */
export function checkedOptions(options: FakeQuantizerOptions): QuantizerOptions {
  checkOptions('FakeQuantizer', options, FAKE_QUANTIZER);
  const {numBits = 8, symmetric = false, narrowRange = false, axis} = options;
  const {observer = 'movingAverage', decay = 0.99, debias = true} = options;
  const {zeroFree = false, nonNegative = false, start = 'minMax', learningRateScale = 10, offTies = false} = options;
  const {powerOfTwo = false} = options;
  if (nonNegative && symmetric) {
    throw invalid('FakeQuantizer', 'a symmetric range has negative values. Leave out symmetric or nonNegative.');
  }
  if (zeroFree) throwProblems('FakeQuantizer', zeroFreeProblems({numBits, symmetric, narrowRange, observer}));
  const moving = {observer, decay, debias};
  const learned = {zeroFree, nonNegative, start, learningRateScale};
  const checked = {numBits, symmetric, narrowRange, offTies, powerOfTwo, ...moving, ...learned};
  if (powerOfTwo) throwProblems('FakeQuantizer', powerOfTwoProblems(checked));
  return {...checked, ...(axis !== undefined && {axis})};
}
