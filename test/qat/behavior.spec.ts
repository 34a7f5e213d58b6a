/** What is rounded where, who switches it, and what is said when something is wrong. */
import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import {
  calibrate,
  dequantizeModel,
  describeQuantization,
  FakeQuantizer,
  freezeBatchNorm,
  freezeRanges,
  quantizationSchedule,
  quantizeModel,
  reestimateBatchNorm,
  setFakeQuant,
} from '../../src/entries/qat';
import {setup, valuesOf} from '../support/environment';
import {needsTraining, scoped} from '../support/scoped';

const {layers} = tfl;
type Layer = tfl.layers.Layer;
type Symbolic = tfl.SymbolicTensor;

function stack(...all: Layer[]): tfl.LayersModel {
  return tfl.sequential({layers: all});
}

/** What is rounded, in the order of the layers: `layer.what`. */
async function rounded(model: tfl.LayersModel): Promise<string[]> {
  return (await describeQuantization(model).read())
    .filter(({numBits}) => numBits !== undefined)
    .map(({layer, what}) => `${layer}.${what}`);
}

function conv(name: string, activation = 'linear', extra = {}): Layer {
  return layers.conv2d({filters: 3, kernelSize: 1, activation: activation as 'relu', name, ...extra});
}

function image(...after: Layer[]): tfl.LayersModel {
  const input = tfl.input({shape: [4, 4, 2], name: 'image'});
  return tfl.model({inputs: input, outputs: after.reduce((x, layer) => layer.apply(x) as Symbolic, input)});
}

const IMAGE = 'image_quantized.output';

describe('activations are rounded', () => {
  scoped();

  const PLACES: Readonly<Record<string, [() => tfl.LayersModel, string[]]>> = {
    'after a convolution with relu': [() => image(conv('c', 'relu')), ['c.kernel', 'c.output']],
    'before softmax, which is an output': [() => image(conv('c', 'softmax')), ['c.kernel', 'c.before activation']],
    'before and after tanh, with something after it': [
      () => image(conv('c', 'tanh'), conv('d')),
      ['c.kernel', 'c.before activation', 'c.output', 'd.kernel', 'd.output'],
    ],
    'before and after swish': [() => image(conv('c', 'swish')), ['c.kernel', 'c.before activation', 'c.output']],
    'once after convolution, BatchNormalization and relu': [
      () => image(conv('c'), layers.batchNormalization({name: 'n'}), layers.reLU({name: 'r'})),
      ['c.kernel', 'r.output'],
    ],
    'once after convolution and BatchNormalization': [
      () => image(conv('c'), layers.batchNormalization({name: 'n'})),
      ['c.kernel', 'n.output'],
    ],
    'once after convolution and an activation layer': [
      () => image(conv('c'), layers.activation({activation: 'relu6', name: 'r'})),
      ['c.kernel', 'r.output'],
    ],
    'before and after an activation that no runtime fuses': [
      () => image(conv('c'), layers.leakyReLU({name: 'l'})),
      ['c.kernel', 'c.output', 'l.output'],
    ],
    'twice where relu comes before BatchNormalization': [
      () => image(conv('c', 'relu'), layers.batchNormalization({name: 'n'})),
      ['c.kernel', 'c.output', 'n.output'],
    ],
    'between the two convolutions of a separable one': [
      () => image(layers.separableConv2d({filters: 3, kernelSize: 2, name: 's', activation: 'relu'})),
      ['s.depthwiseKernel', 's.pointwiseKernel', 's.between', 's.output'],
    ],
    'after BatchNormalization alone': [
      () => image(layers.batchNormalization({name: 'n'}), layers.reLU({name: 'r'})),
      ['r.output'],
    ],
    'not after layers that move values': [
      () =>
        image(
          conv('c'),
          layers.maxPooling2d({poolSize: 2, name: 'm'}),
          layers.zeroPadding2d({name: 'z'}),
          layers.flatten({name: 'f'}),
          layers.dropout({rate: 0.5, name: 'd'}),
          layers.dense({units: 2, name: 'y'}),
        ),
      ['c.kernel', 'c.output', 'y.kernel', 'y.output'],
    ],
    'after pooling that computes': [() => image(layers.averagePooling2d({poolSize: 2, name: 'a'})), ['a.output']],
  };

  for (const [name, [make, expected]] of Object.entries(PLACES)) {
    it(name, async () => expect(await rounded(quantizeModel(make()))).toEqual([IMAGE, ...expected]));
  }

  function branches(join: Layer, afterwards: Layer[] = [], usesFirst = false): tfl.LayersModel {
    const input = tfl.input({shape: [4, 4, 2], name: 'image'});
    const [a, b] = [conv('a').apply(input) as Symbolic, conv('b', 'relu').apply(input) as Symbolic];
    const joined = join.apply([a, b]) as Symbolic;
    const y = afterwards.reduce((x, layer) => layer.apply(x) as Symbolic, joined);
    return tfl.model({inputs: input, outputs: usesFirst ? [y, conv('other').apply(a) as Symbolic] : y});
  }

  it('once after Add and relu', async () => {
    const model = branches(layers.add({name: 'sum'}), [layers.reLU({name: 'r'})]);
    expect((await rounded(quantizeModel(model))).sort()).toEqual(
      [IMAGE, 'a.kernel', 'a.output', 'b.kernel', 'b.output', 'r.output'].sort(),
    );
  });

  it('once after a concatenation', async () => {
    const model = branches(layers.concatenate({name: 'both'}));
    expect((await rounded(quantizeModel(model))).sort()).toEqual([IMAGE, 'a.kernel', 'b.kernel', 'both.output'].sort());
  });

  it('also before a concatenation, where somebody else uses the value', async () => {
    const model = branches(layers.concatenate({name: 'both'}), [], true);
    expect((await rounded(quantizeModel(model))).sort()).toEqual(
      [IMAGE, 'a.kernel', 'a.output', 'b.kernel', 'both.output', 'other.kernel', 'other.output'].sort(),
    );
  });

  it('across the border of a model within a model', async () => {
    const inner = image(conv('c'));
    const input = tfl.input({shape: [4, 4, 2], name: 'x'});
    const y = layers.reLU({name: 'r'}).apply(inner.apply(input)) as Symbolic;
    expect(await rounded(quantizeModel(tfl.model({inputs: input, outputs: y})))).toEqual([
      'x_quantized.output',
      'c.kernel',
      'r.output',
    ]);
  });

  it('at an input by its name, or not', async () => {
    const wide = quantizeModel(image(conv('c')), {layers: {image: {activations: {numBits: 16}}}});
    expect((await describeQuantization(wide).read()).find(({layer}) => layer === 'image_quantized')!.numBits).toBe(16);
    expect(await rounded(quantizeModel(image(conv('c')), {layers: {image: false}}))).toEqual(['c.kernel', 'c.output']);
  });

  it('not in a layer that is left out, but for those that compute with its output', async () => {
    const model = () => image(conv('c', 'relu'), conv('d'));
    expect(await rounded(quantizeModel(model(), {layers: {d: false}}))).toEqual([
      'image_quantized.output',
      'c.kernel',
      'c.output',
    ]);
    expect(await rounded(quantizeModel(model(), {layers: {c: false}}))).toEqual(['c.output', 'd.kernel', 'd.output']);
  });
});

describe('weights have a range for each output channel', () => {
  scoped();

  const SHAPES: Readonly<Record<string, [Layer, number[], Record<string, number>]>> = {
    Dense: [layers.dense({units: 5, name: 'l'}), [3], {kernel: 5}],
    Conv1D: [layers.conv1d({filters: 5, kernelSize: 2, name: 'l'}), [4, 3], {kernel: 5}],
    Conv2D: [layers.conv2d({filters: 5, kernelSize: 2, name: 'l'}), [4, 4, 3], {kernel: 5}],
    Conv3D: [layers.conv3d({filters: 5, kernelSize: 2, name: 'l'}), [4, 4, 4, 3], {kernel: 5}],
    Conv2DTranspose: [layers.conv2dTranspose({filters: 5, kernelSize: 2, name: 'l'}), [4, 4, 3], {kernel: 5}],
    Conv3DTranspose: [layers.conv3dTranspose({filters: 5, kernelSize: 2, name: 'l'}), [4, 4, 4, 3], {kernel: 5}],
    DepthwiseConv2D: [
      layers.depthwiseConv2d({kernelSize: 2, depthMultiplier: 2, name: 'l'}),
      [4, 4, 3],
      {depthwiseKernel: 6},
    ],
    SeparableConv2D: [
      layers.separableConv2d({filters: 5, kernelSize: 2, name: 'l'}),
      [4, 4, 3],
      {depthwiseKernel: 3, pointwiseKernel: 5},
    ],
    LSTM: [layers.lstm({units: 2, name: 'l'}), [4, 3], {kernel: 8, recurrentKernel: 8}],
    'LSTM that runtimes have whole': [
      layers.lstm({units: 2, recurrentActivation: 'sigmoid', name: 'l'}),
      [4, 3],
      {kernel: 4, recurrentKernel: 4},
    ],
    GRU: [layers.gru({units: 2, name: 'l'}), [4, 3], {kernel: 6, recurrentKernel: 6}],
    ConvLSTM2D: [
      layers.convLstm2d({filters: 2, kernelSize: 2, name: 'l'}),
      [2, 4, 4, 3],
      {kernel: 8, recurrentKernel: 8},
    ],
    Embedding: [layers.embedding({inputDim: 7, outputDim: 4, name: 'l'}), [3], {embeddings: 1}],
  };

  async function ranges(model: tfl.LayersModel): Promise<Record<string, number>> {
    const rows = (await describeQuantization(model).read()).filter(
      ({what, layer}) => layer === 'l' && !['output', 'between', 'cell state'].includes(what),
    );
    return Object.fromEntries(rows.map(row => [row.what, row.ranges]));
  }

  for (const [name, [layer, shape, expected]] of Object.entries(SHAPES)) {
    it(name, async () => {
      const input = tfl.input({shape, name: 'x'});
      const q = quantizeModel(tfl.model({inputs: input, outputs: layer.apply(input) as Symbolic}));
      tf.tidy(() => q.predict(tf.ones([1, ...shape])));
      expect(await ranges(q)).toEqual(expected);
    });
  }

  it('an Embedding by its rows if asked, everything in one if asked', async () => {
    const model = stack(layers.embedding({inputDim: 7, outputDim: 4, inputLength: 3, name: 'l'}));
    const rows = quantizeModel(model, {weights: {perChannel: true}});
    tf.tidy(() => rows.predict(tf.ones([1, 3])));
    expect(await ranges(rows)).toEqual({embeddings: 7});
    const dense = quantizeModel(stack(layers.dense({units: 5, inputShape: [3], name: 'l'})), {
      weights: {perChannel: false},
    });
    tf.tidy(() => dense.predict(tf.ones([1, 3])));
    expect(await ranges(dense)).toEqual({kernel: 1});
  });

  it('on a symmetric narrow grid: each column of a Dense kernel has its own 2^b - 1 levels', async () => {
    const model = stack(layers.dense({units: 3, inputShape: [6], useBias: false, name: 'l'}));
    const q = quantizeModel(model, {recipe: 'minMax', weights: {numBits: 3}, activations: false});
    const identity = tf.eye(6);
    const columns = tf.tidy(() => tf.unstack(q.predict(identity) as tf.Tensor, 1));
    const kernel = tf.tidy(() => tf.unstack(model.getWeights()[0]!, 1));
    for (const [i, column] of columns.entries()) {
      const [values, originals] = [await valuesOf(column), await valuesOf(kernel[i]!)];
      const step = Math.max(...originals.map(Math.abs)) / 3;
      values.forEach((value, j) => {
        expect(value / step).toBeCloseTo(Math.round(value / step), 4);
        expect(Math.abs(value - originals[j]!)).toBeLessThanOrEqual(step / 2 + 1e-6);
      });
    }
  });
});

describe('a BatchNormalization', () => {
  scoped();

  function foldable(): tfl.LayersModel {
    const model = image(
      conv('c', 'linear', {useBias: false, filters: 4}),
      layers.batchNormalization({name: 'n'}),
      layers.reLU({name: 'r'}),
    );
    const [gamma, variance] = [
      [2, 0.01, -1, 0.5],
      [0.3, 4, 1, 0.1],
    ].map(values => tf.tensor(values));
    const others = model.getLayer('n').getWeights();
    model.getLayer('c').setWeights([tf.randomNormal([1, 1, 2, 4], 0, 1, 'float32', 1)]);
    model.getLayer('n').setWeights([gamma!, others[1]!, others[2]!, variance!]);
    return model;
  }

  it('is folded in training where weights are per tensor: the folded kernel is on one grid', async () => {
    const q = quantizeModel(foldable(), {weights: {numBits: 4, perChannel: false}, activations: false});
    const float = dequantizeModel(q);
    const [kernel] = float.getLayer('c').getWeights();
    const [gamma, , , variance] = float.getLayer('n').getWeights();
    const folded = tf.tidy(() => kernel!.mul(gamma!.div(variance!.add(1e-3).sqrt())));
    const values = await valuesOf(folded);
    const step = Math.max(...values.map(Math.abs)) / 7;
    for (const value of values) expect(value / step).toBeCloseTo(Math.round(value / step), 3);
    expect(new Set(values.map(value => Math.round(value / step))).size).toBeGreaterThan(3);
  });

  it('folds so also after saving and loading', async () => {
    const q = quantizeModel(foldable(), {weights: {numBits: 4, perChannel: false}, activations: false});
    const again = await tfl.models.modelFromJSON(q.toJSON(null, false) as unknown as tfl.ModelAndWeightsConfig);
    again.setWeights(q.getWeights());
    const x = tf.randomNormal([2, 4, 4, 2]);
    const [one, other] = [q.predict(x) as tf.Tensor, again.predict(x) as tf.Tensor];
    expect(await valuesOf(other)).toEqual(await valuesOf(one));
  });
});

/** A Dense network with a BatchNormalization, and data that it can learn. */
function trainable() {
  const kernel = (seed: number) => tfl.initializers.glorotNormal({seed});
  const model = stack(
    layers.dense({units: 8, inputShape: [4], name: 'a', activation: 'relu', kernelInitializer: kernel(1)}),
    layers.batchNormalization({name: 'n'}),
    layers.dense({units: 2, name: 'b', kernelInitializer: kernel(2)}),
  );
  const x = tf.randomNormal([32, 4], 0, 1, 'float32', 3);
  const y = tf.tidy(() => tf.stack([x.sum(1), x.abs().sum(1)], 1));
  return {model, x, y};
}

async function fit(
  q: tfl.LayersModel,
  x: tf.Tensor,
  y: tf.Tensor,
  steps: number,
  callbacks?: (tfl.Callback | tfl.CustomCallback)[],
) {
  needsTraining();
  q.compile({optimizer: tf.train.sgd(0.02), loss: 'meanSquaredError'});
  await q.fit(x, y, {epochs: steps, batchSize: 32, shuffle: false, ...(callbacks && {callbacks})});
  q.optimizer.dispose();
}

function weightOf(q: tfl.LayersModel, name: string): tf.Tensor {
  return q.weights.find(({originalName}) => originalName === name)!.read();
}

async function rangesOf(q: tfl.LayersModel, of: 'weights' | 'activations'): Promise<number[]> {
  const isWeight = (what: string) => what.endsWith('ernel');
  const rows = (await describeQuantization(q).read()).filter(
    ({numBits, what}) => numBits !== undefined && isWeight(what) === (of === 'weights'),
  );
  return rows.flatMap(({min, max}) => [min!, max!]);
}

describe('quantized training', () => {
  scoped();

  it('moves ranges until they are frozen, and again', async () => {
    const {model, x, y} = trainable();
    const q = quantizeModel(model);
    await fit(q, x, y, 1);
    const first = await rangesOf(q, 'activations');
    expect(first.every(Number.isFinite)).toBeTrue();
    await fit(q, x, y, 2);
    const second = await rangesOf(q, 'activations');
    expect(second).not.toEqual(first);
    freezeRanges(q);
    await fit(q, x, y, 2);
    expect(await rangesOf(q, 'activations')).toEqual(second);
    freezeRanges(q, false);
    await fit(q, x, y, 1);
    expect(await rangesOf(q, 'activations')).not.toEqual(second);
  });

  it('by a schedule: float first, then rounded; ranges and BatchNormalization frozen', async () => {
    const {model, x, y} = trainable();
    const q = quantizeModel(model, {weights: {numBits: 2}, activations: {numBits: 2}});
    const seen: {step: number; isRounded: boolean; ranges: number[]; mean: number[]}[] = [];
    const schedule = quantizationSchedule({quantizeAfter: 2, freezeRangesAfter: 4, freezeBatchNormAfter: 5});
    const note = new tfl.CustomCallback({
      onBatchEnd: async () => {
        const values = await valuesOf(tf.tidy(() => q.predict(x) as tf.Tensor));
        const mean = await valuesOf(weightOf(q, 'n/moving_mean'));
        const isRounded = new Set(values).size <= 2 ** 2 * 2;
        seen.push({step: seen.length + 1, isRounded, ranges: await rangesOf(q, 'activations'), mean: [...mean]});
      },
    });
    await fit(q, x, y, 8, [schedule, note]);
    expect(seen.map(({isRounded}) => isRounded)).toEqual([false, true, true, true, true, true, true, true]);
    expect(seen[2]!.ranges).not.toEqual(seen[3]!.ranges);
    expect(seen[3]!.ranges).toEqual(seen[7]!.ranges);
    expect(seen[3]!.mean).not.toEqual(seen[4]!.mean);
    expect(seen[4]!.mean).toEqual(seen[7]!.mean);
    freezeBatchNorm(q, false);
    await fit(q, x, y, 1);
    const mean = await valuesOf(weightOf(q, 'n/moving_mean'));
    expect([...mean]).not.toEqual(seen[7]!.mean);
  });

  it('by fitDataset', async () => {
    needsTraining();
    const {model, x, y} = trainable();
    const q = quantizeModel(model);
    q.compile({optimizer: tf.train.sgd(0.02), loss: 'meanSquaredError'});
    const next = () => Promise.resolve({done: false, value: {xs: x.clone(), ys: y.clone()}});
    const dataset = {iterator: () => Promise.resolve({next}), size: null};
    const args = {epochs: 3, batchesPerEpoch: 2, callbacks: quantizationSchedule({freezeRangesAfter: 4})};
    const {history} = await q.fitDataset(dataset as never, args);
    expect(history['loss']![2] as number).toBeLessThan(history['loss']![0] as number);
    expect(
      (await describeQuantization(q).read()).filter(({what}) => what === 'output').some(({observing}) => observing),
    ).toBeFalse();
    q.optimizer.dispose();
  });

  it('and statistics of BatchNormalization measured anew', async () => {
    const {model, x, y} = trainable();
    const q = quantizeModel(model);
    await fit(q, x, y, 1);
    const halves = tf.tidy(() => tf.split(x, 2));
    await reestimateBatchNorm(q, x, {samples: x.shape[0], batchSize: x.shape[0] / 2});
    // What the layer is given, as the layer before it rounds.
    const input = tfl.model({inputs: q.inputs, outputs: q.getLayer('a').output});
    const means = halves.map(half => tf.tidy(() => (input.predict(half) as tf.Tensor).mean(0)));
    const mean = await valuesOf(tf.tidy(() => tf.addN(means).div(2)));
    const found = await valuesOf(weightOf(q, 'n/moving_mean'));
    found.forEach((value, i) => expect(value).toBeCloseTo(mean[i]!, 5));
    await fit(q, x, y, 1);
    const after = await valuesOf(weightOf(q, 'n/moving_mean'));
    expect(Math.max(...after.map((value, i) => Math.abs(value - found[i]!)))).toBeLessThan(0.05);
    expect(after).not.toEqual(found);
  });

  it('leaves the kernel of a frozen layer where it is, and keeps the flags', async () => {
    const {model, x, y} = trainable();
    model.getLayer('a').trainable = false;
    const q = quantizeModel(model);
    expect(q.trainableWeights.map(({originalName}) => originalName)).toEqual(
      model.trainableWeights.map(({originalName}) => originalName),
    );
    const kernelAndBias = async () => [
      ...(await valuesOf(weightOf(q, 'a/kernel'))),
      ...(await valuesOf(weightOf(q, 'a/bias'))),
    ];
    const before = await kernelAndBias();
    await fit(q, x, y, 3);
    expect(await kernelAndBias()).toEqual(before);
    const again = await tfl.models.modelFromJSON(q.toJSON(null, false) as unknown as tfl.ModelAndWeightsConfig);
    expect(again.trainableWeights.length).toBe(q.trainableWeights.length);
    q.getLayer('a').trainable = true;
    await fit(q, x, y, 1);
    expect(await kernelAndBias()).not.toEqual(before);
  });

  it('with the original untouched', async () => {
    const {model, x, y} = trainable();
    const before = await Promise.all(model.getWeights().map(valuesOf));
    await fit(quantizeModel(model), x, y, 3);
    expect(await Promise.all(model.getWeights().map(valuesOf))).toEqual(before);
  });

  it('by loops of trainOnBatch and by tf.variableGrads', async () => {
    needsTraining();
    const {model, x, y} = trainable();
    const q = quantizeModel(model);
    q.compile({optimizer: tf.train.sgd(0.02), loss: 'meanSquaredError'});
    const first = (await q.trainOnBatch(x, y)) as number;
    for (let i = 0; i < 10; ++i) await q.trainOnBatch(x, y);
    expect((await q.trainOnBatch(x, y)) as number).toBeLessThan(first);
    const {value, grads} = tf.variableGrads(() =>
      tf.losses.meanSquaredError(y, q.apply(x, {training: true}) as tf.Tensor).asScalar(),
    );
    expect(Object.keys(grads).length).toBe(q.trainableWeights.length);
    expect((await valuesOf(value))[0]).toBeLessThan(first);
    q.optimizer.dispose();
  });
});

describe("scheme 'tfmot'", () => {
  scoped();

  it('trains, is controlled, leaks nothing and gives everything back', async () => {
    const {model, x, y} = trainable();
    const {numTensors} = tf.memory();
    const q = quantizeModel(model, {scheme: 'tfmot', layers: {n: false}});
    await fit(q, x, y, 2);
    const held = tf.memory().numTensors;
    freezeRanges(q);
    const before = await rangesOf(q, 'activations');
    await fit(q, x, y, 2);
    expect(tf.memory().numTensors).toBe(held);
    expect(await rangesOf(q, 'activations')).toEqual(before);
    await calibrate(q, x);
    expect(await rangesOf(q, 'activations')).not.toEqual(before);
    const float = dequantizeModel(q);
    expect(float.layers.map(({name}) => name)).toEqual(['a_input', 'a', 'n', 'b']);
    float.dispose();
    q.dispose();
    expect(tf.memory().numTensors).toBe(numTensors);
  });

  it('takes separable convolutions apart, which changes no prediction, and gives everything back', async () => {
    const model = image(
      layers.separableConv2d({
        filters: 3,
        kernelSize: 2,
        strides: 2,
        depthMultiplier: 2,
        name: 's',
        activation: 'relu',
      }),
      layers.separableConv2d({filters: 2, kernelSize: 1, useBias: false, name: 't'}),
      conv('c'),
    );
    model.setWeights(model.weights.map(({shape}, i) => tf.randomNormal(shape as number[], 0, 1, 'float32', i + 1)));
    const x = tf.randomNormal([2, 4, 4, 2]);
    const {numTensors} = tf.memory();
    const q = quantizeModel(model, {scheme: 'tfmot', layers: {c: false}});
    expect(q.layers.map(({name}) => name).slice(2)).toEqual([
      'quant_depthwise_conv2d',
      'quant_conv2d',
      'quant_depthwise_conv2d_1',
      'quant_conv2d_1',
      'c',
    ]);
    setFakeQuant(q, false);
    const [y, z] = [q, model].map(each => each.predict(x) as tf.Tensor);
    const expected = await valuesOf(z!);
    (await valuesOf(y!)).forEach((value, i) => expect(value).toBeCloseTo(expected[i]!, 5));
    tf.dispose([y!, z!]);
    q.dispose();
    expect(tf.memory().numTensors).toBe(numTensors);
    const dilated = image(layers.separableConv2d({filters: 1, kernelSize: 2, dilationRate: 2, name: 's'}));
    expect(() => quantizeModel(dilated, {scheme: 'tfmot'})).toThrowError(/layer s is a dilated SeparableConv2D/);
    expect(quantizeModel(dilated, {scheme: 'tfmot', layers: {s: false}}).layers.map(({name}) => name)).toContain('s');
  });

  it('takes no other options, and refuses what tfmot does, all at once', () => {
    expect(() => quantizeModel(trainable().model, {scheme: 'tfmot', weights: {numBits: 4}} as never)).toThrowError(
      /takes no weights/,
    );
    const model = stack(
      layers.dense({units: 2, inputShape: [3], activation: 'elu', name: 'd'}),
      layers.batchNormalization({name: 'n'}),
    );
    expect(() => quantizeModel(model, {scheme: 'tfmot'})).toThrowError(
      /2 problems:[^]*layer d has the activation elu[^]*layer n /,
    );
  });
});

describe('setFakeQuant and dequantizeModel', () => {
  scoped();

  it('switch rounding off and on', async () => {
    const {model, x, y} = trainable();
    const q = quantizeModel(model, {weights: {numBits: 3}, activations: {numBits: 3}});
    await calibrate(q, x);
    const predicted = (m: tfl.LayersModel) => valuesOf(m.predict(x) as tf.Tensor);
    const on = await predicted(q);
    setFakeQuant(q, false);
    expect(await predicted(q)).toEqual(await predicted(model));
    setFakeQuant(q, true, 'weights');
    const weightsOnly = await predicted(q);
    expect(weightsOnly).not.toEqual(on);
    const float = dequantizeModel(q);
    expect(await predicted(float)).toEqual(weightsOnly);
    expect(float.layers.map(each => each.getClassName())).toEqual([
      'InputLayer',
      ...model.layers.map(each => each.getClassName()),
    ]);
    expect(float.weights.map(({originalName}) => originalName)).toEqual(
      model.weights.map(({originalName}) => originalName),
    );
    setFakeQuant(q, true);
    expect(await predicted(q)).toEqual(on);
    await fit(float, x, y, 1);
  });
});

describe('calibrate', () => {
  scoped();

  it('reports its progress, takes tensors and batches, and finds the extremes', async () => {
    const {model, x} = trainable();
    const seen: unknown[] = [];
    const q = quantizeModel(model);
    await calibrate(q, x, {method: 'minMax', batchSize: 12, onProgress: progress => seen.push(progress)});
    expect(seen).toEqual([12, 24, 32].map(done => ({done, total: 32})));
    const [input] = await describeQuantization(q).read();
    const values = await valuesOf(x);
    expect([input!.min, input!.max]).toEqual([Math.min(...values), Math.max(...values)]);
    const other = quantizeModel(model);
    await calibrate(other, tf.tidy(() => tf.split(x, 4)).map(each => [each]) as Iterable<tf.Tensor[]>, {
      method: 'minMax',
    });
    expect(await rangesOf(other, 'activations')).toEqual(await rangesOf(q, 'activations'));
  });

  it('by percentile and by squared error leaves outliers out', async () => {
    const values = tf.tidy(() => tf.concat([tf.randomNormal([5000], 0, 1, 'float32', 1), tf.tensor([30])]));
    const x = tf.tidy(() => values.reshape([-1, 1]));
    const rangeBy = async (method: 'minMax' | 'percentile' | 'mse', numBits: number) => {
      const q = quantizeModel(stack(layers.dense({units: 1, inputShape: [1]})), {activations: {numBits}});
      await calibrate(q, x, {method, percentile: 99.9, batchSize: 1000});
      const [row] = await describeQuantization(q).read();
      return [row!.min!, row!.max!] as const;
    };
    expect((await rangeBy('minMax', 8))[1]).toBe(30);
    const [low, high] = await rangeBy('percentile', 8);
    expect(low).toBeGreaterThan(-4);
    expect(low).toBeLessThan(-2.5);
    expect(high).toBeGreaterThan(2.5);
    expect(high).toBeLessThan(4.5);
    const [narrow, wide] = [await rangeBy('mse', 2), await rangeBy('mse', 8)];
    expect(narrow[1]).toBeLessThan(10);
    expect(wide[1]).toBeGreaterThan(20);
  });

  it('names samples that do not fit, and NaN', async () => {
    const {model, x} = trainable();
    const q = quantizeModel(model);
    await expectAsync(calibrate(q, tf.zeros([2, 5]))).toBeRejectedWithError(
      /takes samples of shape \[any,4\], but was given \[2,5\]/,
    );
    await expectAsync(calibrate(q, [x, x])).toBeRejectedWithError(/has 1 inputs .* 2 tensors/);
    await expectAsync(calibrate(q, [] as tf.Tensor[])).toBeRejectedWithError(/no samples/);
    await expectAsync(calibrate(model, x)).toBeRejectedWithError(/is not quantized/);
    await expectAsync(calibrate(q, tf.fill([2, 4], NaN))).toBeRejectedWithError(
      // On tfjs's wasm backend relu makes 0 of NaN.
      setup.backend === 'wasm'
        ? /activations were NaN or infinite in .*_quantized/
        : /activations were NaN or infinite in .*_quantized, a, /,
    );
  });
});

describe('what is wrong is said', () => {
  scoped();

  class Mystery extends tfl.layers.Layer {
    static className = 'Mystery';
    matrix: tfl.LayerVariable | undefined;

    override build(): void {
      this.matrix = this.addWeight('matrix', [4, 3], 'float32', tfl.initializers.ones());
      this.built = true;
    }

    override computeOutputShape(): (number | null)[] {
      return [null, 3];
    }

    override call(inputs: tf.Tensor | tf.Tensor[]): tf.Tensor {
      return tf.matMul([inputs].flat()[0] as tf.Tensor2D, this.matrix!.read());
    }
  }
  tf.serialization.registerClass(Mystery);

  function mysterious(): tfl.LayersModel {
    return stack(
      layers.dense({units: 4, inputShape: [2], name: 'd'}),
      new Mystery({name: 'm1'}),
      layers.dense({units: 4, name: 'e'}),
      new Mystery({name: 'm2'}),
    );
  }

  it('of all layers at once', () => {
    const options = {weights: {numBits: 1}, layers: {nowhere: false, d: {activations: {numBits: 17}}}} as const;
    const quantize = () => quantizeModel(mysterious(), options);
    for (const part of [
      /5 problems/,
      /weights\.numBits must be .* was 1/,
      /layers\.d\.activations\.numBits .* was 17/,
      /no layer nowhere .* d, m1, e, m2/,
      /layer m1 is of the class Mystery.*customLayers.*layers: \{m1: false\}/,
      /layer m2 is of the class Mystery/,
    ]) {
      expect(quantize).toThrowError(part);
    }
  });

  it('and mended: custom layers by their weights, or left out', async () => {
    const q = quantizeModel(mysterious(), {customLayers: {Mystery: {matrix: {axis: -1}}}, layers: {m2: false}});
    tf.tidy(() => q.predict(tf.ones([1, 2])));
    const rows = (await describeQuantization(q).read()).filter(({layer}) => layer.startsWith('m'));
    expect(rows.map(({layer, what, ranges, note}) => [layer, what, ranges, note])).toEqual([
      ['m1', 'matrix', 3, ''],
      ['m1', 'output', 1, 'no range yet: passes values as they are'],
      ['m2', 'weights', 0, 'not rounded: left out by the options'],
      ['m2', 'output', 0, 'not rounded: left out by the options'],
    ]);
    expect(() => quantizeModel(mysterious(), {customLayers: {Mystery: {nothing: {}}}})).toThrowError(
      /2 problems:\n- layer m1 \(Mystery\) has no weight in the attribute nothing/,
    );
  });

  it('of models that are unbuilt, quantized already, no models, or newer', async () => {
    expect(() => quantizeModel(tfl.sequential())).toThrowError(/is not built.*Add layers/);
    expect(() => quantizeModel({} as tfl.LayersModel)).toThrowError(/must be a tf.LayersModel/);
    const q = quantizeModel(stack(layers.dense({units: 1, inputShape: [1], name: 'd'})));
    expect(() => quantizeModel(q)).toThrowError(/quantized already .*dequantizeModel/);
    const newer = JSON.parse(
      (q.toJSON() as string).replaceAll('"version":1', '"version":2'),
    ) as tfl.ModelAndWeightsConfig;
    await expectAsync(tfl.models.modelFromJSON(newer)).toBeRejectedWithError(
      /newer version of tfjs-quantization \(format 2.*Update/,
    );
  });

  it('of NaN: the range keeps its last good value, and the description tells', async () => {
    const q = quantizeModel(stack(layers.dense({units: 1, inputShape: [2], name: 'd'})));
    const pass = (values: number[]) => tf.tidy(() => void q.apply(tf.tensor(values, [1, 2]), {training: true}));
    pass([1, -1]);
    const good = await rangesOf(q, 'activations');
    pass([NaN, NaN]);
    pass([NaN, NaN]);
    expect(await rangesOf(q, 'activations')).toEqual(good);
    const notes = (await describeQuantization(q).read()).filter(({what}) => what === 'output').map(({note}) => note);
    expect(notes).toEqual(Array(2).fill('2 batches were NaN or infinite: the range stayed as it was'));
    await Promise.resolve();
  });
});

describe('describeQuantization', () => {
  scoped();

  it('prints a line for each row, and why something is not rounded', async () => {
    const q = quantizeModel(
      image(
        conv('c'),
        layers.batchNormalization({name: 'n'}),
        layers.flatten({name: 'f'}),
        layers.dense({units: 2, activation: 'softmax', name: 's'}),
      ),
    );
    const lines: string[] = [];
    const {read, print} = describeQuantization(q);
    await print(line => lines.push(line));
    expect(lines.length).toBe((await read()).length + 1);
    expect(lines.find(line => line.startsWith('c ') && line.includes('output'))).toMatch(
      /not rounded: rounded once, after n$/,
    );
    expect(lines.find(line => line.startsWith('f '))).toMatch(/moves values only/);
    expect(lines.find(line => line.startsWith('s ') && line.includes('output'))).toMatch(/softmax is an output/);
  });
});

describe('FakeQuantizer', () => {
  scoped();

  it('rounds to the range of what it saw: the first batch sets it, the average is debiased', async () => {
    const quantizer = new FakeQuantizer({numBits: 2, decay: 0.9});
    const mean = async () => [...(await valuesOf(quantizer.range()[1]))][0]!;
    quantizer.apply(tf.tensor([0, 3]), {training: true});
    expect(await mean()).toBeCloseTo(3, 6);
    quantizer.apply(tf.tensor([0, 5]), {training: true});
    expect(await mean()).toBeCloseTo((0.9 * 0.1 * 3 + 0.1 * 5) / (1 - 0.81), 5);
    const y = await valuesOf(quantizer.apply(tf.tensor([0, 1, 100])));
    expect(y[2]).toBeCloseTo(await mean(), 5);
    quantizer.dispose();
    expect(() => quantizer.apply(tf.tensor([1]), {training: true})).toThrowError(/disposed/);
  });

  it('keeps an initial range that is to be learned, while nothing is rounded', async () => {
    const quantizer = new FakeQuantizer({observer: 'learned', initialRange: [-1, 1]});
    quantizer.quantizing = false;
    const x = tf.tensor([-5, 5]);
    expect(await valuesOf(quantizer.apply(x))).toEqual(new Float32Array([-5, 5]));
    quantizer.quantizing = true;
    const [low, high] = await valuesOf(quantizer.apply(x));
    expect([low!, high!].map(Math.round)).toEqual([-1, 1]);
    quantizer.dispose();
  });

  it('has an initial range, can be set, frozen and unfrozen', async () => {
    const quantizer = new FakeQuantizer({initialRange: [-1, 1]});
    expect([...(await valuesOf(quantizer.apply(tf.tensor([-5, 5]))))].map(Math.round)).toEqual([-1, 1]);
    quantizer.observing = false;
    quantizer.apply(tf.tensor([-50, 50]), {training: true});
    expect((await quantizer.snapshot()).values).toEqual({min: [-1], max: [1]});
    quantizer.observing = true;
    quantizer.apply(tf.tensor([-50, 50]), {training: true});
    expect((await quantizer.snapshot()).values!.max[0]).toBeGreaterThan(1);
    quantizer.setRange(-2, 2);
    expect((await quantizer.snapshot()).values).toEqual({min: [-2], max: [2]});
    quantizer.dispose();
  });

  it('passes values until there is a range, and says so once', async () => {
    const quantizer = new FakeQuantizer({name: 'mine'});
    expect([...(await valuesOf(quantizer.apply(tf.tensor([0.1, 0.7]))))]).toEqual([0.1, 0.7].map(Math.fround));
    quantizer.apply(tf.tensor([1]));
    await Promise.resolve();
    expect(console.warn).toHaveBeenCalledOnceWith(jasmine.stringMatching(/1 ranges are not set yet.*\(mine\)/));
    expect(() => quantizer.range()).toThrowError(/mine: the range is not set yet/);
  });

  it('checks its options', () => {
    expect(() => new FakeQuantizer({numBits: 17})).toThrowError(/numBits/);
    expect(() => new FakeQuantizer({decay: 1})).toThrowError(/decay must be in \[0, 1\)/);
    expect(() => new FakeQuantizer({initialRange: [1, 1]})).toThrowError(/min has to be smaller/);
    expect(() => new FakeQuantizer({axis: 2}).apply(tf.ones([2, 2]), {training: true})).toThrowError(/axis/);
  });

  it('trains a range per channel along any axis without a leak', async () => {
    const quantizer = new FakeQuantizer({axis: 0, observer: 'lastValue', symmetric: true, narrowRange: true});
    const x = tf.tensor([1, -2, 30, 4], [2, 2]);
    tf.tidy(() => void quantizer.apply(x, {training: true}));
    const before = tf.memory().numTensors;
    tf.tidy(() => void quantizer.apply(x, {training: true}));
    expect(tf.memory().numTensors).toBe(before);
    expect((await quantizer.snapshot()).values).toEqual({min: [-2, -30], max: [2, 30]});
    quantizer.dispose();
  });
});
