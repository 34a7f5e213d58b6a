/** Trains the networks that read until a visitor trains others. */
import * as tf from 'tfjs-quantization/tf';
import {encode} from '../../../lab/base64';
import {hastenCpu} from '../../../lab/fast_cpu';
import {compare} from './compare';
import type {Beforehand} from './state';

const PLAN = {bits: [8, 4, 3, 2], epochs: 20, seed: 1, seeds: 1};

export async function trainBeforehand(): Promise<Beforehand> {
  hastenCpu();
  await tf.setBackend('cpu');
  const scores: Beforehand['scores'][number][] = [];
  for await (const {method, bits, seed, epoch, accuracy, numbers} of compare(PLAN)) {
    const text = numbers && {numbers: encode(new Uint8Array(numbers.buffer))};
    scores.push({method, bits, seed, epoch, accuracy, ...text});
  }
  return {plan: PLAN, scores};
}
