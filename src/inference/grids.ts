/** The grids of activations: what is on them, and which integers they need. */
import type {IntegerGrid, LevelArray} from '../quantizer/levels';

/** The grid of a value: value = level * scale, its level between lowest and highest. */
export interface ValueGrid {
  readonly scale: number;
  readonly lowest: number;
  readonly highest: number;
}

/** A quantizer's grid of an activation, with a step: that of an empty range, on which everything is 0, has none. */
export function valueGridOf({bits, scale, lowest, highest}: IntegerGrid): ValueGrid {
  if (scale[0] === 0) return {scale: 2 ** -bits, lowest: 0, highest: 0};
  return {scale: scale[0]!, lowest: lowest[0]!, highest: highest[0]!};
}

/** The values from one to another. */
export type Interval = readonly [low: number, high: number];

export const EVERYTHING: Interval = [-Infinity, Infinity];

/** A grid of 8 bits, and its like of 16. */
export type GridPair = readonly [in8: ValueGrid, in16: ValueGrid];

/** What holds all of [0, 1), as sigmoid and softmax give it, in the integers of either width. */
export const UNIT: GridPair = [
  {scale: 1 / 256, lowest: 0, highest: 255},
  {scale: 1 / 32768, lowest: 0, highest: 32767},
];

/** What holds all of [-1, 1), as tanh gives it, likewise. */
export const SIGNED_UNIT: GridPair = [
  {scale: 1 / 128, lowest: -128, highest: 127},
  {scale: 1 / 32768, lowest: -32768, highest: 32767},
];

export function sameGrid(one: ValueGrid | undefined, other: ValueGrid | undefined): boolean {
  if (!one || !other) return one === other;
  return one.scale === other.scale && one.lowest === other.lowest && one.highest === other.highest;
}

/** Whether whatever is on one grid is on the other, too. */
export function isWithin(one: ValueGrid, other: ValueGrid): boolean {
  return one.scale === other.scale && one.lowest >= other.lowest && one.highest <= other.highest;
}

/** Whether a grid has more levels than int8. */
export function needsInt16(grid: ValueGrid | undefined): boolean {
  return grid !== undefined && grid.highest - grid.lowest > 255;
}

/** Whether the integers that a grid needs hold it: int8 from its lowest level on, int16 about 0. */
export function fitsIntegers(grid: ValueGrid): boolean {
  return !needsInt16(grid) || (grid.lowest >= -32768 && grid.highest <= 32767);
}

/** Whether levels of weights are such as int8 weights have, which are symmetric. */
export function fitsInt8(levels: LevelArray): boolean {
  return levels.every(level => Math.abs(level) <= 127);
}

/** A grid with all the values of another, in steps as much smaller as the integers have room for: a power of two. */
export function refined({scale, lowest, highest}: ValueGrid, inInt16: boolean): ValueGrid {
  const room = inInt16 ? 32767 / Math.max(-lowest, highest, 1) : 255 / Math.max(highest - lowest, 1);
  const times = 2 ** Math.floor(Math.log2(room));
  return {scale: scale / times, lowest: lowest * times, highest: highest * times};
}

/** Between which numbers a grid's values lie. */
export function reachOf({scale, lowest, highest}: ValueGrid): Interval {
  return [scale * lowest, scale * highest];
}

/** The finest grid over an interval. */
export function gridOver([low, high]: Interval, inInt16: boolean): ValueGrid {
  if (inInt16) return {scale: Math.fround(Math.max(-low, high) / 32767) || 1, lowest: -32767, highest: 32767};
  const scale = Math.fround((high - low) / 255) || 1;
  const lowest = Math.round(low / scale);
  return {scale, lowest, highest: lowest + 255};
}
