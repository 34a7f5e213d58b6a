/**
 * The twin of grid.ts in AssemblyScript: four float32 at a time, in WebAssembly's SIMD. The same names, in the same order.
 *
 * The memory is the caller's, and so is every address in it; kernels/cpu/simd/index.ts brings values there and grids. Grids
 * repeat with a period: a record of six vectors for each four elements (scale, inverse, zero, low, high, and which grids
 * are empty: all bits set), and as many records as the period has. Counts are in elements, and multiples of 4.
 * `npm run build:simd` compiles this file to binary.ts.
 */

const RECORD: usize = 96;

const MULTIPLY: i32 = 0;
const DIVIDE: i32 = 1;
const EVEN: i32 = 2;

const INSIDE: i32 = 0;
const BELOW: i32 = 1;
const ABOVE: i32 = 2;
const OUTSIDE: i32 = 3;
const SCALE: i32 = 4;

// @ts-expect-error: a decorator of AssemblyScript
@inline
function scale(grid: usize): v128 {
  return v128.load(grid);
}

// @ts-expect-error: a decorator of AssemblyScript
@inline
function inverse(grid: usize): v128 {
  return v128.load(grid, 16);
}

// @ts-expect-error: a decorator of AssemblyScript
@inline
function zero(grid: usize): v128 {
  return v128.load(grid, 32);
}

// @ts-expect-error: a decorator of AssemblyScript
@inline
function low(grid: usize): v128 {
  return v128.load(grid, 48);
}

// @ts-expect-error: a decorator of AssemblyScript
@inline
function high(grid: usize): v128 {
  return v128.load(grid, 64);
}

// @ts-expect-error: a decorator of AssemblyScript
@inline
function empty(grid: usize): v128 {
  return v128.load(grid, 80);
}

/** Clears all but the sign of denormals. */
// @ts-expect-error: a decorator of AssemblyScript
@inline
function flush(v: v128): v128 {
  const denormal = f32x4.lt(f32x4.abs(v), f32x4.splat(1.1754943508222875e-38));
  return v128.andnot(v, v128.and(denormal, i32x4.splat(0x7fffffff)));
}

// pmin(a, b) is b < a ? b : a: NaN stays, as in grid.ts.
// @ts-expect-error: a decorator of AssemblyScript
@inline
function clamp(v: v128, grid: usize): v128 {
  return f32x4.pmax(f32x4.pmin(v, high(grid)), low(grid));
}

// @ts-expect-error: a decorator of AssemblyScript
@inline
function floored(steps: v128): v128 {
  return f32x4.floor(f32x4.add(steps, f32x4.splat(0.5)));
}

// @ts-expect-error: a decorator of AssemblyScript
@inline
function fakeQuantizeLanes(v: v128, grid: usize, rounding: i32): v128 {
  const s = f32x4.sub(clamp(v, grid), low(grid));
  const steps = rounding == DIVIDE ? f32x4.div(s, scale(grid)) : f32x4.mul(s, inverse(grid));
  const y = f32x4.mul(floored(f32x4.sub(steps, zero(grid))), scale(grid));
  return v128.andnot(y, empty(grid));
}

// @ts-expect-error: a decorator of AssemblyScript
@inline
function quantizeDequantizeLanes(v: v128, grid: usize, rounding: i32): v128 {
  const steps = f32x4.mul(clamp(flush(v), grid), inverse(grid));
  return f32x4.mul(rounding == EVEN ? f32x4.nearest(steps) : floored(steps), scale(grid));
}

// @ts-expect-error: a decorator of AssemblyScript
@inline
function isOn(side: i32, v: v128, grid: usize): v128 {
  if (side == INSIDE) return v128.and(f32x4.ge(v, low(grid)), f32x4.le(v, high(grid)));
  if (side == OUTSIDE) return v128.or(f32x4.lt(v, low(grid)), f32x4.gt(v, high(grid)));
  return side == BELOW ? f32x4.lt(v, low(grid)) : f32x4.gt(v, high(grid));
}

// @ts-expect-error: a decorator of AssemblyScript
@inline
function slope(v: v128, grid: usize): v128 {
  const steps = f32x4.mul(clamp(v, grid), inverse(grid));
  return f32x4.sub(f32x4.nearest(steps), v128.bitselect(steps, zero(grid), isOn(INSIDE, v, grid)));
}

/** `v` is flushed. */
// @ts-expect-error: a decorator of AssemblyScript
@inline
function straightThroughLanes(dy: v128, v: v128, grid: usize, side: i32): v128 {
  if (side == SCALE) return f32x4.mul(dy, slope(v, grid));
  const on = isOn(side, v, grid);
  if (side == INSIDE) return f32x4.mul(dy, v128.and(v128.or(on, empty(grid)), f32x4.splat(1)));
  return v128.andnot(f32x4.mul(dy, v128.and(on, f32x4.splat(1))), empty(grid));
}

/** The record after `grid`, or the first one again. */
// @ts-expect-error: a decorator of AssemblyScript
@inline
function next(grid: usize, first: usize, end: usize): usize {
  return grid + RECORD == end ? first : grid + RECORD;
}

// @ts-expect-error: a decorator of AssemblyScript
@inline
function endOf(grids: usize, period: usize): usize {
  return grids + (period / 4) * RECORD;
}

/** Held between two ends, those of a ReLU, or infinite ones; NaN stays. `none` is 0 of a sign that -0 is to have in the end. */
// @ts-expect-error: a decorator of AssemblyScript
@inline
function held(v: v128, lowest: v128, highest: v128, none: v128): v128 {
  return f32x4.add(f32x4.pmax(f32x4.pmin(v, highest), lowest), none);
}

/** x, held between two ends first, on its grid, by fakeQuantize or quantizeDequantize. */
export function roundToGrid(
  x: usize,
  y: usize,
  count: usize,
  grids: usize,
  period: usize,
  rounding: i32,
  lowest: f32,
  highest: f32,
): void {
  const end = x + count * 4;
  const last = endOf(grids, period);
  const from = f32x4.splat(lowest);
  const to = f32x4.splat(highest);
  const none = f32x4.splat(lowest == 0 ? 0 : -0.0);
  let grid = grids;
  if (rounding == MULTIPLY) {
    for (; x < end; x += 16, y += 16, grid = next(grid, grids, last)) {
      v128.store(y, fakeQuantizeLanes(held(v128.load(x), from, to, none), grid, MULTIPLY));
    }
  } else if (rounding == DIVIDE) {
    for (; x < end; x += 16, y += 16, grid = next(grid, grids, last)) {
      v128.store(y, fakeQuantizeLanes(held(v128.load(x), from, to, none), grid, DIVIDE));
    }
  } else {
    for (; x < end; x += 16, y += 16, grid = next(grid, grids, last)) {
      v128.store(y, quantizeDequantizeLanes(held(v128.load(x), from, to, none), grid, rounding));
    }
  }
}

/** y = dy where x lies on the side, or dy times the slope. */
export function straightThrough(
  dy: usize,
  x: usize,
  y: usize,
  count: usize,
  grids: usize,
  period: usize,
  side: i32,
): void {
  const end = x + count * 4;
  const last = endOf(grids, period);
  if (side == INSIDE) {
    for (let grid = grids; x < end; x += 16, dy += 16, y += 16, grid = next(grid, grids, last)) {
      v128.store(y, straightThroughLanes(v128.load(dy), flush(v128.load(x)), grid, INSIDE));
    }
  } else {
    for (let grid = grids; x < end; x += 16, dy += 16, y += 16, grid = next(grid, grids, last)) {
      v128.store(y, straightThroughLanes(v128.load(dy), flush(v128.load(x)), grid, side));
    }
  }
}

/** Four float32 onto four float64 in memory. */
// @ts-expect-error: a decorator of AssemblyScript
@inline
function accumulate(sum: usize, terms: v128): void {
  const upper = i64x2.shuffle(terms, terms, 1, 0);
  v128.store(sum, f64x2.add(v128.load(sum), f64x2.promote_low_f32x4(terms)));
  v128.store(sum, f64x2.add(v128.load(sum, 16), f64x2.promote_low_f32x4(upper)), 16);
}

/**
 * sums += what `straightThrough` makes, in float64, for each element of the period: records of four, with space for four more.
 */
export function straightThroughSum(
  dy: usize,
  x: usize,
  count: usize,
  grids: usize,
  period: usize,
  side: i32,
  sums: usize,
): void {
  const end = x + count * 4;
  const last = endOf(grids, period);
  let sum = sums;
  for (let grid = grids; x < end; x += 16, dy += 16) {
    accumulate(sum, straightThroughLanes(v128.load(dy), flush(v128.load(x)), grid, side));
    grid += RECORD;
    sum += 64;
    if (grid == last) {
      grid = grids;
      sum = sums;
    }
  }
}

/** y = dy inside, and sums += dy below and above: records of four below, then four above. */
export function straightThroughAll(
  dy: usize,
  x: usize,
  y: usize,
  count: usize,
  grids: usize,
  period: usize,
  sums: usize,
): void {
  const end = x + count * 4;
  const last = endOf(grids, period);
  let sum = sums;
  for (let grid = grids; x < end; x += 16, dy += 16, y += 16) {
    const v = flush(v128.load(x));
    const gradient = v128.load(dy);
    v128.store(y, straightThroughLanes(gradient, v, grid, INSIDE));
    accumulate(sum, straightThroughLanes(gradient, v, grid, BELOW));
    accumulate(sum + 32, straightThroughLanes(gradient, v, grid, ABOVE));
    grid += RECORD;
    sum += 64;
    if (grid == last) {
      grid = grids;
      sum = sums;
    }
  }
}

/**
 * The lowest and highest x so far, for each element of the period: records of four lows, then four highs. pmin and pmax take
 * x only if it is beyond: NaN is skipped.
 */
export function measure(x: usize, count: usize, extremes: usize, period: usize): void {
  const end = x + count * 4;
  const last = extremes + period * 8;
  for (let at = extremes; x < end; x += 16) {
    const v = v128.load(x);
    v128.store(at, f32x4.pmin(v128.load(at), v));
    v128.store(at, f32x4.pmax(v128.load(at, 16), v), 16);
    at += 32;
    if (at == last) at = extremes;
  }
}

/** The lowest and the highest x of each lane: four lows, then four highs. NaN where any is NaN. */
export function extremes(x: usize, count: usize, into: usize): void {
  const end = x + count * 4;
  const whole = x + (count / 8) * 32;
  let low = f32x4.splat(Infinity);
  let high = f32x4.splat(-Infinity);
  let nan = i32x4.splat(0);
  for (; x < whole; x += 32) {
    const one = v128.load(x);
    const two = v128.load(x, 16);
    low = f32x4.pmin(low, f32x4.pmin(one, two));
    high = f32x4.pmax(high, f32x4.pmax(one, two));
    nan = v128.or(nan, v128.or(f32x4.ne(one, one), f32x4.ne(two, two)));
  }
  if (x < end) {
    const v = v128.load(x);
    low = f32x4.pmin(low, v);
    high = f32x4.pmax(high, v);
    nan = v128.or(nan, f32x4.ne(v, v));
  }
  v128.store(into, v128.or(low, nan));
  v128.store(into, v128.or(high, nan), 16);
}

/** Adds one to a count. */
// @ts-expect-error: a decorator of AssemblyScript
@inline
function countIn(counts: usize, bin: i32): void {
  const at = counts + (<usize>bin << 2);
  i32.store(at, i32.load(at) + 1);
}

/**
 * Counts each x in one of `bins` bins, each 1 / perUnit wide, of which `below` lie below 0; all x are finite. Every other one
 * counts in bins that come after the first: the same bin may come again and again, and would wait for itself.
 */
export function histogram(x: usize, count: usize, perUnit: f32, below: f32, bins: i32, counts: usize): void {
  const end = x + count * 4;
  const others = counts + (<usize>bins << 2);
  const scales = f32x4.splat(perUnit);
  const shift = f32x4.splat(below);
  const last = f32x4.splat(<f32>(bins - 1));
  // A float of this size has an integer in its last bits.
  const whole = f32x4.splat(8388608);
  const mask = i32x4.splat(0x7fffff);
  for (; x < end; x += 16) {
    const steps = f32x4.add(f32x4.floor(f32x4.mul(v128.load(x), scales)), shift);
    const bin = v128.and(f32x4.add(f32x4.pmax(f32x4.splat(0), f32x4.pmin(last, steps)), whole), mask);
    countIn(counts, i32x4.extract_lane(bin, 0));
    countIn(others, i32x4.extract_lane(bin, 1));
    countIn(counts, i32x4.extract_lane(bin, 2));
    countIn(others, i32x4.extract_lane(bin, 3));
  }
}
