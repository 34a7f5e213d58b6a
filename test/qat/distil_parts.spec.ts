/** What distil is made of, by formulas written out: losses, kinds of outputs, their variance, sizes of steps. */
import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import {quantizeModel} from '../../src/entries/qat';
import {sharesOf} from '../../src/qat/distillation/learning_rate';
import {Variance} from '../../src/qat/distillation/variance';
import {outputKinds} from '../../src/qat/outputs/kinds';
import {lossFor} from '../../src/qat/outputs/losses';
import {valuesOf} from '../support/environment';
import {scoped} from '../support/scoped';

const {layers} = tfl;

async function numberOf(compute: () => tf.Tensor): Promise<number> {
  const [value] = await valuesOf(tf.tidy(compute));
  return value!;
}

describe("The losses of distil's outputs", () => {
  scoped();

  const P = [0.7, 0.2, 0.1, 0.25, 0, 0.75];
  const Q = [0.5, 0.3, 0.2, 0.6, 0.1, 0.3];
  const plogpq = (p: number, q: number) => (p === 0 ? 0 : p * Math.log(p / q));

  it('are the mean Kullback-Leibler divergence of rows of classes', async () => {
    const expected = P.reduce((sum, p, i) => sum + plogpq(p, Q[i]!), 0) / 2;
    const loss = lossFor('softmax', 1);
    expect(await numberOf(() => loss(tf.tensor2d(P, [2, 3]), tf.tensor2d(Q, [2, 3])))).toBeCloseTo(expected, 5);
    // Classes of each place of a sample.
    expect(await numberOf(() => loss(tf.tensor3d(P, [1, 2, 3]), tf.tensor3d(Q, [1, 2, 3])))).toBeCloseTo(expected, 5);
  });

  it('are the divergence of each probability and of what it leaves', async () => {
    const expected = P.reduce((sum, p, i) => sum + plogpq(p, Q[i]!) + plogpq(1 - p, 1 - Q[i]!), 0) / 6;
    const loss = lossFor('sigmoid', 1);
    expect(await numberOf(() => loss(tf.tensor2d(P, [2, 3]), tf.tensor2d(Q, [2, 3])))).toBeCloseTo(expected, 5);
  });

  it('are the squared error by the variance', async () => {
    const loss = lossFor('linear', 4);
    expect(await numberOf(() => loss(tf.tensor1d([1, 2]), tf.tensor1d([2, 5])))).toBeCloseTo((1 + 9) / 2 / 4, 6);
  });

  it('are 0 where both say the same, and finite where one is certain', async () => {
    for (const kind of ['softmax', 'sigmoid'] as const) {
      const loss = lossFor(kind, 1);
      const certain = tf.tensor2d([1, 0], [1, 2]);
      expect(await numberOf(() => loss(certain, certain))).toBeCloseTo(0, 6);
      expect(Number.isFinite(await numberOf(() => loss(certain, tf.tensor2d([0, 1], [1, 2]))))).toBeTrue();
    }
  });
});

describe('The variance of outputs', () => {
  scoped();

  async function varianceOf(batches: readonly tf.Tensor[]): Promise<number> {
    const variance = new Variance();
    for (const each of batches) variance.add(each);
    const value = await variance.value();
    variance.dispose();
    return value;
  }

  it('is the mean over places, whatever the batches and however far from 0', async () => {
    const {numTensors} = tf.memory();
    // Of the first place 1, 3, 5 and 7, of the second 0, 0, 0 and 4.
    const rows = [1, 0, 3, 0, 5, 0, 7, 4];
    for (const offset of [0, 1000]) {
      const x = tf.tensor2d(
        rows.map(each => each + offset),
        [4, 2],
      );
      for (const sizes of [[4], [3, 1], [1, 1, 1, 1]]) {
        const batches = tf.split(x, sizes);
        expect(await varianceOf(batches)).toBeCloseTo((5 + 3) / 2, 2);
        tf.dispose(batches);
      }
      x.dispose();
    }
    expect(tf.memory().numTensors).toBe(numTensors);
  });

  it('is the mean square of what never changes, and 1 of zeros', async () => {
    expect(await varianceOf([tf.fill([4, 2], 3)])).toBeCloseTo(9, 4);
    expect(await varianceOf([tf.zeros([4, 2])])).toBe(1);
    expect(await varianceOf([tf.tensor2d([5, 5, 5], [3, 1], 'int32')])).toBeCloseTo(25, 3);
  });
});

describe("The kinds of a model's outputs", () => {
  scoped();

  const dense = (activation?: 'softmax' | 'sigmoid' | 'relu') =>
    layers.dense({units: 4, inputShape: [3], ...(activation && {activation})});
  const kindOf = (...chain: tfl.layers.Layer[]) => outputKinds(tfl.sequential({layers: chain}))[0];

  it('are told by the layer, by an activation behind it, and through layers that move values', () => {
    expect(kindOf(dense('softmax'))).toBe('softmax');
    expect(kindOf(dense(), layers.softmax())).toBe('softmax');
    expect(kindOf(dense(), layers.activation({activation: 'softmax'}))).toBe('softmax');
    expect(kindOf(dense('sigmoid'))).toBe('sigmoid');
    expect(kindOf(dense('sigmoid'), layers.reshape({targetShape: [2, 2]}))).toBe('sigmoid');
    expect(kindOf(dense('softmax'), layers.dropout({rate: 0.5}))).toBe('softmax');
    expect(kindOf(dense())).toBe('linear');
    expect(kindOf(dense('relu'))).toBe('linear');
  });

  it('are probabilities each by itself where a softmax is along another dimension', () => {
    const chain = [dense(), layers.reshape({targetShape: [2, 2]}), layers.softmax({axis: 1})];
    expect(kindOf(...chain)).toBe('sigmoid');
  });

  it('are told by values where a reshape cuts rows', () => {
    const model = tfl.sequential({layers: [dense('softmax'), layers.reshape({targetShape: [2, 2]})]});
    expect(outputKinds(model, [{values: [0.5, 0.1, 0.2, 0.2], last: 2}])).toEqual(['sigmoid']);
    const kept = tfl.sequential({layers: [dense('softmax'), layers.reshape({targetShape: [1, 4]})]});
    expect(outputKinds(kept, [{values: [0.5, 0.1, 0.2, 0.2], last: 4}])).toEqual(['softmax']);
  });
});

describe("The shares of distil's rate", () => {
  scoped();

  it('are 1 of an absolute one, and of a relative one the size of each channel', async () => {
    const kernel = tf.tensor2d([3, 0, 0, 4, 0, 0], [2, 3]);
    const depthwise = tf.tensor4d([1, 10, 1, 10], [1, 2, 1, 2]);
    const model = tfl.sequential({
      layers: [
        layers.depthwiseConv2d({kernelSize: [1, 2], depthMultiplier: 2, inputShape: [1, 2, 1], name: 'depthwise'}),
        layers.flatten(),
        layers.dense({units: 3, name: 'dense'}),
      ],
    });
    model.getLayer('depthwise').setWeights([depthwise, tf.tensor1d([0, 0])]);
    model.getLayer('dense').setWeights([kernel, tf.tensor1d([3, 0, 0])]);
    const q = quantizeModel(model, {weights: {numBits: 4}});
    const variable = (shape: readonly number[]) =>
      q.weights
        .filter(({name}) => !name.includes('log_range'))
        .map(each => each.read() as tf.Variable)
        .find(each => String(each.shape) === String(shape))!;
    const sharesFor = async (kind: 'absolute' | 'relative', shape: readonly number[]) =>
      [...(await valuesOf(sharesOf(q, kind)(variable(shape))))].map(each => Number(each.toFixed(4)));
    expect(await sharesFor('absolute', [2, 3])).toEqual([1]);
    // Channels of zeros take a hundredth of the whole's: sqrt((9 + 16) / 6) / 100.
    const least = Number((Math.sqrt(25 / 6) / 100).toFixed(4));
    expect(await sharesFor('relative', [2, 3])).toEqual([3.5355, least, least]);
    expect(await sharesFor('relative', [1, 2, 1, 2])).toEqual([1, 10]);
    expect(await sharesFor('relative', [2])).toEqual([0.001]);
  });

  it('are 1 of ranges, which are learnt as logarithms', async () => {
    const model = tfl.sequential({layers: [layers.dense({units: 3, inputShape: [2]})]});
    const q = quantizeModel(model, {weights: {numBits: 3}});
    const ranges = q.weights.filter(({name}) => name.includes('log_range'));
    expect(ranges.length).toBeGreaterThan(0);
    for (const range of ranges) {
      expect([...(await valuesOf(sharesOf(q, 'relative')(range.read() as tf.Variable)))]).toEqual([1]);
    }
  });
});
