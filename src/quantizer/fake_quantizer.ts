/** A fake quantizer with a memory: measures what passes, moves its range, rounds; the range stays on the GPU. */
import {clone, dispose, keep, tensor, type Tensor, tidy, type Variable} from '@tensorflow/tfjs-core';
import {checkOptions} from '../check/options';
import {flag, invalid, isFinite32, must, type Rule, type Rules, shownAll, throwProblems} from '../check/rules';
import {checkAxis, floatTensor} from '../check/tensors';
// Wherever something rounds, the ops and their gradients are there.
import {besides} from './gradients';
import {LearnedRange} from './learned_range';
import {MovingRange} from './moving_range';
import {checkedOptions, type FakeQuantizerOptions, type Observer, type QuantizerOptions} from './options';
import {
  type NewCell,
  type QuantizerRange,
  type RangeKind,
  type RangeMemory,
  type RangeSnapshot,
  variableCell,
} from './range';

/** The kind of range that each observer asks for. */
const KINDS: Readonly<Record<Observer, RangeKind>> = {
  movingAverage: MovingRange,
  lastValue: MovingRange,
  allValues: MovingRange,
  learned: LearnedRange,
};

const ENDS: Rule = must(
  'a finite number, or an array of them',
  (value: unknown) => isFinite32(value) || (Array.isArray(value) && value.length > 0 && value.every(isFinite32)),
  shownAll,
);

const WEIGHT: Rule = must(
  'above 0 and no more than 1',
  (value: number) => isFinite32(value) && value > 0 && value <= 1,
);

const MODE: Rules<{training?: boolean}> = {training: flag};

const unset: string[] = [];

/** One warning for all the quantizers that a prediction passes. */
function warnUnset(name: string): void {
  if (unset.push(name) > 1) return;
  queueMicrotask(() => {
    const names = unset.splice(0);
    const shown = names.slice(0, 5).join(', ') + (names.length > 5 ? ', …' : '');
    console.warn(
      `tfjs-quantization: ${names.length} ranges are not set yet, so values passed unquantized (${shown}). ` +
        'Train a step, or call calibrate(model, samples) first.',
    );
  });
}

/**
 * Rounds tensors to a grid whose range follows what it sees. For code of tf-core; the layers of `quantizeModel` are built
 * on it.
 *
 * @example
 * ```js
 * import * as tf from '@tensorflow/tfjs';
 * import {FakeQuantizer} from 'tfjs-quantization/qat';
 *
 * const quantizer = new FakeQuantizer({numBits: 2});
 * const x = tf.tensor([-0.5, 0.3, 1]);
 * // Measures x, moves the range, rounds: in one kernel.
 * const y = quantizer.apply(x, {training: true});
 * y.print(); // [-0.5, 0.5, 1]
 * const [min, max] = quantizer.range();
 * quantizer.dispose();
 * ```
 */
export class FakeQuantizer {
  /** Whether values are rounded; else they pass as they are. */
  quantizing = true;
  /** While set, sees every value that passes, and the values pass unquantized: for calibration. */
  watcher: ((x: Tensor) => void) | undefined;

  readonly #options: QuantizerOptions;
  readonly #initial: readonly [number, number] | undefined;
  readonly #name: string;
  /** Made for the first tensor that comes, as that tells the number of channels. */
  #range: QuantizerRange | undefined;
  /** How many channels have a range each, once that is known. */
  #channels: number | undefined;
  #observing = true;
  #warned = false;
  #disposed = false;

  /**
   * @param options - the grid and the observer.
   * @throws if an option is out of its limits.
   */
  constructor(options: FakeQuantizerOptions = {}) {
    this.#options = checkedOptions(options);
    this.#initial = options.initialRange;
    this.#name = options.name ?? 'FakeQuantizer';
  }

  /** @internal One whose range lives elsewhere: in the weights of a layer. */
  static over(newCell: NewCell, options: FakeQuantizerOptions, channels?: number): FakeQuantizer {
    const quantizer = new FakeQuantizer(options);
    quantizer.#makeRange(channels, newCell);
    return quantizer;
  }

  /** Whether training moves the range. */
  get observing(): boolean {
    return this.#observing;
  }

  set observing(observing: boolean) {
    if (observing === this.#observing) return;
    this.#range?.freeze(!observing);
    this.#observing = observing;
  }

  /** Width of the grid. */
  get numBits(): number {
    return this.#options.numBits;
  }

  /** The grid and the observer, defaults filled in. */
  get options(): QuantizerOptions {
    return this.#options;
  }

  /** What warnings call the quantizer. */
  get name(): string {
    return this.#name;
  }

  /** What an optimizer has to train: the logarithm of a learned range, from the first batch on. */
  get variables(): Variable[] {
    return this.#range?.variables ?? [];
  }

  /** @internal What the range is kept in: other data, another range. */
  get cells(): readonly Tensor[] {
    return this.#range?.cells.map(cell => cell.read()) ?? [];
  }

  /** @internal Whether levels that are saved count from the low end; else from 0. */
  get countsFromLow(): boolean {
    return this.#range?.countsFromLow ?? false;
  }

  /**
   * Rounds `x`. In training the range moves first, and `x` is rounded to the moved one; NaN and infinite batches leave it
   * as it was. The gradient passes inside the range.
   *
   * @param x - float32 tensor.
   * @param mode - `training`: whether `x` is measured.
   * @returns a tensor of x's shape; `x` itself where nothing is to be done.
   * @throws if `x` has other channels than what came before, or the quantizer is disposed.
   */
  apply<T extends Tensor>(x: T, mode: {training?: boolean} = {}): T {
    checkOptions('FakeQuantizer.apply', mode, MODE);
    return tidy(() => this.#apply(floatTensor('FakeQuantizer', 'x', x), mode.training ?? false));
  }

  #apply<T extends Tensor>(x: T, training: boolean): T {
    this.#checkAlive();
    if (this.watcher) {
      this.watcher(x);
      return x;
    }
    if (!this.quantizing && !(training && this.observing)) return this.variables.reduce(besides, x);
    if (!training && !this.isSet()) {
      this.#warn();
      return x;
    }
    return this.#rangeFor(x).apply(x, {training, quantizing: this.quantizing});
  }

  /**
   * @internal Rounds, in a prediction, what a ReLU gives of `x`, whose highest value is `relu`, in one pass. Undefined where that
   * is not what becomes of it, or where something else stands in the place of {@link apply}.
   */
  roundRelu<T extends Tensor>(x: T, relu: number): T | undefined {
    const isPlain = this.quantizing && !this.watcher && this.apply === FakeQuantizer.prototype.apply;
    return isPlain ? this.#range?.roundRelu(x, relu) : undefined;
  }

  /** Whether there is a range: given, or of at least one batch. Of one on the GPU, assigned from outside, it is assumed. */
  isSet(): boolean {
    return this.#range ? this.#range.isSet() : this.#initial !== undefined;
  }

  /**
   * [min, max], scalars or one value per channel. They are the caller's to dispose.
   *
   * @throws if there is no range yet, or the quantizer is disposed.
   */
  range(): [Tensor, Tensor] {
    this.#checkAlive();
    if (this.#range?.isSet()) return this.#range.range();
    if (this.#initial) return [tensor(this.#initial[0]), tensor(this.#initial[1])];
    throw invalid(this.#name, 'the range is not set yet. Apply it to a batch in training, or give an initialRange.');
  }

  /**
   * The range and what became of the last batches, on the host.
   *
   * @throws if the quantizer is disposed.
   */
  async snapshot(): Promise<RangeSnapshot> {
    this.#checkAlive();
    if (this.#range) return this.#range.snapshot();
    return {values: this.#initial && {min: [this.#initial[0]], max: [this.#initial[1]]}, missed: 0};
  }

  /**
   * Sets the range.
   *
   * @param min - its lower end, or one for each channel.
   * @param max - its upper end, likewise, no smaller than `min`. A learned range holds 0 and is never empty: one of 1 serves,
   * or next to nothing where no level is 0.
   * @param weight - how much of a debiased moving average it is: 1, the default, as if seen for ever.
   * @throws if the ends are not finite, or not as many as there are channels, or `min` is above `max`.
   */
  setRange(min: number | readonly number[], max: number | readonly number[], weight = 1): void {
    this.#checkAlive();
    const {low, high} = this.#checkedEnds(min, max, weight);
    const range = this.#range ?? this.#makeRange(this.#options.axis === undefined ? undefined : low.length);
    range.set(low, high, weight);
  }

  /** @internal Sets the range as if `x` were the first batch, whatever it was before, frozen or not. */
  restart(x: Tensor): void {
    tidy(() => this.#rangeFor(x).start(x));
  }

  /** @internal Keeps a copy of the range, to come back to. */
  remember(): RangeMemory {
    const cells = this.#range?.cells ?? [];
    const before = tidy(() => cells.map(cell => keep(clone(cell.read()))));
    return {
      restore: () => cells.forEach((cell, i) => void cell.write(before[i]!)),
      dispose: () => dispose(before),
    };
  }

  /** @internal Frees what is kept for predictions, until the next one. */
  forget(): void {
    this.#range?.forget();
  }

  /** Frees the range. After that the quantizer is of no use. */
  dispose(): void {
    this.forget();
    for (const cell of this.#range?.cells ?? []) cell.dispose();
    this.#range = undefined;
    this.#disposed = true;
  }

  #checkAlive(): void {
    if (this.#disposed) throw invalid(this.#name, 'it is disposed. Make a new FakeQuantizer.');
  }

  #warn(): void {
    if (this.#warned) return;
    this.#warned = true;
    warnUnset(this.#name);
  }

  #makeRange(channels: number | undefined, newCell: NewCell = variableCell): QuantizerRange {
    const options = {...this.#options, ...(this.#initial && {initialRange: this.#initial})};
    const range = new KINDS[options.observer](options, newCell, channels);
    if (!this.#observing) range.freeze(true);
    this.#channels = channels;
    return (this.#range = range);
  }

  #rangeFor(x: Tensor): QuantizerRange {
    const channels = this.#channelsIn(x);
    return this.#range ?? this.#makeRange(channels);
  }

  /** The slices of x with a range each; undefined for one range. Throws unless they are as many as there are ranges. */
  #channelsIn(x: Tensor): number | undefined {
    const {axis} = this.#options;
    if (axis === undefined) return undefined;
    const channels = x.shape[checkAxis(this.#name, x, axis)]!;
    const known = this.#channels ?? channels;
    if (channels === known) return channels;
    throw invalid(
      this.#name,
      `x must have ${known} slices along axis ${axis}, as what came before, but its shape was [${x.shape}]. ` +
        'Make a FakeQuantizer for each.',
    );
  }

  /** The ends of each channel, or of the one range. */
  #checkedEnds(min: number | readonly number[], max: number | readonly number[], weight: number) {
    const {axis} = this.#options;
    const channels = axis === undefined ? 1 : this.#channels;
    const several = Array.isArray(min) || Array.isArray(max);
    const problems = [...ENDS(min, 'min'), ...ENDS(max, 'max'), ...WEIGHT(weight, 'weight')];
    const all = (ends: number | readonly number[]) =>
      typeof ends === 'number' ? new Array<number>(channels ?? (several ? 0 : 1)).fill(ends) : ends;
    const [low, high] = [all(min), all(max)];
    if (problems.length === 0) {
      const wanted = axis === undefined ? 'one range' : `a range for each slice of axis ${axis}`;
      if (axis !== undefined && channels === undefined && (typeof min === 'number' || typeof max === 'number')) {
        problems.push(`there is ${wanted}, and it is not known yet how many: give min and max as arrays.`);
      } else if (low.length !== high.length || (channels !== undefined && low.length !== channels)) {
        const known = channels === undefined ? '' : `, ${channels} in all`;
        problems.push(`there is ${wanted}${known}, but min was ${shownAll(min)} and max ${shownAll(max)}.`);
      } else if (low.some((end, i) => end > high[i]!)) {
        problems.push(
          `min has to be no larger than max, but min was ${shownAll(min)} and max ${shownAll(max)}. Swap them.`,
        );
      }
    }
    throwProblems(`${this.#name}.setRange`, problems);
    return {low, high};
  }
}
