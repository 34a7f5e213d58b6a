/**
 * MobileNet v2: how long quantizing takes, how far it agrees with the float network, and that all is given back. At full
 * size where tfjs is fast on a CPU, which is wasm; elsewhere on small images. A small one of the same blocks trains a step.
 */
import * as tf from '@tensorflow/tfjs-core';
import type {LayersModel} from '@tensorflow/tfjs-layers';
import {calibrate, quantizeModel} from '../../src/entries/qat';
import {onWebGL, onWebGPU, setup, valuesOf} from '../support/environment';
import {needsTraining, scoped, skip} from '../support/scoped';
import {mobileNetV2, SMALL, settleNorms, waves} from '../../lab/mobilenet';

const SIZE = setup.backend === 'wasm' ? 224 : 32;
const IMAGES = 6;

async function predictionsOf(model: LayersModel, x: tf.Tensor): Promise<Float32Array> {
  const y = model.predict(x, {batchSize: 2}) as tf.Tensor;
  const values = await valuesOf(y);
  y.dispose();
  return values;
}

/** The length of the difference by the length of the original. */
function relativeError(found: Float32Array, expected: Float32Array): number {
  const length = (values: Float32Array) => Math.hypot(...values);
  return length(found.map((value, i) => value - expected[i]!)) / length(expected);
}

describe(`MobileNet v2 at ${SIZE}x${SIZE}`, () => {
  scoped();

  it('is quantized at once, calibrated with progress, the nearer the more bits, and given back', async () => {
    if (onWebGL || onWebGPU)
      skip('takes minutes on a renderer that is no GPU; the same network is predicted on cpu and wasm');
    const model = mobileNetV2(SIZE);
    await settleNorms(model, waves(IMAGES, SIZE));
    const x = waves(IMAGES, SIZE);
    const expected = await predictionsOf(model, x);
    const before = tf.memory();
    const errors: number[] = [];
    const times: number[] = [];
    for (const numBits of [8, 12, 16]) {
      const started = performance.now();
      const q = quantizeModel(model, {weights: {numBits}, activations: {numBits}, recipe: 'minMax'});
      times.push(performance.now() - started);
      const progress: number[] = [];
      await calibrate(q, x, {batchSize: 2, onProgress: ({done, total}) => progress.push(done / total!)});
      expect(progress).toEqual([1 / 3, 2 / 3, 1]);
      errors.push(relativeError(await predictionsOf(q, x), expected));
      q.dispose();
    }
    setSpecProperty('measured', {errors, times});
    expect(errors[0]).toBeGreaterThan(errors[1]!);
    expect(errors[1]).toBeGreaterThan(errors[2]!);
    expect(errors[2]).toBeLessThan(0.1);
    const {numTensors, numBytes} = tf.memory();
    expect([numTensors, numBytes]).toEqual([before.numTensors, before.numBytes]);
  });

  it('trains a step, and gives everything back', async () => {
    needsTraining();
    if (onWebGL) skip('takes half a minute, most of it to compile programs; WebGPU trains it');
    const model = mobileNetV2(SIZE, SMALL);
    const [x, y] = [waves(4, SIZE), tf.tidy(() => tf.oneHot([1, 2, 3, 4], 125).toFloat())];
    const before = tf.memory();
    const q = quantizeModel(model);
    const kernel = () => q.trainableWeights[0]!.read();
    const first = await valuesOf(kernel());
    q.compile({optimizer: tf.train.sgd(0.01), loss: 'categoricalCrossentropy'});
    const losses = [await q.trainOnBatch(x, y), await q.trainOnBatch(x, y)] as number[];
    expect(losses.every(Number.isFinite)).toBeTrue();
    expect(await valuesOf(kernel())).not.toEqual(first);
    setSpecProperty('measured', {losses});
    q.optimizer.dispose();
    q.dispose();
    const {numTensors, numBytes} = tf.memory();
    expect([numTensors, numBytes]).toEqual([before.numTensors, before.numBytes]);
  });
});
