/** toTFLite: files that Google's runtimes run, and that compute what the quantized model computes. */
import type * as tfl from '@tensorflow/tfjs-layers';
import * as tf from '@tensorflow/tfjs-core';
import {calibrate, quantizeModel} from '../src/qat/index';
import {toTFLite} from '../src/tflite/index';
import {scoped} from './qat/scoped';
import {type Digits, digitModel, loadDigits, train} from './tflite/digits';
import {parse, run, stopRuntimes} from './tflite/runtimes';

afterAll(stopRuntimes);

function argMax(row: ArrayLike<number>): number {
  return Array.from(row).indexOf(Math.max(...Array.from(row)));
}

function rowsOf({images}: Digits): Float32Array[] {
  const pixels = images.dataSync<'float32'>();
  return Array.from({length: images.shape[0]}, (_, i) => pixels.slice(64 * i, 64 * (i + 1)));
}

async function predictionsOf(model: tfl.LayersModel, {images}: Digits): Promise<Float32Array[]> {
  const y = model.predict(images) as tf.Tensor;
  const all = await y.data<'float32'>();
  return Array.from({length: images.shape[0]}, (_, i) => all.slice(10 * i, 10 * (i + 1)));
}

describe('the digits', () => {
  scoped();

  it('exported', async () => {
    const digits = await loadDigits();
    const model = digitModel();
    let t = Date.now();
    await train(model, digits.train, 3, 3e-3);
    console.log('train', Date.now() - t);
    const q = quantizeModel(model);
    await calibrate(q, digits.train.images.slice(0, 256));
    t = Date.now();
    const bytes = await toTFLite(q);
    console.log('export', Date.now() - t, bytes.length);
    console.log((await parse(bytes)).operators.map(({name}) => name).join(' '));
    const expected = await predictionsOf(q, digits.test);
    const accuracy = expected.filter((row, i) => argMax(row) === digits.test.labels[i]).length / 3.6;
    for (const runtime of ['reference', 'xnnpack'] as const) {
      const got = (await run(bytes, runtime, rowsOf(digits.test).map(row => [row]))).map(each => each[0]!);
      const same = got.filter((row, i) => argMax(row) === argMax(expected[i]!)).length;
      const off = got.flatMap((row, i) => Array.from(row, (v, j) => Math.abs(v - expected[i]![j]!) * 256));
      console.log(runtime, accuracy, same, 'of 360', off.filter(d => d > 1.5).length, 'of', off.length, Math.max(...off));
    }
    expect(bytes.length).toBeGreaterThan(0);
  }, 600_000);
});
