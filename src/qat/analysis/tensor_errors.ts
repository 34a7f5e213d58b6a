/** What rounding does to a tensor, counted on the host as its values come. */
import {Histogram} from '../../quantizer/histogram';
import type {IntegerGrid} from '../../quantizer/levels';

/** What was counted of a tensor. */
export interface Measured {
  /** How many values were numbers. */
  readonly count: number;
  /** How many values were NaN or infinite; they are left out of all else. */
  readonly nonFinite: number;
  /** The squares of the values by those of the errors, in dB; Infinity where there is no error. */
  readonly snr: number;
  /** How far rounding moves the mean, in standard deviations of the values. */
  readonly bias: number;
  /** How much of the squared error is that of the mean, in [0, 1]. */
  readonly biasShare: number;
  /** The shares of values that lie more than half a step below and above the grid. */
  readonly clipped: {readonly below: number; readonly above: number};
  /** The share of the squared error that is theirs. */
  readonly clippedError: number;
  /** How many levels values were rounded to. */
  readonly levelsUsed: number;
  /** The largest error, in steps of its channel. */
  readonly largestError: number;
  /** The share of the squared error by channel. */
  readonly errorByChannel: readonly number[];
  /** The signal to noise of each channel, in dB; Infinity where there is no error. */
  readonly snrByChannel: readonly number[];
  /** The channels all of whose values were rounded to 0, though they are not. */
  readonly zeroed: readonly number[];
  /** How far from 0 the values of each channel reach. */
  readonly reach: readonly number[];
}

/** Where channels are: a tensor as [outer, channels, inner]. */
function viewOf(shape: readonly number[], axis: number): [outer: number, channels: number, inner: number] {
  const product = (dims: readonly number[]) => dims.reduce((all, dim) => all * dim, 1);
  return [product(shape.slice(0, axis)), shape[axis] ?? 1, product(shape.slice(axis + 1))];
}

function decibels(squares: number, errors: number): number {
  return errors === 0 ? Infinity : 10 * Math.log10(squares / errors);
}

/** Counts of a tensor and of what rounding made of it. */
export class TensorErrors {
  /** Of the values or, where channels have grids of their own, of the values in steps. */
  readonly histogram = new Histogram();
  readonly #grid: IntegerGrid;
  readonly #used: Uint8Array;
  readonly #lowest: number;
  #squares = new Float64Array(0);
  #errors = new Float64Array(0);
  #roundedSquares = new Float64Array(0);
  #reach = new Float64Array(0);
  #count = 0;
  #nonFinite = 0;
  #sum = 0;
  #errorSum = 0;
  #below = 0;
  #above = 0;
  #clippedError = 0;
  #largest = 0;

  constructor(grid: IntegerGrid) {
    this.#grid = grid;
    this.#lowest = grid.lowest.reduce((low, each) => Math.min(low, each), 0);
    const highest = grid.highest.reduce((high, each) => Math.max(high, each), 0);
    this.#used = new Uint8Array(highest - this.#lowest + 1);
  }

  /** Whether the histogram is of steps. */
  get isInSteps(): boolean {
    return this.#grid.scale.length > 1;
  }

  /** Adds values, and what they were rounded to. */
  add(values: ArrayLike<number>, rounded: ArrayLike<number>, shape: readonly number[]): void {
    const {axis = Math.max(0, shape.length - 1)} = this.#grid;
    const [outer, channels, inner] =
      shape.length > 1 || this.#grid.axis !== undefined ? viewOf(shape, axis) : [1, 1, values.length];
    this.#makeRoom(channels);
    const inSteps = this.isInSteps ? new Float32Array(values.length) : undefined;
    for (let o = 0, at = 0; o < outer; ++o) {
      for (let c = 0; c < channels; ++c) {
        for (const end = at + inner; at < end; ++at) {
          this.#note(values[at]!, rounded[at]!, c);
          if (inSteps) inSteps[at] = values[at]! / (this.#grid.scale[c]! * this.#grid.spacing || 1);
        }
      }
    }
    this.histogram.add(inSteps ?? values);
  }

  get measured(): Measured {
    const total = (of: Float64Array) => of.reduce((sum, each) => sum + each, 0);
    const [count, squares, errors] = [this.#count || 1, total(this.#squares), total(this.#errors)];
    const [mean, meanError] = [this.#sum / count, this.#errorSum / count];
    const deviation = Math.sqrt(Math.max(0, squares / count - mean ** 2));
    return {
      count: this.#count,
      nonFinite: this.#nonFinite,
      snr: decibels(squares, errors),
      bias: meanError === 0 ? 0 : meanError / (deviation || Math.abs(mean)),
      biasShare: errors === 0 ? 0 : meanError ** 2 / (errors / count),
      clipped: {below: this.#below / count, above: this.#above / count},
      clippedError: errors === 0 ? 0 : this.#clippedError / errors,
      levelsUsed: this.#used.reduce((sum, each) => sum + each, 0),
      largestError: this.#largest,
      errorByChannel: Array.from(this.#errors, each => (errors === 0 ? 0 : each / errors)),
      snrByChannel: Array.from(this.#squares, (each, c) => decibels(each, this.#errors[c]!)),
      zeroed: [...this.#squares.keys()].filter(c => this.#squares[c]! > 0 && this.#roundedSquares[c] === 0),
      reach: Array.from(this.#reach),
    };
  }

  #makeRoom(channels: number): void {
    if (this.#squares.length >= channels) return;
    const longer = (of: Float64Array) => {
      const all = new Float64Array(channels);
      all.set(of);
      return all;
    };
    this.#squares = longer(this.#squares);
    this.#errors = longer(this.#errors);
    this.#roundedSquares = longer(this.#roundedSquares);
    this.#reach = longer(this.#reach);
  }

  #note(value: number, rounded: number, c: number): void {
    const error = rounded - value;
    if (!Number.isFinite(error)) {
      this.#nonFinite++;
      return;
    }
    const {scale, spacing, lowest, highest} = this.#grid;
    const own = scale.length > 1 ? c : 0;
    const unit = scale[own]!;
    const step = unit * spacing;
    this.#count++;
    this.#sum += value;
    this.#errorSum += error;
    this.#squares[c]! += value * value;
    this.#errors[c]! += error * error;
    this.#roundedSquares[c]! += rounded * rounded;
    this.#reach[c] = Math.max(this.#reach[c]!, Math.abs(value));
    this.#used[(unit > 0 ? Math.round(rounded / unit) : 0) - this.#lowest] = 1;
    if (error !== 0) this.#largest = Math.max(this.#largest, Math.abs(error) / step);
    const isBelow = value < lowest[own]! * unit - step / 2;
    const isAbove = value > highest[own]! * unit + step / 2;
    if (!isBelow && !isAbove) return;
    if (isBelow) this.#below++;
    else this.#above++;
    this.#clippedError += error * error;
  }
}
