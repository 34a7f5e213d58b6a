/** Whether a training loop whose ranges and widths change compiles anything after its first step. */
import * as tf from '@tensorflow/tfjs-core';
import {fakeQuant} from '../src/entries/index';
import {values} from './data';
import type {Probe} from './probe';

const SHAPE: [number, number, number, number] = [2, 8, 8, 16];

/** Forward and all gradients, per tensor and per channel. */
function step(x: tf.Tensor, numBits: number, low: number, high: number): void {
  const loss = (range: tf.Tensor[]) =>
    tf
      .grads((a, min, max) => fakeQuant(a, min, max, {numBits}))([x, ...range])
      .concat(tf.grad(a => fakeQuant(a, low, high, {numBits}))(x));
  tf.tidy(() => loss([tf.scalar(low), tf.scalar(high)]));
  tf.tidy(() => loss([tf.fill([16], low), tf.fill([16], high)]));
}

/** Programs compiled in the steps after the first, of eight. */
export async function compiledAfterFirstStep(probe: Probe): Promise<number> {
  const x = tf.tensor(values(tf.util.sizeFromShape(SHAPE), 3), SHAPE);
  step(x, 8, -1, 1);
  const before = probe.compiled();
  for (let i = 1; i < 8; ++i) step(x, 2 + i, -1 - 0.1 * i, 1 + 0.3 * i);
  await probe.finish();
  x.dispose();
  return probe.compiled() - before;
}
