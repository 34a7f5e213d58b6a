/** A range that gradient descent learns (LSQ: Esser et al. 2020), from that of a first batch on. */
import {dispose, fill, stack, tensor, type Tensor, tidy, type Variable, where} from '@tensorflow/tfjs-core';
import {minMax} from '../ops/min_max';
import {extremesOf, halves} from './ends';
import {leastSquaresRange} from './fit_range';
import {besides} from './gradients';
import {Derived} from './derived';
import {Known} from './known';
import {LearnedGrid} from './learned_grid';
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

/** A range whose ends an optimizer trains. */
export class LearnedRange implements QuantizerRange {
  /** The low end is no whole number of steps away from 0, until it is rounded. */
  readonly countsFromLow = true;

  readonly #options: RangeOptions;
  readonly #channels: number | undefined;
  readonly #grid: LearnedGrid;
  readonly #isSet = new Known<boolean>();
  /** The grid, for predictions. */
  readonly #kept = new Derived();
  #isFrozen = false;

  constructor(options: RangeOptions, newCell: NewCell, channels: number | undefined) {
    this.#options = options;
    this.#channels = channels;
    this.#grid = new LearnedGrid(options, newCell, channels);
  }

  get cells(): readonly Cell[] {
    return this.#grid.cells;
  }

  get variables(): Variable[] {
    return [this.#trained];
  }

  apply<T extends Tensor>(x: T, {training, quantizing}: RangeMode): T {
    return tidy(() => {
      if (quantizing) return this.#round(x, training);
      // What is to be rounded later starts from the last batch before.
      if (this.#options.start === 'minMax') this.start(x);
      return besides(x, this.#trained);
    });
  }

  roundRelu<T extends Tensor>(x: T, relu: number): T | undefined {
    if (this.#channels !== undefined || this.#isSetOnHost() !== true) return undefined;
    const grid = this.#grid;
    return tidy(() => grid.roundRelu(x, this.#isFrozen ? grid.good : this.#now(), relu));
  }

  start(x: Tensor): void {
    tidy(() => this.#grid.set(...this.#firstRange(x)));
    this.#noteSet();
  }

  isSet(): boolean {
    return this.#isSetOnHost() ?? true;
  }

  range(): [Tensor, Tensor] {
    return this.#grid.ends();
  }

  async snapshot(): Promise<RangeSnapshot> {
    // Asked before a program reads the range, after which WebGPU alone knows.
    if (!this.isSet()) return {values: undefined, missed: 0};
    const [grid, logs] = this.#grid.readings(!this.#isFrozen);
    try {
      const [gridData, logData] = await Promise.all([grid.data(), logs.data()]);
      const learned = this.#grid.gridsFrom(gridData);
      const values = {min: learned.map(({low}) => low), max: learned.map(({high}) => high)};
      return {values, missed: 0, learned, collapsed: this.#isFrozen ? 0 : this.#grid.countBad(logData)};
    } finally {
      dispose([grid, logs]);
    }
  }

  set(min: readonly number[], max: readonly number[]): void {
    const ends = (values: readonly number[]) => tensor(this.#channels === undefined ? values[0]! : [...values]);
    tidy(() => this.#grid.set(ends(min), ends(max)));
    this.#noteSet();
  }

  /** An optimizer's momentum moves on what is frozen: it stays as it is where it is remembered, and is set anew after. */
  freeze(frozen: boolean): void {
    if (this.isSet()) {
      if (frozen) tidy(() => void this.#commit());
      else this.#grid.resume();
    }
    this.#isFrozen = frozen;
  }

  forget(): void {
    this.#kept.forget();
  }

  get #trained(): Variable {
    return this.#grid.logs.read() as Variable;
  }

  #round<T extends Tensor>(x: T, training: boolean): T {
    const grid = this.#grid;
    const isSet = this.#isSetOnHost();
    if (isSet === undefined && !training) {
      // As where a moving range may not be set yet.
      return where<T>(grid.isSet(), grid.round(x, this.#isFrozen ? grid.good : grid.current()), x);
    }
    if (isSet === undefined) grid.unlessSet(() => this.start(x));
    if (isSet === false) this.start(x);
    if (this.#isFrozen) return besides(grid.round(x, grid.good), this.#trained);
    return grid.round(x, training ? this.#commit() : this.#now());
  }

  /** The grid as it is now, found once for predictions. */
  #now(): Tensor {
    const grid = this.#grid;
    return this.#kept.of(
      () => [grid.logs.read(), grid.good],
      () => grid.current(),
    );
  }

  /** Undefined where only the device knows: on WebGPU, of weights that another model computed. */
  #isSetOnHost(): boolean | undefined {
    return this.#isSet.of(this.#grid.good, values => values[0]! > 0);
  }

  #noteSet(): void {
    this.#isSet.note(this.#grid.good, true);
  }

  /** The grid as it is now, which is remembered as good. */
  #commit(): Tensor {
    const grid = this.#grid.current();
    this.#grid.commit(grid);
    this.#noteSet();
    return grid;
  }

  /** The range to start from, where `x` is the first batch. */
  #firstRange(x: Tensor): [Tensor, Tensor] {
    const {initialRange, start, axis} = this.#options;
    if (initialRange) return initialRange.map(end => fill(this.#grid.shape, end)) as [Tensor, Tensor];
    if (keepsOffTies(this.#options)) return halves(offHalfWay(stack(extremesOf(x)), stepsOf(this.#options)));
    if (start === 'minMax') return halves(minMax(x, axis));
    return leastSquaresRange(x, this.#options);
  }
}
