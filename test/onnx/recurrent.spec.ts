/** Recurrent layers, step by step: as the model, in all runtimes. */
import fc from 'fast-check';
import {toONNX} from '../../src/entries/onnx';
import {calibrate, quantizeModel} from '../../src/entries/qat';
import {scoped} from '../support/scoped';
import {CASES, modelOf, RANDOM, samplesOf} from '../tflite/random_recurrent';
import {check, run, RUNTIMES, stopRuntimes} from './runtimes';

afterAll(stopRuntimes);

const RUNS = Number(process.env['RUNS'] ?? 2);

const largest = (values: ArrayLike<number>) => Math.max(1e-30, ...Array.from(values, Math.abs));

/** How far outputs are from those expected, in a unit. */
function distances(values: ArrayLike<number>, expected: ArrayLike<number>, unit: number): number[] {
  expect(values.length).toBe(expected.length);
  return Array.from(values, (each, i) => Math.abs(each - expected[i]!) / unit);
}

describe('toONNX of a recurrent layer', () => {
  scoped();

  for (const name of Object.keys(CASES)) {
    it(`in float: ${name}`, async () => {
      const runs = fc.asyncProperty(RANDOM, async random => {
        const model = modelOf(name, random);
        const samples = samplesOf(model, 3, random.seed);
        const bytes = await toONNX(model);
        await check(bytes);
        const expected = [model.predict(samples)].flat().map(y => y.dataSync());
        for (const runtime of RUNTIMES) {
          const got = await run(bytes, runtime, samples);
          expected.forEach((y, i) => {
            const off = largest(distances(got[i]!.values, y, largest(y)));
            if (!(off <= 1e-5)) throw new Error(`${runtime}, output ${i}: ${off} off`);
          });
        }
      });
      await fc.assert(runs, {numRuns: RUNS, seed: 3, endOnFailure: true});
    });

    it(`quantized: ${name}`, async () => {
      const runs = fc.asyncProperty(RANDOM, async random => {
        const q = quantizeModel(modelOf(name, random));
        const samples = samplesOf(q, 64, random.seed);
        await calibrate(q, samples.length === 1 ? samples[0]! : samples, {method: 'minMax'});
        // Weights of several steps: as int8, onnxruntime could not be told to compute exactly.
        const bytes = await toONNX(q, {weightType: 'uint8'});
        const {initializers, scales} = await check(bytes);
        // Each kernel is there once, however many steps multiply with it.
        const weights = initializers.filter(({name}) => /\/weights(_\d+)?$/.test(name));
        expect(weights.length).toBeLessThan(40);
        const expected = [q.predict(samples)].flat().map(y => y.dataSync());
        for (const runtime of RUNTIMES) {
          const got = await run(bytes, runtime, samples);
          expected.forEach((y, i) => {
            const off = distances(got[i]!.values, y, scales[i]!);
            const share = off.filter(each => each <= 2.01).length / off.length;
            if (!(share >= 0.99)) throw new Error(`${runtime}, output ${i}: ${share} within 2 levels`);
          });
        }
      });
      await fc.assert(runs, {numRuns: RUNS, seed: 3, endOnFailure: true});
    });
  }
});
