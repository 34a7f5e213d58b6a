/**
 * What a backend may answer. Here, on processors and software renderers: TensorFlow's bits. A real GPU may divide with
 * an error of 2.5 ulp, contract a multiplication and an addition, and flush denormals; there a value may also be
 * that of the neighbouring level where x lies next to a tie, with the scale off by what a division may be.
 */
import {
  fakeQuantize,
  type Grid,
  gridOf,
  quantizeDequantize,
  type RoundingMode,
  type Side,
  straightThrough,
  unbounded,
} from '../../kernels/grid';
import type {Scheme} from '../../kernels/device';

export interface Tolerance {
  /** How near to a tie, in ulp of the number of steps, the neighbouring level is right too. */
  readonly tieUlps: number;
  /** By how many ulp a scale, and so a value or a bound, may be off. */
  readonly valueUlps: number;
}

export const EXACT: Tolerance = {tieUlps: 0, valueUlps: 0};

/** Two divisions of 2.5 ulp stand before a tie, and as much again is rounded; one and a multiplication make a value. */
export const HARDWARE: Tolerance = {tieUlps: 8, valueUlps: 4};

const f32 = Math.fround;
const SMALLEST_NORMAL = 2 ** -126;

/** Bit for bit: NaN is NaN, and -0 is not +0. */
export function isSame(actual: number, expected: number): boolean {
  return Object.is(actual, expected);
}

/** The distance from |x| to the next float32. */
export function ulpOf(x: number): number {
  const exponent = Math.floor(Math.log2(Math.max(Math.abs(x), SMALLEST_NORMAL)));
  return 2 ** (exponent - 23);
}

function isNear(actual: number, expected: number, ulps: number): boolean {
  return isSame(actual, expected) || (ulps > 0 && Math.abs(actual - expected) <= ulps * ulpOf(expected));
}

/** Steps from 0, before they are rounded, as a level lies at every integer. */
function stepsOf(x: number, grid: Grid, rounding: RoundingMode): number {
  const held = Math.min(Math.max(x, grid.low), grid.high);
  if (rounding === 'divide' || rounding === 'multiply') return (held - grid.low) / grid.scale - grid.zero;
  return held * grid.inverse;
}

function levelsNear(x: number, grid: Grid, rounding: RoundingMode, tieUlps: number): number[] {
  const steps = stepsOf(x, grid, rounding);
  // The rounded distance is that from the lower bound, which is larger than the steps from 0.
  const slack = tieUlps * ulpOf(Math.max(Math.abs(steps), Math.abs(grid.zero), 1));
  return [Math.floor(steps - slack + 0.5), Math.floor(steps + slack + 0.5)];
}

/** Whether `actual` may be the value of x on the grid of [low, high]. */
export function acceptsValue(
  actual: number,
  x: number,
  [low, high]: readonly [number, number],
  {fit, levels, rounding, clamped}: Scheme,
  {tieUlps, valueUlps}: Tolerance,
): boolean {
  const bounded = gridOf(fit, low, high, levels);
  const grid = clamped ? bounded : unbounded(bounded);
  const exact =
    rounding === 'multiply' || rounding === 'divide'
      ? fakeQuantize(x, grid, rounding)
      : quantizeDequantize(x, grid, rounding);
  if (isNear(actual, exact, valueUlps)) return true;
  if (tieUlps === 0 || Number.isNaN(x)) return false;
  // A zero has a sign only in TensorFlow's order of operations.
  if (actual === 0 && exact === 0) return true;
  return levelsNear(x, grid, rounding, tieUlps).some(level => isNear(actual, f32(level * grid.scale), valueUlps));
}

/** Whether `actual` may be what `straightThrough` makes of dy: either answer is right where x is as good as on a bound. */
export function acceptsGradient(
  actual: number,
  dy: number,
  x: number,
  [low, high]: readonly [number, number],
  {fit, levels}: Scheme,
  side: Side,
  {valueUlps}: Tolerance,
): boolean {
  const grid = gridOf(fit, low, high, levels);
  if (isSame(actual, straightThrough(dy, x, grid, side))) return true;
  if (valueUlps === 0 || !isOnBound(x, grid, valueUlps)) return false;
  return isSame(actual, dy) || actual === 0;
}

/** Whether x is so near to a bound of the grid that a GPU may take it for inside or outside. */
export function isOnBound(x: number, grid: Grid, valueUlps: number): boolean {
  return [grid.low, grid.high].some(bound => Math.abs(x - bound) <= valueUlps * ulpOf(bound));
}
