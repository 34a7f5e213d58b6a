/** Counts of values about their extremes: on every backend, from every residency, each bin as division and floor have it. */
import * as tf from '@tensorflow/tfjs-core';
import {countBins, extremesOfParts, histogramOf} from '../../src/ops/training';
import {valuesOf} from '../support/environment';
import {RESIDENCIES, tensorAt} from '../support/residency';

/** Numbers that float32 holds with bits to spare, in an order without pattern, from `low` to `high` by small steps. */
function numbers(length: number, low: number, high: number): Float32Array {
  return Float32Array.from({length}, (_, i) => low + (((i * 7919) % 4093) / 4092) * (high - low));
}

/** The bins that are not empty, by whole multiples of their width: 2048 of them, to 4096, hold the extremes and 0. */
function expected(values: Float32Array): Map<number, number> {
  const low = values.reduce((a, b) => Math.min(a, b), 0);
  const high = values.reduce((a, b) => Math.max(a, b), 0);
  let width = 2 ** -126;
  while (Math.min(2 ** 128, Math.fround(high - low)) >= 4096 * width) width *= 2;
  const counts = new Map<number, number>();
  const lowest = Math.floor(low / width);
  for (const value of values) {
    const bin = Math.min(4095, Math.floor(value / width) - lowest);
    counts.set(bin, (counts.get(bin) ?? 0) + 1);
  }
  return counts;
}

async function counted(x: tf.Tensor): Promise<Map<number, number>> {
  const found = tf.tidy(() => histogramOf(x, extremesOfParts(x)));
  // A backend that cannot count tells bins.
  const isCounted = found.dtype === 'int32';
  if (isCounted) expect(found.shape).toEqual([4096]);
  else expect(tf.getBackend()).toBe('webgl');
  const counted = isCounted ? found : countBins(found, x.size);
  const counts = await counted.data<'int32'>();
  tf.dispose([found, counted]);
  return new Map([...counts].flatMap((count, bin) => (count === 0 ? [] : [[bin, count]])));
}

const byBin = (counts: Map<number, number>) => [...counts].sort(([a], [b]) => a - b);

const SHAPES = [
  [1],
  [3],
  [4],
  [5],
  [257],
  [3, 5],
  [7, 1, 3],
  [2, 3, 4, 5],
  [2, 33, 64],
  [64, 33],
  [5, 1031],
  [300, 301],
  [8, 1, 1],
];

describe('a histogram', () => {
  for (const residency of RESIDENCIES) {
    it(`counts values of any shape and finds the extremes of its parts, inputs ${residency}`, async () => {
      for (const shape of SHAPES) {
        const values = numbers(
          shape.reduce((size, dim) => size * dim, 1),
          -2.3,
          5.7,
        );
        const x = tensorAt(residency, values, shape);
        expect(byBin(await counted(x)))
          .withContext(`[${shape}]`)
          .toEqual(byBin(expected(values)));
        const parts = extremesOfParts(x);
        const ends = [values.reduce((a, b) => Math.min(a, b)), values.reduce((a, b) => Math.max(a, b))];
        expect(extremesIn(await valuesOf(parts)))
          .withContext(`[${shape}]`)
          .toEqual(ends as [number, number]);
        tf.dispose([x, parts]);
      }
    });
  }

  const RANGES: readonly (readonly [low: number, high: number])[] = [
    [0, 6],
    [-1, 0],
    [-7, -3],
    [2, 3],
    [-1, 1],
    [0, 0],
    [0, 1e-30],
    [-1e30, 1e30],
    [-3e38, 3e38],
    [0, 4095.9 / 1024],
    [-1e-3, 1000],
  ];
  it('takes values of any size, of one sign or both, and 0', async () => {
    for (const [low, high] of RANGES) {
      const values = numbers(1021, low, high);
      values.set([0, low, high]);
      const x = tf.tensor1d(values);
      expect(byBin(await counted(x)))
        .withContext(`${low} to ${high}`)
        .toEqual(byBin(expected(values)));
      x.dispose();
    }
  });

  it('counts many equal values, and nothing of nothing', async () => {
    const x = tf.tidy(() => tf.concat([tf.fill([70_001], 6), tf.zeros([100_000])]));
    expect(byBin(await counted(x))).toEqual([
      [0, 100_000],
      [3072, 70_001],
    ]);
    const none = tf.zeros([0, 3]);
    expect((await counted(none)).size).toBe(0);
    tf.dispose([x, none]);
  });
});

/** Of low ones and high ones in turn. */
function extremesIn(values: ArrayLike<number>): [number, number] {
  const [low, high] = [0, 1].map(odd => Array.from(values).filter((_, i) => i % 2 === odd));
  return [low!.reduce((a, b) => Math.min(a, b)), high!.reduce((a, b) => Math.max(a, b))];
}

describe('extremes of what should be finite', () => {
  it('are those of minMax, or infinite above', async () => {
    for (const length of [1, 3, 5, 257, 70_001]) {
      const values = numbers(length, -2, 3);
      const extremes = [values.reduce((a, b) => Math.min(a, b)), values.reduce((a, b) => Math.max(a, b))];
      for (const bad of [undefined, NaN, Infinity, -Infinity]) {
        for (const at of new Set([0, length >> 1, length - 1])) {
          const given = values.slice();
          if (bad !== undefined) given[at] = bad;
          const x = tf.tensor1d(given);
          const parts = extremesOfParts(x);
          const [low, high] = extremesIn(await valuesOf(parts));
          if (bad === undefined) expect([low, high]).toEqual(extremes);
          else expect(high).withContext(`${bad} at ${at} of ${length}`).toBe(Infinity);
          tf.dispose([x, parts]);
        }
      }
    }
  });
});
