/** The numbers that everything is measured on: the same in every run, backend and language. */

import * as tf from '@tensorflow/tfjs-core';

/** x and dy repeat after this many values: prime, so that no channel sees a pattern. */
const PERIOD = 1_048_583;

/** Bell-shaped about 0, mostly within 3: about a sixth lies outside the ranges below. */
export function values(count: number, seed: number): Float32Array {
  const period = new Float32Array(Math.min(count, PERIOD));
  let state = seed;
  const uniform = () => {
    state = (Math.imul(state, 1664525) + 1013904223) | 0;
    return (state >>> 8) / 2 ** 24;
  };
  for (let i = 0; i < period.length; ++i) period[i] = (uniform() + uniform() + uniform() - 1.5) * 2.6;
  const all = new Float32Array(count);
  for (let at = 0; at < count; at += period.length) all.set(period.subarray(0, count - at), at);
  return all;
}

export const RANGE = {min: -1.7, max: 2.1};

/** A range per channel, each a little different. */
export function ranges(channels: number): {min: Float32Array; max: Float32Array} {
  const spread = (c: number) => 0.8 + (0.4 * ((c * 7) % 13)) / 13;
  return {
    min: Float32Array.from({length: channels}, (_, c) => RANGE.min * spread(c)),
    max: Float32Array.from({length: channels}, (_, c) => RANGE.max * spread(c + 5)),
  };
}

/** Puts a tensor where a preceding op would have left it. */
export function resident(numbers: Float32Array | number, shape: readonly number[]): tf.Tensor {
  return tf.tidy(() => tf.mul(tf.tensor(typeof numbers === 'number' ? [numbers] : numbers, [...shape]), tf.scalar(1)));
}
