/**
 * A histogram that grows with what it sees, batch by batch, and the ranges that fit it. Calibration's own search for the least
 * squared error: the values are gone by then, and their counts are few enough to try each range on all.
 */

const BINS = 4096;

/** How many distinct values are remembered: those of pixels, with a scaling for each channel. */
const FEW = 1024;
/** How many values of those added at once are looked at for it. */
const LOOKED_AT = 2 ** 18;

/** Which range represents values best. */
export type CalibrationMethod = 'minMax' | 'percentile' | 'mse';

/** Counts of values in bins around 0, whose width doubles when a value lies outside. */
export class Histogram {
  min = Infinity;
  max = -Infinity;
  #counts = new Float64Array(BINS);
  /** The first bins to be made are as wide as the first values need. */
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
      if (Number.isFinite(value)) this.#counts[this.#bin(value)]!++;
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

  /** The range on which a grid of so many steps moves the values least, in the mean square. */
  mseRange(steps: number): [number, number] {
    const [low, high] = [Math.min(this.min, 0), Math.max(this.max, 0)];
    const values = this.#values();
    const error = (from: number, to: number) => squaredError(values, from, to, steps);
    let best = [low, high] as [number, number];
    // Both ends together, then each by itself around what was found.
    const try_ = (candidates: [number, number][]) => {
      for (const each of candidates) if (each[1] > each[0] && error(...each) < error(...best)) best = each;
    };
    try_(SHRINKS.map(shrink => [low * shrink, high * shrink]));
    for (let round = 0; round < 2; ++round) {
      try_(SHRINKS.map(shrink => [low * shrink, best[1]]));
      try_(SHRINKS.map(shrink => [best[0], high * shrink]));
    }
    return best;
  }

  /** The squared error of all values together on a grid of so many steps. */
  errorOn([low, high]: readonly [number, number], steps: number): number {
    return squaredError(this.#values(), low, high, steps);
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

  /** Values in the middle of their bins, and how many there are of each. */
  #values(): (readonly [number, number])[] {
    const filled = [...this.#counts.entries()].filter(([, count]) => count > 0);
    return filled.map(([bin, count]) => [this.#center(bin), count] as const);
  }

  #note(values: ArrayLike<number>): void {
    for (let i = 0; this.#distinct && i < Math.min(values.length, LOOKED_AT); ++i) {
      if (Number.isFinite(values[i])) this.#distinct.add(values[i]!);
      if (this.#distinct.size > FEW) this.#distinct = undefined;
    }
  }

  #bin(value: number): number {
    return Math.min(BINS - 1, Math.max(0, Math.floor(value / this.#width) + BINS / 2));
  }

  #center(bin: number): number {
    return (bin - BINS / 2 + 0.5) * this.#width;
  }

  /** Doubles the width until `extent` lies inside. */
  #fit(extent: number): void {
    if (this.#width === 0) this.#width = (2 * extent) / (BINS - 2) || Number.MIN_VALUE;
    while (extent > (this.#width * BINS) / 2) {
      const wider = new Float64Array(BINS);
      this.#counts.forEach((count, i) => (wider[Math.floor((i - BINS / 2) / 2) + BINS / 2]! += count));
      this.#counts = wider;
      this.#width *= 2;
    }
  }
}

const SHRINKS = Array.from({length: 80}, (_, i) => 1 - i / 80);

function squaredError(
  values: readonly (readonly [number, number])[],
  low: number,
  high: number,
  steps: number,
): number {
  const step = (high - low) / steps;
  const zero = Math.round(-low / step);
  let sum = 0;
  for (const [value, count] of values) {
    const level = Math.min(steps, Math.max(0, Math.round(value / step) + zero));
    sum += count * ((level - zero) * step - value) ** 2;
  }
  return sum;
}
