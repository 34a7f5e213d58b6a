/**
 * The specification: TensorFlow's quantization arithmetic, one float32 rounding per step, in TensorFlow's order.
 *
 * Every backend repeats these functions, under the same names and in the same order: quantize.glsl and quantize.wgsl in
 * shaders/, and, for what is done to each element, kernels/cpu/simd/quantize.ts. Where a shader says `rounded`, the rounding
 * of `f32` needs protection from its compiler. Nothing here knows tfjs. Verified bit for bit against TensorFlow 2.21
 * (test/golden).
 */

/** The ends of the integer grid. */
export interface Levels {
  readonly qmin: number;
  readonly qmax: number;
}

/**
 * A quantization grid, all in float32.
 *
 * @example
 * ```js
 * import * as tf from '@tensorflow/tfjs';
 * import {FakeQuantizer} from 'tfjs-quantization/qat';
 *
 * const quantizer = new FakeQuantizer({numBits: 4, symmetric: true, observer: 'learned'});
 * quantizer.apply(tf.tensor([-1, 0.3, 0.7]), {training: true});
 * const [grid] = (await quantizer.snapshot()).learned;
 * console.log(grid.low / grid.scale, grid.high / grid.scale); // -8 7
 * ```
 */
export interface Grid {
  /** The value of one step. */
  readonly scale: number;
  /** Steps per unit. Not 1 / scale: TensorFlow rounds the two separately. */
  readonly inverse: number;
  /** How many steps lie between `low` and 0; of an anchored grid, from 0 to its low end, as it was before rounding. */
  readonly zero: number;
  /** The lower of the bounds to which x is clamped and outside of which its gradient goes to the bounds. */
  readonly low: number;
  /** The upper one. */
  readonly high: number;
  /** The range was 0/0: everything is 0, and the gradient passes. */
  readonly empty: boolean;
}

/**
 * How a range becomes a grid: nudged so that 0 is a level, adjusted to its longer side, or taken raw. A learned grid is
 * given by its scale alone, or by its scale and its low end.
 */
export type Fit = 'nudge' | 'adjust' | 'raw' | 'scaled' | 'anchored';

/** How a distance becomes a level: floor(s * inverse + ½), floor(s / scale + ½), to even, or floor(v + ½). */
export type RoundingMode = 'multiply' | 'divide' | 'even' | 'up';

/**
 * Where a gradient goes: to x inside the range, to min below it, to max above it; to a learned low end outside of it, and
 * to a learned scale from everywhere.
 */
export type Side = 'inside' | 'below' | 'above' | 'outside' | 'scale';

const f32 = Math.fround;
const SMALLEST_NORMAL = 2 ** -126;
export const LARGEST_FLOAT = (2 - 2 ** -23) * 2 ** 127;

/** FakeQuant's integer grid of `numBits`, without its lowest level if `narrowRange`. */
export function fakeQuantLevels(numBits: number, narrowRange: boolean): Levels {
  return {qmin: narrowRange ? 1 : 0, qmax: 2 ** numBits - 1};
}

/** QuantizeAndDequantize's integer grid: `narrowRange` counts only if signed. */
export function quantizeAndDequantizeLevels(numBits: number, signed: boolean, narrowRange: boolean): Levels {
  return signed
    ? {qmin: -(2 ** (numBits - 1)) + (narrowRange ? 1 : 0), qmax: 2 ** (numBits - 1) - 1}
    : {qmin: 0, qmax: 2 ** numBits - 1};
}

/** A learned grid's levels, counted from 0: on both sides of it, or from it upwards. */
export function learnedLevels(numBits: number, narrowRange: boolean, symmetric: boolean): Levels {
  if (symmetric) return quantizeAndDequantizeLevels(numBits, true, narrowRange);
  const {qmin, qmax} = fakeQuantLevels(numBits, narrowRange);
  return {qmin: 0, qmax: qmax - qmin};
}

/** TensorFlow computes with denormals flushed to zero, of their sign. */
function flush(x: number): number {
  return Math.abs(x) < SMALLEST_NORMAL ? x * 0 : x;
}

/** Half away from zero, for z not below 0. floor(z + 0.5) would send 0.49999997 to 1. */
function roundHalfAway(z: number): number {
  const whole = Math.floor(z);
  return z - whole >= 0.5 ? whole + 1 : whole;
}

/** Half to even, in float32; -0.3 becomes -0. */
function roundHalfEven(v: number): number {
  const whole = Math.floor(v);
  const rest = v - whole;
  return rest < 0.5 || (rest === 0.5 && whole % 2 === 0) ? whole : Math.ceil(v);
}

/** FakeQuant's grid: moves the range so that 0 is exactly one of its levels. */
export function nudge(low: number, high: number, levels: Levels): Grid {
  const lowest = flush(f32(low));
  const highest = flush(f32(high));
  const {qmin, qmax} = levels;
  const extent = flush(f32(highest - lowest));
  const scale = flush(f32(extent / f32(qmax - qmin)));
  const inverse = flush(f32(f32(qmax - qmin) / extent));
  // What follows needs no flush: a tiny lowest / scale rounds to 0 anyway, and whole numbers times scale stay normal.
  const z = f32(qmin - f32(lowest / scale));
  // An infinite range makes z NaN, which TensorFlow's conversion to an integer turns into 0.
  const zeroPoint = z < qmin ? qmin : z > qmax ? qmax : z >= qmin ? roundHalfAway(z) : 0;
  const nudgedLow = f32(f32(qmin - zeroPoint) * scale);
  const nudgedHigh = f32(f32(qmax - zeroPoint) * scale);
  const zero = Math.floor(f32(f32(-nudgedLow * inverse) + 0.5));
  return {scale, inverse, zero, low: nudgedLow, high: nudgedHigh, empty: lowest === 0 && highest === 0};
}

/** QuantizeAndDequantize's grid: symmetric about 0, as fine as the longer side of the range allows. */
function adjust(low: number, high: number, levels: Levels): Grid {
  const lowest = flush(f32(low));
  const highest = flush(f32(high));
  const qmin = f32(levels.qmin);
  const qmax = f32(levels.qmax);
  const fromLow = f32(qmin * lowest) > 0 ? f32(qmin / lowest) : LARGEST_FLOAT;
  const fromHigh = f32(qmax * highest) > 0 ? f32(qmax / highest) : LARGEST_FLOAT;
  if (fromLow < fromHigh) {
    const scale = flush(f32(lowest / qmin));
    return {scale, inverse: fromLow, zero: 0, low: lowest, high: flush(f32(qmax * scale)), empty: false};
  }
  const scale = flush(f32(highest / qmax));
  return {scale, inverse: fromHigh, zero: 0, low: flush(f32(qmin * scale)), high: highest, empty: false};
}

/** The range as it was given, for QuantizeAndDequantize's gradient. */
function raw(low: number, high: number): Grid {
  return {scale: 1, inverse: 1, zero: 0, low: flush(f32(low)), high: flush(f32(high)), empty: false};
}

/** A learned scale's grid: its multiples from qmin to qmax. What is no positive number counts as 0 and gives NaN. */
function scaled(given: number, {qmin, qmax}: Levels): Grid {
  const step = flush(f32(given));
  const scale = step > 0 && step <= LARGEST_FLOAT ? step : 0;
  const inverse = flush(f32(1 / scale));
  return {scale, inverse, zero: 0, low: f32(qmin * scale), high: f32(qmax * scale), empty: false};
}

/** As many levels from the one next to a learned low end, not above 0 and not so low that 0 is no level. */
function anchored(scale: number, offset: number, {qmin, qmax}: Levels): Grid {
  const extent = qmax - qmin;
  const zero = f32(flush(f32(offset)) * scaled(scale, {qmin, qmax}).inverse);
  const nearest = Math.floor(f32(zero + 0.5));
  const lowest = nearest < -extent ? -extent : nearest < 0 ? nearest : 0;
  return {...scaled(Number.isNaN(zero) ? 0 : scale, {qmin: lowest, qmax: lowest + extent}), zero};
}

/** The same steps with no bounds. */
export function unbounded(grid: Grid): Grid {
  return {...grid, low: -Infinity, high: Infinity};
}

/** The grid of a range, or of a learned scale and low end. */
export function gridOf(fit: Fit, low: number, high: number, levels: Levels): Grid {
  if (fit === 'nudge') return nudge(low, high, levels);
  if (fit === 'adjust') return adjust(low, high, levels);
  if (fit === 'scaled') return scaled(low, levels);
  return fit === 'anchored' ? anchored(low, high, levels) : raw(low, high);
}

/** x held inside the grid's bounds. NaN stays; where low exceeds high, low wins. */
function clamp(x: number, grid: Grid): number {
  const c = x > grid.high ? grid.high : x;
  return c < grid.low ? grid.low : c;
}

/** x as a ReLU gives it, whose highest value may be infinite. NaN stays. */
export function relu(x: number, highest: number): number {
  const c = x > highest ? highest : x;
  return c <= 0 ? 0 : c;
}

/** FakeQuant's value of x: the level nearest to x, times the scale. One multiplication, so the level is recoverable. */
export function fakeQuantize(x: number, grid: Grid, rounding: 'multiply' | 'divide'): number {
  if (grid.empty) return 0;
  const s = f32(clamp(x, grid) - grid.low);
  const steps = rounding === 'divide' ? f32(s / grid.scale) : f32(s * grid.inverse);
  return f32(Math.floor(f32(f32(steps - grid.zero) + 0.5)) * grid.scale);
}

/** QuantizeAndDequantize's value of x. A measured range clamps nothing: its grid is `unbounded`. */
export function quantizeDequantize(x: number, grid: Grid, rounding: 'even' | 'up'): number {
  const steps = f32(clamp(flush(x), grid) * grid.inverse);
  return f32((rounding === 'even' ? roundHalfEven(steps) : Math.floor(f32(steps + 0.5))) * grid.scale);
}

/** Whether x lies on `side` of the bounds. NaN lies on none. */
function isOn(side: Exclude<Side, 'scale'>, x: number, {low, high}: Grid): boolean {
  if (side === 'inside') return x >= low && x <= high;
  if (side === 'outside') return x < low || x > high;
  return side === 'below' ? x < low : x > high;
}

/**
 * How x's value on a learned grid changes with the scale, straight through its rounding: inside by what rounding moved x,
 * in steps; outside by the steps from the low end to the bound, or from 0 if the low end is not learned.
 */
function slope(x: number, grid: Grid): number {
  const steps = f32(clamp(x, grid) * grid.inverse);
  return f32(roundHalfEven(steps) - (isOn('inside', x, grid) ? steps : grid.zero));
}

/** dy where x lies on `side` of the bounds, else dy * 0; for a scale, dy times the slope. */
export function straightThrough(dy: number, x: number, grid: Grid, side: Side): number {
  if (grid.empty) return side === 'inside' ? dy : 0;
  const v = flush(x);
  if (side === 'scale') return f32(dy * slope(v, grid));
  return f32(dy * (isOn(side, v, grid) ? 1 : 0));
}
