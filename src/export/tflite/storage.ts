/** How the levels of a grid are stored: which integers, from where on. */
import {needsInt16, refined, type ValueGrid} from '../../inference/grids';

/** How numbers come into the model, or out of it. */
export type PortType = 'float32' | 'int8' | 'uint8' | 'int16';

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

/** The grid on which an operator of int16 is given what is on `grid`: with steps small enough for biases, too. */
export function widened(grid: ValueGrid): ValueGrid {
  return needsInt16(grid) ? grid : refined(grid, true);
}

/** A least and a largest stored number, where the type does not end there. */
export interface Bounds {
  readonly least: number | undefined;
  readonly largest: number | undefined;
}

/** Those of a grid that ends before its type does. */
export function boundsOf(grid: ValueGrid): Bounds {
  const {zeroPoint, low, high} = storageOf(grid);
  const [least, largest] = [grid.lowest + zeroPoint, grid.highest + zeroPoint];
  return {least: least > low ? least : undefined, largest: largest < high ? largest : undefined};
}

/** Halves away from zero, as C does. */
export function roundAway(x: number): number {
  return Math.sign(x) * Math.round(Math.abs(x));
}

/** The bytes of integers. */
export function integersOf(numbers: Iterable<number>, type: Storage['type']): Uint8Array {
  return new Uint8Array(type === 'int8' ? Int8Array.from(numbers).buffer : Int16Array.from(numbers).buffer);
}
