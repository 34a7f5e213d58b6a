/** A range that follows the batches: measured, moved and rounded to on the device, in one kernel. */
import {
  clone,
  concat,
  greater,
  max,
  slice,
  type Tensor,
  tensor,
  tidy,
  unstack,
  type Variable,
  where,
} from '@tensorflow/tfjs-core';
import type {MovingObserver} from '../../kernels/observe';
import {checkAxis} from '../check/tensors';
import {fakeQuantWithMovingRange, fakeQuantWithRange, type MovingRangeOptions, reluWithRange} from '../ops/training';
import {Derived} from './derived';
import {Known} from './known';
import {
  type Cell,
  type NewCell,
  type QuantizerRange,
  type RangeMode,
  type RangeOptions,
  type RangeSnapshot,
  stepsOf,
} from './range';
import {keepsOffTies, offHalfWay} from './ties';
import {atPowerOfTwo} from './power_of_two';

/** The weight of a range when it was last given from outside, and the batches since. */
interface Seen {
  readonly weight: number;
  readonly batches: number;
}

/** A range of what was measured: moved by an average, by the last batch, by all batches so far. */
export class MovingRange implements QuantizerRange {
  readonly cells: readonly [Cell];
  readonly variables: Variable[] = [];
  readonly countsFromLow = false;

  readonly #options: RangeOptions;
  readonly #channels: number | undefined;
  readonly #seen = new Known<Seen>();
  /** What is rounded to, where that is not the range itself. */
  readonly #rounded = new Derived();
  #isFrozen = false;

  constructor(options: RangeOptions, newCell: NewCell, channels: number | undefined) {
    this.#options = options;
    this.#channels = channels;
    this.cells = [newCell('range', channels === undefined ? [3] : [3, channels], false)];
    if (options.initialRange) this.#reset();
  }

  apply<T extends Tensor>(x: T, {training, quantizing}: RangeMode): T {
    if (training && !this.#isFrozen) {
      const rounded = this.#move(x);
      return quantizing ? rounded : x;
    }
    return this.isSet() ? this.#round(x) : x;
  }

  roundRelu<T extends Tensor>(x: T, relu: number): T | undefined {
    const {numBits, narrowRange, axis} = this.#options;
    if (axis !== undefined || !this.#isKnownSet || !this.isSet()) return undefined;
    return reluWithRange(x, this.#rangeToUse(), {numBits, narrowRange, relu});
  }

  start(x: Tensor): void {
    this.#reset();
    this.#move(x);
  }

  isSet(): boolean {
    if (this.#cell.alwaysSet) return true;
    const seen = this.#seenBy(this.#cell.read());
    return !seen || seen.weight > 0 || seen.batches > 0;
  }

  range(): [Tensor, Tensor] {
    return tidy(() => {
      const [low, high] = unstack(this.#used(this.#cell.read()));
      return [low!, high!];
    });
  }

  async snapshot(): Promise<RangeSnapshot> {
    const range = tidy(() => clone(this.#usedAndWeight(this.#cell.read())));
    try {
      return this.#snapshotOf(Array.from(await range.data()));
    } finally {
      range.dispose();
    }
  }

  set(min: readonly number[], max: readonly number[], weight: number): void {
    const rows = [...min, ...max, ...min.map(() => weight)];
    const range = tensor(rows, this.#channels === undefined ? [3] : [3, this.#channels]);
    try {
      this.#cell.write(range);
    } finally {
      range.dispose();
    }
  }

  freeze(frozen: boolean): void {
    this.#isFrozen = frozen;
  }

  forget(): void {
    this.#rounded.forget();
  }

  /** Rows of lows, of highs and of the weight of what was seen, [3] or [3, channels]. */
  get #cell(): Cell {
    return this.cells[0];
  }

  /** Sets the range to what it was before any batch. */
  #reset(): void {
    const {initialRange = [0, 0]} = this.#options;
    const [low, high] = initialRange.map(end => new Array<number>(this.#channels ?? 1).fill(end));
    this.set(low!, high!, this.#options.initialRange ? 1 : 0);
  }

  #move<T extends Tensor>(x: T): T {
    const before = this.#cell.read();
    const seen = this.#cell.alwaysSet ? undefined : (this.#seenBy(before) ?? {weight: 1, batches: 0});
    // A step of training rounds on the range as it was measured: which way ties go matters to nobody there.
    const [rounded, moved] = fakeQuantWithMovingRange(x, before, this.#attrs(x));
    this.#cell.write(moved);
    if (seen) this.#seen.note(moved, {...seen, batches: seen.batches + 1});
    return this.#options.powerOfTwo ? this.#round(x) : rounded;
  }

  /** Rounds to the range as it is. Where that may not be set yet, which the device knows, values may pass. */
  #round<T extends Tensor>(x: T): T {
    const rounded = fakeQuantWithRange(x, this.#rangeToUse(), this.#attrs(x));
    if (this.#isKnownSet) return rounded;
    const weights = unstack(this.#cell.read())[2]!;
    return where<T>(greater(max(weights), 0), rounded, x);
  }

  /** Whether {@link isSet} is sure. */
  get #isKnownSet(): boolean {
    return this.#cell.alwaysSet === true || this.#seenBy(this.#cell.read()) !== undefined;
  }

  /** The range that is rounded to, found once for predictions. */
  #rangeToUse(): Tensor {
    const range = this.#cell.read();
    if (this.#isRangeUsed) return range;
    return this.#rounded.of(
      () => [range],
      () => this.#used(range),
    );
  }

  #attrs(x: Tensor): MovingRangeOptions {
    const {numBits, symmetric, narrowRange, decay, debias, axis} = this.#options;
    const observer = this.#options.observer as MovingObserver;
    const options = {numBits, symmetric, narrowRange, observer, decay, debias};
    return axis === undefined ? options : {...options, axis: checkAxis('FakeQuantizer', x, axis)};
  }

  #seenBy(range: Tensor): Seen | undefined {
    return this.#seen.of(range, values => ({weight: values[values.length - 1]!, batches: 0}));
  }

  get #isRangeUsed(): boolean {
    return !this.#options.powerOfTwo && !keepsOffTies(this.#options);
  }

  /** The range that is rounded to; its ends alone count. */
  #used(range: Tensor): Tensor {
    if (this.#options.powerOfTwo) return atPowerOfTwo(range, this.#options.numBits);
    return keepsOffTies(this.#options) ? offHalfWay(range, stepsOf(this.#options)) : range;
  }

  /** The same with the weight of what was seen. */
  #usedAndWeight(range: Tensor): Tensor {
    if (this.#isRangeUsed) return range;
    return concat([slice(this.#used(range), 0, 2), slice(range, 2, 1)]);
  }

  #snapshotOf(rows: readonly number[]): RangeSnapshot {
    const channels = rows.length / 3;
    const weight = rows[2 * channels]!;
    if (!(weight > 0)) return {values: undefined, missed: this.#seen.last?.batches ?? 0};
    const values = {min: rows.slice(0, channels), max: rows.slice(channels, 2 * channels)};
    return {values, missed: this.#cell.alwaysSet ? 0 : this.#missed(weight)};
  }

  /** How many batches since the range was given did not add to its weight, until that is as good as 1. */
  #missed(reached: number): number {
    const seen = this.#seen.last;
    if (!seen) return 0;
    const {weight, batches} = seen;
    const rate = Math.fround(1 - this.#options.decay);
    const next = (from: number) => Math.fround(from + Math.fround(Math.fround(1 - from) * rate));
    let [expected, measured] = [weight, 0];
    while (expected < reached && measured < batches) {
      expected = next(expected);
      measured++;
    }
    return next(expected) > expected ? batches - measured : 0;
  }
}
