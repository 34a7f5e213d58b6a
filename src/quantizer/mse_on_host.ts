/**
 * The range of least squared error, found on the host: of values in order, with the sums of all before each, a grid's error
 * takes a few steps for each of its levels, however many values there are; where nothing rounds in parallel, rounding all values
 * to each range tried, as mse_on_device.ts does, takes seconds.
 */
import {endsInSteps, type RoundingOptions} from './learned_rounding';
import {OrderedValues} from './ordered_values';

/** A range's ends. */
export type HostRange = readonly [low: number, high: number];

/** Shares of an extreme that are tried, beside all of it, as the end of a range: the error is flat about the best one. */
export const SHARES = Array.from({length: 63}, (_, i) => 1 - (i + 1) / 64);

/** More values than this are counted in so many bins, far finer than the levels. */
const MOST = 2 ** 18;

/** The means of the values in each bin that is not empty, and how many they are of. */
function binned(values: Float32Array, low: number, high: number): {means: Float64Array; counts?: Float64Array} {
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
  errorOf: (ends: HostRange, enough?: number) => number,
): HostRange {
  let [best, least] = [first, errorOf(first)];
  for (const share of SHARES) {
    const ends = tried(share);
    const error = errorOf(ends, least);
    if (error < least) [best, least] = [ends, error];
  }
  return best;
}

/** See `mseRange`. Of NaN and infinities: the extremes. */
export function mseRangeOnHost(values: Float32Array, grid: Omit<RoundingOptions, 'axis'>): HostRange {
  const {symmetric} = grid;
  const {qmin, qmax} = endsInSteps(grid);
  let [low, high, squares] = [0, 0, 0];
  for (let i = 0; i < values.length; ++i) {
    const value = values[i]!;
    if (value < low) low = value;
    if (value > high) high = value;
    squares += value * value;
  }
  const reach = Math.max(low / qmin || 0, high / qmax);
  const all: HostRange = symmetric ? [reach * qmin, reach * qmax] : [low, high];
  if (!Number.isFinite(squares) || all[0] === all[1]) return all;
  const {means, counts} = values.length > MOST ? binned(values, low, high) : {means: new Float64Array(values).sort()};
  const ordered = new OrderedValues(means, counts);
  const errorOf = ([from, to]: HostRange, enough?: number) => {
    const scale = (to - from) / (qmax - qmin);
    const lowest = symmetric ? qmin : Math.max(qmin - qmax, Math.min(0, Math.round(from / scale)));
    return ordered.error(scale, lowest, lowest + qmax - qmin, enough);
  };
  const both = bestOf(all, share => [all[0] * share, all[1] * share], errorOf);
  if (symmetric) return both;
  const lower = bestOf([low, both[1]], share => [low * share, both[1]], errorOf);
  return bestOf([lower[0], high], share => [lower[0], high * share], errorOf);
}
