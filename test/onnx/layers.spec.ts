/** Every layer alone, in models of random shapes, strides, paddings, activations and weights: as the model, in all runtimes. */
import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import fc from 'fast-check';
import {calibrate, quantizeModel} from '../../src/entries/qat';
import {toONNX} from '../../src/entries/onnx';
import {scoped} from '../support/scoped';
import {CASES, RANDOM, randomModel, samplesOf} from '../tflite/random_layers';
import {check, run, RUNTIMES, stopRuntimes} from './runtimes';

afterAll(stopRuntimes);

const RUNS = Number(process.env['RUNS'] ?? 2);

/** Levels that files are held to the model within, and of how many values; more of several layers, one after the other. */
const WITHIN = 1;
const NETWORK = 'Images, channels first';
const OF_ALL = 0.999;

/** Rounding errors of float32, of the largest output. */
const FLOAT = 1e-5;

interface Distance {
  readonly most: number;
  readonly share: number;
}

/** How far a file's output is from the model's: the most, and for how many it is at most `limit`. */
function distance(got: ArrayLike<number>, expected: ArrayLike<number>, unit: number, limit: number): Distance {
  if (got.length !== expected.length) throw new Error(`${got.length} numbers instead of ${expected.length}`);
  const off = Array.from(got, (each, i) => Math.abs(each - expected[i]!) / unit);
  return {most: Math.max(...off), share: off.filter(each => each <= limit).length / off.length};
}

const predicted = (model: tfl.LayersModel, samples: tf.Tensor[]) =>
  tf.tidy(() => (model.predict(samples.length === 1 ? samples[0]! : samples) as tf.Tensor).dataSync());

describe('toONNX of a layer alone', () => {
  scoped();

  const most: Record<string, Record<string, number>> = {};
  const found = (what: string, name: string, off: number) => {
    const own = (most[name] ??= {});
    own[what] = Math.max(own[what] ?? 0, off);
  };
  afterAll(() => process.env['SHOW'] && console.log(most));

  for (const [name, each] of Object.entries(CASES)) {
    it(`in float: ${name}`, async () => {
      const runs = fc.asyncProperty(RANDOM, async random => {
        const model = randomModel(each, random);
        const samples = samplesOf(model, random, each);
        const bytes = await toONNX(model);
        await check(bytes);
        const expected = each.expected
          ? tf.tidy(() => each.expected!(samples[0]!, model, random).dataSync())
          : predicted(model, samples);
        const unit = Math.max(1e-30, ...Array.from(expected, Math.abs));
        for (const runtime of RUNTIMES) {
          const [y] = await run(bytes, runtime, samples);
          const {most, share} = distance(y!.values, expected, unit, FLOAT);
          if (share < 1) throw new Error(`${runtime}: ${most} of the largest output off`);
          found(`float ${runtime}`, name, most);
        }
      });
      await fc.assert(runs, {numRuns: RUNS, seed: 1, endOnFailure: true});
    });

    if (each.isFloat) continue;
    it(`quantized: ${name}`, async () => {
      const runs = fc.asyncProperty(RANDOM, async random => {
        const q = quantizeModel(randomModel(each, random));
        const samples = samplesOf(q, random, each);
        await calibrate(q, samples.length === 1 ? samples[0]! : samples);
        const bytes = await toONNX(q);
        const {scales} = await check(bytes);
        const expected = predicted(q, samples);
        for (const runtime of RUNTIMES) {
          const [y] = await run(bytes, runtime, samples);
          const {most, share} = distance(
            y!.values,
            expected,
            scales[0]!,
            (name === NETWORK ? each.tolerance! : WITHIN) + 1e-3,
          );
          if (share < OF_ALL) throw new Error(`${runtime}: ${most} levels off, within one for ${share}`);
          found(`int8 ${runtime}`, name, most);
        }
      });
      await fc.assert(runs, {numRuns: RUNS, seed: 1, endOnFailure: true});
    });
  }
});
