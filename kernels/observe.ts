/**
 * The specification of a moving range: how an activation quantizer's range follows the batches that it sees. One float32
 * rounding per step, as tfmot's quantizers compute it; the twins are observe.glsl and observe.wgsl in shaders/.
 */

import {LARGEST_FLOAT} from './grid';

/** How a range follows: by a moving average, by the last batch, or by all batches so far. */
export type MovingObserver = (typeof OBSERVERS)[number];

/** In the order that the shaders count them. */
export const OBSERVERS = ['movingAverage', 'lastValue', 'allValues'] as const;

export interface ObserveRule {
  readonly observer: MovingObserver;
  /** A moving average's step towards the batch, 1 - decay. */
  readonly rate: number;
  /** Whether the average is over the batches seen, or starts from the initial range as if that had been one. */
  readonly debias: boolean;
  /** For a symmetric range, low / high: -1 if the grid is narrow, a little more if it is not; 0 for one that just holds 0. */
  readonly ratio: number;
}

/** A range and the weight of the batches in it: 0 before the first one, then 1 - decay^n. */
export interface ObservedRange {
  readonly low: number;
  readonly high: number;
  readonly weight: number;
}

const f32 = Math.fround;

/** low / high of a symmetric grid of `numBits`. */
export function symmetricRatio(numBits: number, narrowRange: boolean): number {
  return narrowRange ? -1 : -(2 ** numBits - 2) / 2 ** numBits;
}

/** One step of a moving average. */
function approach(from: number, to: number, rate: number): number {
  return f32(from - f32(f32(from - to) * rate));
}

/** The range after a batch of extremes `low` and `high`. A batch with nothing finite to measure leaves it as it was. */
export function observe(range: ObservedRange, low: number, high: number, rule: ObserveRule): ObservedRange {
  if (!(low <= high && Math.abs(low) <= LARGEST_FLOAT && Math.abs(high) <= LARGEST_FLOAT)) return range;
  const ratio = f32(rule.ratio);
  const batchLow = Math.min(low, ratio === 0 ? 0 : f32(high / ratio));
  // Of all values the end is that of the lowered low one, of the others that of the batch: they may be one bit apart.
  const lowest = rule.observer === 'allValues' ? batchLow : low;
  const batchHigh = Math.max(high, ratio === 0 ? 0 : f32(lowest * ratio));
  const rate = f32(rule.rate);
  const weight = f32(range.weight + f32(f32(1 - range.weight) * rate));
  if (rule.observer === 'lastValue') return {low: batchLow, high: batchHigh, weight};
  if (rule.observer === 'allValues') {
    return {low: Math.min(range.low, batchLow), high: Math.max(range.high, batchHigh), weight};
  }
  const step = rule.debias ? f32(rate / weight) : rate;
  return {low: approach(range.low, batchLow, step), high: approach(range.high, batchHigh, step), weight};
}
