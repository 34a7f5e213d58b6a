/** Weights of 2 bits without a level at 0, against the formula of ParetoQ (Liu et al. 2025), as it is written out here. */
import * as tf from '@tensorflow/tfjs-core';
import fc from 'fast-check';
import {FakeQuantizer, type FakeQuantizerOptions} from '../../src/entries/qat';
import {valuesOf} from '../support/environment';
import {needsTraining, scoped} from '../support/scoped';

const f32 = Math.fround;

/** q = s (clamp(floor(w / s), -2, 1) + 1/2) */
function levelOf(w: number, scale: number): number {
  return Math.min(1, Math.max(-2, Math.floor(w / scale))) + 0.5;
}

/** Whether the gradient passes: |w| is at most (2^(b - 1) - 1/2) s. */
const isInside = (w: number, scale: number) => Math.abs(w) <= 1.5 * scale;

/** The gradients of sum(dy * q). */
function gradientsOf(w: readonly number[], dy: readonly number[], scale: number): {w: number[]; scale: number} {
  const slopes = w.map(each => levelOf(each, scale) - (isInside(each, scale) ? each / scale : 0));
  return {
    w: w.map((each, i) => (isInside(each, scale) ? dy[i]! : 0)),
    scale: slopes.reduce((sum, slope, i) => sum + dy[i]! * slope, 0),
  };
}

const OPTIONS: FakeQuantizerOptions = {
  numBits: 2,
  zeroFree: true,
  symmetric: true,
  observer: 'learned',
  learningRateScale: 1,
};

/** A quantizer of a given scale, or of one for each channel. */
function quantizerOf(scale: number | readonly number[], options: FakeQuantizerOptions = {}): FakeQuantizer {
  const quantizer = new FakeQuantizer({...OPTIONS, ...options});
  const ends = (sign: number) => (typeof scale === 'number' ? sign * scale : scale.map(each => sign * each));
  quantizer.setRange(ends(-1.5), ends(1.5));
  return quantizer;
}

/** The scale that a quantizer has, of whatever is kept of it. */
async function scalesOf(quantizer: FakeQuantizer): Promise<number[]> {
  const [low, high] = quantizer.range();
  const [from, to] = [await valuesOf(low), await valuesOf(high)];
  from.forEach((end, i) => expect(end).toBe(-to[i]!));
  return [...to].map(end => end / 1.5);
}

/** Off the ends of steps, where the last bit of a division decides. */
function isDecided(w: number, scale: number): boolean {
  const steps = Math.abs(w / scale);
  return [0.5, 1, 1.5].every(end => Math.abs(steps - end) > 1e-4) && (steps > 1e-4 || w === 0);
}

const float = (min: number, max: number) => fc.double({min, max, noNaN: true}).map(f32);

describe('A zero-free grid', () => {
  scoped();

  it('rounds as the formula says, for all weights and scales', async () => {
    const property = fc.asyncProperty(
      fc.array(float(-4, 4), {minLength: 1, maxLength: 9}),
      float(0.01, 3),
      async (w, scale) => {
        const quantizer = quantizerOf(scale);
        const [step] = await scalesOf(quantizer);
        const values = await valuesOf(quantizer.apply(tf.tensor1d(w)));
        quantizer.dispose();
        w.forEach((each, i) => {
          if (isDecided(each, step!)) expect(values[i]! / step!).toBeCloseTo(levelOf(each, step!), 5);
        });
      },
    );
    await fc.assert(property, {numRuns: 25});
  });

  it('has values of ±1 and ±3 times half of the scale, to the last bit', async () => {
    const scale = f32(0.3);
    const quantizer = quantizerOf(scale);
    const values = await valuesOf(quantizer.apply(tf.tensor1d([-9, -0.31, -0.29, -0.01, 0, 0.01, 0.29, 0.31, 9])));
    const half = values[5]!;
    expect(half).toBeCloseTo(scale / 2, 6);
    expect([...values]).toEqual([-3, -3, -1, -1, 1, 1, 1, 3, 3].map(level => f32(level * half)));
    expect([...(await valuesOf(quantizer.apply(tf.tensor1d([-Infinity, Infinity, NaN]))))]).toEqual([
      f32(-3 * half),
      f32(3 * half),
      NaN,
    ]);
    // What is rounded stays.
    expect(await valuesOf(quantizer.apply(tf.tensor1d([...values])))).toEqual(values);
    quantizer.dispose();
  });

  it('has the gradients of the formula, for weights and for the scale', async () => {
    needsTraining();
    const value = fc.tuple(float(-4, 4), float(-2, 2));
    const property = fc.asyncProperty(
      fc.array(value, {minLength: 1, maxLength: 9}),
      float(0.05, 3),
      async (pairs, scale) => {
        const quantizer = quantizerOf(scale);
        const [step] = await scalesOf(quantizer);
        const decided = pairs.filter(([w]) => isDecided(w, step!));
        fc.pre(decided.length > 0);
        const [w, dy] = [decided.map(([each]) => each), decided.map(([, each]) => each)];
        const expected = gradientsOf(w, dy, step!);
        const x = tf.variable(tf.tensor1d(w));
        const {grads} = tf.variableGrads(() =>
          tf.sum(tf.mul(quantizer.apply(x, {training: true}), tf.tensor1d(dy))).asScalar(),
        );
        const [log] = quantizer.variables;
        const toX = await valuesOf(grads[x.name]!);
        expected.w.forEach((each, i) => expect(toX[i]).toBeCloseTo(each, 5));
        // What is trained is the logarithm: d/dlog s = s d/ds.
        expect((await valuesOf(grads[log!.name]!))[0]).toBeCloseTo(step! * expected.scale, 3);
        quantizer.dispose();
        x.dispose();
      },
    );
    await fc.assert(property, {numRuns: 25});
  });

  it('has a scale and its gradient for each slice of any axis', async () => {
    const scales = [0.1, 1, 3];
    const w = tf.randomUniform([2, 3, 4], -4, 4, 'float32', 3);
    for (const axis of [1, -2]) {
      const quantizer = quantizerOf(scales, {axis});
      const values = await valuesOf(quantizer.apply(w));
      const steps = await scalesOf(quantizer);
      const given = await valuesOf(w);
      values.forEach((each, i) => {
        const step = steps[Math.floor(i / 4) % 3]!;
        expect(each / step).toBeCloseTo(levelOf(given[i]!, step), 5);
      });
      quantizer.dispose();
    }
  });

  it('trains its scales by the formula, for each slice', async () => {
    needsTraining();
    const scales = [0.1, 1, 3];
    const w = tf.variable(tf.randomUniform([2, 3, 4], -4, 4, 'float32', 3));
    const dy = tf.randomUniform([2, 3, 4], -1, 1, 'float32', 4);
    const quantizer = quantizerOf(scales, {axis: 1});
    const steps = await scalesOf(quantizer);
    const {grads} = tf.variableGrads(() => tf.sum(tf.mul(quantizer.apply(w, {training: true}), dy)).asScalar());
    const [values, above] = [await valuesOf(w), await valuesOf(dy)];
    const [toX, toLogs] = [await valuesOf(grads[w.name]!), await valuesOf(grads[quantizer.variables[0]!.name]!)];
    steps.forEach((step, c) => {
      const mine = Array.from(values.keys()).filter(i => Math.floor(i / 4) % 3 === c);
      const expected = gradientsOf(
        mine.map(i => values[i]!),
        mine.map(i => above[i]!),
        step,
      );
      mine.forEach((i, j) => expect(toX[i]).toBeCloseTo(expected.w[j]!, 5));
      expect(toLogs[c]).toBeCloseTo(step * expected.scale, 4);
    });
    quantizer.dispose();
  });

  it('starts where a search of all scales finds the least squared error, of each slice by itself', async () => {
    const x = tf.randomNormal([300, 3], 0.1, 1, 'float32', 8).mul(tf.tensor1d([1, 20, 0.01]));
    const given = await valuesOf(x);
    const quantizer = new FakeQuantizer({...OPTIONS, axis: 1, start: 'mse'});
    quantizer.apply(x, {training: true});
    const steps = await scalesOf(quantizer);
    steps.forEach((step, c) => {
      const values = [...given].filter((_, i) => i % 3 === c);
      const errorOf = (scale: number) => values.reduce((sum, w) => sum + (w - scale * levelOf(w, scale)) ** 2, 0);
      const reach = values.reduce((most, each) => Math.max(most, Math.abs(each)), 0) / 1.5;
      const tried = Array.from({length: 1000}, (_, i) => errorOf((reach * (i + 1)) / 1000));
      expect(errorOf(step)).toBeLessThan(1.01 * Math.min(...tried));
    });
    quantizer.dispose();
  });

  it('starts at the extremes, if asked to, and at what is given', async () => {
    const x = tf.tensor1d([-0.6, 0.1, 0.3]);
    const extremes = new FakeQuantizer(OPTIONS);
    extremes.apply(x, {training: true});
    expect((await scalesOf(extremes))[0]).toBeCloseTo(0.4, 6);
    const given = new FakeQuantizer({...OPTIONS, initialRange: [-3, 3]});
    expect((await valuesOf(given.apply(x, {training: true})))[0]).toBeCloseTo(-1, 6);
    [extremes, given].forEach(each => each.dispose());
  });

  it('is exact for weights that are all as far from 0', async () => {
    const x = tf.tensor1d([0.7, -0.7, 0.7]);
    const quantizer = new FakeQuantizer({...OPTIONS, start: 'mse'});
    const values = await valuesOf(quantizer.apply(x, {training: true}));
    (await valuesOf(x)).forEach((each, i) => expect(values[i]).toBeCloseTo(each, 6));
    quantizer.dispose();
  });

  it('leaves a channel of zeros as good as 0, and nothing but zeros too', async () => {
    for (const start of ['mse', 'minMax'] as const) {
      const rows = new FakeQuantizer({...OPTIONS, axis: 0, start});
      const y = rows.apply(tf.tensor2d([[0, 0], [0.5, -2]]), {training: true}); // prettier-ignore
      const [a, b, c, d] = await valuesOf(y);
      expect(Math.max(Math.abs(a!), Math.abs(b!))).toBeLessThan(1e-11);
      expect(Math.max(Math.abs(c!), Math.abs(d!))).toBeGreaterThan(0.1);
      const nothing = new FakeQuantizer({...OPTIONS, start});
      const zeros = await valuesOf(nothing.apply(tf.zeros([4]), {training: true}));
      zeros.forEach(each => expect(Math.abs(each)).toBeLessThan(1e-11));
      [rows, nothing].forEach(each => each.dispose());
    }
  });

  it('leaves no tensor behind', () => {
    const quantizer = new FakeQuantizer({...OPTIONS, axis: 1, start: 'mse'});
    const x = tf.randomNormal([3, 2], 0, 1, 'float32', 1);
    const before = tf.memory().numTensors;
    quantizer.apply(x, {training: true}).dispose();
    // The range: what is trained, and the last good one.
    expect(tf.memory().numTensors).toBe(before + 2);
    quantizer.apply(x, {training: true}).dispose();
    // And the grid, for predictions.
    quantizer.apply(x).dispose();
    expect(tf.memory().numTensors).toBe(before + 3);
    quantizer.dispose();
    expect(tf.memory().numTensors).toBe(before);
  });

  it('is refused where it is none, all reasons at once', () => {
    expect(() => new FakeQuantizer({zeroFree: true})).toThrowError(
      /numBits 2, but it was 8[^]*symmetric true[^]*'learned'/,
    );
    expect(() => new FakeQuantizer({...OPTIONS, narrowRange: true})).toThrowError(
      /zeroFree needs the narrowRange false/,
    );
    expect(() => new FakeQuantizer({...OPTIONS, numBits: 3})).toThrowError(/zeroFree needs the numBits 2/);
    expect(() => new FakeQuantizer({...OPTIONS, zeroFree: 1 as never})).toThrowError(/zeroFree must be/);
  });
});
