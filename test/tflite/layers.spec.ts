/** Every layer alone, in models of random shapes, strides, paddings, activations and weights: as the model, in all runtimes. */
import * as tf from '@tensorflow/tfjs-core';
import type * as tfl from '@tensorflow/tfjs-layers';
import fc from 'fast-check';
import {calibrate, quantizeModel} from '../../src/entries/qat';
import {toTFLite} from '../../src/entries/tflite';
import {scoped} from '../support/scoped';
import {CASES, RANDOM, randomModel, SAMPLES, samplesOf, WITHOUT} from './random_layers';
import {parse, run, type Runtime, stopRuntimes} from './runtimes';

afterAll(stopRuntimes);

/** The largest distance, in levels, between what a file gives and what the model gives. */
async function distance(
  model: tfl.LayersModel,
  samples: tf.Tensor[],
  runtime: Runtime,
  bytes: Uint8Array,
): Promise<number> {
  const {tensors, operators} = await parse(bytes);
  const last = operators[operators.length - 1]!;
  const [scale] = tensors[last.inputs[0]!]!.scale as [number];
  const one = (x: tf.Tensor, i: number) => tf.tidy(() => x.slice(i, 1).dataSync());
  const isTokens = tensors[0]!.type === 'INT32';
  const runs = Array.from({length: SAMPLES}, (_, i) =>
    samples.map(x => (isTokens ? Int32Array.from(one(x, i)) : Float32Array.from(one(x, i)))),
  );
  const results = await run(bytes, runtime, runs);
  const expected = tf.tidy(() => (model.predict(samples.length === 1 ? samples[0]! : samples) as tf.Tensor).dataSync());
  const got = results.flatMap(([y]) => [...y!]);
  expect(got.length).toBe(expected.length);
  return got.reduce((most, each, i) => Math.max(most, Math.abs(each - expected[i]!) / scale), 0);
}

/** The output of a softmax and the like is not rounded in the model, so half a level more is as near. */
const ROUNDED = 1;
const UNROUNDED = 1.5;

const RUNTIMES: readonly Runtime[] = ['reference', 'xnnpack', 'micro', 'litert.js'];

describe('toTFLite of a layer alone', () => {
  scoped();

  for (const [name, each] of Object.entries(CASES).filter(([, {isFloat}]) => !isFloat)) {
    const {tolerance} = each;
    it(
      name,
      async () => {
        const runs = fc.asyncProperty(RANDOM, async random => {
          const q = quantizeModel(randomModel(each, random));
          const samples = samplesOf(q, random, each);
          await calibrate(q, samples.length === 1 ? samples[0]! : samples);
          const bytes = await toTFLite(q);
          const isRounded = q.layers[q.layers.length - 1]!.getConfig()['output'] != null;
          for (const runtime of RUNTIMES.filter(each => !WITHOUT[name]?.includes(each))) {
            const off = await distance(q, samples, runtime, bytes);
            if (off > (tolerance ?? (isRounded ? ROUNDED : UNROUNDED)) + 1e-3) {
              throw new Error(`${runtime}: ${off} levels off`);
            }
          }
        });
        await fc.assert(runs, {numRuns: Number(process.env['RUNS'] ?? 8), seed: 1, endOnFailure: true});
      },
      120_000,
    );
  }
});
