/** How models' outputs agree, and what rounding a part of one does to it. */
import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import {calibrate, quantizeModel, setFakeQuant} from '../../src/entries/qat';
import {agreements, referenceOf} from '../../src/qat/analysis/sensitivity';
import {AgreementCounter} from '../../src/qat/outputs/agreement';
import {quantizingLayers} from '../../src/qat/quantized_layers/quantizing';
import {scoped} from '../support/scoped';

const {layers} = tfl;

/** The agreement of one output. */
function agreementOf(kind: 'softmax' | 'sigmoid' | 'linear', last: number, float: number[], other: number[]) {
  const counter = new AgreementCounter([kind]);
  counter.add([float], [other], [last]);
  return counter;
}

describe('agreement', () => {
  it('of probabilities is the mean Kullback-Leibler divergence and the share of the same highest class', () => {
    const counter = agreementOf('softmax', 3, [0.5, 0.25, 0.25, 0.1, 0.8, 0.1], [0.25, 0.5, 0.25, 0.2, 0.7, 0.1]);
    // Sum p ln(p / q), Kullback and Leibler 1951.
    const first = 0.5 * Math.log(2) + 0.25 * Math.log(0.5);
    const second = 0.1 * Math.log(0.5) + 0.8 * Math.log(0.8 / 0.7);
    expect(counter.agreement.divergence).toBeCloseTo((first + second) / 2, 12);
    expect(counter.agreement.top1).toBe(0.5);
    expect(counter.perClass).toEqual([
      {output: 0, class: 0, samples: 1, top1: 0},
      {output: 0, class: 1, samples: 1, top1: 1},
      {output: 0, class: 2, samples: 0, top1: NaN},
    ]);
  });

  it('of sigmoids is that of each yes or no by itself', () => {
    const counter = agreementOf('sigmoid', 2, [0.9, 0.2, 0.4, 0.6], [0.8, 0.2, 0.6, 0.7]);
    const of = (p: number, q: number) => p * Math.log(p / q) + (1 - p) * Math.log((1 - p) / (1 - q));
    expect(counter.agreement.divergence).toBeCloseTo((of(0.9, 0.8) + of(0.4, 0.6) + of(0.6, 0.7)) / 4, 12);
    expect(counter.agreement.top1).toBe(0.75);
    expect(counter.perClass.map(({samples, top1}) => [samples, top1])).toEqual([
      [2, 0.5],
      [2, 1],
    ]);
  });

  it('of one sigmoid has two classes', () => {
    const counter = agreementOf('sigmoid', 1, [0.9, 0.2, 0.4], [0.8, 0.7, 0.1]);
    expect(counter.agreement.top1).toBeCloseTo(2 / 3, 12);
    expect(counter.perClass.map(({samples, top1}) => [samples, top1])).toEqual([
      [2, 0.5],
      [1, 1],
    ]);
  });

  it('of other numbers is the squared error by the variance, however far from 0 they are, and has no classes', () => {
    for (const offset of [0, 1e8]) {
      const float = [1, 2, 3, 4].map(value => value + offset);
      const other = [1.5, 2, 3, 3].map(value => value + offset);
      const counter = agreementOf('linear', 2, float, other);
      // Squared errors sum to 1.25, and 1, 2, 3, 4 have the variance 1.25.
      expect(counter.agreement.divergence).toBeCloseTo(1.25 / 4 / 1.25, 12);
      expect(counter.agreement.top1).toBeUndefined();
      expect(counter.perClass).toEqual([]);
    }
  });

  it('of several outputs is the mean, of the classes alone where some are none', () => {
    const counter = new AgreementCounter(['softmax', 'linear']);
    counter.add([[0.5, 0.5], [0]], [[0.5, 0.5], [0]], [2, 1]);
    counter.add([[0.9, 0.1], [2]], [[0.1, 0.9], [1]], [2, 1]);
    const kl = 0.9 * Math.log(9) + 0.1 * Math.log(1 / 9);
    // The error is 1 over two samples, the variance of 0 and 2 is 1.
    expect(counter.agreement.divergence).toBeCloseTo((kl / 2 + 0.5) / 2, 12);
    expect(counter.agreement.top1).toBe(0.5);
  });

  it('is whole of what is the same, also of zeros, ones, infinities and nothing', () => {
    expect(agreementOf('softmax', 2, [1, 0], [1, 0]).agreement).toEqual({divergence: 0, top1: 1});
    expect(agreementOf('sigmoid', 1, [1, 0], [1, 0]).agreement).toEqual({divergence: 0, top1: 1});
    expect(agreementOf('linear', 1, [-Infinity, 3, 3], [-Infinity, 3, 3]).agreement.divergence).toBe(0);
    expect(agreementOf('softmax', 2, [], []).agreement).toEqual({divergence: 0, top1: undefined});
    expect(agreementOf('linear', 2, [], []).agreement.divergence).toBe(0);
  });

  it('is finite where one is sure of what the other is not, and where there is no variance', () => {
    expect(agreementOf('softmax', 2, [1, 0], [0, 1]).agreement.divergence).toBeCloseTo(Math.log(1e7), 4);
    expect(agreementOf('linear', 1, [2, 2], [2, 3]).agreement.divergence).toBeCloseTo(0.5 / 4, 12);
    expect(agreementOf('linear', 1, [0, 0], [0, 3]).agreement.divergence).toBeCloseTo(4.5, 12);
  });

  it('is none with what is no number', () => {
    for (const kind of ['softmax', 'sigmoid'] as const) {
      const {divergence, top1} = agreementOf(kind, 2, [1, 0], [NaN, NaN]).agreement;
      expect([divergence, top1]).withContext(kind).toEqual([Infinity, 0]);
    }
    expect(agreementOf('linear', 2, [1, 0], [NaN, 0]).agreement.divergence).toBe(Infinity);
    expect(agreementOf('linear', 2, [1, 0], [Infinity, 0]).agreement.divergence).toBe(Infinity);
  });
});

describe('agreements', () => {
  scoped();

  /** Two dense layers of one number each, whose weights of 2 bits are levels; the activations' ranges are wide. */
  function twoLayers() {
    const dense = (name: string) => layers.dense({units: 1, useBias: false, name});
    const model = tfl.sequential({layers: [layers.inputLayer({inputShape: [1]}), dense('a'), dense('b')]});
    model.setWeights([tf.tensor2d([[1]]), tf.tensor2d([[1]])]);
    const q = quantizeModel(model, {recipe: 'minMax', activations: {numBits: 4}});
    const groups = quantizingLayers('spec', q).map(({roundings}) => roundings);
    for (const {of, quantizer} of groups.flat()) if (of === 'activations') quantizer.setRange(0, 7.5);
    return {model, q, groups};
  }

  it('are by kinds that outputs tell where layers do not: a reshape that cuts rows of shares', async () => {
    const chain = [
      layers.dense({units: 4, inputShape: [3], activation: 'softmax'}),
      layers.reshape({targetShape: [2, 2]}),
    ];
    const {kinds} = await referenceOf(tfl.sequential({layers: chain}), [[tf.ones([2, 3])]]);
    expect(kinds).toEqual(['sigmoid']);
  });

  it('round one group alone, or all others, and leave switches and watchers', async () => {
    const {model, q, groups} = twoLayers();
    // Steps of ½: 1.2 becomes 1 at the input, and stays so.
    const batches = [[tf.tensor2d([[1.2], [0]])]];
    const reference = await referenceOf(model, batches);
    expect(reference.outputs[0]![0]![0]).toBeCloseTo(1.2, 6);
    const watcher = () => undefined;
    groups[2]![0]!.quantizer.watcher = watcher;
    const only = await agreements(q, batches, reference, groups.slice(0, 1), {mode: 'only'});
    // An error of 0.2 on one of two, by a variance of 0.36.
    expect(only[0]!.divergence).toBeCloseTo(0.04 / 2 / 0.36, 5);
    expect(groups.flat().map(({quantizer}) => quantizer.watcher)).toEqual(
      groups.flat().map((_, i) => (groups.flat()[i] === groups[2]![0] ? watcher : undefined)),
    );
    groups[2]![0]!.quantizer.watcher = undefined;
    const without = await agreements(q, batches, reference, groups, {mode: 'without'});
    // Without any one, the others still round.
    for (const {divergence} of without) expect(divergence).toBeCloseTo(0.04 / 2 / 0.36, 5);
    setFakeQuant(q, false);
    const [off] = await agreements(q, batches, reference, groups.slice(0, 1), {mode: 'only'});
    expect(off!.divergence).toBe(0);
    tf.dispose(batches);
  });

  it('measure weights that were not, and stop at a signal with nothing left', async () => {
    const model = tfl.sequential({layers: [layers.dense({units: 3, inputShape: [2], activation: 'softmax'})]});
    const q = quantizeModel(model, {weights: {numBits: 2}});
    const x = tf.randomNormal<tf.Rank.R2>([8, 2]);
    await calibrate(q, x);
    const before = tf.memory().numTensors;
    const reference = await referenceOf(model, [[x]]);
    const groups = quantizingLayers('spec', q).map(({roundings}) => roundings);
    let passes = 0;
    const abort = new AbortController();
    const onEach = () => {
      passes++;
      abort.abort(new Error('enough'));
    };
    const {signal} = abort;
    await expectAsync(agreements(q, [[x]], reference, groups, {mode: 'only', onEach, signal})).toBeRejectedWithError(
      'enough',
    );
    expect(passes).toBe(1);
    for (const layer of quantizingLayers('spec', q)) layer.forget?.();
    expect(tf.memory().numTensors).toBe(before);
    expect(groups.flat().every(({quantizer}) => quantizer.watcher === undefined)).toBeTrue();
  });
});
