/** The integers that levels are stored in: where their types end, and where operators of int16 need finer ones. */
import {needsInt16, refined, type ValueGrid} from '../../inference/grids';
import {type Storage, storageOf} from '../../inference/storage';

/**
 * How numbers come into the model, or out of it.
 *
 * @example
 * ```js
 * import {toTFLite} from 'tfjs-quantization/tflite';
 *
 * // A camera's images in, scores of a byte out.
 * const bytes = await toTFLite(q, {inputType: 'uint8', outputType: 'int8'});
 * ```
 */
export type PortType = 'float32' | 'int8' | 'uint8' | 'int16';

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

/** The bytes of integers. */
export function integersOf(numbers: Iterable<number>, type: Storage['type']): Uint8Array {
  return new Uint8Array(type === 'int8' ? new Int8Array(numbers).buffer : new Int16Array(numbers).buffer);
}
