/** A backend that no table knows, such as tfjs-node's: the ops work there too, on what can be read from it. */
import {MathBackendCPU} from '@tensorflow/tfjs-backend-cpu';
import * as tf from '@tensorflow/tfjs-core';
import {fakeQuant, fakeQuantWithLearnedScale, minMax, quantizeAndDequantizeV4} from '../../src/entries/index';
import {setup, valuesOf} from '../support/environment';

const OURS = /^(FakeQuant|QuantizeAndDequantize|MinMax)/;
const NAME = 'elsewhere';

/** Everything that the ops can do, forward and backward. */
function everything(): tf.Tensor[] {
  return tf.tidy(() => {
    const x = tf.tensor2d([-7, -0.3, 0, 0.2, NaN, 9.5], [2, 3]);
    const [low, high] = [tf.scalar(-1), tf.scalar(2)];
    const [lows, highs] = [tf.tensor1d([-1, 0, -2]), tf.tensor1d([1, 2, 0])];
    const ofRange = (v: tf.Tensor, a: tf.Tensor, b: tf.Tensor) => fakeQuant(v, a, b, {numBits: 4});
    const learned = (v: tf.Tensor, scale: tf.Tensor) => fakeQuantWithLearnedScale(v, scale, {numBits: 4, offset: low});
    return [
      fakeQuant(x, -1, 1),
      fakeQuant(x, low, high),
      fakeQuant(x, lows, highs),
      quantizeAndDequantizeV4(x, undefined, undefined, {axis: 1}),
      minMax(x, 0),
      learned(x, high),
      ...tf.grads(ofRange)([x, low, high]),
      ...tf.grads(learned)([x, high]),
      ...tf.grads(ofRange)([x, lows, highs]),
    ];
  });
}

// Beside the cpu backend, whose kernels it borrows.
const describeOnCpu = setup.backend === 'cpu' ? describe : () => undefined;

describeOnCpu('a backend of another name', () => {
  it('computes as cpu does, and leaks nothing', async () => {
    tf.registerBackend(NAME, () => new MathBackendCPU());
    for (const kernel of tf.getKernelsForBackend('cpu')) {
      if (!OURS.test(kernel.kernelName)) tf.registerKernel({...kernel, backendName: NAME});
    }
    const expected = everything();
    const values = await Promise.all(expected.map(valuesOf));
    await tf.setBackend(NAME);
    try {
      const answers = everything();
      for (const [i, answer] of answers.entries()) {
        expect(answer.shape).toEqual(expected[i]!.shape);
        expect(await valuesOf(answer))
          .withContext(`answer ${i}`)
          .toEqual(values[i]!);
      }
      tf.dispose(answers);
    } finally {
      await tf.setBackend('cpu');
      tf.dispose(expected);
      tf.removeBackend(NAME);
    }
  });
});
