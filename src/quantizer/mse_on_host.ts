/**
 * The range of least squared error, found on the host: of values in order, with the sums of all before each, a grid's error
 * takes a few steps for each of its levels, however many values there are; where nothing rounds in parallel, rounding all values
 * to each range tried, as mse_on_device.ts does, takes seconds.
 */
import {endsInSteps, type RoundingOptions} from './learned_rounding';

/** A range's ends. */
export type HostRange = readonly [low: number, high: number];

/** Shares of an extreme that are tried, beside all of it, as the end of a range: the error is flat about the best one. */
export const SHARES = Array.from({length: 63}, (_, i) => 1 - (i + 1) / 64);

/** More values than this are counted in so many bins, far finer than the levels. */
const MOST = 2 ** 18;

/** Values in order. */
class Ordered {
  readonly low: number;
  readonly high: number;
  readonly #squares: number;
  readonly #values: Float64Array;
  /** How many there are before each, and their sum; the last are of all. */
  readonly #counts: Float64Array;
  readonly #sums: Float64Array;

  constructor(values: Float32Array) {
    let [low, high, squares] = [0, 0, 0];
    for (let i = 0; i < values.length; ++i) {
      const value = values[i]!;
      if (value < low) low = value;
      if (value > high) high = value;
      squares += value * value;
    }
    [this.low, this.high, this.#squares] = [low, high, squares];
    const isBinned = values.length > MOST && this.isFinite;
    const {means, counts} = isBinned ? binned(values, low, high) : {means: new Float64Array(values).sort(), counts: 1};
    this.#values = means;
    this.#counts = new Float64Array(means.length + 1);
    this.#sums = new Float64Array(means.length + 1);
    for (let i = 0; i < means.length; ++i) {
      const count = typeof counts === 'number' ? counts : counts[i]!;
      this.#counts[i + 1] = this.#counts[i]! + count;
      this.#sums[i + 1] = this.#sums[i]! + means[i]! * count;
    }
  }

  /** Whether all values are numbers with a sum. */
  get isFinite(): boolean {
    return Number.isFinite(this.#squares);
  }

  /** By how much the levels from `lowest` to `highest` of a scale, one apart each, move the values. */
  error(scale: number, lowest: number, highest: number): number {
    const [values, counts, sums] = [this.#values, this.#counts, this.#sums];
    // Of a grid without a level at 0.
    const half = lowest - Math.floor(lowest);
    let error = this.#squares;
    for (let from = 0; from < values.length;) {
      const level = Math.min(highest, Math.max(lowest, Math.round(values[from]! / scale - half) + half));
      const to = level === highest ? values.length : firstFrom(values, (level + 0.5) * scale, from + 1);
      const value = level * scale;
      error += value * (value * (counts[to]! - counts[from]!) - 2 * (sums[to]! - sums[from]!));
      from = to;
    }
    return error;
  }
}

/** The first index, of `start` or later, of a value that is not below `bound`; near `start`, in few steps. */
function firstFrom(values: Float64Array, bound: number, start: number): number {
  let [low, high, step] = [start, start, 1];
  while (high < values.length && values[high]! < bound) {
    low = high + 1;
    high += step;
    step *= 2;
  }
  high = Math.min(high, values.length);
  while (low < high) {
    const middle = (low + high) >> 1;
    if (values[middle]! < bound) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** The means of the values in each bin that is not empty, and how many they are of. */
function binned(values: Float32Array, low: number, high: number): {means: Float64Array; counts: Float64Array} {
  const [counts, sums] = [new Float64Array(MOST), new Float64Array(MOST)];
  const perUnit = (MOST - 1) / (high - low || 1);
  for (let i = 0; i < values.length; ++i) {
    const bin = Math.floor((values[i]! - low) * perUnit);
    counts[bin]!++;
    sums[bin]! += values[i]!;
  }
  const filled = counts.filter(count => count > 0);
  return {means: sums.filter((_, bin) => counts[bin]! > 0).map((sum, i) => sum / filled[i]!), counts: filled};
}

/** The best ends, as they are tried one by one: the first ones, and what shares of them give. */
function bestOf(
  first: HostRange,
  tried: (share: number) => HostRange,
  errorOf: (ends: HostRange) => number,
): HostRange {
  let [best, least] = [first, errorOf(first)];
  for (const share of SHARES) {
    const ends = tried(share);
    const error = errorOf(ends);
    if (error < least) [best, least] = [ends, error];
  }
  return best;
}

/** See `mseRange`. Of NaN and infinities: the extremes. */
export function mseRangeOnHost(values: Float32Array, grid: Omit<RoundingOptions, 'axis'>): HostRange {
  const {symmetric} = grid;
  const {qmin, qmax} = endsInSteps(grid);
  const ordered = new Ordered(values);
  const {low, high} = ordered;
  const reach = Math.max(low / qmin || 0, high / qmax);
  const all: HostRange = symmetric ? [reach * qmin, reach * qmax] : [low, high];
  if (!ordered.isFinite || all[0] === all[1]) return all;
  const errorOf = ([from, to]: HostRange) => {
    const scale = (to - from) / (qmax - qmin);
    const lowest = symmetric ? qmin : Math.max(qmin - qmax, Math.min(0, Math.round(from / scale)));
    return ordered.error(scale, lowest, lowest + qmax - qmin);
  };
  const both = bestOf(all, share => [all[0] * share, all[1] * share], errorOf);
  if (symmetric) return both;
  const lower = bestOf([low, both[1]], share => [low * share, both[1]], errorOf);
  return bestOf([lower[0], high], share => [lower[0], high * share], errorOf);
}
