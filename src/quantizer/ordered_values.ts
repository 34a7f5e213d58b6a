/**
 * Values in order, with the sums of all before each: by how much a grid moves them takes a few steps for each of its levels, however
 * many values there are.
 */
export class OrderedValues {
  readonly #values: Float64Array;
  /** How many there are before each, their sum and that of their squares; the last are of all. */
  readonly #counts: Float64Array;
  readonly #sums: Float64Array;
  readonly #squares: Float64Array;

  /** `values` ascend, and are finite; `counts` says how often each is there, once each if it is left out. */
  constructor(values: Float64Array, counts?: Float64Array) {
    const sumsBefore = () => new Float64Array(values.length + 1);
    const [before, sums, squares] = [sumsBefore(), sumsBefore(), sumsBefore()];
    for (let i = 0; i < values.length; ++i) {
      const [value, count] = [values[i]!, counts?.[i] ?? 1];
      before[i + 1] = before[i]! + count;
      sums[i + 1] = sums[i]! + value * count;
      squares[i + 1] = squares[i]! + value * value * count;
    }
    this.#values = values;
    this.#counts = before;
    this.#sums = sums;
    this.#squares = squares;
  }

  /**
   * By how much the levels from `lowest` to `highest` of a scale, one apart each, move the values: the sum of the squares. Where it
   * is `enough` or more, less of it may be told.
   */
  error(scale: number, lowest: number, highest: number, enough = Infinity): number {
    const values = this.#values;
    // Of a grid without a level at 0.
    const half = lowest - Math.floor(lowest);
    const first = this.#firstFrom((lowest + 0.5) * scale, 0);
    const last = this.#firstFrom((highest - 0.5) * scale, first);
    // What lies beyond the ends before the rest: of a range that is too narrow it is enough by itself.
    let error = this.#errorAt(lowest * scale, 0, first) + this.#errorAt(highest * scale, last, values.length);
    for (let from = first; from < last && error < enough;) {
      const level = Math.min(highest, Math.max(lowest, Math.round(values[from]! / scale - half) + half));
      const to = Math.min(last, this.#firstFrom((level + 0.5) * scale, from + 1));
      error += this.#errorAt(level * scale, from, to);
      from = to;
    }
    return error;
  }

  /** The same where nobody knows where between two levels a value lies. */
  errorOfFine(scale: number, lowest: number, highest: number): number {
    const from = this.#firstFrom((lowest - 0.5) * scale, 0);
    const to = this.#firstFrom((highest + 0.5) * scale, from);
    const inside = (this.#counts[to]! - this.#counts[from]!) * (scale ** 2 / 12);
    const {length} = this.#values;
    return this.#errorAt(lowest * scale, 0, from) + inside + this.#errorAt(highest * scale, to, length);
  }

  #errorAt(value: number, from: number, to: number): number {
    const between = (sums: Float64Array) => sums[to]! - sums[from]!;
    return between(this.#squares) + value * (value * between(this.#counts) - 2 * between(this.#sums));
  }

  /** The first index, of `start` or later, of a value that is not below `bound`; near `start`, in few steps. */
  #firstFrom(bound: number, start: number): number {
    const values = this.#values;
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
}
