/** Two levels to a byte. */
import {must, throwProblems} from '../check/rules';

const INT8 = must('an Int8Array', value => Object.prototype.toString.call(value) === '[object Int8Array]');

/**
 * Levels of up to 4 bits, two to a byte: the first in the lower half, as runtimes read int4.
 *
 * @param levels - whole numbers from -8 to 7.
 * @returns half as many bytes.
 * @throws if a level does not fit 4 bits.
 *
 * @example
 * ```js
 * import {packInt4} from 'tfjs-quantization/qat';
 *
 * console.log(packInt4(Int8Array.of(1, -1, 7, -8)).join(' ')); // 241 135
 * ```
 */
export function packInt4(levels: Int8Array): Uint8Array {
  throwProblems('packInt4', INT8(levels, 'levels'));
  const outside = levels.find(level => level < -8 || level > 7);
  if (outside !== undefined) {
    throwProblems('packInt4', [
      `levels must be between -8 and 7, but there was ${outside}. Quantize to 4 bits or fewer.`,
    ]);
  }
  const bytes = new Uint8Array(Math.ceil(levels.length / 2));
  levels.forEach((level, i) => (bytes[i >> 1]! |= (level & 15) << (4 * (i & 1))));
  return bytes;
}
