/** Ops that only training needs: ranges that stay on the GPU, measured, moved from batch to batch, or learned. */
import {type Tensor, type Tensor2D, zeros} from '@tensorflow/tfjs-core';
import type {LearnRule} from '../../kernels/learn';
import {type MovingObserver, symmetricRatio} from '../../kernels/observe';
import {runKernel} from '../../kernels/register';
import type {LearnedScaleOptions} from './learned';
import './register_training';

/** How a moving range follows the batches, and the grid that it is for. */
export interface MovingRangeOptions {
  readonly numBits: number;
  readonly narrowRange: boolean;
  /** Counted from 0; left out for one range per tensor. */
  readonly axis?: number;
  readonly observer: MovingObserver;
  /** How much of a moving average stays from one batch to the next. */
  readonly decay: number;
  /** Whether the average is over the batches seen, and not also over the initial range. */
  readonly debias: boolean;
  /** Whether low and high are kept symmetric about 0; else they merely hold 0. */
  readonly symmetric: boolean;
}

/** A range before its first batch: rows of lows, of highs, and of the weight of what was seen. */
export function initialRange(channels: number | undefined): Tensor {
  return zeros(channels === undefined ? [3] : [3, channels]);
}

/**
 * Measures `x`, moves `range` towards what was measured, and rounds `x` to the grid of the moved range: at most four
 * dispatches. Returns [y, the moved range]. Only `x` has a gradient.
 */
export function fakeQuantWithMovingRange<T extends Tensor>(
  x: T,
  range: Tensor,
  options: MovingRangeOptions,
): [T, Tensor] {
  const {numBits, narrowRange, axis, observer, decay, debias, symmetric} = options;
  const rule = {observer, rate: 1 - decay, debias, ratio: symmetric ? symmetricRatio(numBits, narrowRange) : 0};
  const attrs = {numBits, narrowRange, ...rule, ...(axis !== undefined && {axis})};
  return runKernel<[T, Tensor]>('FakeQuantWithMovingRange', {inputs: x, range}, attrs);
}

/** Rounds `x` to the grid of a range that stays as it is. Only `x` has a gradient. */
export function fakeQuantWithRange<T extends Tensor>(
  x: T,
  range: Tensor,
  attrs: {numBits: number; narrowRange: boolean; axis?: number},
): T {
  return runKernel<T>('FakeQuantWithRange', {inputs: x, range}, attrs);
}

/** {@link fakeQuantWithRange} of what a ReLU gives, whose highest value is `relu`, in one pass. No tensor has a gradient. */
export function reluWithRange<T extends Tensor>(
  x: T,
  range: Tensor,
  attrs: {numBits: number; narrowRange: boolean; relu: number},
): T {
  return runKernel<T>('FakeQuantWithRangeOfRelu', {inputs: x, range}, attrs);
}

/** The same on the grid of a learned scale. */
export function reluWithLearnedScale<T extends Tensor>(
  x: T,
  scale: Tensor,
  attrs: LearnedGridOptions & {relu: number},
): T {
  return runKernel<T>('FakeQuantWithLearnedScaleOfRelu', {inputs: x, scale}, attrs);
}

/**
 * The smallest and the largest value of each of some parts that make up `x`, in turn in each row: [rows, 2 * parts], in one
 * dispatch. Where any is no finite number, a largest one is infinite.
 */
export function extremesOfParts(x: Tensor): Tensor2D {
  return runKernel('MinMaxOfParts', {x}, {});
}

/**
 * How many values of `x`, all finite, lie in each bin about their extremes, of which `parts` are the {@link extremesOfParts}: int32,
 * [4096]; or, in float32, the bins of all, for {@link countBins}.
 */
export function histogramOf(x: Tensor, parts: Tensor2D): Tensor {
  return runKernel('HistogramAboutParts', {x, parts}, {});
}

/** What {@link histogramOf} would have counted of so many values, where it told bins: waits until these are there. Once for each. */
export function countBins(bins: Tensor, size: number): Tensor {
  return runKernel('CountBins', {bins}, {size});
}

/** The attributes of the kernels: the options with their defaults. */
export type LearnedGridOptions = Required<Omit<LearnedScaleOptions, 'offset' | 'axis'>> &
  Pick<LearnedScaleOptions, 'axis'>;

/**
 * The grid of what is trained, the logarithms of a learned range, in one dispatch: a scale for each channel or, of two free ends,
 * rows of scales and of low ends. What is no logarithm leaves the end of the last good grid. `trained` alone has a gradient.
 */
export function learnedGrid(trained: Tensor, last: Tensor, rule: LearnRule): Tensor {
  return runKernel('LearnGrid', {trained, last}, rule);
}

/** {@link fakeQuantWithLearnedScale} of what {@link learnedGrid} gives, unchecked. */
export function fakeQuantWithLearnedGrid<T extends Tensor>(
  inputs: T,
  grid: Tensor,
  hasTwoEnds: boolean,
  attrs: LearnedGridOptions,
): T {
  return hasTwoEnds
    ? runKernel<T>('FakeQuantWithLearnedGrid', {inputs, grid}, attrs)
    : runKernel<T>('FakeQuantWithLearnedScale', {inputs, scale: grid}, attrs);
}
