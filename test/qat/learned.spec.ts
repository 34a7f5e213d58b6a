/** Ranges that are learned, recipes, and ranges that fit a tensor. */
import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import fc from 'fast-check';
import {
  calibrate,
  dequantizeModel,
  describeQuantization,
  FakeQuantizer,
  freezeRanges,
  mseRange,
  percentileRange,
  quantizationSchedule,
  quantizeModel,
  type QuantizeOptions,
  reestimateBatchNorm,
  setFakeQuant,
} from '../../src/entries/qat';
import {onWebGL, onWebGPU, valuesOf, webgl, webgpu} from '../support/environment';
import {reloaded} from '../support/saved';
import {needsTraining, scoped} from '../support/scoped';

const {layers} = tfl;

/** A Dense network with a BatchNormalization, and data that it can learn. */
function trainable() {
  const kernel = (seed: number) => tfl.initializers.glorotNormal({seed});
  const model = tfl.sequential({
    layers: [
      layers.dense({units: 8, inputShape: [4], name: 'a', activation: 'relu', kernelInitializer: kernel(1)}),
      layers.batchNormalization({name: 'n'}),
      layers.dense({units: 3, name: 'm', kernelInitializer: kernel(3)}),
      layers.dense({units: 2, name: 'b', kernelInitializer: kernel(2)}),
    ],
  });
  const x = tf.randomNormal([32, 4], 0, 1, 'float32', 3);
  const y = tf.tidy(() => tf.stack([x.sum(1), x.abs().sum(1)], 1));
  return {model, x, y};
}

const FEW_BITS: QuantizeOptions = {weights: {numBits: 3}, activations: {numBits: 3}};

async function fit(
  q: tfl.LayersModel,
  x: tf.Tensor,
  y: tf.Tensor,
  epochs: number,
  callbacks: tfl.Callback[] = [],
  rate = 0.01,
) {
  needsTraining();
  q.compile({optimizer: tf.train.adam(rate), loss: 'meanSquaredError'});
  const {history} = await q.fit(x, y, {epochs, batchSize: 32, shuffle: false, callbacks});
  q.optimizer.dispose();
  return history['loss'] as number[];
}

/** A quantized model that trains on, with one optimizer. */
function training() {
  needsTraining();
  const {model, x, y} = trainable();
  const q = quantizeModel(model, FEW_BITS);
  q.compile({optimizer: tf.train.adam(0.01), loss: 'meanSquaredError'});
  return {model, x, y, q, train: (epochs: number) => q.fit(x, y, {epochs, batchSize: 32, shuffle: false})};
}

async function rangesOf(q: tfl.LayersModel): Promise<Record<string, number[]>> {
  const rows = (await describeQuantization(q).read()).filter(({numBits}) => numBits !== undefined);
  return Object.fromEntries(rows.map(({layer, what, min, max}) => [`${layer}.${what}`, [min!, max!]]));
}

function logsOf(q: tfl.LayersModel): string[] {
  return q.trainableWeights.map(({originalName}) => originalName).filter(name => name.includes('log_range'));
}

async function prediction(q: tfl.LayersModel, x: tf.Tensor): Promise<number[]> {
  return [...(await valuesOf(tf.tidy(() => q.predict(x) as tf.Tensor)))];
}

describe('a recipe', () => {
  scoped();

  const CASES: readonly [string, QuantizeOptions, boolean][] = [
    ['8 bits', {}, false],
    ['5 bits', {weights: {numBits: 5}, activations: {numBits: 5}}, false],
    ['weights of 4 bits', {weights: {numBits: 4}}, true],
    ['activations of 4 bits', {activations: {numBits: 4}}, true],
    ['one layer of 2 bits', {layers: {b: {weights: {numBits: 2}}}}, true],
    ['few bits, but minMax asked for', {...FEW_BITS, recipe: 'minMax'}, false],
    ['8 bits, but learned asked for', {recipe: 'learned'}, true],
  ];
  for (const [name, options, isLearned] of CASES) {
    it(`for ${name} is ${isLearned ? 'learned' : 'minMax'}`, () => {
      const q = quantizeModel(trainable().model, options);
      // The input, four kernels less that of BatchNormalization, and the outputs of a, n, m and b.
      expect(logsOf(q).length).toBe(isLearned ? 8 : 0);
    });
  }

  it('spares both ends on request', async () => {
    const {model, x} = trainable();
    const bits = async (options: QuantizeOptions) => {
      const q = quantizeModel(model, options);
      await calibrate(q, x);
      const rows = (await describeQuantization(q).read()).filter(({numBits}) => numBits !== undefined);
      return Object.fromEntries(rows.map(({layer, what, numBits}) => [`${layer}.${what}`, numBits]));
    };
    const few = await bits(FEW_BITS);
    expect(new Set(Object.values(few))).toEqual(new Set([3]));
    const ends = {'a_input_quantized.output': 8, 'a.kernel': 8, 'b.kernel': 8, 'b.output': 8};
    const input = Object.keys(few).find(name => name.endsWith('_quantized.output'))!;
    const {'a_input_quantized.output': inputBits, ...others} = ends;
    expect(await bits({...FEW_BITS, keepEnds8bit: true})).toEqual({...few, [input]: inputBits, ...others});
    const own = await bits({...FEW_BITS, keepEnds8bit: true, layers: {b: {weights: {numBits: 4}}}});
    expect(own['b.kernel']).toBe(4);
    expect((await bits({weights: {numBits: 16}, keepEnds8bit: true}))['a.kernel']).toBe(16);
  });
});

describe('a learned range', () => {
  scoped();

  it("starts at the first batch's, a ReLU's at 0, and at the calibrated one", async () => {
    const {model, x, y} = trainable();
    const q = quantizeModel(model, {...FEW_BITS, weights: {numBits: 8}});
    await calibrate(q, x);
    const relu = tf.tidy(() =>
      (tfl.model({inputs: q.inputs, outputs: q.getLayer('a').output}).predict(x) as tf.Tensor).max(),
    );
    const ranges = await rangesOf(q);
    const [top] = await valuesOf(relu);
    // The highest level is where the calibrated range ends; predictions are rounded to it.
    expect(ranges['a.output']![0]).toBe(0);
    expect(ranges['a.output']![1]).toBeCloseTo(top!, 4);
    await fit(q, x, y, 1);
    const fresh = quantizeModel(model, FEW_BITS);
    await fit(fresh, x, y, 1);
    expect((await rangesOf(fresh))['a.output']![0]).toBe(0);
    expect((await rangesOf(fresh))['n.output']![0]).toBeLessThan(0);
  });

  for (const [name, train] of [
    ['fit', (q, x, y) => q.fit(x, y, {epochs: 4, batchSize: 32})],
    [
      'trainOnBatch',
      async (q, x, y) => {
        for (let i = 0; i < 4; ++i) await q.trainOnBatch(x, y);
      },
    ],
    [
      'a loop of its own',
      (q, x, y) => {
        const weights = q.trainableWeights.map(weight => weight.read() as tf.Variable);
        const loss = () => tf.losses.meanSquaredError(y, q.apply(x, {training: true}) as tf.Tensor).asScalar();
        for (let i = 0; i < 4; ++i) q.optimizer.minimize(loss, false, weights);
      },
    ],
  ] as [string, (q: tfl.LayersModel, x: tf.Tensor, y: tf.Tensor) => unknown][]) {
    it(`is trained by ${name}`, async () => {
      needsTraining();
      const {model, x, y} = trainable();
      const q = quantizeModel(model, FEW_BITS);
      await calibrate(q, x);
      const before = await rangesOf(q);
      q.compile({optimizer: tf.train.adam(0.01), loss: 'meanSquaredError'});
      await train(q, x, y);
      const after = await rangesOf(q);
      for (const [range, ends] of Object.entries(before)) expect(after[range]).withContext(range).not.toEqual(ends);
      q.optimizer.dispose();
    });
  }

  it("moves ten times as fast as a weight's, under any optimizer", async () => {
    needsTraining();
    const rate = 1e-3;
    const moved = async (optimizer: tf.Optimizer, learningRateScale: number) => {
      const quantizer = new FakeQuantizer({observer: 'learned', nonNegative: true, numBits: 3, learningRateScale});
      const x = tf.tensor1d([0.1, 0.7, 1.4, 2]);
      quantizer.setRange(0, 1);
      optimizer.minimize(() => quantizer.apply(x, {training: true}).sum().asScalar(), false, quantizer.variables);
      const [, max] = quantizer.range();
      const [end] = await valuesOf(max);
      quantizer.dispose();
      optimizer.dispose();
      return Math.log(end!);
    };
    // The first step of Adam is its learning rate; that of SGD is proportional to the gradient.
    expect(await moved(tf.train.adam(rate), 10)).toBeCloseTo(-10 * rate, 4);
    expect(await moved(tf.train.adam(rate), 1)).toBeCloseTo(-rate, 4);
    const [slow, fast] = [await moved(tf.train.sgd(rate), 1), await moved(tf.train.sgd(rate), 10)];
    expect(slow).toBeLessThan(0);
    expect(fast / slow).toBeCloseTo(10, 2);
  });

  it('learns: the loss falls at 3 bits', async () => {
    const {model, x, y} = trainable();
    const losses = await fit(quantizeModel(model, FEW_BITS), x, y, 20, [], 0.04);
    expect(losses[19]!).toBeLessThan(losses[0]! / 4);
  });

  for (const symmetric of [true, false]) {
    for (const start of [0.1, 30]) {
      it(`of ${symmetric ? 'one end' : 'two ends'} finds the least error from ${start}`, async () => {
        needsTraining();
        const quantizer = new FakeQuantizer({observer: 'learned', symmetric, narrowRange: symmetric, numBits: 3});
        const x = tf.randomNormal([500], 0, 1, 'float32', 1);
        quantizer.setRange(-start, start);
        const loss = () => tf.losses.meanSquaredError(x, quantizer.apply(x, {training: true})).asScalar();
        const optimizer = tf.train.adam(0.02);
        for (let i = 0; i < 50; ++i) tf.tidy(() => void optimizer.minimize(loss, false, quantizer.variables));
        const ends = mseRange(x, {numBits: 3, symmetric, narrowRange: symmetric});
        const best = new FakeQuantizer({numBits: 3, symmetric, narrowRange: symmetric});
        best.setRange((await valuesOf(ends[0]))[0]!, (await valuesOf(ends[1]))[0]!);
        const error = (each: FakeQuantizer) => tf.losses.meanSquaredError(x, each.apply(x)).asScalar();
        const [learned, least] = [(await valuesOf(error(quantizer)))[0]!, (await valuesOf(error(best)))[0]!];
        expect(learned).toBeLessThan(1.2 * least);
        [quantizer, best, optimizer].forEach(each => each.dispose());
      });
    }
  }

  it('is saved and loaded with its model, and trains on', async () => {
    const {model, x, y} = trainable();
    const q = quantizeModel(model, FEW_BITS);
    await fit(q, x, y, 5);
    const loaded = await reloaded(q);
    // tfjs's WebGL backend takes the exponential of what was just loaded on the host: another last bit.
    const [before, after] = [await prediction(q, x), await prediction(loaded, x)];
    after.forEach((value, i) => expect(value).toBeCloseTo(before[i]!, 5));
    expect(logsOf(loaded)).toEqual(logsOf(q));
    const [first, second] = [await fit(loaded, x, y, 3), await fit(q, x, y, 3)];
    first.forEach((loss, i) => expect(loss).toBeCloseTo(second[i]!, 5));
  });

  it('stays where it is while frozen, whatever the momentum, and goes on from there', async () => {
    const {q, train} = training();
    await train(3);
    freezeRanges(q, true, 'all');
    const frozen = await rangesOf(q);
    await train(3);
    expect(await rangesOf(q)).toEqual(frozen);
    freezeRanges(q, false, 'all');
    const thawed = await rangesOf(q);
    for (const [range, ends] of Object.entries(frozen)) {
      ends.forEach((end, i) => expect(thawed[range]![i]).withContext(range).toBeCloseTo(end, 5));
    }
    await train(1);
    expect(await rangesOf(q)).not.toEqual(thawed);
    q.optimizer.dispose();
  });

  it('passes values while switched off, and lets the optimizer count on its gradient', async () => {
    const {model, x, y, q, train} = training();
    setFakeQuant(q, false);
    await train(1);
    model.compile({optimizer: tf.train.adam(0.01), loss: 'meanSquaredError'});
    await model.fit(x, y, {epochs: 1, batchSize: 32, shuffle: false});
    const [float, off] = [await prediction(model, x), await prediction(q, x)];
    off.forEach((value, i) => expect(value).toBeCloseTo(float[i]!, 5));
    setFakeQuant(q, true, 'weights');
    await train(2);
    setFakeQuant(q, true);
    await train(2);
    expect((await prediction(q, x)).every(Number.isFinite)).toBeTrue();
    [q, model].forEach(each => each.optimizer.dispose());
  });

  it('leaves a layer that is frozen alone', () => {
    const {model} = trainable();
    const q = quantizeModel(model, FEW_BITS);
    q.getLayer('b').trainable = false;
    expect(logsOf(q).length).toBe(6);
    expect(q.weights.length).toBe(quantizeModel(model, FEW_BITS).weights.length);
  });

  it('gives its weights to the model that is float again', async () => {
    const {model, x} = trainable();
    const q = quantizeModel(model, {...FEW_BITS, activations: false});
    const [quantized, float] = [await prediction(q, x), await prediction(dequantizeModel(q), x)];
    float.forEach((value, i) => expect(value).toBeCloseTo(quantized[i]!, 5));
  });

  it('that turns NaN or collapses keeps its last good value, and is reported', async () => {
    const {model, x, y} = trainable();
    const q = quantizeModel(model, FEW_BITS);
    await fit(q, x, y, 2);
    tf.tidy(() => q.predict(x));
    // One more pass in training, so that the last good ranges are the present ones.
    tf.tidy(() => void q.apply(x, {training: true}));
    const before = [await rangesOf(q), await prediction(q, x)] as const;
    for (const bad of [NaN, Infinity, -Infinity, -1e4]) {
      tf.tidy(() => {
        for (const weight of q.trainableWeights.filter(({originalName}) => originalName.includes('log_range'))) {
          (weight.read() as tf.Variable).assign(tf.fill(weight.shape as number[], bad));
        }
      });
      const after = [await rangesOf(q), await prediction(q, x)] as const;
      for (const [range, ends] of Object.entries(before[0])) {
        ends.forEach((end, i) => expect(after[0][range]![i]).withContext(`${range} ${bad}`).toBeCloseTo(end, 5));
      }
      after[1].forEach((value, i) => expect(value).withContext(String(bad)).toBeCloseTo(before[1][i]!, 4));
      const rows = (await describeQuantization(q).read()).filter(({numBits}) => numBits !== undefined);
      for (const {note} of rows) expect(note).toContain('last good values');
    }
    expect((await fit(q, x, y, 2)).every(Number.isFinite)).toBeTrue();
  });

  it('of nothing but zeros starts at 1, of a channel of zeros at its neighbours', async () => {
    const dead = new FakeQuantizer({observer: 'learned', nonNegative: true, numBits: 4});
    expect([...(await valuesOf(dead.apply(tf.zeros([5]), {training: true})))]).toEqual([0, 0, 0, 0, 0]);
    expect((await valuesOf(dead.range()[1]))[0]).toBeCloseTo(1, 5);
    const rows = new FakeQuantizer({observer: 'learned', symmetric: true, narrowRange: true, axis: 0, start: 'mse'});
    rows.apply(
      tf.tensor2d([
        [0, 0],
        [0.5, -2],
      ]),
      {training: true},
    );
    const [first, second] = await valuesOf(rows.range()[1]);
    expect(first).toBeCloseTo(second!, 5);
    [dead, rows].forEach(each => each.dispose());
  });

  it('refuses a learning rate of nothing', () => {
    expect(() => new FakeQuantizer({observer: 'learned', learningRateScale: 0})).toThrowError(/learningRateScale.*0/);
  });
});

describe('statistics of BatchNormalization', () => {
  scoped();

  it('are measured at the end of fit by the schedule', async () => {
    const {model, x, y} = trainable();
    const q = quantizeModel(model);
    await fit(q, x, y, 1, [quantizationSchedule({reestimateBatchNorm: x})]);
    expect(console.warn).toHaveBeenCalledWith(jasmine.stringContaining('32 samples only, where 512'));
    const given = tfl.model({inputs: q.inputs, outputs: q.getLayer('a').output});
    const mean = await valuesOf(tf.tidy(() => (given.predict(x) as tf.Tensor).mean(0)));
    const found = await valuesOf(q.weights.find(({originalName}) => originalName === 'n/moving_mean')!.read());
    found.forEach((value, i) => expect(value).toBeCloseTo(mean[i]!, 5));
  });

  it('are means over samples, however many are in a batch', async () => {
    const {model, x} = trainable();
    await reestimateBatchNorm(model, x, {samples: 32, batchSize: 20});
    const given = tfl.model({inputs: model.inputs, outputs: model.getLayer('a').output});
    const mean = await valuesOf(tf.tidy(() => (given.predict(x) as tf.Tensor).mean(0)));
    const found = await valuesOf(model.weights.find(({originalName}) => originalName === 'n/moving_mean')!.read());
    found.forEach((value, i) => expect(value).toBeCloseTo(mean[i]!, 5));
    expect(console.warn).not.toHaveBeenCalled();
  });

  it('are not there: it says so; nor are samples: it refuses', async () => {
    const plain = tfl.sequential({layers: [layers.dense({units: 1, inputShape: [4]})]});
    await reestimateBatchNorm(plain, tf.zeros([4, 4]));
    expect(console.warn).toHaveBeenCalledWith(jasmine.stringContaining('nothing to do'));
    const {model, x} = trainable();
    await expectAsync(reestimateBatchNorm(model, [])).toBeRejectedWithError(/no samples/);
    await expectAsync(reestimateBatchNorm(model, tf.zeros([4, 5]))).toBeRejectedWithError(/shape/);
    const q = quantizeModel(model);
    await reestimateBatchNorm(q, x, {samples: 32});
    expect(console.warn).toHaveBeenCalledTimes(1);
  });
});

/** The mean squared error of rounding to a grid of levels `lowest` to `lowest + count`. */
function squaredError(values: ArrayLike<number>, scale: number, lowest: number, count: number): number {
  return Array.from(values).reduce((sum, value) => {
    const level = Math.min(lowest + count, Math.max(lowest, Math.round(value / scale)));
    return sum + (value - level * scale) ** 2;
  }, 0);
}

describe('mseRange', () => {
  scoped();

  for (const numBits of [2, 3, 4, 8]) {
    for (const symmetric of [true, false]) {
      it(`of ${numBits} bits, ${symmetric ? 'symmetric' : 'of two ends'}, is as good as a search of all ranges`, async () => {
        const x = tf.randomNormal([257], 0.3, 1, 'float32', numBits);
        const values = await valuesOf(x);
        const [low, high] = mseRange(x, {numBits, symmetric, narrowRange: symmetric});
        const [from, to] = [(await valuesOf(low))[0]!, (await valuesOf(high))[0]!];
        const count = 2 ** numBits - (symmetric ? 2 : 1);
        const scale = (to - from) / count;
        const found = squaredError(values, scale, Math.round(from / scale), count);
        let least = Infinity;
        const top = Math.max(...values.map(Math.abs));
        for (let i = 1; i <= 400; ++i) {
          const step = (((symmetric ? 2 : 1.6) * top) / count) * (i / 400);
          const lowests = symmetric
            ? [-count / 2]
            : Array.from({length: Math.min(count, 64) + 1}, (_, j) => -j * Math.max(1, count / 64));
          for (const lowest of lowests) least = Math.min(least, squaredError(values, step, Math.round(lowest), count));
        }
        expect(found).toBeLessThan(least * 1.1 + 1e-9);
      });
    }
  }

  it('is found for each channel by itself, on any axis', async () => {
    const x = tf.randomNormal([3, 5, 2], 0, 1, 'float32', 5).mul(tf.tensor3d([1, 10, 100, 0, 1000], [1, 5, 1]));
    const all = {numBits: 3, symmetric: true};
    const [low, high] = mseRange(x, {...all, axis: 1});
    const apart = tf.unstack(x, 1).map(each => mseRange(each, all));
    const [lows, highs] = [0, 1].map(i => tf.stack(apart.map(ends => ends[i]!)));
    expect(await valuesOf(low)).toEqual(await valuesOf(lows!));
    expect(await valuesOf(high)).toEqual(await valuesOf(highs!));
  });

  it('refuses a width and an axis that are none', () => {
    expect(() => mseRange([1, 2], {numBits: 1})).toThrowError(/mseRange.*numBits/);
    expect(() => mseRange([1, 2], {axis: 3})).toThrowError(/mseRange.*axis/);
  });
});

describe('percentileRange', () => {
  scoped();

  it('leaves as many values out as it is told', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.uniqueArray(fc.integer({min: -1000, max: 1000}), {minLength: 1, maxLength: 300}),
        fc.integer({min: 1, max: 100}),
        async (values, percentile) => {
          const [low, high] = percentileRange(values, {percentile});
          const [from, to] = [(await valuesOf(low))[0]!, (await valuesOf(high))[0]!];
          const cut = ((100 - percentile) / 200) * values.length;
          const above = (end: number) => values.filter(value => value > end).length;
          const below = (end: number) => values.filter(value => value < end).length;
          const rim = 1e-3;
          expect(above(to + rim)).toBeLessThanOrEqual(cut + 1e-3);
          expect(below(from - rim)).toBeLessThanOrEqual(cut + 1e-3);
          // And no fewer: a range a little narrower would leave out too many, unless it ends at 0.
          if (to > rim) expect(above(to - rim)).toBeGreaterThan(cut - 1e-3);
          if (from < -rim) expect(below(from + rim)).toBeGreaterThan(cut - 1e-3);
          tf.dispose([low, high]);
        },
      ),
      {numRuns: 20},
    );
  });

  it('is found for each channel, and of all values at 100', async () => {
    const x = tf.tensor2d([
      [-1, 4],
      [2, -8],
      [0.5, 1],
    ]);
    const [low, high] = percentileRange(x, {percentile: 100, axis: -1});
    expect([...(await valuesOf(low))]).toEqual([-1, -8]);
    expect([...(await valuesOf(high))]).toEqual([2, 4]);
  });

  it('leaves out 5 of 1000 on either side at 99, and NaN besides', async () => {
    const values = Array.from({length: 1000}, (_, i) => ((i * 7) % 1000) - 499.5);
    for (const x of [values, [...values.slice(0, 999), NaN]]) {
      const [low, high] = percentileRange(x, {percentile: 99});
      const missing = x === values ? [] : [values[999]!];
      const rest = values.filter(value => !missing.includes(value)).sort((a, b) => a - b);
      expect((await valuesOf(low))[0]).toBeCloseTo(rest[5]!, 3);
      expect((await valuesOf(high))[0]).toBeCloseTo(rest[rest.length - 6]!, 3);
    }
  });

  it('refuses a percentile that is none', () => {
    expect(() => percentileRange([1], {percentile: 0})).toThrowError(/percentile.*0/);
  });
});

/** Sees every read of the device's memory. */
function watchReads(): jasmine.Spy {
  const reader = onWebGPU ? spyOn(webgpu(), 'getBufferData' as never) : spyOn(webgl().gpgpu.gl, 'readPixels');
  return (reader as jasmine.Spy).and.callThrough();
}

if (onWebGL || onWebGPU) {
  it('mseRange and percentileRange read nothing back', async () => {
    const reads = watchReads();
    const x = tf.tidy(() => tf.relu(tf.randomNormal([64, 40], 0, 1, 'float32', 1)));
    const ends = [...mseRange(x, {numBits: 4, axis: 1}), ...percentileRange(x, {percentile: 99, axis: 1})];
    expect(reads).not.toHaveBeenCalled();
    await valuesOf(ends[0]!);
    expect(reads).toHaveBeenCalled();
    tf.dispose([x, ...ends]);
  });
}

describe('the start of learned weights', () => {
  scoped();

  it('of many values is as good as a search of all of them', async () => {
    const numBits = 4;
    for (const symmetric of [true, false]) {
      // On the host many values are looked at in another way than few.
      const count = onWebGL || onWebGPU ? 10_000 : 300_000;
      const values = await valuesOf(tf.tidy(() => tf.mul(...twoNormals(count))));
      const [low, high] = mseRange(tf.tensor1d(values), {numBits, symmetric, narrowRange: symmetric});
      const [from, to] = [(await valuesOf(low))[0]!, (await valuesOf(high))[0]!];
      const steps = 2 ** numBits - (symmetric ? 2 : 1);
      const errorOf = (scale: number) => squaredError(values, scale, Math.round((from / (to - from)) * steps), steps);
      const found = errorOf((to - from) / steps);
      for (const share of [0.8, 0.9, 0.95, 1.05, 1.1, 1.2]) {
        expect(found)
          .withContext(`${share}`)
          .toBeLessThan(errorOf((share * (to - from)) / steps) * 1.001);
      }
    }
  });

  it('is told of one by one, and lets others have their turn', async () => {
    const {model, x} = trainable();
    const q = quantizeModel(model, FEW_BITS);
    const seen: number[] = [];
    let turns = 0;
    const timer = setInterval(() => ++turns, 0);
    await calibrate(q, x, {batchSize: 16, onProgress: ({done}) => seen.push(done)});
    clearInterval(timer);
    expect(seen).toEqual([0, 0, 0, 16, 32]);
    expect(turns).toBeGreaterThan(0);
    seen.length = 0;
    await calibrate(q, x, {batchSize: 16, onProgress: ({done}) => seen.push(done)});
    expect(seen).toEqual([16, 32]);
  });
});

/** Of which the product has long tails. */
function twoNormals(count: number): [tf.Tensor1D, tf.Tensor1D] {
  return [tf.randomNormal([count], 0, 1, 'float32', 1), tf.randomNormal([count], 0, 1, 'float32', 2)];
}
