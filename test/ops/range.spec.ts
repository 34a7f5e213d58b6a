/** Extremes, and ranges that follow batches: on every backend, from every residency, as TensorFlow computes them. */
import * as tf from '@tensorflow/tfjs-core';
import {
  fakeQuantWithLearnedScale,
  fakeQuantWithMinMaxVars,
  fakeQuantWithMinMaxVarsPerChannel,
  minMax,
} from '../../src/entries/index';
import {
  fakeQuantWithMovingRange,
  fakeQuantWithRange,
  initialRange,
  type MovingRangeOptions,
  reluWithLearnedScale,
  reluWithRange,
} from '../../src/ops/training';
import {readFile, valuesOf} from '../support/environment';
import {RESIDENCIES, tensorAt} from '../support/residency';

interface RangeCase {
  readonly options: MovingRangeOptions;
  readonly batches: readonly (readonly number[])[];
  readonly ranges: readonly (readonly number[])[];
}

const {shape, cases} = JSON.parse(new TextDecoder().decode(await readFile('test/golden/ranges.json'))) as {
  shape: readonly number[];
  cases: readonly RangeCase[];
};

/** Whole numbers in an order without pattern, each channel's around another centre, so that extremes are exact. */
function numbers(length: number): Float32Array {
  return Float32Array.from({length}, (_, i) => ((i * 7919) % 1009) - 500 + (i % 7));
}

/** The extremes of each slice, found one by one. */
function extremesOf(values: Float32Array, dims: readonly number[], axis: number | undefined): number[] {
  const channels = axis === undefined ? 1 : dims[axis]!;
  const inner = axis === undefined ? values.length : dims.slice(axis + 1).reduce((size, dim) => size * dim, 1);
  const lows = new Array<number>(channels).fill(Infinity);
  const highs = new Array<number>(channels).fill(-Infinity);
  values.forEach((value, i) => {
    const channel = Math.floor(i / inner) % channels;
    if (Number.isNaN(value)) return;
    lows[channel] = Math.min(lows[channel]!, value);
    highs[channel] = Math.max(highs[channel]!, value);
  });
  return [...lows, ...highs];
}

describe('minMax', () => {
  const SHAPES = [
    [],
    [1],
    [3],
    [4],
    [5],
    [257],
    [3, 5],
    [7, 1, 3],
    [2, 3, 4, 5],
    [33, 64],
    [64, 33],
    [5, 1031],
    [300, 301],
  ];
  for (const residency of RESIDENCIES) {
    it(`finds the extremes of every axis, inputs ${residency}`, async () => {
      const asked = SHAPES.flatMap(dims => [undefined, ...dims.keys()].map(axis => ({dims, axis})));
      // All at once, as a GPU answers late.
      const answers = asked.map(async ({dims, axis}) => {
        const values = numbers(dims.reduce((size, dim) => size * dim, 1));
        if (values.length > 3) values[1] = NaN;
        const x = tensorAt(residency, values, dims);
        const extremes = minMax(x, axis);
        expect(extremes.shape).toEqual(axis === undefined ? [2] : [2, dims[axis]!]);
        expect([...(await valuesOf(extremes))])
          .withContext(`[${dims}] axis ${axis}`)
          .toEqual(extremesOf(values, dims, axis));
        tf.dispose([x, extremes]);
      });
      await Promise.all(answers);
    });
  }

  it('of nothing is Infinity and -Infinity', async () => {
    const nothing = tf.tidy(() => minMax(tf.zeros([0, 2]), 1));
    expect([...(await valuesOf(nothing))]).toEqual([Infinity, Infinity, -Infinity, -Infinity]);
    const nan = tf.tidy(() => minMax([NaN, NaN]));
    expect([...(await valuesOf(nan))]).toEqual([Infinity, -Infinity]);
    tf.dispose([nothing, nan]);
  });

  it('names an axis that is out of range', () => {
    expect(() => minMax([1, 2], 1)).toThrowError(/minMax: axis must be an integer in \[-1, 1\).*was 1/);
  });
});

describe('rounding what a ReLU gives, in one pass,', () => {
  const SIZES = [0, 1, 3, 4, 5, 257, 70001];
  const RANGES = [
    [0, 4],
    [0, 6],
    [0, 7.3],
    [-1, 9],
    [-4, -1],
    [0, 0],
  ];
  const SPECIAL = [-0, 0, NaN, Infinity, -Infinity, 6, 1e-30, -1e-30];

  /** Values on both sides of all ends, and what has no side. */
  function given(size: number): Float32Array {
    return Float32Array.from({length: size}, (_, i) =>
      i % 11 === 10 ? SPECIAL[((i - 10) / 11) % SPECIAL.length]! : ((i * 7919) % 2003) / 100 - 8,
    );
  }

  function relu(values: Float32Array, highest: number): Float32Array {
    return values.map(each => (each <= 0 ? 0 : each > highest ? highest : each));
  }

  for (const residency of RESIDENCIES) {
    for (const highest of [Infinity, 6]) {
      it(`is as rounding after ${highest === 6 ? 'ReLU6' : 'ReLU'}, inputs ${residency}`, async () => {
        const answers: [found: tf.Tensor, expected: tf.Tensor][] = [];
        for (const size of SIZES) {
          const x = tensorAt(residency, given(size), [size]);
          const after = tf.tensor(relu(given(size), highest));
          for (const numBits of [2, 4, 8, 16]) {
            const attrs = {numBits, narrowRange: false};
            for (const ends of RANGES) {
              const range = tf.tensor([...ends, 1]);
              answers.push([
                reluWithRange(x, range, {...attrs, relu: highest}),
                fakeQuantWithRange(after, range, attrs),
              ]);
              tf.dispose(range);
            }
            for (const scale of [0.02, 0.7]) {
              const learned = {...attrs, symmetric: false};
              const step = tf.scalar(scale);
              answers.push([
                reluWithLearnedScale(x, step, {...learned, relu: highest}),
                fakeQuantWithLearnedScale(after, step, learned),
              ]);
              tf.dispose(step);
            }
          }
          tf.dispose([x, after]);
        }
        // All at once, as a GPU answers late.
        const read = await Promise.all(answers.map(each => Promise.all(each.map(valuesOf))));
        expect(read.length).toBe(SIZES.length * 4 * (RANGES.length + 2));
        read.forEach(([found, expected], i) => {
          const wrong = found!.findIndex((value, at) => !Object.is(value, expected![at]));
          if (wrong >= 0) fail(`case ${i}, element ${wrong}: ${found![wrong]}, not ${expected![wrong]}`);
        });
        tf.dispose(answers);
      });
    }
  }
});

describe('a moving range', () => {
  for (const {options, batches, ranges} of cases) {
    const {observer, debias, symmetric, narrowRange, numBits} = options;
    it(`follows batches: ${JSON.stringify({observer, debias, symmetric, narrowRange, numBits})}`, async () => {
      const first = initialRange(shape[1]);
      let before = first;
      const steps = batches.map(batch => {
        const x = tf.tensor(batch, shape as number[]);
        const [y, after] = fakeQuantWithMovingRange(x, before, options);
        const rows = tf.unstack(after);
        const [low, high] = rows;
        const ends = [low, high] as [tf.Tensor1D, tf.Tensor1D];
        const expected = fakeQuantWithMinMaxVarsPerChannel(x, ...ends, {numBits, narrowRange});
        before = after;
        return {x, y, after, expected, rows};
      });
      // All at once, as a GPU answers late.
      const read = steps.map(({y, after, expected}) => Promise.all([after, y, expected].map(valuesOf)));
      for (const [step, [after, y, expected]] of (await Promise.all(read)).entries()) {
        expect([...after!])
          .withContext(`step ${step}`)
          .toEqual(ranges[step]!.map(Math.fround));
        expect(y).withContext(`step ${step}`).toEqual(expected);
      }
      first.dispose();
      for (const {x, y, after, expected, rows} of steps) tf.dispose([x, y, after, expected, ...rows]);
    });
  }

  const OPTIONS = {
    numBits: 8,
    narrowRange: false,
    symmetric: false,
    observer: 'movingAverage',
    decay: 0.9,
    debias: true,
  } as const;

  it('per tensor quantizes as Vars does with the moved range, and passes the gradient inside it', async () => {
    const x = tf.tensor([-1, -0.3, 0, 0.2, 0.9, 3]);
    const first = initialRange(undefined);
    const [y, range] = fakeQuantWithMovingRange(x, first, OPTIONS);
    const [low, high] = [tf.scalar(-1), tf.scalar(3)];
    const expected = fakeQuantWithMinMaxVars(x, low, high);
    expect(await valuesOf(y)).toEqual(await valuesOf(expected));
    const wider = tf.tidy(() => x.mul(2));
    const dx = tf.tidy(() => tf.grad((v: tf.Tensor) => fakeQuantWithRange(v, range, OPTIONS))(wider));
    expect([...(await valuesOf(dx))]).toEqual([0, 1, 1, 1, 1, 0]);
    const moved = tf.tidy(() => tf.grad((v: tf.Tensor) => fakeQuantWithMovingRange(v, range, OPTIONS)[0])(wider));
    expect([...(await valuesOf(moved))]).toEqual([0, 1, 1, 1, 1, 0]);
    tf.dispose([x, first, y, range, low, high, expected, wider, dx, moved]);
  });

  it('keeps its last good value when a batch is NaN or infinite', async () => {
    const [x, first] = [tf.tensor([-1, 3]), initialRange(undefined)];
    const [y, range] = fakeQuantWithMovingRange(x, first, OPTIONS);
    for (const bad of [
      [NaN, NaN],
      [1, Infinity],
      [-Infinity, 1],
    ]) {
      const batch = tf.tensor(bad);
      const [z, after] = fakeQuantWithMovingRange(batch, range, OPTIONS);
      expect(await valuesOf(after))
        .withContext(String(bad))
        .toEqual(await valuesOf(range));
      tf.dispose([batch, z, after]);
    }
    tf.dispose([x, first, y, range]);
  });
});
