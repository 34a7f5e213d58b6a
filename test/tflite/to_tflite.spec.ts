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

/** How many of the scores are on the same level, or on one beside it; scores are a level apart at least. */
function closeness(rows: readonly ArrayLike<number>[], expected: readonly Float32Array[]): number {
  const scores = [...new Set(expected.flatMap(row => [...row]))].sort((a, b) => a - b);
  const step = Math.min(...scores.slice(1).map((each, i) => each - scores[i]!));
  const off = rows.flatMap((row, i) => Array.from(row, (each, j) => Math.abs(each - expected[i]![j]!) / step));
  return off.filter(each => each < 1.5).length / off.length;
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
});
