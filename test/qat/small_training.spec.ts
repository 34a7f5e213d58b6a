/** Small models train on: with tfjs alone, with their rounding, and quantized once more. */
import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import {
  calibrate,
  dequantizeModel,
  freezeRanges,
  quantizeModel,
  setFakeQuant,
  type QuantizedSaveOptions,
} from '../../src/entries/qat';
import {onWebGL, onWebGPU, valuesOf} from '../support/environment';
import {reloaded} from '../support/saved';
import {needsSpeed, needsTraining, scoped} from '../support/scoped';

const {layers} = tfl;
const he = (seed: number) => tfl.initializers.heNormal({seed});

/** A convolution with its activation, one with a BatchNormalization, and products with and without an activation. */
function float(): tfl.LayersModel {
  return tfl.sequential({
    layers: [
      layers.conv2d({
        inputShape: [6, 6, 2],
        filters: 8,
        kernelSize: 3,
        activation: 'relu',
        kernelInitializer: he(1),
        name: 'a',
      }),
      layers.conv2d({filters: 8, kernelSize: 3, useBias: false, kernelInitializer: he(2), name: 'b'}),
      layers.batchNormalization({momentum: 0.9, name: 'norm'}),
      layers.reLU({}),
      layers.flatten({}),
      layers.dense({units: 16, activation: 'relu', kernelInitializer: he(3), name: 'c'}),
      layers.dense({units: 2, kernelInitializer: he(4), name: 'd'}),
    ],
  });
}

/** Images, and what their lower half has to do with them. */
function samples(): [tf.Tensor, tf.Tensor] {
  const x = tf.randomNormal([64, 6, 6, 2], 0, 1, 'float32', 7);
  const y = tf.tidy(() => tf.stack([tf.mul(tf.mean(tf.slice(x, [0, 3]), [1, 2, 3]), 3), tf.mean(x, [1, 2, 3])], 1));
  return [x, y];
}

/** Loads what is saved small, as anyone would. */
function small(q: tfl.LayersModel, options: QuantizedSaveOptions = {}): Promise<tfl.LayersModel> {
  return reloaded(q, options);
}

/** The loss before training, and after some epochs of it. */
async function trained(model: tfl.LayersModel, x: tf.Tensor, y: tf.Tensor): Promise<[number, number]> {
  const optimizer = tf.train.adam(0.003);
  model.compile({optimizer, loss: 'meanSquaredError'});
  const loss = async () => (await valuesOf(model.evaluate(x, y) as tf.Scalar))[0]!;
  const before = await loss();
  await model.fit(x, y, {epochs: onWebGL || onWebGPU ? 5 : 8, batchSize: 32, shuffle: false});
  const after = await loss();
  optimizer.dispose();
  return [before, after];
}

/** What a model gives in training, where a BatchNormalization looks at the batch. */
async function inTraining(model: tfl.LayersModel, x: tf.Tensor): Promise<Float32Array> {
  return valuesOf(tf.tidy(() => model.apply(x, {training: true}) as tf.Tensor));
}

function farthest(a: Float32Array, b: Float32Array): number {
  return a.reduce((most, each, i) => Math.max(most, Math.abs(each - b[i]!)), 0);
}

describe('a small model', () => {
  scoped();

  // One recipe is enough where programs take long to compile.
  for (const numBits of onWebGL || onWebGPU ? [4] : [8, 4]) {
    it(`trains on about as fast as the model that it came from: ${numBits} bits`, async () => {
      needsTraining();
      needsSpeed();
      const [x, y] = samples();
      const q = quantizeModel(float(), {weights: {numBits}});
      await calibrate(q, x);
      const candidates = [await small(q), await small(q, {fakeQuant: true}), quantizeModel(await small(q))];
      await calibrate(candidates[2]!, x);
      const [start, reached] = await trained(dequantizeModel(q), x, y);
      for (const [i, candidate] of candidates.entries()) {
        const [before, after] = await trained(candidate, x, y);
        expect(before / start)
          .withContext(`candidate ${i}`)
          .toBeCloseTo(1, 1);
        expect(start - after)
          .withContext(`candidate ${i}`)
          .toBeGreaterThan((start - reached) / 2);
      }
    });
  }

  it('with its rounding kept has the same weights whatever is switched first, and whatever its constraints', async () => {
    const [x] = samples();
    const make = () =>
      tfl.sequential({
        layers: [
          layers.flatten({inputShape: [6, 6, 2]}),
          layers.dense({units: 4, kernelInitializer: he(5), kernelConstraint: tfl.constraints.unitNorm({axis: 0})}),
        ],
      });
    for (const symmetric of [true, false]) {
      for (const numBits of [8, 4]) {
        const q = quantizeModel(make(), {weights: {numBits, symmetric}});
        await calibrate(q, x);
        const expected = await valuesOf(q.predict(x) as tf.Tensor);
        const [thawed, off] = [await small(q, {fakeQuant: true}), await small(q, {fakeQuant: true})];
        freezeRanges(thawed, false, 'all');
        setFakeQuant(off, false, 'weights');
        for (const model of [thawed, off, await small(off, {fakeQuant: true})]) {
          const found = await valuesOf(model.predict(x) as tf.Tensor);
          expect(farthest(found, expected)).withContext(`${numBits} bits, ${symmetric}`).toBeLessThan(1e-5);
        }
        // Rounded weights are not quite of length 1: that they stay as they are is what counts.
        const found = await valuesOf((await small(q)).predict(x) as tf.Tensor);
        expect(farthest(found, await valuesOf(dequantizeModel(q).predict(x) as tf.Tensor))).toBeLessThan(1e-5);
      }
    }
  });

  it('normalizes batches as before, also where a channel is as good as dead', async () => {
    for (const spread of [1, 1e-3, 1e-12]) {
      const model = float();
      const kernel = model.getLayer('b').getWeights()[0]!;
      const scaled = tf.mul(kernel, tf.tensor1d([spread, 1, 2, 0, 1, 0.5, 1, 1]));
      model.getLayer('b').setWeights([scaled]);
      const [x] = samples();
      // The statistics that this channel has.
      model
        .getLayer('norm')
        .setWeights([
          ...model.getLayer('norm').getWeights().slice(0, 2),
          tf.mul(tf.tensor1d([spread, 1, 1, 0, 1, 1, 1, 1]), 0.1),
          tf.square(tf.tensor1d([spread, 1, 2, 0, 1, 0.5, 1, 1])),
        ]);
      const q = quantizeModel(model);
      await calibrate(q, x);
      const [rounded, again] = [dequantizeModel(q), await small(q)];
      const [expected, found] = [
        await valuesOf(rounded.predict(x) as tf.Tensor),
        await valuesOf(again.predict(x) as tf.Tensor),
      ];
      const most = expected.reduce((largest, each) => Math.max(largest, Math.abs(each)), 0);
      expect(farthest(found, expected))
        .withContext(`${spread} in prediction`)
        .toBeLessThan(1e-4 * most);
      expect(farthest(await inTraining(again, x), await inTraining(rounded, x)))
        .withContext(`${spread} in training`)
        .toBeLessThan(0.01 * most);
    }
  });
});
