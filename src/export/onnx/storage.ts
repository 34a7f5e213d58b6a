/** How the levels of a grid are stored. */
import {type Interval, needsInt16, type ValueGrid} from '../../inference/grids';
import {roundAway} from '../../inference/storage';

/** Levels are stored as level + zeroPoint, held inside low and high by the type itself. */
interface Storage {
  readonly type: 'uint8' | 'int16';
  readonly zeroPoint: number;
  readonly low: number;
  readonly high: number;
}

/** Of 8 bits from the lowest level on: as uint8, which onnxruntime computes with on x86 whatever it is given. */
export function storageOf(grid: ValueGrid): Storage {
  if (!needsInt16(grid)) return {type: 'uint8', zeroPoint: -grid.lowest, low: 0, high: 255};
  return {type: 'int16', zeroPoint: 0, low: -32768, high: 32767};
}

/** Numbers as they are stored. */
export function stored(levels: Iterable<number>, {type}: Storage): Uint8Array | Int16Array {
  return type === 'uint8' ? new Uint8Array(levels) : new Int16Array(levels);
}

/** Where an interval, or a grid, ends before the integers of the grid do. */
export function boundsOn(grid: ValueGrid, [low, high]: Interval): Interval {
  const {scale, lowest, highest} = grid;
  const {zeroPoint, low: smallest, high: largest} = storageOf(grid);
  const level = (x: number) => roundAway(Math.fround(x / scale));
  const isHeldBelow = Math.max(lowest, level(low)) <= smallest - zeroPoint;
  const isHeldAbove = Math.min(highest, level(high)) >= largest - zeroPoint;
  return [
    isHeldBelow ? -Infinity : Math.max(low, scale * lowest),
    isHeldAbove ? Infinity : Math.min(high, scale * highest),
  ];
}
