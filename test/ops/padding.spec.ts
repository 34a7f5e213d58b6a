/** A packed texture has room beside a matrix of odd sides, which tfjs's products multiply too: it has to hold zeros. */
import * as tf from '@tensorflow/tfjs-core';
import {minMax} from '../../src/entries/index';
import {fakeQuantWithMovingRange, fakeQuantWithRange, initialRange} from '../../src/ops/training';
import {valuesOf} from '../support/environment';
import {RESIDENCIES, tensorAt} from '../support/residency';

const SIDE = 7;

const OPTIONS = {
  numBits: 4,
  narrowRange: false,
  symmetric: true,
  observer: 'lastValue',
  decay: 0.9,
  debias: true,
} as const;

/** With a range for each channel, as batches leave it. */
function rounded(x: tf.Tensor, axis: number): tf.Tensor {
  return tf.tidy(() => {
    const options = {...OPTIONS, axis};
    const [, range] = fakeQuantWithMovingRange(x, initialRange(SIDE), options);
    return fakeQuantWithRange(x, range, options);
  });
}

const MATRICES: Readonly<Record<string, (x: tf.Tensor) => tf.Tensor>> = {
  'rounded by rows': x => rounded(x, 0),
  'rounded by columns': x => rounded(x, 1),
  'a gradient by rows': x => tf.grad((given: tf.Tensor) => rounded(given, 0).mul(given))(x),
  'a gradient by columns': x => tf.grad((given: tf.Tensor) => rounded(given, 1).mul(given))(x),
  'extremes of rows': x => minMax(x, 0),
  'extremes of columns': x => minMax(x, 1),
};

/** The products of rows with rows. */
function products(matrix: Float32Array): number[] {
  const rows = Array.from({length: matrix.length / SIDE}, (_, i) => matrix.subarray(i * SIDE, (i + 1) * SIDE));
  return rows.flatMap(one => rows.map(other => one.reduce((sum, value, i) => sum + value * other[i]!, 0)));
}

describe('beside odd matrices is nothing that a product would add', () => {
  for (const residency of RESIDENCIES) {
    for (const [name, make] of Object.entries(MATRICES)) {
      it(`${name}, inputs ${residency}`, async () => {
        const x = tensorAt(
          residency,
          Float32Array.from({length: SIDE ** 2}, (_, i) => Math.sin(i) * 9),
          [SIDE, SIDE],
        );
        const matrix = tf.tidy(() => make(x)) as tf.Tensor2D;
        const product = tf.matMul(matrix, matrix, false, true);
        const found = await valuesOf(product);
        products(await valuesOf(matrix)).forEach((value, i) => expect(found[i]).toBeCloseTo(value, 2));
        tf.dispose([x, matrix, product]);
      });
    }
  }
});
