/**
 * The grids of ranges that gradient descent learns, kept as logarithms: a step of the optimizer then changes a range by a share
 * of it, whatever its size, and never turns it over.
 */
import {
  abs,
  add,
  clone,
  div,
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
  type Tensor,
  tidy,
  type Variable,
  where,
} from '@tensorflow/tfjs-core';
import {type Grid, gridOf, type Levels} from '../../kernels/grid';
import {isRange, type LearnRule, LIMIT} from '../../kernels/learn';
import {checkAxis} from '../check/tensors';
import {fakeQuantWithLearnedGrid, learnedGrid, reluWithLearnedScale} from '../ops/training';
import {trainTogether} from './adam';
import {halves} from './ends';
import {endsInSteps, roundLearned, type RoundingOptions} from './learned_rounding';
import type {QuantizerOptions} from './options';
import type {Cell, NewCell} from './range';

/** The options of a grid that is learned. */
type LearnedGridOptions = RoundingOptions & Pick<QuantizerOptions, 'nonNegative' | 'learningRateScale'>;

/** The logarithm of an end that is 0: no level's width away from it, and with next to no gradient. */
const AT_ZERO = -60;
/** Where no level is 0, the share of the widest channel's step that a channel of zeros gets: its values stay as good as 0. */
const NEXT_TO_NOTHING = 2 ** -40;

/** Where values have logarithms of ranges. */
function areRanges(values: Tensor): Tensor {
  return less(abs(log(values)), LIMIT);
}

/** The grid of a learned range: of a tensor, or for each of its channels. */
export class LearnedGrid {
  /** What is trained: the logarithm of the scale or, of a range with two free ends, those of both. */
  readonly logs: Cell;
  readonly #good: Cell;
  readonly #options: LearnedGridOptions;
  readonly #levels: Levels;
  /** Whether an end on either side is learned by itself. */
  readonly #hasTwoEnds: boolean;
  readonly #rule: LearnRule;

  constructor(options: LearnedGridOptions, newCell: NewCell, channels: number | undefined) {
    const {symmetric, nonNegative, learningRateScale: speed} = options;
    this.#options = options;
    this.#levels = endsInSteps(options);
    this.#hasTwoEnds = !symmetric && !nonNegative;
    this.#rule = {speed, steps: this.#hasTwoEnds ? this.#levels.qmax : 0};
    const shape = [...(this.#hasTwoEnds ? [2] : []), ...(channels === undefined ? [] : [channels])];
    this.logs = newCell('log_range', shape, true);
    trainTogether(this.logs.read() as Variable);
    this.#good = newCell('grid', shape, false);
  }

  /**
   * Sets the range to hold `low`, `high` and 0. Where that is nothing, the widest of the other channels', or 1, serves, or
   * next to nothing of it where no level is 0.
   */
  set(low: Tensor, high: Tensor): void {
    tidy(() => {
      const ends = this.#hasTwoEnds ? [neg(minimum(low, 0)), maximum(high, 0)] : [this.#scaleOf(low, high)];
      const widest = max(stack(ends));
      const wide = where(areRanges(widest), widest, scalar(this.#hasTwoEnds ? 1 : 1 / this.#levels.qmax));
      const fallback = this.#options.zeroFree ? mul(wide, NEXT_TO_NOTHING) : wide;
      const extent = ends.reduce((sum, end) => add(sum, end));
      const logs = ends.map(end => {
        const filled = where(areRanges(extent), end, mul(fallback, ones(end.shape)));
        return div(maximum(log(filled), AT_ZERO), this.#options.learningRateScale);
      });
      this.logs.write(this.#hasTwoEnds ? stack(logs) : logs[0]!);
      this.commit(this.current());
    });
  }

  get cells(): readonly Cell[] {
    return [this.logs, this.#good];
  }

  /** The last good grid: its scale or, of two free ends, scale and low end. 0 before the first batch. */
  get good(): Tensor {
    return this.#good.read();
  }

  /** Whether there is a range, as the device knows. */
  isSet(): Tensor {
    return greater(max(abs(this.good)), 0);
  }

  /** Has `setting` set the range, and takes it back where the device finds that there was one. */
  unlessSet(setting: () => void): void {
    tidy(() => {
      const isSet = this.isSet();
      const before = this.cells.map(cell => clone(cell.read()));
      setting();
      this.cells.forEach((cell, i) => void cell.write(where(isSet, before[i]!, cell.read())));
    });
  }

  /**
   * The grid as it is now, with its gradient: scales or, of two free ends, rows of scales and of low ends. Where it is no good,
   * it is the last good one.
   */
  current(): Tensor {
    return learnedGrid(this.logs.read(), this.good, this.#rule);
  }

  /** Sets what is trained to the last good grid. */
  resume(): void {
    tidy(() => this.set(...this.#endsOf(this.good)));
  }

  /** The ends as they are now. */
  ends(): [Tensor, Tensor] {
    return tidy(() => this.#endsOf(this.current()));
  }

  /** What there is to read of it: the grid and what is trained. They are the caller's to dispose. */
  readings(moves: boolean): [grid: Tensor, logs: Tensor] {
    return [moves ? this.current() : clone(this.good), clone(this.logs.read())];
  }

  /** The shape of an end. */
  get shape(): number[] {
    const {shape} = this.logs.read();
    return this.#hasTwoEnds ? shape.slice(1) : shape;
  }

  /** Remembers a grid as good. */
  commit(grid: Tensor): void {
    this.#good.write(grid);
  }

  /** Rounds `x` to a grid: to the {@link current} one, or to the last {@link good} one. */
  round<T extends Tensor>(x: T, grid: Tensor): T {
    const {numBits, symmetric, narrowRange, zeroFree, axis} = this.#options;
    if (zeroFree) return roundLearned(x, grid, this.#options);
    const attrs = {
      numBits,
      symmetric,
      narrowRange,
      ...(axis !== undefined && {axis: checkAxis('FakeQuantizer', x, axis)}),
    };
    return fakeQuantWithLearnedGrid(x, grid, this.#hasTwoEnds, attrs);
  }

  /** Rounds what a ReLU gives of `x`; undefined where an end on either side is learned, as a ReLU's is not. */
  roundRelu<T extends Tensor>(x: T, grid: Tensor, relu: number): T | undefined {
    const {numBits, symmetric, narrowRange, zeroFree} = this.#options;
    if (this.#hasTwoEnds || zeroFree) return undefined;
    return reluWithLearnedScale(x, grid, {numBits, symmetric, narrowRange, relu});
  }

  /** How many numbers that were trained are no logarithms of a range, so that the last good ones serve. */
  countBad(logs: ArrayLike<number>): number {
    return Array.from(logs).filter(each => !isRange(each, this.#rule.speed)).length;
  }

  /** The grids that {@link readings} tell, one per channel. */
  gridsFrom(data: ArrayLike<number>): Grid[] {
    const scales = Array.from(data).slice(0, this.#hasTwoEnds ? data.length / 2 : data.length);
    const fit = this.#hasTwoEnds ? 'anchored' : 'scaled';
    return scales.map((scale, i) => gridOf(fit, scale, data[scales.length + i] ?? 0, this.#levels));
  }

  /** The scale that holds both ends, if that alone tells the range. */
  #scaleOf(low: Tensor, high: Tensor): Tensor {
    const {qmin, qmax} = this.#levels;
    return maximum(div(high, qmax), qmin === 0 ? 0 : div(low, qmin));
  }

  #endsOf(grid: Tensor): [Tensor, Tensor] {
    const {qmin, qmax} = this.#levels;
    const [scale, low] = this.#hasTwoEnds ? halves(grid) : [grid, mul(grid, qmin)];
    return [low, add(low, mul(scale, qmax - qmin))];
  }
}
