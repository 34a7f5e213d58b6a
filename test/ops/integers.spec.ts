/** Tensors that were integers: on WebGPU tfjs's cast leaves their bits as they are. */
import * as tf from '@tensorflow/tfjs-core';
import {fakeQuant, minMax} from '../../src/entries/index';
import {valuesOf} from '../support/environment';

describe('integers that were cast to float32', () => {
  // Whole runs of four, and not; one range, and one for each column.
  for (const shape of [[3], [4, 8], [5, 3]]) {
    for (const [dtype, whole] of [
      ['int32', (_: unknown, i: number) => (i * 7) % 23],
      ['bool', (_: unknown, i: number) => i % 2],
    ] as const) {
      it(`are as the floats of their values: ${dtype} [${shape}]`, async () => {
        const numbers = Array.from({length: tf.util.sizeFromShape(shape)}, whole);
        const floats = tf.tensor(numbers, shape, 'float32');
        const cast = tf.tidy(() => tf.tensor(numbers, shape, dtype).toFloat());
        const results = (x: tf.Tensor) =>
          tf.tidy(() => {
            const columns = shape[shape.length - 1]!;
            const perColumn = (given: tf.Tensor) =>
              fakeQuant(given, new Array<number>(columns).fill(-1), new Array<number>(columns).fill(9), {numBits: 4});
            const gradients = tf.grads((given, low, high) => fakeQuant(given, low, high, {numBits: 3}));
            return [
              fakeQuant(x, 0, 7, {numBits: 3}),
              perColumn(x),
              ...gradients([x, tf.scalar(0.5), tf.scalar(7)]),
              ...gradients([x, tf.scalar(0.5), tf.scalar(7)], x),
              minMax(x),
            ];
          });
        const [expected, actual] = [results(floats), results(cast)];
        for (const [i, each] of expected.entries()) expect(await valuesOf(actual[i]!)).toEqual(await valuesOf(each));
        tf.dispose([floats, cast, ...expected, ...actual]);
      });
    }
  }
});
