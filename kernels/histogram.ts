/**
 * The specification of a histogram: bins of one width, a power of two, from the lowest value, or 0, upwards. So those of
 * different batches add up: two narrow bins make one wide one. The twins are histogram.wgsl, histogram_vertex.glsl and
 * histogram_codes.glsl in shaders/.
 */

/** How many bins there are: as many as a workgroup of WebGPU has room for, and a pair of them to a float32. */
export const BINS = 4096;

/** The bins' width, and how many of them lie below 0. */
export interface Bins {
  readonly width: number;
  readonly below: number;
}

const f32 = Math.fround;
const BITS = new Uint32Array(1);
const FLOAT = new Float32Array(BITS.buffer);

/** The exponent of a float32 that is not negative: of what is larger than all numbers, one more than theirs. */
function exponentOf(value: number): number {
  FLOAT[0] = value;
  return (BITS[0]! >>> 23) - 127;
}

/** The bins of values between two finite extremes and 0: 2048 at least hold them, unless all are as good as 0. */
export function binsOf(low: number, high: number): Bins {
  const from = Math.min(low, 0);
  const extent = f32(Math.max(high, 0) - from);
  // No denormal number, which GPUs take for 0.
  const width = 2 ** Math.max(exponentOf(extent) - 11, -126);
  return {width, below: -Math.floor(from / width)};
}

/** The extremes of parts, of which there are low ones and high ones in turn, in one row or several. */
export function extremesIn(rows: readonly ArrayLike<number>[]): [low: number, high: number] {
  let [low, high] = [Infinity, -Infinity];
  for (const row of rows) {
    for (let i = 0; i < row.length; i += 2) {
      low = Math.min(low, row[i]!);
      high = Math.max(high, row[i + 1]!);
    }
  }
  return [low, high];
}

/** Adds the finite values in each bin to its count. The last one holds the little that reaches beyond it, too. */
export function countIn(counts: Int32Array, values: ArrayLike<number>, {width, below}: Bins): void {
  const perUnit = 1 / width;
  for (let i = 0; i < values.length; ++i) {
    // Not negative, and exact, so that to cut it off is to round it down.
    const bin = (values[i]! * perUnit + below) | 0;
    counts[bin < BINS ? bin : BINS - 1]!++;
  }
}

/** How many bins a number of those tells that `countsOf` takes: as many as float32 holds to the bit. */
export const CODES_EACH = 2;

/**
 * How often each bin comes, where a device tells the bin of each of `size` values, two in a number: the first one times BINS, and
 * the second. It may tell more than there are values, the last one being such.
 */
export function countsOf(codes: ArrayLike<number>, size: number): Int32Array {
  const counts = new Int32Array(BINS);
  let last = 0;
  for (let i = 0; i < codes.length; ++i) {
    const code = codes[i]! | 0;
    last = code & (BINS - 1);
    counts[(code - last) / BINS]!++;
    counts[last]!++;
  }
  counts[last]! -= CODES_EACH * codes.length - size;
  return counts;
}
