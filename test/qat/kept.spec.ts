/** What predictions keep from one to the next, and what calibration holds at a time. */
import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import {calibrate, type FakeQuantizer, quantizeModel} from '../../src/entries/qat';
import {valuesOf} from '../support/environment';
import {scoped} from '../support/scoped';

const {layers} = tfl;

function network(folds = false): tfl.LayersModel {
  const kernelInitializer = tfl.initializers.glorotNormal({seed: 1});
  return tfl.sequential({
    layers: [
      layers.conv2d({filters: 8, kernelSize: 3, kernelInitializer, useBias: false, inputShape: [16, 16, 3]}),
      layers.batchNormalization(),
      layers.reLU({maxValue: 6}),
      ...Array.from({length: folds ? 0 : 6}, () => layers.conv2d({filters: 8, kernelSize: 1, activation: 'relu'})),
      layers.flatten(),
      layers.dense({units: 2, kernelInitializer}),
    ],
  });
}

/** A model and samples, calibrated. */
async function calibrated(model: tfl.LayersModel, options = {}): Promise<{q: tfl.LayersModel; x: tf.Tensor}> {
  const q = quantizeModel(model, options);
  const x = tf.randomUniform([8, 16, 16, 3], -1, 1, 'float32', 1);
  await calibrate(q, x);
  return {q, x};
}

/** What a prediction gives, and how many kernels round in it. */
async function predicted(q: tfl.LayersModel, x: tf.Tensor): Promise<{values: number[]; rounds: number}> {
  let y!: tf.Tensor;
  const {kernels} = await tf.profile(() => (y = q.predictOnBatch(x) as tf.Tensor));
  const values = [...(await valuesOf(y))];
  y.dispose();
  return {values, rounds: kernels.filter(({name}) => name.startsWith('FakeQuant')).length};
}

describe('predictions', () => {
  scoped();

  for (const [name, options] of Object.entries({
    measured: {},
    learned: {weights: {numBits: 4}, activations: {numBits: 4}},
  } as const)) {
    it(`round what a ReLU gives in one pass with it, on ${name} ranges, to the bit as in two`, async () => {
      const {q, x} = await calibrated(network(), options);
      const namesOf = async (work: () => tf.Tensor) => {
        let y!: tf.Tensor;
        const {kernels} = await tf.profile(() => (y = work()));
        return {values: [...(await valuesOf(y))], names: kernels.map(({name}) => name)};
      };
      const one = await namesOf(() => q.predictOnBatch(x) as tf.Tensor);
      expect(one.names.filter(name => name.endsWith('OfRelu')).length).toBe(1);
      expect(one.names).not.toContain('ClipByValue');
      const {outputQuantizer} = q.layers.find(({name}) => name.startsWith('re_lu')) as unknown as {
        outputQuantizer: FakeQuantizer;
      };
      // What stands in the place of `apply` is to see what a ReLU gave.
      const apply = spyOn(outputQuantizer, 'apply').and.callThrough();
      const two = await namesOf(() => q.predictOnBatch(x) as tf.Tensor);
      expect(apply).toHaveBeenCalledTimes(1);
      expect(two.names).toContain('ClipByValue');
      expect(one.values).toEqual(two.values);
    });
  }

  for (const [name, options] of Object.entries({
    'measured ranges': {},
    'learned ranges': {weights: {numBits: 4}, activations: {numBits: 4}},
    'folded weights': {weights: {perChannel: false}},
  } as const)) {
    it(`round weights once, with ${name}, until they change`, async () => {
      const model = network(name === 'folded weights');
      const {q, x} = await calibrated(model, options);
      const first = await predicted(q, x);
      const second = await predicted(q, x);
      expect(second.values).toEqual(first.values);
      // Weights and activations are rounded first, then these alone.
      expect(first.rounds - second.rounds).toBe(name === 'folded weights' ? 2 : 8);
      const weights = q.getWeights().map(each => tf.clone(each));
      const changes = [
        // The kernel of the convolution, and what BatchNormalization multiplies with.
        (each: tf.Tensor) => (each.rank === 4 && each.shape[0] === 3 ? tf.mul(each, 2) : each),
        (_: tf.Tensor, i: number) => (i === gamma ? tf.mul(weights[i]!, 3) : weights[i]!),
      ];
      const gamma = q.weights.findIndex(({name}) => name.includes('gamma'));
      for (const change of changes) {
        q.setWeights(weights.map(change));
        const changed = await predicted(q, x);
        expect(changed.values).not.toEqual(first.values);
        // A model that has kept nothing.
        const other = quantizeModel(model, options);
        other.setWeights(q.getWeights());
        expect(changed.values).toEqual((await predicted(other, x)).values);
      }
      q.setWeights(weights);
      expect((await predicted(q, x)).values).toEqual(first.values);
    });
  }

  it('give back what they kept', async () => {
    const model = network();
    const before = tf.memory().numTensors;
    const {q, x} = await calibrated(model);
    x.dispose();
    const zeros = tf.zeros([1, 16, 16, 3]);
    await predicted(q, zeros);
    zeros.dispose();
    q.dispose();
    expect(tf.memory().numTensors).toBe(before);
  });
});

describe('calibrate holds no more than a prediction', () => {
  scoped();

  for (const method of ['minMax', 'mse', 'percentile'] as const) {
    it(`by '${method}'`, async () => {
      const model = network();
      const q = quantizeModel(model);
      const x = tf.randomUniform([64, 16, 16, 3], -1, 1, 'float32', 1);
      await calibrate(q, x, {method, batchSize: 64});
      const {peakBytes: most} = await tf.profile(() => model.predictOnBatch(x));
      const {peakBytes} = await tf.profile(() => calibrate(q, x, {method, batchSize: 64}));
      const held = tf.memory().numBytes;
      expect(peakBytes - held).toBeLessThan(1.3 * (most - held));
    });
  }
});
