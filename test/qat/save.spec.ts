/** Saving and loading: of every class of layer, with everything that its config says. */
import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import {
  calibrate,
  dequantizeModel,
  FakeQuantizer,
  quantizedSaveHandler,
  quantizedValues,
  quantizedWeights,
  quantizeModel,
  type QuantizeOptions,
  setFakeQuant,
} from '../../src/entries/qat';
import {onWebGPU, setup, valuesOf} from '../support/environment';
import {reloaded} from '../support/saved';
import {scoped, skip} from '../support/scoped';

const {layers} = tfl;
type Layer = tfl.layers.Layer;

const conv = {kernelSize: 2, padding: 'same', activation: 'relu'} as const;
const norm = () => tfl.constraints.maxNorm({maxValue: 0.5});

/** Layers with what is not their default, by the shape that they are given. */
const CASES: readonly (readonly [shape: readonly number[], make: () => Layer | Layer[]])[] = [
  [[4], () => layers.dense({units: 3, activation: 'tanh', useBias: false, kernelConstraint: norm()})],
  [[4], () => layers.dense({units: 3, activation: 'softmax', biasInitializer: 'ones', biasConstraint: norm()})],
  [[5, 3], () => layers.dense({units: 2})],
  [[6, 2], () => layers.conv1d({...conv, filters: 3, dilationRate: 2})],
  [[6, 5, 2], () => layers.conv2d({...conv, filters: 3, strides: [2, 1], kernelConstraint: norm()})],
  [[2, 6, 5], () => layers.conv2d({filters: 3, kernelSize: 2, dataFormat: 'channelsFirst', useBias: false})],
  [[3, 4, 4, 2], () => layers.conv3d({...conv, filters: 2})],
  [[4, 4, 2], () => layers.conv2dTranspose({...conv, filters: 3, strides: 2})],
  [[2, 3, 3, 2], () => layers.conv3dTranspose({...conv, filters: 2, strides: 2})],
  [
    [5, 5, 2],
    () =>
      layers.depthwiseConv2d({...conv, depthMultiplier: 3, depthwiseRegularizer: 'l1l2', depthwiseConstraint: norm()}),
  ],
  [[5, 5, 2], () => layers.depthwiseConv2d({kernelSize: [2, 3], depthMultiplier: 2, useBias: false})],
  [[5, 5, 2], () => layers.separableConv2d({...conv, filters: 3, depthMultiplier: 2})],
  [[5, 5, 2], () => layers.separableConv2d({...conv, filters: 3, depthMultiplier: 3, pointwiseConstraint: norm()})],
  [
    [3, 4, 4, 2],
    () => layers.timeDistributed({layer: layers.separableConv2d({...conv, filters: 2, depthMultiplier: 2})}),
  ],
  [
    [3, 4, 4, 2],
    () =>
      layers.timeDistributed({
        layer: layers.depthwiseConv2d({...conv, depthMultiplier: 2, depthwiseConstraint: norm()}),
      }),
  ],
  [[3, 4], () => layers.timeDistributed({layer: layers.dense({units: 2, activation: 'relu'})})],
  [[4, 3], () => layers.simpleRNN({units: 2, returnSequences: true, goBackwards: true, recurrentConstraint: norm()})],
  [[4, 3], () => layers.gru({units: 2, recurrentActivation: 'sigmoid', useBias: false})],
  [[4, 3], () => layers.lstm({units: 2, unitForgetBias: false, activation: 'relu'})],
  [[4, 3], () => layers.bidirectional({layer: layers.lstm({units: 2, returnSequences: true}), mergeMode: 'sum'})],
  [[4, 3], () => layers.rnn({cell: [layers.gruCell({units: 3}), layers.lstmCell({units: 2})]})],
  [[3, 5, 5, 2], () => layers.convLstm2d({filters: 2, kernelSize: 2, padding: 'same'})],
  [[6, 3], () => layers.batchNormalization({axis: 1, epsilon: 0.1, scale: false, center: false})],
  [
    [5, 5, 2],
    () => [layers.conv2d({filters: 4, kernelSize: 2}), layers.batchNormalization({}), layers.reLU({maxValue: 6})],
  ],
  [
    [5, 5, 2],
    () => [
      layers.depthwiseConv2d({kernelSize: 2}),
      layers.batchNormalization({scale: false}),
      layers.softmax({axis: 3}),
    ],
  ],
  [[6, 3], () => layers.layerNormalization({epsilon: 0.1, center: false})],
  [[4, 3], () => layers.prelu({alphaInitializer: 'ones', sharedAxes: [1]})],
  [[4], () => [layers.leakyReLU({alpha: 0.1}), layers.elu(), layers.thresholdedReLU({theta: 0.2})]],
  [[4], () => [layers.activation({activation: 'hardSigmoid'}), layers.rescaling({scale: 2, offset: 0.5})]],
  [[6, 6, 2], () => [layers.averagePooling2d({poolSize: [2, 3], strides: 1}), layers.globalAveragePooling2d({})]],
  [
    [6, 6, 2],
    () => [
      layers.zeroPadding2d({padding: [1, 2]}),
      layers.cropping2D({
        cropping: [
          [1, 0],
          [0, 2],
        ],
      }),
      layers.reLU({}),
    ],
  ],
  [
    [4, 4, 2],
    () => [layers.upSampling2d({size: [2, 3], interpolation: 'bilinear'}), layers.maxPooling2d({poolSize: 3})],
  ],
  [
    [6, 2],
    () => [layers.permute({dims: [2, 1]}), layers.reshape({targetShape: [3, 4]}), layers.flatten({}), layers.reLU({})],
  ],
  [[6, 2], () => [layers.averagePooling1d({poolSize: 2}), layers.globalMaxPooling1d({}), layers.repeatVector({n: 3})]],
  [
    [4, 4, 4, 1],
    () => [layers.averagePooling3d({poolSize: 2, padding: 'same'}), layers.maxPooling3d({poolSize: [2, 1, 1]})],
  ],
  [
    [4],
    () => [
      layers.dropout({rate: 0.3}),
      layers.gaussianNoise({stddev: 0.2}),
      layers.gaussianDropout({rate: 0.1}),
      layers.reLU({}),
    ],
  ],
  [
    [4, 3],
    () => [layers.alphaDropout({rate: 0.2, noiseShape: [1, 3]}), layers.spatialDropout1d({rate: 0.3}), layers.reLU({})],
  ],
];

/** In a model of these, a step for each channel may have no place in a small file. */
const NEAREST = /RNN|GRU|LSTM|Separable|TimeDistributed|Conv3D|channels_first|Embedding/;

/** Weights of no pattern, statistics that are none of the initial ones, each constraint kept. */
function setWeights(model: tfl.LayersModel): void {
  tf.tidy(() => {
    for (const [i, variable] of model.weights.entries()) {
      const values = tf.randomNormal(variable.shape as number[], 0, 0.3, 'float32', i + 1);
      variable.write(variable.originalName.includes('variance') ? tf.add(tf.abs(values), 0.5) : values);
    }
  });
}

function modelOf(shape: readonly number[], made: Layer | Layer[], isNested: boolean): tfl.LayersModel {
  const model = tfl.sequential({layers: [layers.inputLayer({inputShape: [...shape]}), ...[made].flat()]});
  if (!isNested) {
    setWeights(model);
    return model;
  }
  const input = tfl.input({shape: [...shape]});
  const outer = tfl.model({inputs: input, outputs: model.apply(layers.reLU({}).apply(input)) as tfl.SymbolicTensor});
  setWeights(outer);
  return outer;
}

async function predicted(model: tfl.LayersModel, x: tf.Tensor): Promise<number[]> {
  return [...(await valuesOf(tf.tidy(() => model.predict(x) as tf.Tensor)))];
}

function farthest(a: readonly number[], b: readonly number[]): number {
  expect(a.length).toBe(b.length);
  return a.reduce((most, each, i) => Math.max(most, Math.abs(each - b[i]!)), 0);
}

async function checkSaving(model: tfl.LayersModel, shape: readonly number[], options: QuantizeOptions): Promise<void> {
  const x = tf.randomNormal([3, ...shape], 0, 1, 'float32', 77);
  const q = quantizeModel(model, options);
  await calibrate(q, x);
  const expected = await predicted(q, x);
  const of = model.layers.map(layer => layer.getClassName()).join();
  expect(farthest(await predicted(await reloaded(q), x), expected))
    .withContext(of)
    .toBe(0);
  expect(farthest(await predicted(await reloaded(q, {fakeQuant: true}), x), expected))
    .withContext(of)
    .toBe(0);
  const rounded = await predicted(dequantizeModel(q), x);
  const most = rounded.reduce((largest, each) => Math.max(largest, Math.abs(each)), 0);
  // Where a step for each channel has no place, weights come back to the nearest of 256 values.
  const slack = NEAREST.test(JSON.stringify(model.toJSON(null, false))) ? 0.03 : 1e-5;
  const small = await predicted(await reloaded(q, {}), x);
  expect(farthest(small, rounded))
    .withContext(of)
    .toBeLessThan(slack * most + 1e-6);
  expect(farthest(rounded, await predicted(model, x)))
    .withContext(of)
    .toBeLessThan(0.05 * most + 1e-6);
}

describe('what is saved of a quantized model loads and computes the same:', () => {
  scoped();

  for (const [i, [shape, make]] of CASES.entries()) {
    const names = [make()].flat().map(layer => layer.getClassName());
    it(`case ${i}, ${names.join(', ')}, by itself and within a model`, async () => {
      if (setup.backend !== 'cpu') skip('a config is the same on every backend');
      for (const isNested of [false, true]) await checkSaving(modelOf(shape, make(), isNested), shape, {});
    });
  }

  it('layers that are left as they are', async () => {
    if (setup.backend !== 'cpu') skip('a config is the same on every backend');
    const shape = [5, 5, 2];
    const separable = layers.separableConv2d({filters: 3, kernelSize: 2, depthMultiplier: 2, name: 'separable'});
    const depthwise = layers.depthwiseConv2d({kernelSize: 2, depthwiseConstraint: norm(), name: 'depthwise'});
    const made = [separable, depthwise, layers.conv2d({filters: 2, kernelSize: 1})];
    await checkSaving(modelOf(shape, made, false), shape, {layers: {separable: false, depthwise: false}});
  });

  it('a model in each of several steps', async () => {
    if (setup.backend !== 'cpu') skip('a config is the same on every backend');
    const inner = modelOf([4, 4, 2], layers.separableConv2d({filters: 2, kernelSize: 2, depthMultiplier: 2}), false);
    await checkSaving(modelOf([3, 4, 4, 2], layers.timeDistributed({layer: inner}), false), [3, 4, 4, 2], {});
  });

  it('a mask that passes a layer with a step for each channel', async () => {
    if (onWebGPU) skip("tfjs's WebGPU backend does not transpose masks");
    const model = tfl.sequential({
      layers: [
        layers.masking({maskValue: 0, inputShape: [4, 2]}),
        layers.dense({units: 3, name: 'dense'}),
        layers.lstm({units: 2}),
      ],
    });
    setWeights(model);
    const x = tf.concat([tf.randomNormal([3, 2, 2], 0, 1, 'float32', 5), tf.zeros([3, 2, 2])], 1);
    const q = quantizeModel(model);
    await calibrate(q, x);
    const [expected, found] = [await predicted(dequantizeModel(q), x), await predicted(await reloaded(q, {}), x)];
    expect(farthest(found, expected)).toBeLessThan(0.01);
  });
});

describe('weights that are no numbers', () => {
  scoped();

  async function broken(bad: number): Promise<tfl.LayersModel> {
    const model = tfl.sequential({
      layers: [
        layers.conv2d({filters: 2, kernelSize: 2, inputShape: [4, 4, 2], name: 'conv'}),
        layers.batchNormalization({name: 'norm'}),
        layers.flatten({}),
        layers.dense({units: 2, name: 'dense'}),
      ],
    });
    const q = quantizeModel(model);
    await calibrate(q, tf.randomNormal([2, 4, 4, 2], 0, 1, 'float32', 1));
    const spoil = (name: string) => {
      const variable = q.weights.find(({originalName}) => originalName === name)!;
      tf.tidy(
        () => void variable.write(tf.where(tf.less(tf.range(0, variable.shape.at(-1)!), 1), bad, variable.read())),
      );
    };
    ['conv/kernel', 'norm/moving_variance', 'dense/bias'].forEach(spoil);
    return q;
  }

  for (const bad of [NaN, Infinity, -Infinity]) {
    it(`are refused, all at once, and nothing is saved: ${bad}`, async () => {
      const q = await broken(bad);
      const {numTensors} = tf.memory();
      const save = jasmine.createSpy('save');
      const problems =
        /: 3 problems:\n- layer conv: its kernel holds NaN or Infinity\..*\n- layer norm: its moving_variance .*\n- layer dense: its bias /;
      for (const fakeQuant of [false, true]) {
        await expectAsync(q.save(quantizedSaveHandler({save}, {fakeQuant}))).toBeRejectedWithError(problems);
      }
      await expectAsync(quantizedWeights(q)).toBeRejectedWithError(problems);
      expect(save).not.toHaveBeenCalled();
      expect(tf.memory().numTensors).toBe(numTensors);
    });
  }

  it('have no level: of tensors NaN', async () => {
    const quantizer = new FakeQuantizer({initialRange: [-1, 1]});
    await expectAsync(quantizedValues(tf.tensor1d([0, NaN]), quantizer)).toBeRejectedWithError(/x holds NaN/);
    const {levels} = await quantizedValues(tf.tensor1d([0, Infinity]), quantizer);
    expect(levels[1]).toBe(127);
  });
});

describe('quantizedWeights of weights that are not rounded for now', () => {
  scoped();

  it('gives their levels, and leaves the model as it is', async () => {
    for (const numBits of [8, 4]) {
      const model = modelOf([5, 5, 2], [layers.conv2d({filters: 3, kernelSize: 2}), layers.flatten({})], false);
      const q = quantizeModel(model, {weights: {numBits}});
      const x = tf.randomNormal([3, 5, 5, 2], 0, 1, 'float32', 1);
      await calibrate(q, x);
      const expected = (await quantizedWeights(q)).weights[0]!.levels;
      setFakeQuant(q, false, 'weights');
      expect((await quantizedWeights(q)).weights[0]!.levels).toEqual(expected);
      setFakeQuant(q, true, 'weights');
      expect((await predicted(q, x)).every(Number.isFinite)).toBeTrue();
    }
  });
});
