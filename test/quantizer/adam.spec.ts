/** Learned ranges that Adam trains together: as tfjs trains each, number by number, and as cheaply as one. */
import * as tf from '@tensorflow/tfjs-core';
import {FakeQuantizer} from '../../src/entries/qat';
import {trainTogether} from '../../src/quantizer/adam';
import {onAdamStep, variableOf} from '../../src/quantizer/tfjs_internals';
import {valuesOf} from '../support/environment';
import {needsTraining, scoped} from '../support/scoped';

const SHAPES = [[], [2], [3], [2, 5], [257], [1], [4]];

/** Variables of many shapes, of which every other is as those of ranges are. */
function variables(joins: boolean): tf.Variable[] {
  return SHAPES.map((shape, i) => {
    const size = tf.util.sizeFromShape(shape);
    const values = Float32Array.from({length: size}, (_, k) => Math.sin(k + i) / 4);
    const made = tf.tidy(() => tf.variable(tf.tensor(values, shape)));
    if (joins && i !== 2) trainTogether(made);
    return made;
  });
}

/** Steps of a loss in which each variable has a gradient of its own; what was left out has none. */
function train(optimizer: tf.Optimizer, all: readonly tf.Variable[], steps: number, leftOut = -1): void {
  for (let step = 0; step < steps; ++step) {
    const loss = () => {
      const terms = all.map((each, i) => tf.sum(tf.square(tf.sub(tf.mul(each, i + 1), step / 8))));
      return tf.addN(terms.filter((_, i) => i !== leftOut)).asScalar();
    };
    tf.tidy(() => void optimizer.minimize(loss, false, [...all]));
  }
}

async function read(tensors: readonly tf.Tensor[]): Promise<number[][]> {
  return (await Promise.all(tensors.map(valuesOf))).map(each => [...each]);
}

async function slotsOf(optimizer: tf.Optimizer): Promise<number[][]> {
  return read((await optimizer.getWeights()).slice(1).map(({tensor}) => tensor));
}

describe('ranges that Adam trains together', () => {
  scoped();

  beforeEach(() => needsTraining());

  it('end where each would by itself, and so do its moments: also of some steps without a gradient, and after an assignment', async () => {
    const [ours, theirs] = [variables(true), variables(false)];
    const [joined, plain] = [tf.train.adam(0.01), tf.train.adam(0.01)];
    const both = (work: (all: tf.Variable[], optimizer: tf.Optimizer) => void) => {
      work(ours, joined);
      work(theirs, plain);
    };
    both((all, optimizer) => train(optimizer, all, 3));
    both((all, optimizer) => train(optimizer, all, 2, 4));
    both(all => all[0]!.assign(tf.scalar(0.125)));
    both((all, optimizer) => train(optimizer, all, 3));
    const [found, wanted] = [await read(ours), await read(theirs)];
    found.forEach((values, i) => {
      values.forEach((value, k) => expect(value).withContext(`variable ${i}`).toBeCloseTo(wanted[i]![k]!, 6));
    });
    const [moments, others] = [await slotsOf(joined), await slotsOf(plain)];
    expect(moments.map(each => each.length)).toEqual(others.map(each => each.length));
    moments.forEach((values, i) => {
      values.forEach((value, k) => {
        expect(Math.abs(value - others[i]![k]!))
          .withContext(`moment ${i}`)
          .toBeLessThanOrEqual(1e-6 * (1 + Math.abs(value)));
      });
    });
    [joined, plain].forEach(each => each.dispose());
  });

  it('go on from a saved optimizer', async () => {
    const all = variables(true);
    const first = tf.train.adam(0.01);
    train(first, all, 3);
    const saved = await first.getWeights();
    const second = tf.train.adam(0.01);
    await second.setWeights(saved.map(({name, tensor}) => ({name, tensor: tf.clone(tensor)})));
    const twins = all.map(each => tf.tidy(() => tf.variable(tf.clone(each))));
    twins.forEach(trainTogether);
    train(first, all, 2);
    train(second, twins, 2);
    const [found, wanted] = [await read(twins), await read(all)];
    // Nearly: tfjs's Adam multiplies powers of its betas up step by step, and computes them by pow where it is loaded.
    found.forEach((values, i) => values.forEach((value, k) => expect(value).toBeCloseTo(wanted[i]![k]!, 5)));
    [first, second].forEach(each => each.dispose());
  });

  it('hold no more tensors after many steps than after two', () => {
    const all = variables(true);
    const optimizer = tf.train.adam(0.01);
    train(optimizer, all, 2);
    const {numTensors, numDataBuffers} = tf.memory();
    train(optimizer, all, 5);
    // All that were joined are parts of one, on WebGL of one texture.
    expect(tf.memory().numTensors).toBe(numTensors);
    expect(tf.memory().numDataBuffers).toBe(numDataBuffers);
    optimizer.dispose();
  });

  it('leave other optimizers, and those that are told of no order, alone', async () => {
    const quantizers = [0, 1, 2].map(() => new FakeQuantizer({observer: 'learned', initialRange: [-1, 2], numBits: 3}));
    const x = tf.tensor1d([-0.7, 0.1, 1.4]);
    const loss = () => tf.addN(quantizers.map(each => each.apply(x, {training: true}).square().sum())).asScalar();
    loss();
    const before = await read(quantizers.flatMap(each => each.variables));
    for (const optimizer of [tf.train.sgd(0.01), tf.train.adam(0.01)]) {
      for (let i = 0; i < 2; ++i) tf.tidy(() => void optimizer.minimize(loss));
      optimizer.dispose();
    }
    expect(await read(quantizers.flatMap(each => each.variables))).not.toEqual(before);
    quantizers.forEach(each => each.dispose());
  });

  it("count on tfjs's Adam to have a moment for each variable of a step, in its order", () => {
    const seen: unknown[] = [];
    const [a, b] = [tf.tidy(() => tf.variable(tf.scalar(1))), tf.tidy(() => tf.variable(tf.tensor1d([1, 2])))];
    onAdamStep((adam, gradients, step) => {
      const lengths = [adam.accumulatedFirstMoment.length, adam.accumulatedSecondMoment.length];
      seen.push([gradients.map(variableOf), lengths]);
      step(gradients);
    });
    const optimizer = tf.train.adam(0.01);
    train(optimizer, [a, b], 2);
    expect(seen).toEqual([
      [
        [a, b],
        [0, 0],
      ],
      [
        [a, b],
        [2, 2],
      ],
    ]);
    optimizer.dispose();
  });
});
