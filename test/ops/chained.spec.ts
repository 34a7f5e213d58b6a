/** `fakeQuant` chooses the op by its range, and every op is a method of tensors too. */
import * as tf from '@tensorflow/tfjs-core';
import * as ops from '../../src/entries/index';
import {valuesOf} from '../support/environment';

const VALUES = [
  [-1.5, -0.4, 0.1],
  [0.26, 0.9, 3.3],
];

async function expectSame(make: (x: tf.Tensor2D) => tf.Tensor, reference: (x: tf.Tensor2D) => tf.Tensor) {
  const x = tf.tensor2d(VALUES);
  const [actual, expected] = [make(x), reference(x)];
  expect(actual.shape).toEqual([2, 3]);
  expect(await valuesOf(actual)).toEqual(await valuesOf(expected));
  tf.dispose([x, actual, expected]);
}

describe('fakeQuant', () => {
  const options = {numBits: 4, narrowRange: true};

  it('runs Args for numbers', () =>
    expectSame(
      x => ops.fakeQuant(x, -1, 2, options),
      x => ops.fakeQuantWithMinMaxArgs(x, {min: -1, max: 2, ...options}),
    ));

  it('runs Vars for scalars', () =>
    expectSame(
      x => tf.tidy(() => ops.fakeQuant(x, tf.scalar(-1), tf.scalar(2), options)),
      x => ops.fakeQuantWithMinMaxVars(x, -1, 2, options),
    ));

  it('runs Vars for a number and a scalar', () =>
    expectSame(
      x => tf.tidy(() => ops.fakeQuant(x, -1, tf.scalar(2), options)),
      x => ops.fakeQuantWithMinMaxVars(x, -1, 2, options),
    ));

  it('runs PerChannel for 1-D ranges, along any axis', () =>
    expectSame(
      x => ops.fakeQuant(x, [-1, -2], [1, 3], {...options, axis: 0}),
      x => ops.fakeQuantWithMinMaxVarsPerChannel(x, [-1, -2], [1, 3], {...options, axis: -2}),
    ));

  it('takes numbers where tfjs does', async () => {
    const y = ops.fakeQuant([0.1, 5], 0, 3, {numBits: 2});
    expect(Array.from(await valuesOf(y))).toEqual([0, 3]);
    y.dispose();
  });
});

describe('chained', () => {
  it('fakeQuant', () =>
    expectSame(
      x => x.fakeQuant(-1, 2, {numBits: 4}),
      x => ops.fakeQuant(x, -1, 2, {numBits: 4}),
    ));

  it('fakeQuantWithMinMaxArgs', () =>
    expectSame(
      x => x.fakeQuantWithMinMaxArgs({min: -1, max: 2}),
      x => ops.fakeQuantWithMinMaxArgs(x, {min: -1, max: 2}),
    ));

  it('fakeQuantWithMinMaxVars', () =>
    expectSame(
      x => x.fakeQuantWithMinMaxVars(-1, 2),
      x => ops.fakeQuantWithMinMaxVars(x, -1, 2),
    ));

  it('fakeQuantWithMinMaxVarsPerChannel', () =>
    expectSame(
      x => x.fakeQuantWithMinMaxVarsPerChannel([-1, -1, -1], [1, 2, 3]),
      x => ops.fakeQuantWithMinMaxVarsPerChannel(x, [-1, -1, -1], [1, 2, 3]),
    ));

  it('quantizeAndDequantizeV4', () =>
    expectSame(
      x => x.quantizeAndDequantizeV4(-1, 2, {rangeGiven: true, numBits: 5}),
      x => ops.quantizeAndDequantizeV4(x, -1, 2, {rangeGiven: true, numBits: 5}),
    ));

  it('is differentiable', async () => {
    const dx = tf.tidy(() => tf.grad(x => x.fakeQuant(-1, 1))(tf.tensor1d([-2, 0.5, 2])));
    expect(Array.from(await valuesOf(dx))).toEqual([0, 1, 0]);
    dx.dispose();
  });
});
