/** What calibration finds by least squares, whatever the data, and the statistics that it measures before. */
import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import fc from 'fast-check';
import {
  calibrate,
  type CalibrateOptions,
  describeQuantization,
  quantizeModel,
  type QuantizeOptions,
  reestimateBatchNorm,
  type Samples,
} from '../../src/entries/qat';
import {isSlow, valuesOf} from '../support/environment';
import {reloaded} from '../support/saved';
import {needsTraining, scoped} from '../support/scoped';

const {layers} = tfl;

type Range = readonly [number, number];

/** The range that values are given by a calibration. */
async function rangeOf(
  values: readonly number[],
  activations: NonNullable<QuantizeOptions['activations']>,
  options: CalibrateOptions = {},
): Promise<Range> {
  const model = tfl.sequential({layers: [layers.dense({units: 1, inputShape: [1]})]});
  const q = quantizeModel(model, {activations});
  const x = tf.tensor2d([...values], [values.length, 1]);
  try {
    await calibrate(q, x, {batchSize: 1000, ...options});
    const [row] = await describeQuantization(q).read();
    return [row!.min!, row!.max!];
  } finally {
    tf.dispose(x);
    q.dispose();
    model.dispose();
  }
}

/**
 * By how much a grid moves values: the root of the mean square. Where 0 lies half-way between two levels, as on [-a, a], the last
 * bit of the range decides which of them it is: of either.
 */
function distances(values: readonly number[], [low, high]: Range, steps: number): number[] {
  const step = (high - low) / steps;
  if (step === 0) return [Math.hypot(...values) / Math.sqrt(values.length)];
  const zeros = [-1, 1].map(side => Math.round(-low / step + (side * steps) / 2 ** 20));
  return zeros.map(zero => distance(values, step, zero, steps));
}

function distance(values: readonly number[], step: number, zero: number, steps: number): number {
  const squares = values.map(value => {
    const level = Math.min(steps - zero, Math.max(-zero, Math.round(value / step)));
    return (level * step - value) ** 2;
  });
  return Math.sqrt(squares.reduce((sum, square) => sum + square, 0) / values.length);
}

const ONE_OUTLIER = [...Array.from({length: 999}, (_, i) => Math.sin(i) * (i % 2)), 1000];

describe('calibrate finds the least squared error', () => {
  scoped();

  it('and never moves values further than on the range of their extremes', async () => {
    // GPUs take denormal numbers for 0, some of them everywhere, some where they compute.
    const rounded = (each: number) => (Math.abs(each) < 2 ** -126 ? 0 : Math.fround(each));
    const value = fc.double({min: -1000, max: 1000, noNaN: true}).map(rounded);
    const small = fc.double({min: -1, max: 1, noNaN: true}).map(rounded);
    const given = fc.record({
      values: fc
        .tuple(fc.array(value, {minLength: 1, maxLength: 8}), fc.array(small, {maxLength: 60}))
        .map(each => each.flat()),
      numBits: fc.constantFrom(2, 3, 4, 8, 10, 16),
      symmetric: fc.boolean(),
    });
    let runs = 0;
    const property = fc.asyncProperty(given, async ({values, numBits, symmetric}) => {
      const options = {numBits, symmetric};
      const [best, all] = [await rangeOf(values, options), await rangeOf(values, options, {method: 'minMax'})];
      const steps = 2 ** numBits - 1;
      const extent = Math.max(...values.map(Math.abs));
      // No bin is wider; and ranges are float32.
      const bin = extent / 4096;
      const most = Math.max(...distances(values, all, steps));
      const least = Math.min(...distances(values, best, steps));
      if (!(least <= most + bin + 1e-6 * extent))
        throw new Error(`${least} on ${best.join()}, ${most} on ${all.join()}`);
      ++runs;
    });
    // Half-way between two levels lies 0 of [-a, a], which has four fifths of the error on one of the two grids.
    const tie = {values: [-992.20874, 999.99957, -999.99957, 0].map(Math.fround), numBits: 4, symmetric: false};
    // Programs for other numbers of values are compiled each time.
    await fc.assert(property, {numRuns: isSlow ? 8 : 60, examples: [[tie]]});
    expect(runs).toBeGreaterThan(0);
  });

  it('and leaves what a grid holds as it is', async () => {
    for (const symmetric of [false, true]) {
      for (const numBits of [2, 4, 8, 16]) {
        for (const values of [[0.7], [-3], [0, 0, 0, 5], [2.5, 2.5, 2.5]]) {
          const range = await rangeOf(values, {numBits, symmetric});
          expect(Math.max(...distances(values, range, 2 ** numBits - 1))).toBeLessThan(1e-6);
        }
      }
    }
    expect(
      await rangeOf(
        Array.from({length: 256}, (_, i) => i),
        {numBits: 8},
      ),
    ).toEqual([0, 255]);
  });

  it('of zeros, and of what is not finite among the values', async () => {
    const zeros = await rangeOf([0, 0, 0], {numBits: 4});
    expect(zeros.every(Number.isFinite)).toBeTrue();
    // As many zeros before as fill a batch.
    const later = await rangeOf([0, 0, 1, 0.5], {numBits: 8}, {batchSize: 2});
    expect(Math.max(...distances([0, 0, 1, 0.5], later, 255))).toBeLessThan(1 / 255);
    const values = [-1, 0.3, 2];
    expect(await rangeOf([...values, Infinity, -Infinity], {numBits: 8})).toEqual(await rangeOf(values, {numBits: 8}));
  });

  it('far from one that stands alone where that moves the others less, and at it where it does not', async () => {
    const many = Array.from({length: 200}, () => ONE_OUTLIER.slice(0, 999)).flat();
    const values = [...many, 20];
    const [, few] = await rangeOf(values, {numBits: 3}, {batchSize: 1e6});
    expect(few).toBeLessThan(3);
    const [, most] = await rangeOf(ONE_OUTLIER, {numBits: 8});
    expect(most).toBeGreaterThan(990);
  });

  it('in 16 bits on the extremes: what is cut off there costs more than finer steps gain', async () => {
    for (const symmetric of [false, true]) {
      const options = {numBits: 16, symmetric};
      expect(await rangeOf(ONE_OUTLIER, options)).toEqual(await rangeOf(ONE_OUTLIER, options, {method: 'minMax'}));
    }
  });
});

describe('calibrate measures statistics first', () => {
  scoped();

  const random = (seed: number) => tfl.initializers.randomNormal({seed, stddev: 0.7});

  function network(): tfl.Sequential {
    return tfl.sequential({
      layers: [
        layers.dense({units: 5, inputShape: [4], name: 'a', kernelInitializer: random(1)}),
        layers.batchNormalization({name: 'n'}),
        layers.reLU({name: 'r'}),
        layers.dense({units: 3, name: 'b', kernelInitializer: random(2)}),
        layers.batchNormalization({name: 'm'}),
      ],
    });
  }

  const samples = () => tf.randomNormal([40, 4], 0.5, 2, 'float32', 7);
  const OPTIONS: readonly QuantizeOptions[] = [
    {},
    {weights: {numBits: 3}, activations: {numBits: 3}},
    {recipe: 'minMax', weights: {numBits: 3}},
  ];
  const REESTIMATE = {reestimateBatchNorm: true, batchSize: 10} as const;

  async function statisticsOf(q: tfl.LayersModel): Promise<number[][]> {
    const found = q.weights.filter(({originalName}) => originalName.includes('/moving_'));
    return Promise.all(found.map(async each => [...(await valuesOf(each.read()))]));
  }

  const rangesOf = async (q: tfl.LayersModel) =>
    (await describeQuantization(q).read()).map(({layer, what, min, max}) => [layer, what, min, max]);

  async function expectClose(actual: unknown, expected: unknown): Promise<void> {
    const numbers = (value: unknown) =>
      (value as unknown[][]).flat().map(each => (typeof each === 'number' ? each : 0));
    numbers(actual).forEach((value, i) => expect(value).toBeCloseTo(numbers(expected)[i]!, 4));
    return Promise.resolve();
  }

  const ofActivations = (ranges: readonly unknown[][]) =>
    ranges.filter(([, what]) => !String(what).startsWith('weights'));

  for (const options of OPTIONS) {
    it(`with rounded weights, and all ranges follow: ${JSON.stringify(options)}`, async () => {
      needsTraining();
      const [x, float] = [samples(), network()];
      const q = quantizeModel(float, options);
      await calibrate(q, x, REESTIMATE);
      const [statistics, ranges] = [await statisticsOf(q), await rangesOf(q)];
      const byHand = quantizeModel(float, options);
      const reestimate = (model: tfl.LayersModel) => reestimateBatchNorm(model, x, {samples: Infinity, batchSize: 10});
      await reestimate(byHand);
      // A model that had these statistics from the start is given the same ranges.
      const known = network();
      known.setWeights(float.getWeights());
      const measured = await statisticsOf(byHand);
      ['n', 'm'].forEach((name, i) => {
        const [gamma, beta] = known.getLayer(name).getWeights();
        const [mean, variance] = measured.slice(2 * i, 2 * i + 2).map(values => tf.tensor1d(values));
        known.getLayer(name).setWeights([gamma!, beta!, mean!, variance!]);
      });
      const expected = quantizeModel(known, options);
      await calibrate(expected, x, {batchSize: 10});
      await expectClose(ofActivations(ranges), ofActivations(await rangesOf(expected)));
      // Once activations are rounded, statistics are of them.
      await reestimate(expected);
      await expectClose(statistics, await statisticsOf(expected));
      // Activations that have ranges pass unrounded at first, too.
      await calibrate(q, x, REESTIMATE);
      await expectClose(await statisticsOf(q), statistics);
    });
  }

  it('or leaves all as it was, with nothing left over', async () => {
    needsTraining();
    for (const options of OPTIONS) {
      const x = samples();
      const q = quantizeModel(network(), options);
      await calibrate(q, x);
      const [statistics, ranges] = [await statisticsOf(q), await rangesOf(q)];
      const {numTensors} = tf.memory();
      const fails = async (given: Samples, extra: CalibrateOptions, message: RegExp) => {
        await expectAsync(calibrate(q, given, {...REESTIMATE, ...extra})).toBeRejectedWithError(message);
        expect(await statisticsOf(q)).toEqual(statistics);
        expect(await rangesOf(q)).toEqual(ranges);
        expect(tf.memory().numTensors).toBe(numTensors);
      };
      // After the statistics, as the ranges are about to follow.
      let calls = 0;
      const full = () => {
        if (++calls > 5) throw new Error('full');
      };
      await fails(x, {onProgress: full}, /full/);
      await fails([x, x], {}, /has 1 inputs/);
      // After the ranges, while statistics are measured again.
      let passes = 0;
      const twice = {
        *[Symbol.iterator]() {
          if (++passes > 2) throw new Error('no more');
          yield x;
        },
      };
      await fails(twice, {}, /no more/);
      expect(passes).toBe(3);
      function* once() {
        yield x;
      }
      await fails(once(), {}, /^calibrate: reestimateBatchNorm passes the samples more than once.*Give it a tensor/);
      x.dispose();
      q.dispose();
    }
  });

  it('names NaN, and leaves statistics', async () => {
    needsTraining();
    const q = quantizeModel(network());
    const statistics = await statisticsOf(q);
    await expectAsync(calibrate(q, tf.fill([8, 4], NaN), REESTIMATE)).toBeRejectedWithError(
      /^calibrate: the statistics of .*NaN/,
    );
    expect(await statisticsOf(q)).toEqual(statistics);
  });

  it('where there are any', async () => {
    const q = quantizeModel(tfl.sequential({layers: [layers.dense({units: 2, inputShape: [4]})]}));
    const x = samples();
    await calibrate(q, x, REESTIMATE);
    expect((await rangesOf(q))[0]![2]).toBeLessThan(0);
  });

  it('as describeQuantization advises, once, until something has moved them', async () => {
    needsTraining();
    const x = samples();
    const advised = async (q: tfl.LayersModel) =>
      (await describeQuantization(q).read())
        .filter(({note}) => note.includes('reestimateBatchNorm'))
        .map(({layer}) => layer);
    const fresh = () => quantizeModel(network());
    const q = fresh();
    expect(await advised(q)).toEqual(['n']);
    await calibrate(q, x);
    expect(await advised(q)).toEqual(['n']);
    expect(await advised(await reloaded(q))).toEqual([]);
    await reestimateBatchNorm(q, x, {samples: 40});
    expect(await advised(q)).toEqual([]);
    const [calibrated, trained] = [fresh(), fresh()];
    await calibrate(calibrated, x, REESTIMATE);
    expect(await advised(calibrated)).toEqual([]);
    const optimizer = tf.train.sgd(0.01);
    trained.compile({optimizer, loss: 'meanSquaredError'});
    await trained.fit(x, tf.zeros([40, 3]), {epochs: 1});
    expect(await advised(trained)).toEqual([]);
    optimizer.dispose();
  });
});

describe('calibrate reads little from a device', () => {
  scoped();

  /** A model of so many dense layers, quantized. */
  function dense(count: number): tfl.LayersModel {
    const each = () => layers.dense({units: 3, activation: 'relu', inputShape: [3]});
    return quantizeModel(tfl.sequential({layers: Array.from({length: count}, each)}));
  }

  it('as often for many layers as for few', async () => {
    const x = tf.randomUniform([12, 3], -1, 1, 'float32', 1);
    const [few, many] = [dense(1), dense(9)];
    const read = spyOn(tf.engine(), 'read').and.callThrough();
    await calibrate(few, x, {method: 'minMax', batchSize: 4});
    const once = read.calls.count();
    expect(once).toBeGreaterThanOrEqual(3);
    await calibrate(many, x, {method: 'minMax', batchSize: 4});
    expect(read.calls.count() - once).toBe(once);
  });

  it('and counts large activations as it counts small ones', async () => {
    const size = 600_000;
    const model = tfl.sequential({
      layers: [
        layers.activation({activation: 'relu', inputShape: [size]}),
        layers.leakyReLU({alpha: 0.5}),
        layers.elu(),
      ],
    });
    const q = quantizeModel(model);
    // Each sample reaches as far as all, so that bins are as wide.
    const values = Float32Array.from({length: 3 * size}, (_, i) => ((i * 7919) % 1021) / 1021);
    const x = tf.tensor2d(values, [3, size]);
    const rangesBy = async (batchSize: number) => {
      await calibrate(q, x, {method: 'percentile', percentile: 90, batchSize});
      return (await describeQuantization(q).read()).map(({layer, min, max}) => [layer, min, max]);
    };
    const bySmall = await rangesBy(1);
    expect(bySmall.length).toBe(4);
    expect(await rangesBy(3)).toEqual(bySmall);
    // As often as one another from 0 to 1, so that a twentieth lies above 0.95; the inputs' range is up to 2 % wider.
    for (const [, min, max] of bySmall) {
      expect(min).toBe(0);
      expect(max).toBeGreaterThan(0.949);
      expect(max).toBeLessThan(0.97);
    }
  });
});

describe('a batch that is read while the next one passes', () => {
  scoped();
  const model = () => quantizeModel(tfl.sequential({layers: [layers.dense({units: 2, inputShape: [4]})]}));

  it('may be gone by the time that NaN is found in it', async () => {
    const q = model();
    await calibrate(q, tf.ones([2, 4]));
    const {numTensors} = tf.memory();
    function* batches() {
      for (const first of [NaN, 8, 5]) {
        const x = tf.tensor2d([first, 1, 2, -3], [1, 4]);
        yield x;
        x.dispose();
      }
    }
    await expectAsync(calibrate(q, batches(), {method: 'minMax'})).toBeRejectedWithError(/NaN or infinite in dense/);
    const {min, max} = (await describeQuantization(q).read())[0]!;
    expect([min, max].map(end => Math.round(Number(end)))).toEqual([-3, 8]);
    expect(tf.memory().numTensors).toBe(numTensors);
  });

  it('is freed where the next one fails', async () => {
    const q = model();
    const x = tf.randomNormal([8, 4], 0, 1, 'float32', 7);
    await calibrate(q, x);
    const [ranges, {numTensors}] = [await describeQuantization(q).read(), tf.memory()];
    function* batches() {
      yield x;
      throw new Error('no more');
    }
    await expectAsync(calibrate(q, batches())).toBeRejectedWithError('no more');
    expect(await describeQuantization(q).read()).toEqual(ranges);
    expect(tf.memory().numTensors).toBe(numTensors);
  });

  it('tells no progress once that has failed', async () => {
    const q = model();
    const x = tf.randomNormal([20, 4], 0, 1, 'float32', 7);
    let calls = 0;
    const onProgress = () => {
      if (++calls === 2) throw new Error('stop');
    };
    await expectAsync(calibrate(q, x, {batchSize: 4, onProgress})).toBeRejectedWithError('stop');
    expect(calls).toBe(2);
  });

  it('passes whole, or is said to be gone, where it is disposed of at once', async () => {
    for (const options of [{}, {weights: {numBits: 3}}] as const) {
      const q = quantizeModel(tfl.sequential({layers: [layers.dense({units: 2, inputShape: [4]})]}), options);
      const x = tf.ones([2, 4]);
      const calibrated = calibrate(q, x);
      x.dispose();
      const error = await calibrated.then(
        () => 'disposed',
        (error: unknown) => String(error),
      );
      expect(error).toContain('disposed');
    }
  });
});

describe('the range of images', () => {
  scoped();

  it('does not depend on how they come in batches, few distinct values or many', async () => {
    const SIDE = 256;
    const pixels = tf.tidy(() => tf.sub(tf.div(tf.mod(tf.range(0, 2 * SIDE * SIDE * 3), 256), 127.5), 1));
    const images = tf.reshape<tf.Rank.R4>(pixels, [2, SIDE, SIDE, 3]);
    // Of one value, before all others.
    const black = tf.fill<tf.Rank.R4>([4, SIDE, SIDE, 3], -1);
    const smooth = tf.randomUniform<tf.Rank.R4>([2, SIDE, SIDE, 3], -1, 1, 'float32', 7);
    for (const x of [tf.concat4d([black, images], 0), tf.concat4d([images, smooth], 0)]) {
      const rangeBy = async (batchSize: number) => {
        const q = quantizeModel(
          tfl.sequential({layers: [layers.averagePooling2d({poolSize: SIDE, inputShape: [SIDE, SIDE, 3]})]}),
        );
        await calibrate(q, x, {method: 'minMax', batchSize});
        const {min, max} = (await describeQuantization(q).read())[0]!;
        return [min, max];
      };
      expect(await rangeBy(1)).toEqual(await rangeBy(16));
    }
  });
});
