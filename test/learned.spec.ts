/** The learned scale. */
import * as tf from '@tensorflow/tfjs-core';
import {fakeQuantWithLearnedScale} from '../src/index';
import {valuesOf} from './environment';

describe('a learned scale', () => {
  const X = [-3, -1.3, -0.25, -0, 0.1, 0.3, 1.1, 9];

  it('rounds to its multiples, half to even', async () => {
    const y = tf.tidy(() => fakeQuantWithLearnedScale(X, 0.5, {symmetric: true, narrowRange: true, numBits: 3}));
    expect([...(await valuesOf(y))]).toEqual([-1.5, -1.5, -0, -0, 0, 0.5, 1, 1.5]);
    y.dispose();
  });

  it('has gradients', async () => {
    const grads = tf.tidy(() =>
      tf.grads((x, scale, offset) => fakeQuantWithLearnedScale(x, scale, {numBits: 3, offset: offset}))(
        [tf.tensor(X), tf.scalar(0.5), tf.scalar(-0.9)],
        tf.tensor([1, 1, 1, 1, 1, 1, 1, 1]),
      ),
    );
    const values = await Promise.all(grads.map(valuesOf));
    expect([...values[0]!]).toEqual([0, 0, 1, 1, 1, 1, 1, 0]);
    expect(values[1]![0]).toBeCloseTo(-2 + 1.8 + -2 + 1.8 + 0.5 + 0 - 0.2 + 0.4 - 0.2 + 5 + 1.8);
    expect([...values[2]!]).toEqual([3]);
    tf.dispose(grads);
  });
});
