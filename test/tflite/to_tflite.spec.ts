/** toTFLite: files that Google's runtimes run, and that compute what the quantized model computes. */
import type * as tfl from '@tensorflow/tfjs-layers';
import {calibrate, quantizeModel} from '../../src/entries/qat';
import {toTFLite} from '../../src/entries/tflite';
import {scoped} from '../support/scoped';
import type {Examples} from '../../lab/examples';
import {loadDigits, trainedDigitModel} from './digits';
import {predictInBrowser, run, type Runtime, stopRuntimes} from './runtimes';

afterAll(stopRuntimes);

function argMax(row: ArrayLike<number>): number {
  return Array.from(row).indexOf(Math.max(...Array.from(row)));
}

/** Each image, alone. */
function imagesOf({images}: Examples): Float32Array[] {
  const pixels = images.dataSync<'float32'>();
  return Array.from({length: images.shape[0]}, (_, i) => pixels.slice(64 * i, 64 * (i + 1)));
}

async function predictionsOf(model: tfl.LayersModel, {images}: Examples): Promise<Float32Array[]> {
  const all = await predictInBrowser(model, images);
  return Array.from({length: images.shape[0]}, (_, i) => all.slice(10 * i, 10 * (i + 1)));
}

/** Whether one score is above all others. */
function isDecided(row: Float32Array): boolean {
  const highest = Math.max(...row);
  return row.filter(each => each === highest).length === 1;
}

/** How many of the scores are fewer levels off than that; scores are a level apart at least. */
function closeness(rows: readonly ArrayLike<number>[], expected: readonly Float32Array[], levels = 1.5): number {
  const scores = [...new Set(expected.flatMap(row => [...row]))].sort((a, b) => a - b);
  const step = Math.min(...scores.slice(1).map((each, i) => each - scores[i]!));
  const off = rows.flatMap((row, i) => Array.from(row, (each, j) => Math.abs(each - expected[i]![j]!) / step));
  return off.filter(each => each < levels).length / off.length;
}

const RUNTIMES: readonly Runtime[] = ['reference', 'xnnpack', 'litert.js', 'micro'];

/** Widths of weights and activations, and how many images must be of the same class. */
const WIDTHS: readonly [number, number, number][] = [
  [8, 8, 0.997],
  [4, 8, 0.997],
  [3, 8, 0.997],
  // Of so few levels, one more or less often decides.
  [2, 8, 0.99],
  [4, 4, 0.98],
];

describe('toTFLite of the digits', () => {
  scoped();

  for (const [weights, activations, least] of WIDTHS) {
    it(`computes at ${weights}/${activations} bits what the model computes in a browser, in all runtimes`, async () => {
      const {train, test} = await loadDigits();
      const q = quantizeModel(await trainedDigitModel('linear'), {
        weights: {numBits: weights},
        activations: {numBits: activations},
      });
      await calibrate(q, train.images.slice(0, 256), {method: 'minMax'});
      const bytes = await toTFLite(q);
      const expected = await predictionsOf(q, test);
      const images = imagesOf(test).map(image => [image]);
      for (const runtime of RUNTIMES) {
        const rows = (await run(bytes, runtime, images)).map(([scores]) => scores!);
        const same = rows.filter((row, i) => argMax(row) === argMax(expected[i]!)).length / rows.length;
        expect(same).withContext(`${runtime}: same class`).toBeGreaterThanOrEqual(least);
        expect(closeness(rows, expected)).withContext(`${runtime}: within a level`).toBeGreaterThanOrEqual(0.999);
      }
    });
  }

  // A product's sum is exact but for its bias, which the format rounds to steps of up to 0.007 levels, and the reference kernels and
  // those for microcontrollers round twice: up to 0.24 % of its outputs are a level off, all of them within 0.004 levels of a tie
  // (measured with LiteRT's own inputs to each product). Of 1300 activations an image that is about two, a 15th of their range
  // each, and 4 to 9 % of scores are then a level off. That changes a class where the first two are as close as that; in every
  // tenth image 16 levels leave two classes the same score, so that the model says neither.
  it('computes at 4/4 bits by the default ranges the same class as the model wherever that has one', async () => {
    const {train, test} = await loadDigits();
    const q = quantizeModel(await trainedDigitModel('linear'), {weights: {numBits: 4}, activations: {numBits: 4}});
    await calibrate(q, train.images.slice(0, 256));
    const bytes = await toTFLite(q);
    const expected = await predictionsOf(q, test);
    const images = imagesOf(test).map(image => [image]);
    const decided = [...expected.keys()].filter(i => isDecided(expected[i]!));
    expect(decided.length / expected.length).toBeGreaterThan(0.9);
    for (const runtime of RUNTIMES) {
      const rows = (await run(bytes, runtime, images)).map(([scores]) => scores!);
      const same = decided.filter(i => argMax(rows[i]!) === argMax(expected[i]!)).length / decided.length;
      expect(same).withContext(`${runtime}: same class`).toBeGreaterThanOrEqual(0.98);
      expect(closeness(rows, expected)).withContext(`${runtime}: within a level`).toBe(1);
      expect(closeness(rows, expected, 0.5))
        .withContext(`${runtime}: on the same level`)
        .toBeGreaterThanOrEqual(0.9);
    }
  });
});
