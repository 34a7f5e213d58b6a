/** What a learned scale does beside its numbers, which the golden specs hold: refuse what is no scale, and learn. */
import * as tf from '@tensorflow/tfjs-core';
import {fakeQuantWithLearnedScale, type LearnedScaleOptions} from '../../src/entries/index';
import {fakeQuantWithLearnedGrid, learnedGrid} from '../../src/ops/training';
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

/** Random numbers from a seed, in [-0.5, 0.5). */
function random(seed: number): () => number {
  let state = seed;
  return () => (state = (state * 48271) % 2147483647) / 2147483647 - 0.5;
}

describe('the grid of a learned range', () => {
  const SPEED = 10;
  // Beyond these a logarithm is none. The first is 69 / 10 as float32 has it.
  const BAD = [6.9, -6.9, 7, NaN, Infinity, -Infinity, -1e4];
  const FORMS = {'a scale': 0, 'two ends of 2 bits': 3, 'two ends of 8 bits': 255} as const;

  /** The formula in double precision: grid and, for gradients of 1, 2, 3, …, those of the logarithms. */
  function expected(trained: readonly number[], last: readonly number[], steps: number, channels: number) {
    const grid = new Array<number>(trained.length);
    const gradient = new Array<number>(trained.length);
    const end = (log: number, before: number) => (Math.abs(SPEED * log) < 69 ? Math.exp(SPEED * log) : before);
    for (let c = 0; c < channels; ++c) {
      if (steps === 0) {
        grid[c] = end(trained[c]!, last[c]!);
        gradient[c] = (c + 1) * grid[c]!;
        continue;
      }
      const [scale, low] = [last[c]!, last[channels + c]!];
      const below = end(trained[c]!, -low);
      const above = end(trained[channels + c]!, low + scale * steps);
      grid[c] = (below + above) / steps;
      grid[channels + c] = -below;
      // scale = (below + above) / steps, low = -below, and an end is its own derivative by its logarithm.
      const [ofScale, ofLow] = [c + 1, channels + c + 1];
      gradient[c] = (ofScale / steps - ofLow) * below;
      gradient[channels + c] = (ofScale / steps) * above;
    }
    return {grid, gradient};
  }

  for (const residency of RESIDENCIES) {
    for (const [form, steps] of Object.entries(FORMS)) {
      it(`is what the logarithms say, and so is its gradient: ${form}, inputs ${residency}`, async () => {
        for (const channels of [undefined, 1, 3, 4, 5, 257]) {
          const count = channels ?? 1;
          const shape = [...(steps === 0 ? [] : [2]), ...(channels === undefined ? [] : [channels])];
          const next = random(7);
          const trained = Float32Array.from({length: steps === 0 ? count : 2 * count}, () => next() * 0.4);
          const last = trained.map((_, i) => (i < count ? 0.5 + i / 64 : -0.25));
          BAD.forEach((bad, i) => {
            if (channels !== undefined && 3 * i < trained.length) trained[3 * i] = bad;
          });
          const [logs, good] = [tensorAt(residency, trained, shape), tensorAt(residency, last, shape)];
          const dy = tf.tidy(() => tf.reshape(tf.range(1, trained.length + 1), shape));
          const rule = {speed: SPEED, steps};
          const tensors = tf.tidy(() => [
            learnedGrid(logs, good, rule),
            tf.grad(each => learnedGrid(each, good, rule))(logs, dy),
          ]);
          const [grid, gradient] = await Promise.all(tensors.map(valuesOf));
          const truth = expected([...trained], [...last], steps, count);
          for (const [found, wanted] of [
            [grid!, truth.grid],
            [gradient!, truth.gradient],
          ] as const) {
            // The end above 0 is told by the scale and the low end, which may be 50 times as far from 0.
            wanted.forEach((value, i) => {
              const context = `${channels} channels, element ${i}: ${found[i]} for ${value}`;
              expect(Math.abs(found[i]! - value))
                .withContext(context)
                .toBeLessThanOrEqual(Math.abs(value) * 2e-5);
            });
          }
          tf.dispose([logs, good, dy, ...tensors]);
        }
      });
    }

    it(`in one tensor rounds as its scale and its low end do, and has their gradients: inputs ${residency}`, async () => {
      const attrs = {numBits: 4, narrowRange: false, symmetric: false};
      for (const shape of [[1], [257], [33, 64], [3, 4, 5]]) {
        for (const axis of [undefined, ...shape.keys()]) {
          const channels = axis === undefined ? 1 : shape[axis]!;
          const next = random(11);
          const x = tensorAt(
            residency,
            Float32Array.from({length: tf.util.sizeFromShape(shape)}, () => 6 * next()),
            shape,
          );
          const dy = tensorAt(residency, Float32Array.from({length: x.size}, next), shape);
          const rows = Float32Array.from({length: 2 * channels}, (_, i) => (i < channels ? 0.2 : -1) + 0.1 * next());
          const ends = axis === undefined ? [] : [channels];
          const grid = tensorAt(residency, rows, [2, ...ends]);
          const scale = tensorAt(residency, rows.slice(0, channels), ends);
          const offset = tensorAt(residency, rows.slice(channels), ends);
          const along = axis === undefined ? {} : {axis};
          const tensors = tf.tidy(() => {
            const whole = (v: tf.Tensor, g: tf.Tensor) => fakeQuantWithLearnedGrid(v, g, true, {...attrs, ...along});
            const apart = (v: tf.Tensor, s: tf.Tensor, low: tf.Tensor) =>
              fakeQuantWithLearnedScale(v, s, {...attrs, ...along, offset: low});
            const gradients = tf.grads(apart)([x, scale, offset], dy);
            return [whole(x, grid), ...tf.grads(whole)([x, grid], dy), apart(x, scale, offset), ...gradients];
          });
          const [y, dx, dGrid, yApart, dxApart, ...dEnds] = await Promise.all(tensors.map(valuesOf));
          const context = `[${shape}] axis ${axis}`;
          expect(y).withContext(context).toEqual(yApart);
          expect(dx).withContext(context).toEqual(dxApart);
          const sums = dEnds.flatMap(each => [...each]);
          [...dGrid!].forEach((sum, i) => expect(sum).withContext(context).toBeCloseTo(sums[i]!, 4));
          tf.dispose([x, dy, grid, scale, offset, ...tensors]);
        }
      }
    });
  }

  it('of nothing has a gradient of 0', async () => {
    const [x, grid] = [tf.zeros([0, 3]), tf.tensor([0.1, -0.5])];
    const attrs = {numBits: 4, narrowRange: false, symmetric: false};
    const gradient = tf.tidy(() => tf.grad(each => fakeQuantWithLearnedGrid(x, each, true, attrs))(grid, x));
    expect([...(await valuesOf(gradient))]).toEqual([0, 0]);
    tf.dispose([x, grid, gradient]);
  });
});
