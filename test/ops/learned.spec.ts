/** What a learned scale does beside its numbers, which the golden specs hold: refuse what is no scale, and learn. */
import * as tf from '@tensorflow/tfjs-core';
import {fakeQuantWithLearnedScale, type LearnedScaleOptions} from '../../src/entries/index';
import {valuesOf} from '../support/environment';
import {RESIDENCIES, tensorAt} from '../support/residency';

const X = Float32Array.of(-3, -1.3, -0.2, 0, 0.1, 0.3, 1.1, 9);

/** The values and the gradients of x and of the scale, for a gradient of ones. */
async function everything(scale: tf.Tensor, x: tf.Tensor, options: LearnedScaleOptions) {
  const tensors = tf.tidy(() => [
    fakeQuantWithLearnedScale(x, scale, options),
    ...tf.grads((v, s) => fakeQuantWithLearnedScale(v, s, options))([x, scale], tf.onesLike(x)),
  ]);
  const [y, dx, dscale] = await Promise.all(tensors.map(valuesOf));
  tf.dispose(tensors);
  return {y: [...y!], dx: [...dx!], dscale: [...dscale!]};
}

describe('a learned scale', () => {
  const FORMS = {symmetric: {symmetric: true}, 'from 0': {}, 'with a low end': {offset: -1}} as const;
  for (const residency of RESIDENCIES) {
    for (const [form, options] of Object.entries(FORMS)) {
      it(`that is none makes values and its gradient NaN, and spares x: ${form}, inputs ${residency}`, async () => {
        const x = tensorAt(residency, X, [8]);
        for (const bad of [0, -0, -1, NaN, Infinity, -Infinity, 1e-40]) {
          const scale = tensorAt(residency, Float32Array.of(bad), []);
          const {y, dx, dscale} = await everything(scale, x, options);
          expect([...y, ...dscale])
            .withContext(`scale ${bad}`)
            .toEqual(new Array<number>(9).fill(NaN));
          expect(dx.every(Number.isFinite)).withContext(`dx of scale ${bad}`).toBeTrue();
          scale.dispose();
        }
        x.dispose();
      });

      it(`of one channel that is none leaves the others: ${form}, inputs ${residency}`, async () => {
        const x = tensorAt(residency, X, [4, 2]);
        const scale = tensorAt(residency, Float32Array.of(0.5, -1), [2]);
        const each = 'offset' in options ? {offset: [-1, -1]} : options;
        const {y, dscale} = await everything(scale, x, {...each, axis: 1});
        expect(y.map(Number.isNaN)).toEqual([false, true, false, true, false, true, false, true]);
        expect(dscale.map(Number.isNaN)).toEqual([false, true]);
        tf.dispose([x, scale]);
      });
    }
  }

  it("adds up nothing from beyond x's end", async () => {
    const gradient = (x: tf.Tensor) =>
      tf.tidy(() => tf.grad(scale => fakeQuantWithLearnedScale(x, scale))(tf.scalar(0.5), tf.onesLike(x)));
    for (const size of [63, 64, 65, 66, 67, 257]) {
      const [garbage, x] = [tf.fill([400], NaN), tf.fill([size], 0.3)];
      const [before, dscale] = [gradient(garbage), gradient(x)];
      expect([...(await valuesOf(before))]).toEqual([NaN]);
      expect((await valuesOf(dscale))[0]! / size)
        .withContext(`size ${size}`)
        .toBeCloseTo(0.4, 5);
      tf.dispose([garbage, x, before, dscale]);
    }
  });

  it('is learned: descends to where the error is least', async () => {
    // Numbers of a bell curve; on 16 symmetric levels, the scale of least squared error is 0.335 (Max 1960).
    const x = tf.tidy(() => tf.randomNormal([4000], 0, 1, 'float32', 7));
    const scale = tf.tidy(() => tf.variable(tf.scalar(0.1)));
    const optimizer = tf.train.adam(0.01);
    const error = () =>
      tf.losses.meanSquaredError(x, fakeQuantWithLearnedScale(x, scale, {symmetric: true, numBits: 4})).asScalar();
    for (let step = 0; step < 100; ++step) optimizer.minimize(error);
    const [learned] = await valuesOf(scale);
    expect(learned).toBeCloseTo(0.335, 1);
    tf.dispose([x, scale]);
    optimizer.dispose();
  });
});
