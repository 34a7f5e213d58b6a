/** Gradients of first and second order, against the masks that define them. */
import * as tf from '@tensorflow/tfjs-core';
import {
  fakeQuantWithMinMaxArgs,
  fakeQuantWithMinMaxArgsGradient,
  fakeQuantWithMinMaxVars,
  fakeQuantWithMinMaxVarsGradient,
  fakeQuantWithMinMaxVarsPerChannel,
  fakeQuantWithMinMaxVarsPerChannelGradient,
  quantizeAndDequantizeV4,
  quantizeAndDequantizeV4Grad,
} from '../../src/entries/index';
import {valuesOf} from '../support/environment';

/** Two below, three inside and one above [-1, 1]; the nudged range of 8 bits ends within 0.01 of it. */
const X = [-3, -2, -0.5, 0, 0.7, 4];
const INSIDE = [0, 0, 1, 1, 1, 0];
const BELOW = [1, 1, 0, 0, 0, 0];
const ABOVE = [0, 0, 0, 0, 0, 1];
const DY = [1, 2, 3, 4, 5, 6];
/** A weight for each output of a gradient, whose gradient is asked for in turn. */
const WEIGHTS = [7, -1, 2, 0.5, 3, -4];

const times = (a: readonly number[], b: readonly number[]) => a.map((value, i) => value * b[i]!);
const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0);

/** Compares the tensors that `work` makes, exactly: all numbers here are small and short. */
async function expectValues(work: () => tf.Tensor | tf.Tensor[], expected: readonly (readonly number[])[]) {
  const tensors = [tf.tidy(work)].flat();
  const values = await Promise.all(tensors.map(valuesOf));
  tf.dispose(tensors);
  // 0 * -1 is -0, and a sum may begin with either zero.
  expect(values.map(each => Array.from(each, value => value + 0))).toEqual(
    expected.map(each => each.map(value => value + 0)),
  );
}

describe('gradients', () => {
  it('of Args pass inside', () =>
    expectValues(
      () => tf.grad(x => fakeQuantWithMinMaxArgs(x, {min: -1, max: 1}))(tf.tensor1d(X), tf.tensor1d(DY)),
      [times(DY, INSIDE)],
    ));

  it('of Vars go to the inputs, min and max', () =>
    expectValues(
      () =>
        tf.grads((x, min, max) => fakeQuantWithMinMaxVars(x, min as tf.Scalar, max as tf.Scalar))(
          [tf.tensor1d(X), tf.scalar(-1), tf.scalar(1)],
          tf.tensor1d(DY),
        ),
      [times(DY, INSIDE), [sum(times(DY, BELOW))], [sum(times(DY, ABOVE))]],
    ));

  for (const [name, index] of [
    ['inputs', 0],
    ['min', 1],
    ['max', 2],
  ] as const) {
    it(`of Vars with respect to ${name} alone`, () => {
      const expected = [times(DY, INSIDE), [sum(times(DY, BELOW))], [sum(times(DY, ABOVE))]];
      return expectValues(() => {
        const tensors = [tf.tensor1d(X), tf.scalar(-1), tf.scalar(1)];
        const f = (wanted: tf.Tensor) => {
          const [x, min, max] = tensors.map((tensor, i) => (i === index ? wanted : tensor));
          return fakeQuantWithMinMaxVars(x!, min as tf.Scalar, max as tf.Scalar);
        };
        return tf.grad(f)(tensors[index]!, tf.tensor1d(DY));
      }, [expected[index]!]);
    });
  }

  it('of PerChannel are summed by channel, along any axis', () =>
    expectValues(
      () =>
        tf.grads((x, min, max) =>
          fakeQuantWithMinMaxVarsPerChannel(x, min as tf.Tensor1D, max as tf.Tensor1D, {axis: 0}),
        )([tf.tensor2d([X, X]), tf.tensor1d([-1, -10]), tf.tensor1d([1, 10])], tf.tensor2d([DY, DY])),
      [
        [...times(DY, INSIDE), ...DY],
        [sum(times(DY, BELOW)), 0],
        [sum(times(DY, ABOVE)), 0],
      ],
    ));

  it('of V4 pass between the bounds as given', () =>
    expectValues(
      () =>
        tf.grads((x, min, max) => quantizeAndDequantizeV4(x, min, max, {rangeGiven: true}))(
          [tf.tensor1d(X), tf.scalar(-2), tf.scalar(0.7)],
          tf.tensor1d(DY),
        ),
      [[0, 2, 3, 4, 5, 0], [0], [0]],
    ));

  it('of V4 pass everywhere if the bounds are left out', () =>
    expectValues(() => tf.grad(x => quantizeAndDequantizeV4(x))(tf.tensor1d(X), tf.tensor1d(DY)), [DY]));

  it('reach x through other ops', () =>
    expectValues(
      () => tf.grad(x => fakeQuantWithMinMaxVars(tf.mul(x, 2), -1, 1).sum())(tf.tensor1d([-0.6, 0.25, 0.6])),
      [[0, 2, 0]],
    ));
});

/** The gradient kernels are linear in dy, so the gradient with respect to dy is what they multiply the weights by. */
describe('second-order gradients', () => {
  const weigh = (tensors: readonly tf.Tensor[], weights: readonly number[][]) =>
    tf.addN(tensors.map((tensor, i) => tf.sum(tf.mul(tensor, tf.tensor1d(weights[i]!).reshape(tensor.shape)))));

  it('of Args', () =>
    expectValues(
      () =>
        tf.grad(dy => weigh([fakeQuantWithMinMaxArgsGradient(dy, tf.tensor1d(X), {min: -1, max: 1})], [WEIGHTS]))(
          tf.tensor1d(DY),
        ),
      [times(WEIGHTS, INSIDE)],
    ));

  it('of Vars, through all three outputs', () =>
    expectValues(
      () =>
        tf.grad(dy => weigh(fakeQuantWithMinMaxVarsGradient(dy, tf.tensor1d(X), -1, 1), [WEIGHTS, [10], [100]]))(
          tf.tensor1d(DY),
        ),
      [X.map((_, i) => WEIGHTS[i]! * INSIDE[i]! + 10 * BELOW[i]! + 100 * ABOVE[i]!)],
    ));

  it('of PerChannel, through all three outputs', () =>
    expectValues(
      () =>
        tf.grad(dy =>
          weigh(
            fakeQuantWithMinMaxVarsPerChannelGradient(dy, tf.tensor2d(X, [6, 1]).tile([1, 2]), [-1, -10], [1, 10]),
            [
              [...WEIGHTS, ...WEIGHTS],
              [10, 20],
              [100, 200],
            ],
          ),
        )(tf.ones([6, 2])),
      [
        X.flatMap((_, i) => {
          // The weights fill the rows of [6, 2].
          const [first, second] = [[...WEIGHTS, ...WEIGHTS][2 * i]!, [...WEIGHTS, ...WEIGHTS][2 * i + 1]!];
          return [first * INSIDE[i]! + 10 * BELOW[i]! + 100 * ABOVE[i]!, second];
        }),
      ],
    ));

  it('of V4', () =>
    expectValues(
      () =>
        tf.grad(dy => weigh([quantizeAndDequantizeV4Grad(dy, tf.tensor1d(X), -2, 0.7)[0]], [WEIGHTS]))(tf.tensor1d(DY)),
      [times(WEIGHTS, [0, 1, 1, 1, 1, 0])],
    ));

  it('by tf.grad of tf.grad, are the derivative of what was squared', () =>
    // d/dx of x * fakeQuant(x) is fakeQuant(x) + x * mask; the derivative of that is mask + mask.
    expectValues(() => {
      const f = (x: tf.Tensor) => tf.sum(tf.mul(x, fakeQuantWithMinMaxVars(x, -1, 1)));
      return tf.grad(x => tf.sum(tf.grad(f)(x)))(tf.tensor1d(X));
    }, [INSIDE.map(mask => 2 * mask)]));
});
