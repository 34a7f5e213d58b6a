/**
 * A histogram that grows with what it sees, batch by batch, and the ranges that fit it. Calibration's own search for the least
 * squared error: the values are gone by then, and their counts are few enough to try each range on all.
 */

import {doubtOf, type Steps} from './ties';

const BINS = 2 ** 14;

/** How many distinct values are remembered: those of pixels, with a scaling for each channel. */
const FEW = 1024;
/** How many values of those added at once are looked at for it. */
const LOOKED_AT = 2 ** 18;

/**
 * Which range represents values best.
 *
 * @example
 * ```js
 * import {calibrate} from 'tfjs-quantization/qat';
 *
 * await calibrate(q, images, {method: 'minMax'}); // nothing is clipped
 * ```
 */
export type CalibrationMethod = 'minMax' | 'percentile' | 'mse';

/** A range's ends, the low one no higher than 0, the high one no lower. */
type Ends = readonly [low: number, high: number];

/** Counts and sums of values in bins around 0, whose width doubles when a value lies outside. */
export class Histogram {
  min = Infinity;
  max = -Infinity;
  #counts = new Float64Array(BINS);
  /** For the mean of each bin, which of pixels and the like, and of 0, is a value itself: what a grid holds moves by nothing. */
  #sums = new Float64Array(BINS);
  /** The first bins to be made are as wide as the first values need; none while all are 0. */
  #width = 0;
  #distinct: Set<number> | undefined = new Set();

  /** Adds what is finite; tells whether anything was. */
  add(values: ArrayLike<number>): boolean {
    const before = [this.min, this.max];
    let seen = false;
    for (let i = 0; i < values.length; ++i) {
      const value = values[i]!;
      if (!Number.isFinite(value)) continue;
      seen = true;
      if (value < this.min) this.min = value;
      if (value > this.max) this.max = value;
    }
    if (!seen) return false;
    if (before[0] !== this.min || before[1] !== this.max) this.#fit(Math.max(-this.min, this.max));
    for (let i = 0; i < values.length; ++i) {
      const value = values[i]!;
      if (!Number.isFinite(value)) continue;
      const bin = this.#bin(value);
      this.#counts[bin]!++;
      this.#sums[bin]! += value;
    }
    this.#note(values);
    return true;
  }

  /** The distinct values, if they are few, as those of pixels are; else nothing. */
  get distinct(): ReadonlySet<number> {
    return this.#distinct ?? new Set();
  }

  /** The extremes. */
  minMax(): [number, number] {
    return [this.min, this.max];
  }

  /** The range that leaves out as much on either side, `percent` of all values staying in. */
  percentileRange(percent: number): [number, number] {
    const total = this.#counts.reduce((sum, count) => sum + count, 0);
    const cut = (total * (100 - percent)) / 200;
    const edge = (order: readonly number[]) => {
      let passed = 0;
      return order.find(i => (passed += this.#counts[i]!) > cut) ?? order[order.length - 1]!;
    };
    const order = [...this.#counts.keys()];
    const [low, high] = [edge(order), edge([...order].reverse())];
    return [
      Math.max(this.min, this.#center(low) - this.#width / 2),
      Math.min(this.max, this.#center(high) + this.#width / 2),
    ];
  }

  /**
   * The range within `all` on which a grid of so many steps moves the values least, in the mean square; `all` unless another
   * is better. Where steps are finer than bins, nobody knows how many values a range cuts off, and it gains next to nothing.
   * In what is found 0 is not half-way between two levels, as in [-a, a], where the last bit of float32 would choose the grid.
   */
  mseRange(all: Ends, {steps, symmetric}: Steps): Ends {
    const errorOf = this.#errors(steps);
    let [best, least] = [all, errorOf(all)];
    const tryAll = (candidates: readonly Ends[]) => {
      for (const each of candidates) {
        if ((each[1] - each[0]) / steps < 2 * this.#width) continue;
        const error = errorOf(each);
        if (error < least) [best, least] = [each, error];
      }
    };
    // Both ends together; again from the smallest share if that is best, as where few values are far from all others.
    const sharesOf = ([low, high]: Ends) => SHARES.map(share => [low * share, high * share] as const);
    for (let smallest = all; best === smallest;) {
      const candidates = sharesOf(smallest);
      tryAll(candidates);
      smallest = candidates.at(-1)!;
    }
    if (symmetric || all[0] === 0 || all[1] === 0) return best;
    // Then each by itself around what was found.
    for (let round = 0; round < 2; ++round) {
      tryAll(SHARES.map(share => [all[0] * share, best[1]]));
      tryAll(SHARES.map(share => [best[0], all[1] * share]));
    }
    return best === all ? all : offHalf(best, steps);
  }

  /** The counts of no more than so many bins of one width, from the lowest value to the highest. */
  bins(atMost: number): {from: number; width: number; counts: number[]} {
    if (this.max < this.min) return {from: 0, width: 0, counts: []};
    const [first, last] = [this.#bin(this.min), this.#bin(this.max)];
    const joined = Math.ceil((last - first + 1) / atMost);
    const counts = Array.from({length: Math.ceil((last - first + 1) / joined)}, (_, i) => {
      const start = first + i * joined;
      return this.#counts.subarray(start, Math.min(start + joined, last + 1)).reduce((sum, count) => sum + count, 0);
    });
    return {from: (first - BINS / 2) * this.#width, width: joined * this.#width, counts};
  }

  /** By how much a grid of so many steps on a range moves the values: the sum of the squares. */
  squaredError(range: Ends, steps: number): number {
    return this.#errors(steps)(range);
  }

  #errors(steps: number): (range: Ends) => number {
    const counts = this.#counts.filter(count => count > 0);
    const means = this.#sums.filter((_, bin) => this.#counts[bin]! > 0).map((sum, i) => sum / counts[i]!);
    return range => squaredError(means, counts, range, steps);
  }

  #note(values: ArrayLike<number>): void {
    for (let i = 0; this.#distinct && i < Math.min(values.length, LOOKED_AT); ++i) {
      if (Number.isFinite(values[i])) this.#distinct.add(values[i]!);
      if (this.#distinct.size > FEW) this.#distinct = undefined;
    }
  }

  #bin(value: number): number {
    return Math.min(BINS - 1, Math.max(0, Math.floor(value / (this.#width || 1)) + BINS / 2));
  }

  #center(bin: number): number {
    return (bin - BINS / 2 + 0.5) * this.#width;
  }

  /** Doubles the width until `extent` lies inside. */
  #fit(extent: number): void {
    if (this.#width === 0 && extent > 0) this.#width = (2 * extent) / (BINS - 2) || Number.MIN_VALUE;
    while (extent > (this.#width * BINS) / 2) {
      [this.#counts, this.#sums] = [halved(this.#counts), halved(this.#sums)];
      this.#width *= 2;
    }
  }
}

/** Bins twice as wide. */
function halved(bins: Float64Array) {
  const wider = new Float64Array(BINS);
  bins.forEach((value, i) => (wider[Math.floor((i - BINS / 2) / 2) + BINS / 2]! += value));
  return wider;
}

/** Shares of a range that are tried. */
const SHARES = Array.from({length: 79}, (_, i) => 1 - (i + 1) / 80);

/** The range; where 0 lies half-way between two levels, moved so that it is one: float32 may choose the worse of the two. */
function offHalf(range: Ends, steps: number): Ends {
  const {step, zero} = gridOf(range, steps);
  const isHalfWay = Math.abs(Math.abs(-range[0] / step - zero) - 0.5) < doubtOf(steps);
  return isHalfWay ? [-zero * step, (steps - zero) * step] : range;
}

function gridOf([low, high]: Ends, steps: number) {
  const step = (high - low) / steps;
  return {step, zero: Math.round(-low / step)};
}

function squaredError(means: Float64Array, counts: Float64Array, range: Ends, steps: number): number {
  const {step, zero} = gridOf(range, steps);
  let sum = 0;
  for (let i = 0; i < means.length; ++i) {
    const mean = means[i]!;
    const level = Math.min(steps - zero, Math.max(-zero, Math.round(mean / step)));
    sum += counts[i]! * (level * step - mean) ** 2;
  }
  return sum;
}
