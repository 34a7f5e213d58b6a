/** Whole networks of the kinds that people deploy: their files compute what the quantized models compute. */
import * as tf from '@tensorflow/tfjs-core';
import {calibrate, quantizeModel} from '../../src/entries/qat';
import {toTFLite} from '../../src/entries/tflite';
import {scoped} from '../support/scoped';
import {NETWORKS, seedNetwork} from './networks';
import {parse, run, type Runtime, stopRuntimes} from './runtimes';

afterAll(stopRuntimes);

const RUNTIMES: readonly Runtime[] = ['reference', 'xnnpack', 'litert.js', 'micro'];
const SAMPLES = 24;

/** In levels, on average. */
function distance(a: readonly number[], b: ArrayLike<number>, scale: number): number {
  return a.reduce((sum, each, i) => sum + Math.abs(each - b[i]!) / scale, 0) / a.length;
}

function classes(scores: ArrayLike<number>): number[] {
  const size = scores.length / SAMPLES;
  const rows = Array.from({length: SAMPLES}, (_, row) => Array.from({length: size}, (_, i) => scores[row * size + i]!));
  return rows.map(row => row.indexOf(Math.max(...row)));
}

describe('toTFLite of a network', () => {
  scoped();

  for (const [name, make] of Object.entries(NETWORKS)) {
    it(`like ${name}`, async () => {
      const model = make();
      seedNetwork(model);
      const dims = model.inputs[0]!.shape.slice(1) as number[];
      const q = quantizeModel(model);
      await calibrate(q, tf.randomNormal([64, ...dims], 0, 1, 'float32', 1));
      const bytes = await toTFLite(q);
      const x = tf.randomNormal([SAMPLES, ...dims], 0, 1, 'float32', 2);
      const expected = (q.predict(x) as tf.Tensor).dataSync();
      const {tensors, operators} = await parse(bytes);
      const [scale] = tensors[operators.at(-1)!.inputs[0]!]!.scale as [number];
      const runs = tf.unstack(x).map(each => [each.dataSync<'float32'>()]);
      const answers: number[][] = [];
      for (const runtime of RUNTIMES) answers.push((await run(bytes, runtime, runs)).flatMap(([y]) => [...y!]));
      // A level off here and there goes on to the layers that follow; Google's runtimes are as far from each other.
      const apart = distance(answers[0]!, answers[1]!, scale);
      for (const [i, runtime] of RUNTIMES.entries()) {
        expect(distance(answers[i]!, expected, scale))
          .withContext(runtime)
          .toBeLessThan(apart + 0.5);
        if (q.outputs[0]!.shape.length === 2) {
          expect(classes(answers[i]!)).withContext(runtime).toEqual(classes(expected));
        }
      }
    });
  }
});
