/**
 * A histogram that grows with what it sees, batch by batch, and the ranges that fit it. Calibration's own search for the least
 * squared error: the values are gone by then, and their counts are few enough to try each range on all.
 */

import {BINS, binsOf, countIn} from '../../kernels/histogram';
import {OrderedValues} from './ordered_values';
import {doubtOf, type Steps} from './ties';

/** How many distinct values are remembered: those of pixels, with a scaling for each channel. */
const FEW = 1024;

/** A range of fewer bins is not known well enough. */
const ENOUGH_BINS = 64;

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

/** Counts of values in bins from 0 on, either way, whose width doubles as values reach further. */
export class Histogram {
  min = Infinity;
  max = -Infinity;
  #bins: Summed = {width: 0, from: 0, counts: new Float64Array()};
  #distinct: DistinctValues | undefined = new DistinctValues();
  /** The counts in order, and sums of them; until values are added. */
  #values: OrderedValues | undefined;

  /** Adds what is finite. */
  add(values: ArrayLike<number>): void {
    let [low, high, finite] = [Infinity, -Infinity, 0];
    for (let i = 0; i < values.length; ++i) {
      const value = values[i]!;
      if (!Number.isFinite(value)) continue;
      finite++;
      if (value < low) low = value;
      if (value > high) high = value;
    }
    if (finite === 0) return;
    const counts = new Int32Array(BINS);
    countIn(counts, finite === values.length ? values : Array.from(values).filter(Number.isFinite), binsOf(low, high));
    this.addExtremes(low, high);
    this.addCounts(low, high, counts);
    this.note(values);
  }

  /** Adds the extremes of a batch. */
  addExtremes(low: number, high: number): void {
    this.#values = undefined;
    this.min = Math.min(this.min, low);
    this.max = Math.max(this.max, high);
  }

  /** Adds the counts of a batch's bins about its extremes. */
  addCounts(low: number, high: number, counts: ArrayLike<number>): void {
    this.#values = undefined;
    const {width, below} = binsOf(low, high);
    this.#bins = withCounts(this.#bins, {width, from: -below, counts});
  }

  /** Looks at values for what is distinct among them. */
  note(values: ArrayLike<number>): void {
    if (this.#distinct?.add(values) === false) this.#distinct = undefined;
  }

  /** Whether more values may still be few distinct ones. */
  get mayBeFew(): boolean {
    return this.#distinct !== undefined;
  }

  /** The distinct values, if they are few, as those of pixels are; else nothing. */
  get distinct(): ReadonlySet<number> {
    return this.#distinct?.all ?? new Set();
  }

  /** The extremes. */
  minMax(): [number, number] {
    return [this.min, this.max];
  }

  /** The range that leaves out as much on either side, `percent` of all values staying in. */
  percentileRange(percent: number): [number, number] {
    const {width, from, counts} = this.#bins;
    const filled = filledOf(counts);
    const cut = (filled.reduce((sum, i) => sum + counts[i]!, 0) * (100 - percent)) / 200;
    const edge = (order: readonly number[]) => {
      let passed = 0;
      return from + (order.find(i => (passed += counts[i]!) > cut) ?? order.at(-1)!);
    };
    const [low, high] = [edge(filled), edge([...filled].reverse())];
    return [Math.max(this.min, low * width), Math.min(this.max, (high + 1) * width)];
  }

  /**
   * The range within `all` on which a grid of so many steps moves the values least, in the mean square; `all` unless another
   * is better.
   * In what is found 0 is not half-way between two levels, as in [-a, a], where the last bit of float32 would choose the grid.
   */
  mseRange(all: Ends, {steps, symmetric}: Steps): Ends {
    const errorOf = this.#errors(steps);
    let [best, least] = [all, errorOf(all)];
    const tryAll = (candidates: readonly Ends[]) => {
      for (const each of candidates) {
        if (each[1] - each[0] < ENOUGH_BINS * this.#bins.width) continue;
        const error = errorOf(each, least);
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
    const {width, from, counts} = this.#bins;
    const filled = filledOf(counts);
    if (filled.length === 0) return {from: 0, width: 0, counts: []};
    const [first, last] = [filled[0]!, filled.at(-1)!];
    const joined = Math.ceil((last - first + 1) / atMost);
    const sums = new Array<number>(Math.ceil((last - first + 1) / joined)).fill(0);
    for (const i of filled) sums[Math.floor((i - first) / joined)]! += counts[i]!;
    return {from: (from + first) * width, width: joined * width, counts: sums};
  }

  /** By how much a grid of so many steps on a range moves the values: the sum of the squares. */
  squaredError(range: Ends, steps: number): number {
    return this.#errors(steps)(range);
  }

  /** Less than all of an error may be told where it is `enough` or more. */
  #errors(steps: number): (range: Ends, enough?: number) => number {
    const values = (this.#values ??= this.#ordered());
    return (range, enough) => {
      const {step, zero} = gridOf(range, steps);
      // Where bins are as wide as steps, a value lies anywhere between two levels.
      const isFine = step < 2 * this.#bins.width;
      return isFine ? values.errorOfFine(step, -zero, steps - zero) : values.error(step, -zero, steps - zero, enough);
    };
  }

  #ordered(): OrderedValues {
    const {width, from, counts} = this.#bins;
    // What stands for the values of a bin: 0 where it is among them, as often it comes most; else the middle.
    const valueIn = (bin: number) => (bin === 0 ? 0 : Math.min(this.max, Math.max(this.min, (bin + 0.5) * width)));
    const filled = filledOf(counts);
    const [values, times] = [new Float64Array(filled.length), new Float64Array(filled.length)];
    for (let k = 0; k < filled.length; ++k) {
      values[k] = valueIn(from + filled[k]!);
      times[k] = counts[filled[k]!]!;
    }
    return new OrderedValues(values, times);
  }
}

/** Few distinct values among many. */
class DistinctValues {
  readonly all = new Set<number>();
  /** The last value that came to each place: most of those that came before are known by it, as a set takes ten times as long. */
  #known: Float32Array | undefined;

  /** Adds the finite ones; gives whether they are still few. */
  add(values: ArrayLike<number>): boolean {
    const known = (this.#known ??= new Float32Array(2 ** PLACE_BITS).fill(NaN));
    for (let i = 0; i < values.length; i += i < LOOKED_AT.all ? 1 : LOOKED_AT.oneOf) {
      const value = values[i]!;
      const place = placeOf(value);
      if (known[place] === value || !Number.isFinite(value)) continue;
      known[place] = value;
      this.all.add(value);
      if (this.all.size > FEW) return false;
    }
    return true;
  }
}

/** Of those added at once so many are looked at, and one of so many of the others: a prime, as rows and pixels repeat. */
const LOOKED_AT = {all: 2 ** 18, oneOf: 17};

const PLACE_BITS = 12;
const FLOAT = new Float32Array(1);
const BITS = new Uint32Array(FLOAT.buffer);

/** The upper bits of a product with 2 ** 32 by the golden ratio, which values close to each other have apart. */
function placeOf(value: number): number {
  FLOAT[0] = value;
  return Math.imul(BITS[0]!, 0x9e3779b1) >>> (32 - PLACE_BITS);
}

/** How many values there are in each of some bins, whose width is a power of two, so that two make one of twice the width. */
interface Counted {
  readonly width: number;
  /** The first bin begins at so many times the width. */
  readonly from: number;
  readonly counts: ArrayLike<number>;
}

/** Where bins come to lie once they are as wide as `width`: from the first of those, up to the last. */
function spanAt(width: number, {width: narrow, from, counts}: Counted): [from: number, to: number] {
  const bins = narrow / width;
  return [Math.floor(from * bins), Math.ceil((from + counts.length) * bins)];
}

/** Counts that more can be added to. */
interface Summed extends Counted {
  readonly counts: Float64Array;
}

/** The sums, which may be empty, and more: in place, if there is room. */
function withCounts(sums: Summed, more: Counted): Summed {
  const isEmpty = sums.counts.length === 0;
  const width = isEmpty ? more.width : Math.max(sums.width, more.width);
  const [moreFrom, moreTo] = spanAt(width, more);
  const [from, to] = isEmpty ? [moreFrom, moreTo] : spanAt(width, sums);
  const [start, end] = [Math.min(from, moreFrom), Math.max(to, moreTo)];
  const hasRoom = sums.width === width && start === from && end === to;
  const all = hasRoom ? sums : {width, from: start, counts: new Float64Array(end - start)};
  if (!hasRoom) addTo(all, sums);
  addTo(all, more);
  return all;
}

/** Adds counts to those of bins that hold them. */
function addTo(all: Summed, {width, from, counts}: Counted): void {
  const bins = width / all.width;
  for (let i = 0; i < counts.length; ++i) {
    const count = counts[i]!;
    if (count > 0) all.counts[Math.floor((from + i) * bins) - all.from]! += count;
  }
}

/** The places of bins that are not empty. */
function filledOf(counts: ArrayLike<number>): number[] {
  const filled: number[] = [];
  for (let i = 0; i < counts.length; ++i) if (counts[i]! > 0) filled.push(i);
  return filled;
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
