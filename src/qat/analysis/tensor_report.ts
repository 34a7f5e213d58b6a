/** What a report says of a tensor that is rounded. */
import type {FakeQuantizer} from '../../quantizer/fake_quantizer';
import type {IntegerGrid} from '../../quantizer/levels';
import {stepsOf} from '../../quantizer/range';
import type {Rounding} from '../quantized_layers/quantizing';
import {adviceOn, type Circumstances} from './advice';
import {TensorErrors} from './tensor_errors';
import {type Shown, shownOf} from './tensor_histogram';

/**
 * What rounding does to one tensor: a weight, or an activation over all samples.
 *
 * @example
 * ```js
 * import {analyzeQuantization} from 'tfjs-quantization/qat';
 *
 * const {rows} = await analyzeQuantization(q, model, images, {sensitivity: 'none'});
 * for (const {what, numBits, snr, clipped, advice} of rows.flatMap(row => row.tensors)) {
 *   console.log(what, numBits, `${snr} dB`, `${100 * clipped} % clipped`, advice.join(' '));
 * }
 * ```
 */
export interface TensorReport {
  /** What is rounded: a weight by name, 'before activation', 'between', 'output'. */
  readonly what: string;
  /** Whether it is of the layer, or passes it. */
  readonly of: 'weights' | 'activations';
  /** Width of the grid. */
  readonly numBits: number;
  /** How many ranges: the channels of a weight, or 1; 0 where none is set. */
  readonly ranges: number;
  /** The lowest end of the ranges; undefined if none is set. */
  readonly min: number | undefined;
  /** The highest end. */
  readonly max: number | undefined;
  /**
   * Signal to noise: the squares of the values by those of the errors, in dB. 6 dB are a bit. Infinity where rounding changes
   * nothing; undefined where nothing is rounded, as is all below.
   */
  readonly snr: number | undefined;
  /** How far rounding moves the mean of the values, in their standard deviations. */
  readonly bias: number | undefined;
  /** The share of values that lie more than half a step outside of the range, in [0, 1]. */
  readonly clipped: number | undefined;
  /** How many levels values are rounded to, and how many there are. */
  readonly levels: {readonly used: number; readonly of: number} | undefined;
  /** The largest error, in steps. Half a step is what rounding itself takes. */
  readonly largestError: number | undefined;
  /** The share of the squared error by channel: of the last axis of activations, the output channels of weights. */
  readonly errorByChannel: readonly number[];
  /** What is wrong, and what to do about it; empty where nothing is. */
  readonly advice: readonly string[];
}

/** A tensor while it is measured. */
export class TensorProbe {
  readonly rounding: Rounding;
  readonly #grid: IntegerGrid | undefined;
  readonly #errors: TensorErrors | undefined;

  constructor(rounding: Rounding, grid: IntegerGrid | undefined) {
    this.rounding = rounding;
    this.#grid = grid;
    this.#errors = grid && rounding.quantizer.quantizing ? new TensorErrors(grid) : undefined;
  }

  get quantizer(): FakeQuantizer {
    return this.rounding.quantizer;
  }

  /** Whether there is anything to count. */
  get isRounding(): boolean {
    return this.#errors !== undefined;
  }

  add(values: ArrayLike<number>, rounded: ArrayLike<number>, shape: readonly number[]): void {
    this.#errors?.add(values, rounded, shape);
  }

  /** The squares of the errors by those of the values. */
  get noise(): number {
    return 10 ** -((this.#errors?.measured.snr ?? Infinity) / 10);
  }

  /** How the values lie on the grid. */
  get shown(): (() => Shown) | undefined {
    if (!this.#errors) return undefined;
    return shownOf(this.#errors.histogram, this.#grid!, this.#errors.measured.clipped);
  }

  report(circumstances: Omit<Circumstances, 'grid' | 'rounding' | 'range'>): TensorReport {
    const {rounding, quantizer} = this;
    const [grid, errors] = [this.#grid, this.#errors];
    const range = grid && endsOf(grid);
    const measured = errors?.measured;
    return {
      what: rounding.what,
      of: rounding.of,
      numBits: quantizer.numBits,
      ranges: grid?.scale.length ?? 0,
      min: range?.[0],
      max: range?.[1],
      snr: measured?.snr,
      bias: measured?.bias,
      clipped: measured && measured.clipped.below + measured.clipped.above,
      levels: measured && {used: measured.levelsUsed, of: stepsOf(quantizer.options) + 1},
      largestError: measured?.largestError,
      errorByChannel: measured?.errorByChannel ?? [],
      advice: adviceOn(measured, errors?.histogram, {...circumstances, rounding, grid, range}),
    };
  }
}

/** The ends of all of a grid's channels. */
function endsOf({scale, lowest, highest}: IntegerGrid): [min: number, max: number] {
  const of = (levels: Int32Array) => Array.from(scale, (unit, i) => levels[i]! * unit);
  const lower = (a: number, b: number) => Math.min(a, b);
  return [of(lowest).reduce(lower, Infinity), of(highest).reduce((a, b) => Math.max(a, b), -Infinity)];
}
