/** A fake quantizer with a memory: measures what passes, moves its range, rounds; the range stays on the GPU. */
import {
  clone,
  concat,
  dispose,
  engine,
  fill,
  greater,
  keep,
  max,
  onesLike,
  slice,
  stack,
  tensor,
  type Tensor,
  tidy,
  unstack,
  variable,
  type Variable,
  where,
} from '@tensorflow/tfjs-core';
import type {Grid} from '../../kernels/grid';
import type {MovingObserver} from '../../kernels/observe';
import {checkOptions} from '../check/options';
import {
  bits,
  flag,
  integer,
  invalid,
  isFinite32,
  must,
  oneOf,
  range,
  type Rule,
  type Rules,
  share,
  shownAll,
  text,
  throwProblems,
} from '../check/rules';
import {checkAxis, floatTensor} from '../check/tensors';
import {fakeQuantWithMovingRange, fakeQuantWithRange, initialRange, type MovingRangeOptions} from '../ops/range';
import {extremesOf, halves} from './fit_range';
import {besides, emptyCells, type LearnedCells, LearnedRange, type LearnedRangeOptions} from './learned_range';
import {offHalfWay} from './ties';

/**
 * How a range follows the batches: by a moving average, by the last batch, by all batches so far; or it is 'learned', by
 * gradient descent.
 */
export type Observer = 'movingAverage' | 'lastValue' | 'allValues' | 'learned';

/** How a {@link FakeQuantizer} measures and rounds. */
export interface FakeQuantizerOptions {
  /** Width of the grid, 2 to 16 bits; 8 by default. */
  numBits?: number;
  /** Keeps the range symmetric about 0; else, by default, it merely holds 0. */
  symmetric?: boolean;
  /** Leaves out the lowest level, so that a symmetric range has as many levels on either side of 0; false by default. */
  narrowRange?: boolean;
  /** The dimension with a range for each of its slices; left out for one range. */
  axis?: number;
  /** How the range follows the batches; 'movingAverage' by default. */
  observer?: Observer;
  /** How much of a moving average stays from one batch to the next; 0.99 by default. */
  decay?: number;
  /** Averages over the batches seen only, so that the first one sets the range; true by default. */
  debias?: boolean;
  /** Of a learned range, which is not symmetric: keeps the low end at 0, as suits what a ReLU gives; false by default. */
  nonNegative?: boolean;
  /**
   * Of a learned range: where it starts, at the first batch's extremes ('minMax', the default) or at its range of least
   * squared error ('mse').
   */
  start?: 'minMax' | 'mse';
  /** Of a learned range: how many times as fast as the optimizer moves other variables its logarithm moves; 10 by default. */
  learningRateScale?: number;
  /** The range before any batch, min below max, of each channel. Without it, values pass unquantized until there is one. */
  initialRange?: readonly [min: number, max: number];
  /**
   * Of one range that is not symmetric: predictions round on a range wider by a level where 0 lies half-way between two
   * levels, as it does for pixels in [-1, 1]. These all lie half-way between two levels, too, and integer runtimes round
   * them apart. False by default.
   */
  offTies?: boolean;
  /** What the quantizer is called in warnings and errors; 'FakeQuantizer' by default. */
  name?: string;
}

export const OBSERVER = oneOf('movingAverage', 'lastValue', 'allValues', 'learned');

export const FAKE_QUANTIZER: Rules<FakeQuantizerOptions> = {
  numBits: bits,
  symmetric: flag,
  narrowRange: flag,
  axis: integer,
  observer: OBSERVER,
  decay: share,
  debias: flag,
  nonNegative: flag,
  start: oneOf('minMax', 'mse'),
  learningRateScale: must('a finite number above 0', (value: number) => Number.isFinite(value) && value > 0),
  initialRange: range,
  offTies: flag,
  name: text,
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
  /** The grids in the numbers that training used, one per channel, if they are learned. */
  readonly learned?: readonly Grid[];
  /** How many of the ranges were learned to nothing, or to NaN, so that their last good values serve. */
  readonly collapsed?: number;
}

/** A range as it was. */
export interface RangeMemory {
  /** Sets the range to it. */
  restore(): void;
  /** Forgets it. */
  dispose(): void;
}

/** A range on the host: one number per channel. */
export interface RangeValues {
  /** The lower ends. */
  readonly min: readonly number[];
  /** The upper ends. */
  readonly max: readonly number[];
}

/** The grid and the observer, defaults filled in. */
export interface QuantizerOptions extends Readonly<
  Required<Omit<FakeQuantizerOptions, 'axis' | 'initialRange' | 'name'>>
> {
  /** The dimension with a range for each of its slices; left out for one range. */
  readonly axis?: number;
}

function checkedOptions(options: FakeQuantizerOptions): QuantizerOptions {
  checkOptions('FakeQuantizer', options, FAKE_QUANTIZER);
  const {numBits = 8, symmetric = false, narrowRange = false, axis} = options;
  const {observer = 'movingAverage', decay = 0.99, debias = true} = options;
  const {nonNegative = false, start = 'minMax', learningRateScale = 10, offTies = false} = options;
  if (nonNegative && symmetric) {
    throw invalid('FakeQuantizer', 'a symmetric range has negative values. Leave out symmetric or nonNegative.');
  }
  const moving = {observer, decay, debias};
  const learned = {nonNegative, start, learningRateScale};
  return {numBits, symmetric, narrowRange, offTies, ...moving, ...learned, ...(axis !== undefined && {axis})};
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

/** What is trained is a variable that optimizers find. */
function variableCells(options: LearnedRangeOptions, channels: number | undefined): LearnedCells {
  const {logs, grid} = emptyCells(options, channels);
  const trained = variable(logs);
  logs.dispose();
  const cell = {read: () => trained, write: (value: Tensor) => trained.assign(value), dispose: () => trained.dispose()};
  return {logs: cell, grid: variableStore(grid)};
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
  /** Whether values are rounded; else they pass as they are. */
  quantizing = true;
  /** While set, sees every value that passes, and the values pass unquantized: for calibration. */
  watcher: ((x: Tensor) => void) | undefined;

  readonly #options: QuantizerOptions;
  readonly #initial: readonly [number, number] | undefined;
  readonly #name: string;
  #store: RangeStore | undefined;
  #learned: LearnedRange | undefined;
  #observing = true;
  /** The weight of the range when its data was last written from outside, and the batches since. */
  #known: {data: object; weight: number; batches: number} | undefined;
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
  static over(store: RangeStore | LearnedCells, options: FakeQuantizerOptions): FakeQuantizer {
    const quantizer = new FakeQuantizer(options);
    if ('logs' in store) quantizer.#learned = new LearnedRange(quantizer.#options, store);
    else quantizer.#store = store;
    return quantizer;
  }

  /** Whether training moves the range. */
  get observing(): boolean {
    return this.#observing;
  }

  set observing(observing: boolean) {
    if (observing === this.#observing) return;
    if (this.#learned && this.isSet()) {
      // An optimizer's momentum moves on what is frozen: it stays as it is where it is remembered, and is set anew after.
      if (observing) this.#learned.resume();
      else tidy(() => void this.#commit(this.#learned!));
    }
    this.#observing = observing;
  }

  /** Width of the grid. */
  get numBits(): number {
    return this.#options.numBits;
  }

  /** @internal How many steps lie between the ends of a range. */
  get steps(): number {
    const {numBits, narrowRange} = this.#options;
    return 2 ** numBits - (narrowRange ? 2 : 1);
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
    return this.#learned ? [this.#learned.cells.logs.read() as Variable] : [];
  }

  /**
   * Rounds `x`. In training the range moves first, and `x` is rounded to the moved one; NaN and infinite batches leave it
   * as it was. The gradient passes inside the range.
   *
   * @param x - float32 tensor.
   * @param mode - `training`: whether `x` is measured.
   * @returns a tensor of x's shape; `x` itself where nothing is to be done.
   */
  apply<T extends Tensor>(x: T, mode: {training?: boolean} = {}): T {
    checkOptions('FakeQuantizer.apply', mode, MODE);
    return tidy(() => this.#apply(floatTensor('FakeQuantizer', 'x', x), mode.training ?? false));
  }

  #apply<T extends Tensor>(input: T, training: boolean): T {
    this.#checkAlive();
    if (this.watcher) {
      this.watcher(input);
      return input;
    }
    if (this.#options.observer === 'learned') return this.#learn(input, training);
    if (training && this.observing) return this.#move(input);
    if (!this.quantizing) return input;
    if (this.isSet()) return this.#round(input);
    if (!training) this.#warn();
    return input;
  }

  /** Whether there is a range: given, or of at least one batch. Of one on the GPU, assigned from outside, it is assumed. */
  isSet(): boolean {
    if (this.#store?.alwaysSet) return true;
    if (this.#learned) return this.#learnedIsSet(this.#learned) ?? true;
    if (!this.#store) return this.#initial !== undefined;
    const noted = this.#noted(this.#store.read());
    return !noted || noted.weight > 0 || noted.batches > 0;
  }

  /** [min, max], scalars or one value per channel. They are the caller's to dispose. */
  range(): [Tensor, Tensor] {
    this.#checkAlive();
    if (this.#learned && this.isSet()) return this.#learned.ends();
    if (!this.#store && this.#initial) return [tensor(this.#initial[0]), tensor(this.#initial[1])];
    if (!this.#store || !this.isSet()) {
      throw invalid(this.#name, 'the range is not set yet. Apply it to a batch in training, or give an initialRange.');
    }
    const store = this.#store;
    return tidy(() => {
      const [min, max] = unstack(this.#used(store.read()));
      return [min!, max!];
    });
  }

  /** The range and what became of the last batches, on the host. */
  async snapshot(): Promise<RangeSnapshot> {
    this.#checkAlive();
    if (this.#learned) {
      const [grid, logs] = this.#learned.readings(this.#observing);
      try {
        const [gridData, logData] = await Promise.all([grid.data(), logs.data()]);
        return this.#learnedSnapshot(this.#learned, gridData, logData);
      } finally {
        dispose([grid, logs]);
      }
    }
    const range = tidy(() => this.#store && clone(this.#told(this.#store.read())));
    try {
      return this.#snapshotOf(await range?.data());
    } finally {
      range?.dispose();
    }
  }

  /** As {@link snapshot}, waiting for the device. On WebGPU tfjs reads so by way of a canvas: slowly, where at all. */
  snapshotSync(): RangeSnapshot {
    this.#checkAlive();
    const learned = this.#learned;
    if (learned) {
      const [grid, logs] = tidy(() => learned.readings(this.#observing).map(each => each.dataSync()));
      return this.#learnedSnapshot(learned, grid!, logs!);
    }
    return this.#snapshotOf(tidy(() => this.#store && this.#told(this.#store.read()).dataSync()));
  }

  /**
   * Sets the range.
   *
   * @param min - its lower end, or one for each channel.
   * @param max - its upper end, likewise, no smaller than `min`. A learned range holds 0 and is never empty: one of 1 serves.
   * @param weight - how much of a debiased moving average it is: 1, the default, as if seen for ever.
   * @throws if the ends are not finite, or not as many as there are channels, or `min` is above `max`.
   */
  setRange(min: number | readonly number[], max: number | readonly number[], weight = 1): void {
    this.#checkAlive();
    const {low, high} = this.#checkedEnds(min, max, weight);
    const perChannel = this.#options.axis !== undefined;
    if (this.#options.observer === 'learned') {
      const learned = (this.#learned ??= this.#newLearned(perChannel ? low.length : undefined));
      tidy(() => learned.set(...([low, high].map(ends => tensor(perChannel ? ends : ends[0]!)) as [Tensor, Tensor])));
      this.#note(learned);
      return;
    }
    const range = givenRange(low, high, perChannel, weight);
    if (!this.#store) {
      this.#store = variableStore(range);
      return;
    }
    try {
      this.#store.write(range);
    } finally {
      range.dispose();
    }
  }

  /** @internal Sets the range as if `x` were the first batch, whatever it was before, frozen or not. */
  restart(x: Tensor): void {
    tidy(() => {
      if (this.#options.observer === 'learned') {
        this.#start(this.#learnedFor(x), x);
        return;
      }
      const store = this.#stored(x);
      store.write(this.#initialRange(store.read().shape[1]));
      this.#move(x);
    });
  }

  /** @internal Keeps a copy of a range that is not learned, to come back to. */
  remember(): RangeMemory {
    const store = this.#store;
    const range = tidy(() => store && keep(clone(store.read())));
    return {
      restore: () => {
        if (range) store!.write(range);
      },
      dispose: () => range?.dispose(),
    };
  }

  /** Stops the range from moving; values are still rounded. */
  freeze(): void {
    this.observing = false;
  }

  /** Lets the range move again. */
  unfreeze(): void {
    this.observing = true;
  }

  /** Frees the range. After that the quantizer is of no use. */
  dispose(): void {
    this.#store?.dispose();
    this.#learned?.dispose();
    this.#store = this.#learned = undefined;
    this.#disposed = true;
  }

  #checkAlive(): void {
    if (this.#disposed) throw invalid(this.#name, 'it is disposed. Make a new FakeQuantizer.');
  }

  /** The ends of each channel, or of the one range. */
  #checkedEnds(min: number | readonly number[], max: number | readonly number[], weight: number) {
    const {axis} = this.#options;
    const channels = axis === undefined ? 1 : this.#channels();
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

  /** How many ranges there are, once that is known. */
  #channels(): number | undefined {
    return tidy(() => {
      const {shape = []} = this.#learned?.cells.grid.read() ?? this.#store?.read() ?? {};
      return shape[shape.length - 1];
    });
  }

  #move<T extends Tensor>(x: T): T {
    const store = this.#stored(x);
    const before = store.read();
    const noted = store.alwaysSet ? undefined : (this.#noted(before) ?? {weight: 1, batches: 0});
    // A step of training rounds on the range as it was measured: which way ties go matters to nobody there.
    const [y, moved] = fakeQuantWithMovingRange(x, before, this.#attrs(x));
    store.write(moved);
    if (noted) this.#known = {...noted, data: moved.dataId, batches: noted.batches + 1};
    return this.quantizing ? y : x;
  }

  /** Whether ranges are kept off ties. Symmetric ones are. */
  get #isOffTies(): boolean {
    const {offTies, symmetric, axis} = this.#options;
    return offTies && !symmetric && axis === undefined;
  }

  /** The range that is rounded to, of one that is stored; its ends alone count. */
  #used(range: Tensor): Tensor {
    return this.#isOffTies ? offHalfWay(range, this.steps) : range;
  }

  /** The same with the weight of what was seen. */
  #told(range: Tensor): Tensor {
    return this.#isOffTies ? concat([slice(this.#used(range), 0, 2), slice(range, 2, 1)]) : range;
  }

  #learn<T extends Tensor>(x: T, training: boolean): T {
    if (!this.isSet() && !training) {
      if (this.quantizing) this.#warn();
      return x;
    }
    const range = this.#learnedFor(x);
    const logs = range.cells.logs.read();
    return tidy(() => {
      if (!this.quantizing) {
        // What is to be rounded later starts from the last batch before.
        if (training && this.observing && this.#options.start === 'minMax') this.#start(range, x);
        return besides(x, logs);
      }
      const isSet = this.#learnedIsSet(range);
      if (isSet === undefined && !training) {
        // As where a moving range may not be set yet: see #round.
        return where<T>(range.isSet(), range.round(x, this.observing ? range.current() : range.stored()), x);
      }
      if (isSet === undefined) range.unlessSet(() => this.#start(range, x));
      if (isSet === false) this.#start(range, x);
      if (!this.observing) return besides(range.round(x, range.stored()), logs);
      return range.round(x, training ? this.#commit(range) : range.current());
    });
  }

  /** Undefined where only the device knows: on WebGPU, of weights that another model computed. */
  #learnedIsSet(range: LearnedRange): boolean | undefined {
    const noted = this.#noted(range.cells.grid.read(), values => values[0]!);
    return noted && noted.weight > 0;
  }

  #start(range: LearnedRange, x: Tensor): void {
    if (this.#initial) range.set(...(this.#initial.map(end => fill(range.shape, end)) as [Tensor, Tensor]));
    else if (this.#isOffTies) range.set(...halves(offHalfWay(stack(extremesOf(x)), this.steps)));
    else range.start(x);
    this.#note(range);
  }

  #note(range: LearnedRange): void {
    this.#known = {data: range.cells.grid.read().dataId, weight: 1, batches: 0};
  }

  /** The range as it is now, which is remembered as good. */
  #commit(range: LearnedRange): Tensor[] {
    const grid = range.current();
    range.commit(grid);
    this.#note(range);
    return grid;
  }

  #learnedFor(x: Tensor): LearnedRange {
    const channels = this.#channelsIn(x);
    return (this.#learned ??= this.#newLearned(channels));
  }

  /** The slices of x with a range each; undefined for one range. Throws unless they are as many as there are ranges. */
  #channelsIn(x: Tensor): number | undefined {
    const {axis} = this.#options;
    if (axis === undefined) return undefined;
    const channels = x.shape[checkAxis(this.#name, x, axis)]!;
    // A layer's weights keep their shape.
    const known = this.#store?.alwaysSet ? channels : (this.#channels() ?? channels);
    if (channels === known) return channels;
    throw invalid(
      this.#name,
      `x must have ${known} slices along axis ${axis}, as what came before, but its shape was [${x.shape}]. ` +
        'Make a FakeQuantizer for each.',
    );
  }

  #newLearned(channels: number | undefined): LearnedRange {
    return new LearnedRange(this.#options, variableCells(this.#options, channels));
  }

  #learnedSnapshot(range: LearnedRange, gridData: ArrayLike<number>, logs: ArrayLike<number>): RangeSnapshot {
    if (!this.isSet()) return {values: undefined, missed: 0};
    const learned = range.gridsFrom(gridData);
    const values = {min: learned.map(({low}) => low), max: learned.map(({high}) => high)};
    return {values, missed: 0, learned, collapsed: this.#observing ? range.countBad(logs) : 0};
  }

  #warn(): void {
    if (this.#warned) return;
    this.#warned = true;
    warnUnset(this.#name);
  }

  #attrs(x: Tensor): MovingRangeOptions {
    const {numBits, symmetric, narrowRange, decay, debias, axis} = this.#options;
    const observer = this.#options.observer as MovingObserver;
    const options = {numBits, symmetric, narrowRange, observer, decay, debias};
    return axis === undefined ? options : {...options, axis: checkAxis(this.#name, x, axis)};
  }

  /** The store, made for the first tensor that comes, as that tells the number of channels. */
  #stored(x: Tensor): RangeStore {
    const channels = this.#channelsIn(x);
    return (this.#store ??= variableStore(this.#initialRange(channels)));
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
    const rounded = fakeQuantWithRange(x, this.#used(range), this.#attrs(x));
    if (store.alwaysSet || this.#noted(range)) return rounded;
    const weights = unstack(range)[2]!;
    return where<T>(greater(max(weights), 0), rounded, x);
  }

  /** What is known of the range without waiting for the device; what was just loaded or given is still on the host. */
  #noted(range: Tensor, weightOf = lastOf): {weight: number; batches: number} | undefined {
    if (this.#known?.data === range.dataId) return this.#known;
    if (!isOnHost(range)) return undefined;
    this.#known = {data: range.dataId, weight: weightOf(range.dataSync()), batches: 0};
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

function lastOf(values: ArrayLike<number>): number {
  return values[values.length - 1]!;
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
