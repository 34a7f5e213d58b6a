/** Layers with several outputs, each of which goes another way; parts of models. */
import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import {calibrate, describeQuantization, quantizedSaveHandler, quantizeModel} from '../../src/entries/qat';
import {valuesOf} from '../support/environment';
import {scoped} from '../support/scoped';

const {layers} = tfl;
type Symbolic = tfl.SymbolicTensor;

const normal = (seed: number, ...shape: number[]) => tf.randomNormal(shape, 0, 1, 'float32', seed);

/** Halves its input. */
class Halves extends tfl.layers.Layer {
  static className = 'Halves';
  override call(x: tf.Tensor | tf.Tensor[]): tf.Tensor[] {
    return tf.tidy(() => tf.split([x].flat()[0]!, 2, -1));
  }
  override computeOutputShape(shape: tfl.Shape): tfl.Shape[] {
    const half = [...shape.slice(0, -1), shape[shape.length - 1]! / 2];
    return [half, [...half]];
  }
}
tf.serialization.registerClass(Halves);

/** What a saved model is when it is loaded. */
async function reloaded(model: tfl.LayersModel, as: (handler: tf.io.IOHandler) => tf.io.IOHandler = each => each) {
  let saved: tf.io.ModelArtifacts | undefined;
  const handler = tf.io.withSaveHandler(artifacts => {
    saved = artifacts;
    return Promise.resolve({modelArtifactsInfo: {dateSaved: new Date(0), modelTopologyType: 'JSON'}});
  });
  await model.save(as(handler));
  return tfl.loadLayersModel(tf.io.fromMemory(saved!));
}

describe('a layer with several outputs', () => {
  scoped();

  it('rounds all of them where only the first goes into a Concatenate', async () => {
    const x = tfl.input({shape: [4, 3], name: 'x'});
    const rnn = layers.simpleRNN({units: 4, returnSequences: true, returnState: true, name: 'rnn'});
    const [all, last] = rnn.apply(x) as Symbolic[];
    const joined = layers.concatenate({name: 'joined'}).apply([all!, x]) as Symbolic;
    const d = layers.dense({units: 2, name: 'd'}).apply(last!) as Symbolic;
    const q = quantizeModel(tfl.model({inputs: x, outputs: [joined, d]}));
    const samples = normal(1, 6, 4, 3);
    await calibrate(q, samples);
    const row = (await describeQuantization(q).read()).find(({layer, what}) => layer === 'rnn' && what === 'output')!;
    const part = tfl.model({inputs: q.inputs, outputs: (q.getLayer('rnn').output as Symbolic[])[1]!});
    const step = (row.max! - row.min!) / 255;
    const values = await valuesOf(part.predict(samples) as tf.Tensor);
    const off = values.map(value => Math.abs(value / step - Math.round(value / step)));
    expect(Math.max(...off)).toBeLessThan(1e-3);
  });

  it('rounds none of them where all go into one Concatenate', async () => {
    const x = tfl.input({shape: [4, 3], name: 'x'});
    const rnn = layers.bidirectional({
      layer: layers.simpleRNN({units: 2, returnSequences: false, recurrentInitializer: 'zeros'}),
      mergeMode: null as never,
      name: 'rnn',
    });
    const joined = layers.concatenate({name: 'joined'}).apply(rnn.apply(x)) as Symbolic;
    const q = quantizeModel(tfl.model({inputs: x, outputs: joined}));
    const rows = await describeQuantization(q).read();
    expect(rows.filter(({layer, what}) => layer === 'rnn' && what.startsWith('output')).map(({note}) => note)).toEqual([
      'not rounded: rounded once, after joined',
    ]);
  });

  for (const ids of [0, 1]) {
    it(`gives an Embedding output ${ids + 1} as it is, and rounds the other on its way`, async () => {
      const x = tfl.input({shape: [6], name: 'x'});
      const halves = new Halves({name: 'halves'}).apply(x) as Symbolic[];
      const embeddingsInitializer = tfl.initializers.randomUniform({minval: -1, maxval: 1, seed: 1});
      const rows = layers
        .embedding({inputDim: 800, outputDim: 2, embeddingsInitializer})
        .apply(halves[ids]!) as Symbolic;
      const d = layers.dense({units: 1, name: 'd'}).apply(halves[1 - ids]!) as Symbolic;
      const model = tfl.model({inputs: x, outputs: [rows, d]});
      const q = quantizeModel(model, {customLayers: {Halves: {}}});
      const samples = tf.tensor2d([
        [1, 2, 777, 3, 500, 799],
        [4, 333, 6, 7, 8, 100],
      ]);
      await calibrate(q, samples);
      const [right, got] = [model, q].map(each => (each.predict(samples) as tf.Tensor[])[0]!);
      // Half a step of rows that end at 1.
      expect(Math.max(...(await valuesOf(tf.abs(tf.sub(right!, got!)))))).toBeLessThan(0.5 / 127 + 1e-6);
      const rounded = (await describeQuantization(q).read()).filter(({what, numBits}) => what === 'output' && numBits);
      expect(rounded.map(({layer}) => layer)).toEqual(['halves_quantized', 'd']);
    });
  }
});

describe('a part of a model of stored levels', () => {
  scoped();

  for (const numBits of [8, 4]) {
    it(`computes the same if it is saved before it was ever called, at ${numBits} bits`, async () => {
      const x = tfl.input({shape: [5, 5, 2], name: 'x'});
      const conv = layers.conv2d({filters: 3, kernelSize: 3, name: 'conv'});
      const norm = layers.batchNormalization({name: 'norm'});
      const model = tfl.model({inputs: x, outputs: norm.apply(conv.apply(x)) as Symbolic});
      const weights = [
        [-2, 3, 0.5],
        [0, 0, 0],
        [0, 0, 0],
        [1, 1, 1],
      ].map(each => tf.tensor1d(each));
      norm.setWeights(weights);
      conv.setWeights([normal(2, 3, 3, 2, 3), tf.zeros([3])]);
      const q = quantizeModel(model, {weights: {perChannel: false, numBits}, recipe: 'minMax'});
      const samples = normal(1, 4, 5, 5, 2);
      await calibrate(q, samples);
      const small = await reloaded(q, handler => quantizedSaveHandler(handler, {fakeQuant: true}));
      const cut = () => tfl.model({inputs: small.inputs, outputs: small.getLayer('conv').output});
      const again = await reloaded(cut());
      const whole = await reloaded(small);
      const right = cut().predict(samples) as tf.Tensor;
      const [largest] = await valuesOf(tf.max(tf.abs(right)));
      const [off] = await valuesOf(tf.max(tf.abs(tf.sub(again.predict(samples) as tf.Tensor, right))));
      // Without the BatchNormalization, the weights are rounded anew, of what they were.
      expect(off! / largest!).toBeLessThan(numBits === 8 ? 0.02 : 0.2);
      expect(await valuesOf(whole.predict(samples) as tf.Tensor)).toEqual(
        await valuesOf(q.predict(samples) as tf.Tensor),
      );
    });
  }
});

describe('a model within of whole numbers', () => {
  scoped();

  it('rounds its input after it was made whole', async () => {
    const within = tfl.input({shape: [3], name: 'within', dtype: 'int32'});
    const d = layers.dense({units: 2, name: 'd', kernelInitializer: 'ones'});
    const inner = tfl.model({inputs: within, outputs: d.apply(within) as Symbolic, name: 'inner'});
    const x = tfl.input({shape: [3], name: 'x', dtype: 'int32'});
    const model = tfl.model({inputs: x, outputs: inner.apply(x) as Symbolic});
    const q = quantizeModel(model);
    const samples = tf.tensor2d(
      [
        [1, 2, 3],
        [4, 5, 6],
        [0, 9, 7],
      ],
      [3, 3],
      'int32',
    );
    await calibrate(q, samples);
    const [right, got] = [model, q].map(each => each.predict(samples) as tf.Tensor);
    // Three inputs off by half a step of 9 / 255 each, and the output by half a step of 16 / 255.
    expect(Math.max(...(await valuesOf(tf.abs(tf.sub(right!, got!)))))).toBeLessThan(
      1.5 * (9 / 255) + 0.5 * (16 / 255) + 0.02,
    );
    const rows = await describeQuantization(q).read();
    expect(rows.filter(({what, numBits}) => what === 'output' && numBits).map(({layer}) => layer)).toEqual([
      'within_quantized',
      'd',
    ]);
  });
});
