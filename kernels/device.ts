/** What a backend must be able to do: passes over a tensor and over ranges, from which op_table.ts composes every kernel. */
import type {TensorInfo} from '@tensorflow/tfjs-core';
import type {Fit, Levels, RoundingMode, Side} from './grid';
import type {LearnRule} from './learn';
import type {ObserveRule} from './observe';

/**
 * Every tensor as [outer, channels, inner]: element i belongs to channel floor(i / inner) % channels. Per tensor is
 * channels = 1, the last axis is inner = 1, and any other axis is the same program.
 */
export interface View {
  readonly outer: number;
  readonly channels: number;
  readonly inner: number;
  /** The shape of a range's min or max: [] per tensor, [channels] per channel. */
  readonly rangeShape: readonly number[];
}

/**
 * A range: two numbers, two tensors of `View.rangeShape`, or one tensor whose first rows are the lows and the highs. A
 * learned grid's scale and low end come in place of min and max.
 */
export type Range =
  | {readonly kind: 'numbers'; readonly min: number; readonly max: number}
  | {readonly kind: 'tensors'; readonly min: TensorInfo; readonly max: TensorInfo}
  | {readonly kind: 'rows'; readonly rows: TensorInfo};

/** How a range becomes a grid, and x a level on it. */
export interface Scheme {
  readonly fit: Fit;
  readonly rounding: RoundingMode;
  readonly levels: Levels;
  /** Whether x is held inside the bounds first: all but QuantizeAndDequantize with a measured range do. */
  readonly clamped: boolean;
  /** The highest value of a ReLU that x has yet to pass, on its way: no pass of its own then. */
  readonly relu?: number;
}

/** Which part of a gradient, and whether its sum. */
export interface GradientPart {
  readonly side: Side;
  readonly summed: boolean;
}

/**
 * One backend's passes. x and dy are float32 and never empty; the grid is derived where the pass runs, or, where x is large
 * and has many channels, in one small dispatch before, which the counts below leave out; numbers are uniforms, so that
 * nothing is compiled anew for other ranges or widths. The caller disposes the inputs.
 */
export interface Device {
  /** x on its grid, of x's shape. One dispatch. */
  roundToGrid(x: TensorInfo, range: Range, view: View, scheme: Scheme): TensorInfo;
  /**
   * For each output dy where x lies on its side, else dy * 0; for a scale, dy times the slope. Of x's shape in one
   * dispatch, or summed per channel, of `view.rangeShape`, in at most two. Outputs that are asked for together share what
   * work they can.
   */
  straightThrough(
    dy: TensorInfo,
    x: TensorInfo,
    range: Range,
    view: View,
    scheme: Scheme,
    outputs: readonly GradientPart[],
  ): TensorInfo[];
  /** The smallest and largest x per channel, NaN skipped, as one tensor [2, ...rangeShape]. At most two dispatches. */
  measure(x: TensorInfo, view: View): TensorInfo;
  /** Frees what `measure` made. */
  dispose(tensor: TensorInfo): void;
}

/** What training needs besides: ranges that are measured, follow the batches, or are learned. */
export interface TrainingDevice extends Device {
  /** The sums of two sides per channel, as one tensor [2, ...rangeShape]. At most two dispatches. */
  sumPair(
    dy: TensorInfo,
    x: TensorInfo,
    range: Range,
    view: View,
    scheme: Scheme,
    sides: readonly [Side, Side],
  ): TensorInfo;
  /**
   * The extremes of parts that make up x: [rows, 2 * parts], in each row a low one and a high one in turn. Where any x is no
   * finite number, a high one is infinite. One dispatch.
   */
  measureParts(x: TensorInfo): TensorInfo;
  /**
   * How many x, all finite, lie in each bin about their extremes, of which `parts` are those of `measureParts`: int32, [BINS] of
   * histogram.ts; or, where nothing counts, the bins themselves in float32, for `countBins`. One dispatch.
   */
  histogram(x: TensorInfo, parts: TensorInfo): TensorInfo;
  /** What {@link histogram} would have counted, of the bins that it told of so many values: waits until they are there. Once. */
  countBins?(bins: TensorInfo, size: number): TensorInfo;
  /** The moving range [3, ...rangeShape] (lows, highs, weights) after a batch x. At most three dispatches. */
  observe(x: TensorInfo, moving: TensorInfo, view: View, rule: ObserveRule): TensorInfo;
  /**
   * The grid of what is trained, which both have the shape of `last`, the last good grid: the scale of each channel or, of two free
   * ends, a row of scales and one of low ends. One dispatch.
   */
  learn(trained: TensorInfo, last: TensorInfo, rule: LearnRule): TensorInfo;
  /** The gradient of what is trained, for that of the grid that came of it. One dispatch. */
  learnGradient(dy: TensorInfo, grid: TensorInfo, rule: LearnRule): TensorInfo;
}

/** A gradient's outputs, in order: sums of all sides together from `sumsOf`, each of the others from `termsOf`. */
export function gradientOutputs(
  outputs: readonly GradientPart[],
  sumsOf: (sides: readonly Side[]) => readonly TensorInfo[],
  termsOf: (side: Side) => TensorInfo,
): TensorInfo[] {
  const sides = outputs.filter(({summed}) => summed).map(({side}) => side);
  const sums = sides.length > 0 ? sumsOf(sides) : [];
  return outputs.map(({side, summed}) => (summed ? sums[sides.indexOf(side)]! : termsOf(side)));
}

/** The view of `shape` per slice of `axis`, or per tensor without one. */
export function viewOf(shape: readonly number[], axis?: number): View {
  const size = (dims: readonly number[]) => dims.reduce((product, dim) => product * dim, 1);
  if (axis === undefined) return {outer: 1, channels: 1, inner: size(shape), rangeShape: []};
  const channels = shape[axis] ?? 1;
  return {outer: size(shape.slice(0, axis)), channels, inner: size(shape.slice(axis + 1)), rangeShape: [channels]};
}
