/** What has no integers, or is not to have them, in a file between those that have: in float. */
import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import {calibrate, quantizeModel, type QuantizeOptions, setFakeQuant} from '../../src/entries/qat';
import {toTFLite} from '../../src/entries/tflite';
import {scoped} from '../support/scoped';
import {parse, run, type Runtime, stopRuntimes} from './runtimes';

afterAll(stopRuntimes);

type Layer = tfl.layers.Layer;
const {layers} = tfl;

const RUNTIMES: readonly Runtime[] = ['reference', 'builtin', 'xnnpack', 'micro'];
const SAMPLES = 16;

/** A calibrated model of layers after each other, and samples of it. */
async function quantized(stack: Layer[], options: QuantizeOptions = {}) {
  const model = tfl.sequential({layers: stack});
  tf.tidy(() =>
    model.setWeights(
      model.weights.map(({shape, name}, i) => {
        const values = tf.randomNormal(shape as number[], 0, 0.5, 'float32', 1 + i);
        return name.includes('variance') ? values.abs().add(0.01) : values;
      }),
    ),
  );
  const q = quantizeModel(model, options);
  const x = tf.randomNormal([SAMPLES, ...(q.inputs[0]!.shape.slice(1) as number[])], 0, 1, 'float32', 3);
  await calibrate(q, x);
  return {q, x};
}

/** The largest difference between file and model, of the model's largest output, in any runtime; and the operators. */
async function compared({q, x}: {q: tfl.LayersModel; x: tf.Tensor}, runtimes = RUNTIMES) {
  const bytes = await toTFLite(q, {floatFallback: true});
  const expected = tf.tidy(() => (q.predict(x) as tf.Tensor).dataSync<'float32'>());
  const samples = Array.from({length: SAMPLES}, (_, i) => [tf.tidy(() => x.slice(i, 1).dataSync<'float32'>())]);
  const most = expected.reduce((largest, each) => Math.max(largest, Math.abs(each)), 0);
  let off = 0;
  for (const runtime of runtimes) {
    const got = (await run(bytes, runtime, samples)).flatMap(([y]) => [...y!]);
    off = Math.max(off, ...got.map((each, i) => Math.abs(each - expected[i]!) / most));
  }
  return {off, operators: (await parse(bytes)).operators.map(({name}) => name)};
}

describe('floatFallback computes in float', () => {
  scoped();

  const image = {inputShape: [6, 6, 2]};
  const conv = (args: object = {}) => layers.conv2d({filters: 4, kernelSize: 3, ...args});
  const dense = (args: object = {}) => layers.dense({units: 3, ...args});

  it('a layer that is left float, between integers', async () => {
    const stack = [conv({...image, activation: 'relu'}), conv({name: 'left'}), layers.flatten(), dense()];
    const {off, operators} = await compared(await quantized(stack, {layers: {left: false}}));
    expect(operators).toEqual([
      'QUANTIZE',
      'CONV_2D',
      'DEQUANTIZE',
      'CONV_2D',
      'QUANTIZE',
      'RESHAPE',
      'FULLY_CONNECTED',
      'DEQUANTIZE',
    ]);
    expect(off).toBeLessThan(0.02);
  });

  it('layers whose rounding is off', async () => {
    const made = await quantized([conv(image), layers.batchNormalization(), layers.reLU(), layers.flatten(), dense()]);
    setFakeQuant(made.q, false);
    const {off, operators} = await compared(made);
    expect(operators).not.toContain('QUANTIZE');
    expect(off).toBeLessThan(1e-5);
  });

  it('layers and activations without integers, of all kinds', async () => {
    const volume = {inputShape: [3, 6, 6, 2]};
    const stacks: Record<string, Layer[]> = {
      LayerNormalization: [conv(image), layers.layerNormalization(), conv()],
      Masking: [layers.masking({inputShape: [4, 3]}), dense()],
      ThresholdedReLU: [conv(image), layers.thresholdedReLU({theta: 0.3}), conv()],
      mish: [conv({...image, activation: 'mish'}), layers.flatten(), dense()],
      logSoftmax: [dense({inputShape: [5]}), layers.activation({activation: 'logSoftmax' as 'softmax'})],
      Conv3D: [layers.conv3d({filters: 2, kernelSize: 2, activation: 'relu', ...volume}), layers.flatten(), dense()],
    };
    for (const [name, stack] of Object.entries(stacks)) {
      const made = await quantized(stack);
      await expectAsync(toTFLite(made.q))
        .withContext(name)
        .toBeRejectedWithError(/floatFallback: true/);
      const runtimes = name === 'Conv3D' ? RUNTIMES.slice(0, 3) : RUNTIMES;
      const {off} = await compared(made, runtimes);
      expect(off).withContext(name).toBeLessThan(0.03);
    }
  });

  it('weights of more bits than operators have', async () => {
    const made = await quantized([conv(image), layers.flatten(), dense()], {weights: {numBits: 12}});
    expect((await compared(made)).off).toBeLessThan(1e-2);
  });

  it('an activation of more bits than its operator has', async () => {
    const made = await quantized([dense({inputShape: [5]}), layers.elu(), dense()], {activations: {numBits: 12}});
    // The interpreter has no reference kernel for it.
    const {off, operators} = await compared(made, ['xnnpack', 'micro']);
    expect(operators).toContain('ELU');
    expect(off).toBeLessThan(2e-3);
  });
});
