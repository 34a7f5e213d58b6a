/** Every layer alone, in models that nobody quantized: their files compute what they compute, in all runtimes. */
import * as tf from '@tensorflow/tfjs-core';
import fc from 'fast-check';
import {toTFLite} from '../../src/entries/tflite';
import {scoped} from '../support/scoped';
import {CASES, RANDOM, randomModel, SAMPLES, samplesOf, WITHOUT} from './random_layers';
import {parse, run, type Runtime, stopRuntimes} from './runtimes';

afterAll(stopRuntimes);

/** The largest difference between what a file gives and what it is to give, of the largest number of that. */
async function difference(
  expected: ArrayLike<number>,
  samples: tf.Tensor[],
  runtime: Runtime,
  bytes: Uint8Array,
): Promise<number> {
  const {tensors} = await parse(bytes);
  const isTokens = tensors[0]!.type === 'INT32';
  const one = (x: tf.Tensor, i: number) => tf.tidy(() => x.slice(i, 1).dataSync());
  const runs = Array.from({length: SAMPLES}, (_, i) =>
    samples.map(x => (isTokens ? Int32Array.from(one(x, i)) : Float32Array.from(one(x, i)))),
  );
  const got = (await run(bytes, runtime, runs)).flatMap(([y]) => [...y!]);
  expect(got.length).toBe(expected.length);
  const most = Math.max(0, ...Array.from(expected, Math.abs));
  return got.reduce((far, each, i) => Math.max(far, Math.abs(each - expected[i]!)), 0) / (most || 1);
}

const RUNTIMES: readonly Runtime[] = ['reference', 'builtin', 'xnnpack', 'micro'];

describe('toTFLite of a float layer alone', () => {
  scoped();

  const found: Record<string, number> = {};
  afterAll(() => process.env['SHOW'] && console.log(found));

  for (const [name, each] of Object.entries(CASES)) {
    it(
      name,
      async () => {
        const runs = fc.asyncProperty(RANDOM, async random => {
          const model = randomModel(each, random);
          const samples = samplesOf(model, random, each);
          const bytes = await toTFLite(model);
          const numbers = tf.tidy(() => {
            const y =
              each.expected?.(samples[0]!, model, random) ?? model.predict(samples.length > 1 ? samples : samples[0]!);
            return (y as tf.Tensor).dataSync();
          });
          for (const runtime of RUNTIMES) {
            if (WITHOUT[name]?.includes(runtime)) {
              await expectAsync(difference(numbers, samples, runtime, bytes))
                .withContext(runtime)
                .toBeRejected();
              continue;
            }
            const off = await difference(numbers, samples, runtime, bytes);
            if (off > 1e-5) throw new Error(`${runtime}: off by ${off}`);
            found[name] = Math.max(found[name] ?? 0, off);
          }
          const half = await toTFLite(model, {weights: 'float16'});
          for (const runtime of ['builtin', 'xnnpack'] as const) {
            const off = await difference(numbers, samples, runtime, half);
            // What is lost of each weight stays where products cancel each other.
            if (off > 4e-3) throw new Error(`float16, ${runtime}: off by ${off}`);
          }
        });
        await fc.assert(runs, {numRuns: Number(process.env['RUNS'] ?? 4), seed: 1, endOnFailure: true});
      },
      120_000,
    );
  }
});
