/** The ops as one writes them today, of plain tfjs ops. */
import * as tf from '@tensorflow/tfjs-core';

type T = tf.Tensor;

/** What the range was moved to so that 0 is a level. */
interface Nudged {
  readonly low: T;
  readonly high: T;
  readonly scale: T;
  /** Steps from `low` to 0. */
  readonly zero: T;
}

/** Small tensors only: scalars, or one value per channel. */
function nudge(min: T, max: T, numBits = 8): Nudged {
  const levels = 2 ** numBits - 1;
  const scale = tf.div(tf.sub(max, min), levels);
  const zero = tf.round(tf.clipByValue(tf.div(tf.neg(min), scale), 0, levels));
  return {low: tf.mul(tf.neg(zero), scale), high: tf.mul(tf.sub(levels, zero), scale), scale, zero};
}

/** A range per channel in a shape that broadcasts against x. */
export function alongAxis(range: T, rank: number, axis: number | undefined): T {
  if (axis === undefined) return range;
  return tf.reshape(
    range,
    Array.from({length: rank}, (_, i) => (i === axis ? range.size : 1)),
  );
}

/** TensorFlow's formula, op for op: 8 passes over x. */
export function fakeQuant(x: T, min: T, max: T): T {
  const {low, high, scale, zero} = nudge(min, max);
  const shifted = tf.sub(tf.maximum(tf.minimum(x, high), low), low);
  return tf.mul(tf.floor(tf.add(tf.sub(tf.div(shifted, scale), zero), 0.5)), scale);
}

/** The shortest that gives the same numbers but at ties: 5 passes. */
export function fakeQuantLean(x: T, min: T, max: T): T {
  const {low, high, scale} = nudge(min, max);
  return tf.mul(tf.round(tf.div(tf.maximum(tf.minimum(x, high), low), scale)), scale);
}

/** All axes but one, or all. */
export function othersOf(rank: number, axis: number | undefined): number[] {
  return Array.from({length: rank}, (_, i) => i).filter(i => i !== axis);
}

export function dx(dy: T, x: T, min: T, max: T): T {
  const {low, high} = nudge(min, max);
  const inside = tf.logicalAnd(tf.greaterEqual(x, low), tf.lessEqual(x, high));
  return tf.where(inside, dy, tf.zerosLike(dy));
}

export function dmin(dy: T, x: T, min: T, max: T, axis?: number): T {
  const {low} = nudge(min, max);
  return tf.sum(tf.where(tf.less(x, low), dy, tf.zerosLike(dy)), othersOf(x.rank, axis));
}

/** dx, dmin and dmax, sharing what they can. */
export function gradient(dy: T, x: T, min: T, max: T, axis?: number): [T, T, T] {
  const {low, high} = nudge(min, max);
  const zeros = tf.zerosLike(dy);
  const below = tf.less(x, low);
  const above = tf.greater(x, high);
  const others = othersOf(x.rank, axis);
  return [
    tf.where(tf.logicalOr(below, above), zeros, dy),
    tf.sum(tf.where(below, dy, zeros), others),
    tf.sum(tf.where(above, dy, zeros), others),
  ];
}

/** The composition with its gradient attached, as one trains with it. */
export function trainable(x: T, min: T, max: T): T {
  const quantize = tf.customGrad((...args) => {
    const save = args[3] as unknown as tf.GradSaveFunc;
    const [a, low, high] = args as [T, T, T];
    save([a, low, high]);
    return {
      value: fakeQuant(a, low, high),
      gradFunc: (dy: T, saved: T[]) => gradient(dy, saved[0]!, saved[1]!, saved[2]!),
    };
  });
  return quantize(x, min, max);
}

/** QuantizeAndDequantizeV4 with 8 signed bits and the range of x. */
export function quantizeMeasured(x: T): T {
  const scale = symmetricScale(tf.min(x), tf.max(x));
  return tf.mul(tf.round(tf.div(x, scale)), scale);
}

/** QuantizeAndDequantizeV4 with 8 signed bits and a range. */
export function quantizeGiven(x: T, min: T, max: T): T {
  const scale = symmetricScale(min, max);
  return tf.mul(tf.clipByValue(tf.round(tf.div(x, scale)), -128, 127), scale);
}

function symmetricScale(min: T, max: T): T {
  return tf.maximum(tf.div(min, -128), tf.div(max, 127));
}

/** Moves a range towards that of x and quantizes x to it: [y, low, high]. */
export function quantizeMoving(x: T, low: T, high: T, rate: number): [T, T, T] {
  const moved = (from: T, to: T) => tf.sub(from, tf.mul(tf.sub(from, to), rate));
  const [newLow, newHigh] = [moved(low, tf.min(x)), moved(high, tf.max(x))];
  return [fakeQuant(x, newLow, newHigh), newLow, newHigh];
}

export function minMax(x: T, axis?: number): [T, T] {
  const others = othersOf(x.rank, axis);
  return [tf.min(x, others), tf.max(x, others)];
}

/** Eight symmetric bits of a learned scale. */
export function learned(x: T, scale: T): T {
  return tf.mul(tf.round(tf.clipByValue(tf.div(x, scale), -128, 127)), scale);
}

export function learnedScaleGradient(dy: T, x: T, scale: T, axis?: number): T {
  const steps = tf.div(x, scale);
  const held = tf.clipByValue(steps, -128, 127);
  const moved = tf.sub(tf.round(held), tf.where(tf.equal(steps, held), steps, tf.zerosLike(steps)));
  return tf.sum(tf.mul(dy, moved), othersOf(x.rank, axis));
}
