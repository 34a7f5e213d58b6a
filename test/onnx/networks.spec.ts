/** Whole networks of the kinds that people deploy: their files compute what the models compute. */
import * as tf from '@tensorflow/tfjs-core';
import type * as tfl from '@tensorflow/tfjs-layers';
import {toONNX} from '../../src/entries/onnx';
import {calibrate, quantizeModel} from '../../src/entries/qat';
import {scoped} from '../support/scoped';
import {loadDigits, trainedDigitModel} from '../tflite/digits';
import {mobileNetV2, SMALL, settleNorms, waves} from '../../lab/mobilenet';
import {NETWORKS, seedNetwork} from '../tflite/networks';
import {check, run, RUNTIMES, stopRuntimes} from './runtimes';

afterAll(stopRuntimes);

const SAMPLES = 24;

/** On average, in units. */
function distance(a: ArrayLike<number>, b: ArrayLike<number>, unit: number): number {
  return Array.from(a).reduce((sum, each, i) => sum + Math.abs(each - b[i]!) / unit, 0) / a.length;
}

function classes(scores: ArrayLike<number>, count: number): number[] {
  const size = scores.length / count;
  const rows = Array.from({length: count}, (_, row) => Array.from({length: size}, (_, i) => scores[row * size + i]!));
  return rows.map(row => row.indexOf(Math.max(...row)));
}

const largest = (values: ArrayLike<number>) => Math.max(...Array.from(values, Math.abs));

/** How far a network's files may be from the model on average, in levels: here and there one is off, and goes on to layers behind. */
const LEVELS = 1;

async function expectTheSame(
  model: tfl.LayersModel,
  samples: tf.Tensor,
  x: tf.Tensor,
  decides: boolean,
): Promise<void> {
  const floats = (model.predict(x) as tf.Tensor).dataSync();
  const float = await toONNX(model);
  await check(float);
  const q = quantizeModel(model);
  await calibrate(q, samples);
  const expected = (q.predict(x) as tf.Tensor).dataSync();
  const bytes = await toONNX(q);
  const {scales} = await check(bytes);
  for (const runtime of RUNTIMES) {
    const [y] = await run(float, runtime, [x]);
    expect(largest(Array.from(y!.values, (each, i) => each - floats[i]!)) / largest(floats))
      .withContext(`${runtime}, in float`)
      .toBeLessThan(1e-5);
    const [integers] = await run(bytes, runtime, [x]);
    const levels = distance(integers!.values, expected, scales[0]!);
    expect(levels).withContext(runtime).toBeLessThan(LEVELS);
    if (decides) {
      expect(classes(integers!.values, x.shape[0])).withContext(runtime).toEqual(classes(expected, x.shape[0]));
    }
  }
}

describe('toONNX of a network', () => {
  scoped();

  for (const [name, make] of Object.entries(NETWORKS)) {
    it(`like ${name}`, async () => {
      const model = make();
      seedNetwork(model);
      const dims = model.inputs[0]!.shape.slice(1) as number[];
      const samples = tf.randomNormal([64, ...dims], 0, 1, 'float32', 1);
      const x = tf.randomNormal([SAMPLES, ...dims], 0, 1, 'float32', 2);
      await expectTheSame(model, samples, x, model.outputs[0]!.shape.length === 2);
    });
  }

  it('like MobileNet v2', async () => {
    const model = mobileNetV2(32, SMALL);
    await settleNorms(model, waves(16, 32));
    // Of 125 scores, no one is far above the others.
    await expectTheSame(model, waves(16, 32), waves(4, 32, 100), false);
  });

  it('MobileNet v2, whole, with each node between integers', async () => {
    const model = mobileNetV2(32);
    await settleNorms(model, waves(2, 32));
    const q = quantizeModel(model);
    await calibrate(q, waves(2, 32));
    const bytes = await toONNX(q);
    expect(bytes.length / (4 * model.countParams())).toBeLessThan(0.27);
    const counts: Record<string, number> = {};
    for (const {op} of (await check(bytes)).nodes) counts[op] = (counts[op] ?? 0) + 1;
    const {DequantizeLinear: dequantized, ...others} = counts;
    const computed = {Conv: 52, Add: 10, ReduceMean: 1, Gemm: 1, Softmax: 1};
    expect(others).toEqual({...computed, Transpose: 1, QuantizeLinear: 66});
    // Values, weights, and biases that are not 0.
    expect(dequantized).toBeGreaterThan(66 + 53);
    expect(dequantized).toBeLessThanOrEqual(66 + 2 * 53);
    model.dispose();
  });

  it('digits: as many of the images right as the model, in all runtimes', async () => {
    const {train, test} = await loadDigits();
    const q = quantizeModel(await trainedDigitModel());
    await calibrate(q, train.images);
    const bytes = await toONNX(q);
    const expected = (q.predict(test.images) as tf.Tensor).dataSync();
    const labels = classes(test.labels.dataSync(), 360);
    const own = classes(expected, 360);
    for (const runtime of RUNTIMES) {
      const [y] = await run(bytes, runtime, [test.images]);
      const found = classes(y!.values, 360);
      const right = (all: number[]) => all.filter((each, i) => each === labels[i]).length / 360;
      expect(found.filter((each, i) => each === own[i]).length)
        .withContext(runtime)
        .toBeGreaterThanOrEqual(359);
      expect(Math.abs(right(found) - right(own)))
        .withContext(runtime)
        .toBeLessThan(0.005);
    }
    tf.dispose([train, test]);
  });
});
