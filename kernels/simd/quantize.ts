/**
 * The twin of grid.ts in AssemblyScript: four float32 at a time, in WebAssembly's SIMD. The same names, in the same order.
 *
 * kernels/cpu.ts brings values here in chunks and takes the results away. Grids are columns that repeat with a period:
 * the grid of element i stands at i % period. `npm run build:simd` compiles this file to binary.ts.
 */

/** The most elements in a chunk, and the longest period. */
const CHUNK: usize = 16384;
const COLUMN: usize = CHUNK * 4;

export const x: usize = memory.data(65536, 16);
export const dy: usize = memory.data(65536, 16);
export const result: usize = memory.data(65536, 16);
/** scale, inverse, zero, low, high, and which grids are empty (all bits set): a column of CHUNK each. */
export const grids: usize = memory.data(393216, 16);
/** Sums in float64, one column or two; or the lowest values, then the highest, in float32. */
export const totals: usize = memory.data(262144, 16);

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
function column(index: usize, at: usize): v128 {
  return v128.load(grids + index * COLUMN + at);
}

// @ts-expect-error: a decorator of AssemblyScript
@inline
function flush(v: v128): v128 {
  const denormal = f32x4.lt(f32x4.abs(v), f32x4.splat(1.1754943508222875e-38));
  return v128.bitselect(f32x4.mul(v, f32x4.splat(0)), v, denormal);
}

// pmin(a, b) is b < a ? b : a: NaN stays, as in grid.ts.
// @ts-expect-error: a decorator of AssemblyScript
@inline
function clamp(v: v128, at: usize): v128 {
  return f32x4.pmax(f32x4.pmin(v, column(4, at)), column(3, at));
}

// @ts-expect-error: a decorator of AssemblyScript
@inline
function floored(steps: v128): v128 {
  return f32x4.floor(f32x4.add(steps, f32x4.splat(0.5)));
}

// @ts-expect-error: a decorator of AssemblyScript
@inline
function projectLanes(v: v128, at: usize, rounding: i32): v128 {
  const s = f32x4.sub(clamp(v, at), column(3, at));
  const steps = rounding == DIVIDE ? f32x4.div(s, column(0, at)) : f32x4.mul(s, column(1, at));
  const y = f32x4.mul(floored(f32x4.sub(steps, column(2, at))), column(0, at));
  return v128.andnot(y, column(5, at));
}

// @ts-expect-error: a decorator of AssemblyScript
@inline
function snapLanes(v: v128, at: usize, rounding: i32): v128 {
  const steps = f32x4.mul(clamp(flush(v), at), column(1, at));
  return f32x4.mul(rounding == EVEN ? f32x4.nearest(steps) : floored(steps), column(0, at));
}

// @ts-expect-error: a decorator of AssemblyScript
@inline
function isOn(side: i32, v: v128, at: usize): v128 {
  if (side == INSIDE) return v128.and(f32x4.ge(v, column(3, at)), f32x4.le(v, column(4, at)));
  if (side == OUTSIDE) return v128.or(f32x4.lt(v, column(3, at)), f32x4.gt(v, column(4, at)));
  return side == BELOW ? f32x4.lt(v, column(3, at)) : f32x4.gt(v, column(4, at));
}

// @ts-expect-error: a decorator of AssemblyScript
@inline
function slope(v: v128, at: usize): v128 {
  const steps = f32x4.mul(clamp(v, at), column(1, at));
  return f32x4.sub(f32x4.nearest(steps), v128.bitselect(steps, column(2, at), isOn(INSIDE, v, at)));
}

// @ts-expect-error: a decorator of AssemblyScript
@inline
function routeLanes(at: usize, grid: usize, side: i32): v128 {
  const gradient = v128.load(dy + at);
  const v = flush(v128.load(x + at));
  const empty = column(5, grid);
  if (side == SCALE) return f32x4.mul(gradient, slope(v, grid));
  const routed = f32x4.mul(gradient, v128.and(isOn(side, v, grid), f32x4.splat(1)));
  return side == INSIDE ? v128.bitselect(gradient, routed, empty) : v128.andnot(routed, empty);
}

// @ts-expect-error: a decorator of AssemblyScript
@inline
function next(grid: usize, period: usize): usize {
  return grid + 16 == period ? 0 : grid + 16;
}

/** result = project or snap of x. Counts and periods are in elements, multiples of 4. */
export function project(count: usize, period: usize, rounding: i32): void {
  const end = count * 4;
  const stop = period * 4;
  if (rounding == MULTIPLY) {
    for (let at: usize = 0, grid: usize = 0; at < end; at += 16, grid = next(grid, stop)) {
      v128.store(result + at, projectLanes(v128.load(x + at), grid, MULTIPLY));
    }
  } else if (rounding == DIVIDE) {
    for (let at: usize = 0, grid: usize = 0; at < end; at += 16, grid = next(grid, stop)) {
      v128.store(result + at, projectLanes(v128.load(x + at), grid, DIVIDE));
    }
  } else {
    for (let at: usize = 0, grid: usize = 0; at < end; at += 16, grid = next(grid, stop)) {
      v128.store(result + at, snapLanes(v128.load(x + at), grid, rounding));
    }
  }
}

/** result = dy where x lies on the side. */
export function route(count: usize, period: usize, side: i32): void {
  const end = count * 4;
  const stop = period * 4;
  for (let at: usize = 0, grid: usize = 0; at < end; at += 16, grid = next(grid, stop)) {
    v128.store(result + at, routeLanes(at, grid, side));
  }
}

// @ts-expect-error: a decorator of AssemblyScript
@inline
function accumulate(sum: usize, routed: v128): void {
  const upper = i8x16.shuffle(routed, routed, 8, 9, 10, 11, 12, 13, 14, 15, 8, 9, 10, 11, 12, 13, 14, 15);
  v128.store(sum, f64x2.add(v128.load(sum), f64x2.promote_low_f32x4(routed)));
  v128.store(sum + 16, f64x2.add(v128.load(sum + 16), f64x2.promote_low_f32x4(upper)));
}

/** totals += dy where x lies on the side, or dy times the slope. */
export function routeSum(count: usize, period: usize, side: i32): void {
  const end = count * 4;
  const stop = period * 4;
  if (side == SCALE) {
    for (let at: usize = 0, grid: usize = 0; at < end; at += 16, grid = next(grid, stop)) {
      accumulate(totals + 2 * grid, routeLanes(at, grid, SCALE));
    }
  } else {
    for (let at: usize = 0, grid: usize = 0; at < end; at += 16, grid = next(grid, stop)) {
      accumulate(totals + 2 * grid, routeLanes(at, grid, side));
    }
  }
}

/** result = dy where x lies inside; the first column of totals += dy below, the second += dy above. */
export function routeAll(count: usize, period: usize): void {
  const end = count * 4;
  const stop = period * 4;
  for (let at: usize = 0, grid: usize = 0; at < end; at += 16, grid = next(grid, stop)) {
    v128.store(result + at, routeLanes(at, grid, INSIDE));
    accumulate(totals + 2 * grid, routeLanes(at, grid, BELOW));
    accumulate(totals + 2 * COLUMN + 2 * grid, routeLanes(at, grid, ABOVE));
  }
}

/** totals = the lowest and highest x so far. pmin and pmax take x only if it is beyond: NaN is skipped. */
export function measure(count: usize, period: usize): void {
  const end = count * 4;
  const stop = period * 4;
  for (let at: usize = 0, grid: usize = 0; at < end; at += 16, grid = next(grid, stop)) {
    const v = v128.load(x + at);
    const low = totals + grid;
    const high = low + COLUMN;
    v128.store(low, f32x4.pmin(v128.load(low), v));
    v128.store(high, f32x4.pmax(v128.load(high), v));
  }
}
