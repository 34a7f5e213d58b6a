/** The exact integer grids behind what a quantized model computes: the numbers that training used, on the host. */
import {fakeQuantLevels, nudge} from '../../kernels/grid';
import type {FakeQuantizer} from './fake_quantizer';
import {stepsOf} from './range';

/** Grids of one width. A value is `level * scale`, in one float32 multiplication, its level between lowest and highest. */
export interface IntegerGrid {
  /** How many bits the levels take: a zero-free grid's one more than it has. */
  readonly bits: number;
  /** How far neighbouring levels are apart: 2 of a zero-free grid, whose levels are odd and count half steps; else 1. */
  readonly spacing: 1 | 2;
  /** The steps: one for each channel, or one. An empty range has a step of 0. */
  readonly scale: Float32Array;
  readonly lowest: Int32Array;
  readonly highest: Int32Array;
  /** The dimension whose slices have a step each; undefined for one step. */
  readonly axis: number | undefined;
}

/** Integers as narrow as their grid allows: a model's weights are many. */
export type LevelArray = Int8Array | Int16Array | Int32Array;

/** A weight as integers, in the order of its elements. */
export interface WeightLevels {
  readonly levels: LevelArray;
  /** The grid; its axis is a dimension of `view`. */
  readonly grid: IntegerGrid;
  /** The shape in which the grid's axis counts: the weight's own, or [positions, channels] of a depthwise kernel. */
  readonly view: readonly number[];
  /** The weight's own shape. */
  readonly shape: readonly number[];
  /** What the output channels were multiplied with before they were rounded: the gain of a BatchNormalization. */
  readonly gain: Float64Array | undefined;
}

/** The grid of a quantizer's range; undefined if there is no range yet. */
export async function gridOfQuantizer(quantizer: FakeQuantizer): Promise<IntegerGrid | undefined> {
  const {values, learned} = await quantizer.snapshot();
  if (!values) return undefined;
  const {numBits, narrowRange, zeroFree, axis} = quantizer.options;
  const spacing = zeroFree ? 2 : 1;
  const levels = fakeQuantLevels(numBits, narrowRange);
  const grids = learned ?? values.min.map((min, i) => nudge(min, values.max[i]!, levels));
  // The zero of a learned grid is not rounded: where its lowest level is, its low end tells.
  const lowest = Int32Array.from(grids, ({zero, low, scale}) =>
    learned ? Math.round((low / scale) * spacing) : -zero,
  );
  return {
    bits: zeroFree ? numBits + 1 : numBits,
    spacing,
    scale: Float32Array.from(grids, ({scale, empty}) => (empty ? 0 : scale / spacing)),
    lowest,
    highest: lowest.map(level => level + stepsOf(quantizer.options) * spacing),
    axis,
  };
}

/** Which channel each element belongs to, of a tensor seen as [outer, channels, inner]. */
export function channelOf(shape: readonly number[], axis: number | undefined): (element: number) => number {
  if (axis === undefined) return () => 0;
  const channels = shape[axis]!;
  const inner = shape.slice(axis + 1).reduce((product, dim) => product * dim, 1);
  return element => Math.floor(element / inner) % channels;
}

/** The extremes of numbers, and 0. */
export function spanOf(values: ArrayLike<number>): [low: number, high: number] {
  let [low, high] = [0, 0];
  for (let i = 0; i < values.length; ++i) {
    if (values[i]! < low) low = values[i]!;
    if (values[i]! > high) high = values[i]!;
  }
  return [low, high];
}

/** An array for integers from `low` to `high`. */
function arrayFor(length: number, low: number, high: number): LevelArray {
  const most = Math.max(-1 - low, high);
  return most < 2 ** 7 ? new Int8Array(length) : most < 2 ** 15 ? new Int16Array(length) : new Int32Array(length);
}

/** The levels of rounded values, or the nearest ones where rounding is off. */
export function levelsOf(values: ArrayLike<number>, view: readonly number[], grid: IntegerGrid): LevelArray {
  const {scale, spacing, lowest, highest, axis} = grid;
  const odd = spacing - 1;
  const channel = channelOf(view, axis);
  const levels = arrayFor(values.length, spanOf(lowest)[0], spanOf(highest)[1]);
  for (let i = 0; i < levels.length; ++i) {
    const c = channel(i);
    const level = scale[c] === 0 ? 0 : spacing * Math.round((values[i]! / scale[c]! - odd) / spacing) + odd;
    levels[i] = Math.min(highest[c]!, Math.max(lowest[c]!, level));
  }
  return levels;
}
