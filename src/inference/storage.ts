/** How the levels of a grid are stored: which integers, from where on. */
import {needsInt16, type ValueGrid} from './grids';

/** Levels are stored as level + zeroPoint, held inside low and high by the type itself. */
export interface Storage {
  readonly type: 'int8' | 'int16';
  readonly zeroPoint: number;
  readonly low: number;
  readonly high: number;
}

/** int8 from its lowest number on, so that it ends where the grid does; int16 about 0, as the runtimes want it. */
export function storageOf(grid: ValueGrid, inInt16 = needsInt16(grid)): Storage {
  if (!inInt16) return {type: 'int8', zeroPoint: -128 - grid.lowest, low: -128, high: 127};
  return {type: 'int16', zeroPoint: 0, low: -32768, high: 32767};
}

/** Halves away from zero, as C does. */
export function roundAway(x: number): number {
  return Math.sign(x) * Math.round(Math.abs(x));
}
