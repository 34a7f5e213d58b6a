/** A fake quantizer with a memory: measures what passes, moves its range, rounds; the range stays on the GPU. */
import {
  clone,
  engine,
  greater,
  max,
  onesLike,
  stack,
  tensor,
  type Tensor,
  tidy,
  unstack,
  variable,
  type Variable,
  where,
} from '@tensorflow/tfjs-core';
import type {Observer} from '../../kernels/observe';
import {checkAxis, checkNumberRange, checkNumBits, floatTensor, invalid} from '../check';
import {fakeQuantWithMovingRange, fakeQuantWithRange, initialRange, type MovingRangeOptions} from '../range';

export type {Observer};

/** How a {@link FakeQuantizer} measures and rounds. */
export interface FakeQuantizerOptions {
  /** Width of the grid, 2 to 16 bits; 8 by default. */
  numBits?: number;
  /** Keeps the range symmetric about 0; else it merely holds 0. */
  symmetric?: boolean;
  /** Leaves out the lowest level, so that a symmetric range has as many levels on either side of 0. */
  narrowRange?: boolean;
  /** The dimension with a range for each of its slices; left out for one range. */
  axis?: number;
  /** How the range follows the batches; 'movingAverage' by default. */
  observer?: Observer;
  /** How much of a moving average stays from one batch to the next; 0.99 by default. */
  decay?: number;
  /** Averages over the batches seen only, so that the first one sets the range; true by default. */
  debias?: boolean;
  /** The range before any batch. Without it, values pass through unquantized until there is one. */
  initialRange?: readonly [min: number, max: number];
  /** What the quantizer is called in warnings. */
  name?: string;
}

/** Where a range lives: rows of lows, of highs and of the weight of what was seen, [3] or [3, channels]. */
export interface RangeStore {
  read(): Tensor;
  write(range: Tensor): unknown;
  dispose(): void;
  /** Says that there is a range from the start, whatever its weight. */
  readonly alwaysSet?: boolean;
}

/** What a quantizer knows at a time. */
export interface RangeSnapshot {
  /** Undefined if there is no range yet. */
  readonly values: RangeValues | undefined;
  /** How many of the last batches were NaN or infinite, and so left the range as it was. */
  readonly missed: number;
}

/** A range on the host: one number per channel. */
export interface RangeValues {
  readonly min: readonly number[];
  readonly max: readonly number[];
}

function checkedOptions(options: FakeQuantizerOptions): MovingRangeOptions {
  const {numBits = 8, symmetric = false, narrowRange = false, axis} = options;
  const {observer = 'movingAverage', decay = 0.99, debias = true} = options;
  checkNumBits('FakeQuantizer', numBits);
  if (!(decay >= 0 && decay < 1)) throw invalid('FakeQuantizer', `decay must be in [0, 1), but was ${String(decay)}.`);
  return {numBits, symmetric, narrowRange, observer, decay, debias, ...(axis !== undefined && {axis})};
}

/** A range that was given, with the weight that it has against the batches to come. */
function givenRange(min: readonly number[], max: readonly number[], perChannel: boolean, weight = 1): Tensor {
  const rows = [...min, ...max, ...min.map(() => weight)];
  return tensor(rows, perChannel ? [3, min.length] : [3]);
}

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

function variableStore(initial: Tensor): RangeStore {
  const range: Variable = tidy(() => variable(initial, false));
  initial.dispose();
  return {read: () => range, write: value => range.assign(value), dispose: () => range.dispose()};
}

/**
 * Rounds tensors to a grid whose range follows what it sees. For code of tf-core; the layers of `quantizeModel` are built
 * on it.
 *
 * @example
 * ```ts
 * const quantizer = new FakeQuantizer({numBits: 4});
 * const y = quantizer.apply(x, {training: true}); // measures x, moves the range, rounds: in one kernel
 * const [min, max] = quantizer.range();
 * ```
 */
export class FakeQuantizer {
  /** Whether training moves the range. */
  observing = true;
  /** Whether values are rounded; else they pass as they are. */
  quantizing = true;
  /** While set, sees every value that passes, and the values pass unquantized: for calibration. */
  watcher: ((x: Tensor) => void) | undefined;

  readonly #options: MovingRangeOptions;
  readonly #initial: readonly [number, number] | undefined;
  readonly #name: string;
  #store: RangeStore | undefined;
  /** The weight of the range when its data was last written from outside, and the batches since. */
  #known: {data: object; weight: number; batches: number} | undefined;
  #warned = false;
  #disposed = false;

  /**
   * @param options - the grid and the observer.
   * @param store - where the range lives, if not in a variable of its own.
   * @throws if an option is out of its limits.
   */
  constructor(options: FakeQuantizerOptions = {}, store?: RangeStore) {
    this.#options = checkedOptions(options);
    this.#initial = options.initialRange;
    if (this.#initial) checkNumberRange('FakeQuantizer', this.#initial[0], this.#initial[1], false);
    this.#name = options.name ?? 'FakeQuantizer';
    this.#store = store;
  }

  /** Width of the grid. */
  get numBits(): number {
    return this.#options.numBits;
  }

  /** The grid and the observer, defaults filled in. */
  get options(): Readonly<MovingRangeOptions> {
    return this.#options;
  }

  /** What warnings call the quantizer. */
  get name(): string {
    return this.#name;
  }

  /**
   * Rounds `x`. In training the range moves first, and `x` is rounded to the moved one; NaN and infinite batches leave it
   * as it was. The gradient passes inside the range.
   *
   * @param x - float32 tensor.
   * @param mode - `training`: whether `x` is measured.
   * @returns a tensor of x's shape; `x` itself where nothing is to be done.
   */
  apply<T extends Tensor>(x: T, {training = false}: {training?: boolean} = {}): T {
    const input = floatTensor('FakeQuantizer', 'x', x);
    if (this.watcher) {
      this.watcher(input);
      return input;
    }
    if (training && this.observing) return this.#move(input);
    if (!this.quantizing) return input;
    if (this.isSet()) return this.#round(input);
    if (!training && !this.#warned) {
      this.#warned = true;
      warnUnset(this.#name);
    }
    return input;
  }

  /** Whether there is a range: given, or of at least one batch. Of one on the GPU, assigned from outside, it is assumed. */
  isSet(): boolean {
    if (this.#store?.alwaysSet) return true;
    if (!this.#store) return this.#initial !== undefined;
    const noted = this.#noted(this.#store.read());
    return !noted || noted.weight > 0 || noted.batches > 0;
  }

  /** [min, max], scalars or one value per channel. They are the caller's to dispose. */
  range(): [Tensor, Tensor] {
    if (!this.#store && this.#initial) return [tensor(this.#initial[0]), tensor(this.#initial[1])];
    if (!this.#store || !this.isSet()) {
      throw invalid(this.#name, 'the range is not set yet. Apply it to a batch in training, or give an initialRange.');
    }
    const store = this.#store;
    return tidy(() => {
      const [min, max] = unstack(store.read());
      return [min!, max!];
    });
  }

  /** The range and what became of the last batches, on the host. */
  async snapshot(): Promise<RangeSnapshot> {
    const range = tidy(() => this.#store && clone(this.#store.read()));
    const data = await range?.data();
    range?.dispose();
    return this.#snapshotOf(data);
  }

  /** As {@link snapshot}, waiting for the device. On WebGPU tfjs reads so by way of a canvas: slowly, where at all. */
  snapshotSync(): RangeSnapshot {
    return this.#snapshotOf(tidy(() => this.#store?.read().dataSync()));
  }

  /**
   * Sets the range.
   *
   * @param min - its lower end, or one for each channel.
   * @param max - its upper end, likewise.
   * @param weight - how much of a debiased moving average it is: 1, the default, as if seen for ever.
   */
  setRange(min: number | readonly number[], max: number | readonly number[], weight = 1): void {
    const all = (end: number | readonly number[]) => (typeof end === 'number' ? [end] : end);
    const range = givenRange(all(min), all(max), typeof min !== 'number', weight);
    if (!this.#store) this.#store = variableStore(range);
    else {
      this.#store.write(range);
      range.dispose();
    }
  }

  /** Stops the range from moving; values are still rounded. */
  freeze(): void {
    this.observing = false;
  }

  /** Lets the range move again. */
  unfreeze(): void {
    this.observing = true;
  }

  /** Frees the range. */
  dispose(): void {
    this.#store?.dispose();
    this.#store = undefined;
    this.#disposed = true;
  }

  #move<T extends Tensor>(x: T): T {
    const store = this.#stored(x);
    const before = store.read();
    const noted = store.alwaysSet ? undefined : (this.#noted(before) ?? {weight: 1, batches: 0});
    const [y, moved] = fakeQuantWithMovingRange(x, before, this.#attrs(x));
    store.write(moved);
    if (noted) this.#known = {...noted, data: moved.dataId, batches: noted.batches + 1};
    moved.dispose();
    if (this.quantizing) return y;
    y.dispose();
    return x;
  }

  #attrs(x: Tensor): MovingRangeOptions {
    const {axis} = this.#options;
    return axis === undefined ? this.#options : {...this.#options, axis: checkAxis(this.#name, x, axis)};
  }

  /** The store, made for the first tensor that comes, as that tells the number of channels. */
  #stored(x: Tensor): RangeStore {
    if (this.#disposed) throw invalid(this.#name, 'it is disposed. Make a new FakeQuantizer.');
    if (this.#store) return this.#store;
    const {axis} = this.#attrs(x);
    const channels = axis === undefined ? undefined : x.shape[axis]!;
    this.#store = variableStore(this.#initialRange(channels));
    return this.#store;
  }

  #initialRange(channels: number | undefined): Tensor {
    if (!this.#initial) return initialRange(channels);
    const [min, max] = this.#initial;
    const each = (value: number) => new Array<number>(channels ?? 1).fill(value);
    return givenRange(each(min), each(max), channels !== undefined);
  }

  /** Rounds to the stored range. Where that may not be set yet, which the device knows, values may pass. */
  #round<T extends Tensor>(x: T): T {
    const store = this.#stored(x);
    const range = store.read();
    const rounded = fakeQuantWithRange(x, range, this.#attrs(x));
    if (store.alwaysSet || this.#noted(range)) return rounded;
    return tidy(() => {
      const weights = unstack(range)[2]!;
      return where<T>(greater(max(weights), 0), rounded, x);
    });
  }

  /** What is known of the range without waiting for the device; what was just loaded or given is still on the host. */
  #noted(range: Tensor): {weight: number; batches: number} | undefined {
    if (this.#known?.data === range.dataId) return this.#known;
    if (!isOnHost(range)) return undefined;
    const values = range.dataSync();
    this.#known = {data: range.dataId, weight: values[values.length - 1]!, batches: 0};
    return this.#known;
  }

  #snapshotOf(data: ArrayLike<number> | undefined): RangeSnapshot {
    if (!data) return {values: this.#initial && {min: [this.#initial[0]], max: [this.#initial[1]]}, missed: 0};
    const [all, channels] = [Array.from(data), data.length / 3];
    if (!(all[2 * channels]! > 0)) return {values: undefined, missed: this.#known?.batches ?? 0};
    const values = {min: all.slice(0, channels), max: all.slice(channels, 2 * channels)};
    return {values, missed: this.#store?.alwaysSet ? 0 : this.#missed(all[2 * channels]!)};
  }

  /** How many batches since the range was given did not add to its weight, until that is as good as 1. */
  #missed(reached: number): number {
    if (!this.#known) return 0;
    const {weight, batches} = this.#known;
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

/** Whether a value is read without waiting. WebGPU reads synchronously by way of a canvas: slowly, where at all. */
function isOnHost({dataId}: Tensor): boolean {
  const {backend, backendName} = engine();
  if (backendName !== 'webgpu') return true;
  const {tensorMap} = backend as unknown as {tensorMap: {get(id: object): {values?: unknown} | undefined}};
  const held = tensorMap.get(dataId);
  return !held || held.values != null;
}

/** A range kept as two tensors, as tfmot keeps it. */
export function minMaxStore(
  min: {read(): Tensor; write(value: Tensor): unknown},
  max: {read(): Tensor; write(value: Tensor): unknown},
): RangeStore {
  return {
    alwaysSet: true,
    read: () => tidy(() => stack([min.read(), max.read(), onesLike(min.read())])),
    write: range =>
      tidy(() => {
        const [low, high] = unstack(range);
        min.write(low!);
        max.write(high!);
      }),
    dispose: () => undefined,
  };
}
