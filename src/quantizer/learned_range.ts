/**
 * Ranges that gradient descent learns (LSQ: Esser et al. 2020), kept as logarithms: a step of the optimizer then changes
 * a range by a share of it, whatever its size, and never turns it over.
 */
import {
  abs,
  add,
  clone,
  customGrad,
  div,
  exp,
  type GradSaveFunc,
  greater,
  less,
  log,
  max,
  maximum,
  minimum,
  mul,
  neg,
  ones,
  scalar,
  stack,
  sub,
  type Tensor,
  tidy,
  where,
  zeros,
  zerosLike,
} from '@tensorflow/tfjs-core';
import {type Grid, gridOf, learnedLevels, type Levels} from '../../kernels/grid';
import {fakeQuantWithLearnedScale} from '../ops/learned';
import {minMax} from '../ops/range';
import {halves, mseRange} from './fit_range';

/** A learned range's grid, and where it starts from. */
export interface LearnedRangeOptions {
  readonly numBits: number;
  readonly symmetric: boolean;
  readonly narrowRange: boolean;
  /** Whether the low end is 0 for good. */
  readonly nonNegative: boolean;
  readonly axis?: number;
  readonly start: 'minMax' | 'mse';
  readonly learningRateScale: number;
}

/** A tensor that is kept from step to step. */
interface Cell {
  read(): Tensor;
  write(value: Tensor): unknown;
  dispose(): void;
}

/** Where a learned range lives. */
export interface LearnedCells {
  /** What is trained: the logarithm of the scale or, of a range with two free ends, those of both. */
  readonly logs: Cell;
  /** The last good grid: its scale or, of two free ends, scale and low end. 0 before the first batch. */
  readonly grid: Cell;
}

/** Logarithms beyond this are no range any more: it has collapsed, or grown without end. */
const LIMIT = 69;
/** The logarithm of an end that is 0: no level's width away from it, and with next to no gradient. */
const AT_ZERO = -60;

/**
 * x * factor, with the gradient of x alone. An optimizer that adapts to a gradient's size (Adam) takes no notice if the
 * gradient is scaled; so it is the variable that is scaled, and any optimizer moves the product `factor` times as fast.
 */
function hastened(x: Tensor, factor: number): Tensor {
  if (factor === 1) return x;
  return customGrad(given => ({value: mul(given as Tensor, factor), gradFunc: dy => dy}))(x);
}

/** x, with a gradient of 0 for `variable`: optimizers count on each variable to have one in every step. */
export function besides<T extends Tensor>(x: T, variable: Tensor): T {
  return customGrad((given, idle) => ({
    value: clone(given as Tensor),
    gradFunc: dy => [dy, zerosLike(idle as Tensor)],
  }))(x, variable) as T;
}

function isRange(logs: Tensor): Tensor {
  return less(abs(logs), LIMIT);
}

/** Whether a range has an end on either side that is learned by itself. */
function hasTwoEnds({symmetric, nonNegative}: {symmetric: boolean; nonNegative: boolean}): boolean {
  return !symmetric && !nonNegative;
}

/** A range that is learned: of a tensor, or for each of its channels. */
export class LearnedRange {
  readonly cells: LearnedCells;
  readonly #options: LearnedRangeOptions;
  readonly #levels: Levels;

  constructor(options: LearnedRangeOptions, cells: LearnedCells) {
    this.cells = cells;
    this.#options = options;
    this.#levels = learnedLevels(options.numBits, options.narrowRange, options.symmetric);
  }

  /** Sets the range to that of `x`. */
  start(x: Tensor): void {
    tidy(() => {
      const {start, numBits, symmetric, narrowRange, axis} = this.#options;
      const grid = {numBits, symmetric, narrowRange, ...(axis !== undefined && {axis})};
      const ends = start === 'mse' ? mseRange(x, grid) : halves(minMax(x, axis));
      this.set(...ends);
    });
  }

  /** Sets the range to hold `low`, `high` and 0. Where that is nothing, the widest of the other channels', or 1, serves. */
  set(low: Tensor, high: Tensor): void {
    tidy(() => {
      const ends = this.#hasTwoEnds ? [neg(minimum(low, 0)), maximum(high, 0)] : [this.#scaleOf(low, high)];
      const widest = max(stack(ends));
      const fallback = where(isRange(log(widest)), widest, scalar(this.#hasTwoEnds ? 1 : 1 / this.#levels.qmax));
      const extent = ends.reduce((sum, end) => add(sum, end));
      const logs = ends.map(end => {
        const filled = where(isRange(log(extent)), end, mul(fallback, ones(end.shape)));
        return div(maximum(log(filled), AT_ZERO), this.#options.learningRateScale);
      });
      this.cells.logs.write(this.#hasTwoEnds ? stack(logs) : logs[0]!);
      this.commit(this.current());
    });
  }

  /** Whether there is a range, as the device knows. */
  isSet(): Tensor {
    return greater(max(abs(this.cells.grid.read())), 0);
  }

  /** Has `setting` set the range, and takes it back where the device finds that there was one. */
  unlessSet(setting: () => void): void {
    tidy(() => {
      const isSet = this.isSet();
      const {logs, grid} = this.cells;
      const before = [logs, grid].map(cell => clone(cell.read()));
      setting();
      logs.write(where(isSet, before[0]!, logs.read()));
      grid.write(where(isSet, before[1]!, grid.read()));
    });
  }

  /** The grid as it is now, with its gradient: [scale] or [scale, low end]. Where it is no good, it is the last good one. */
  current(): Tensor[] {
    const logs = hastened(this.cells.logs.read(), this.#options.learningRateScale);
    const grid = customGrad((given, save) => {
      const value = this.#goodGrid(given as Tensor);
      (save as GradSaveFunc)([value]);
      return {value, gradFunc: (dy, [saved]) => mul(this.#endsGradient(dy), this.#endsIn(saved!))};
    })(logs);
    return this.#parts(grid);
  }

  /** The last good grid, of no gradient. */
  stored(): Tensor[] {
    return this.#parts(this.cells.grid.read());
  }

  /** Sets what is trained to the last good grid. */
  resume(): void {
    tidy(() => this.set(...this.#rawEnds(this.stored())));
  }

  /** The ends as they are now. */
  ends(): [Tensor, Tensor] {
    return tidy(() => this.#rawEnds(this.current()));
  }

  /** What there is to read of it: the grid and what is trained. They are the caller's to dispose. */
  readings(moves: boolean): [grid: Tensor, logs: Tensor] {
    const grid = tidy(() => {
      const parts = moves ? this.current() : this.stored();
      return this.#hasTwoEnds ? stack(parts) : clone(parts[0]!);
    });
    return [grid, clone(this.cells.logs.read())];
  }

  /** The shape of an end. */
  get shape(): number[] {
    const {shape} = this.cells.logs.read();
    return this.#hasTwoEnds ? shape.slice(1) : shape;
  }

  /** Frees the cells. */
  dispose(): void {
    this.cells.logs.dispose();
    this.cells.grid.dispose();
  }

  /** Remembers a grid as good. */
  commit(grid: readonly Tensor[]): void {
    const value = this.#hasTwoEnds ? stack([...grid]) : clone(grid[0]!);
    this.cells.grid.write(value);
    value.dispose();
  }

  /** Rounds `x` to a grid that {@link current} or {@link stored} gave. */
  round<T extends Tensor>(x: T, [scale, offset]: readonly Tensor[]): T {
    const {numBits, narrowRange, symmetric, axis} = this.#options;
    const options = {numBits, narrowRange, symmetric, ...(axis !== undefined && {axis}), ...(offset && {offset})};
    return fakeQuantWithLearnedScale<T>(x, scale!, options);
  }

  /** How many numbers that were trained are no logarithms of a range, so that the last good ones serve. */
  countBad(logs: ArrayLike<number>): number {
    const {learningRateScale} = this.#options;
    return Array.from(logs).filter(value => !(Math.abs(value * learningRateScale) < LIMIT)).length;
  }

  /** The grids that {@link readings} tell, one per channel. */
  gridsFrom(data: ArrayLike<number>): Grid[] {
    const scales = Array.from(data).slice(0, this.#hasTwoEnds ? data.length / 2 : data.length);
    const fit = this.#hasTwoEnds ? 'anchored' : 'scaled';
    return scales.map((scale, i) => gridOf(fit, scale, data[scales.length + i] ?? 0, this.#levels));
  }

  get #hasTwoEnds(): boolean {
    return hasTwoEnds(this.#options);
  }

  /** The scale that holds both ends, if that alone tells the range. */
  #scaleOf(low: Tensor, high: Tensor): Tensor {
    const {qmin, qmax} = this.#levels;
    return maximum(div(high, qmax), qmin === 0 ? 0 : div(low, qmin));
  }

  /** The grid of logarithms, or the last good one. */
  #goodGrid(logs: Tensor): Tensor {
    const ends = where(isRange(logs), exp(logs), this.#endsIn(this.cells.grid.read()));
    if (!this.#hasTwoEnds) return ends;
    const [below, above] = halves(ends);
    return stack([div(add(below, above), this.#levels.qmax), neg(below)]);
  }

  /** What the logarithms are of: the scale, or how far the two ends are from 0. */
  #endsIn(grid: Tensor): Tensor {
    return this.#hasTwoEnds ? stack(this.#rawEnds(this.#parts(grid)).map(abs)) : grid;
  }

  #endsGradient(dy: Tensor): Tensor {
    if (!this.#hasTwoEnds) return dy;
    const [scale, low] = halves(dy);
    const above = div(scale, this.#levels.qmax);
    return stack([sub(above, low), above]);
  }

  #parts(grid: Tensor): Tensor[] {
    return this.#hasTwoEnds ? halves(grid) : [grid];
  }

  #rawEnds([scale, low]: readonly Tensor[]): [Tensor, Tensor] {
    const {qmin, qmax} = this.#levels;
    const start = low ?? mul(scale!, qmin);
    return [start, add(start, mul(scale!, qmax - qmin))];
  }
}

/** What the cells hold before there is a range. */
export function emptyCells(options: LearnedRangeOptions, channels: number | undefined): {logs: Tensor; grid: Tensor} {
  const shape = learnedShape(options, channels);
  return {logs: zeros(shape), grid: zeros(shape)};
}

/** The shape of the cells. */
export function learnedShape(options: {symmetric: boolean; nonNegative: boolean}, channels: number | undefined) {
  return [...(hasTwoEnds(options) ? [2] : []), ...(channels === undefined ? [] : [channels])];
}
