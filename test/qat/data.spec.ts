/** What calibration, BatchNormalization's statistics and the schedule take as samples, and what they leave behind. */
import {data} from '@tensorflow/tfjs';
import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import {
  analyzeQuantization,
  calibrate,
  describeQuantization,
  distil,
  FakeQuantizer,
  freezeBatchNorm,
  freezeRanges,
  quantizationSchedule,
  quantizeModel,
  type QuantizeOptions,
  reestimateBatchNorm,
  type Samples,
  type ScheduleOptions,
} from '../../src/entries/qat';
import {quantizingLayers} from '../../src/qat/quantized_layers/quantizing';
import {valuesOf} from '../support/environment';
import {needsSpeed, needsTraining, scoped} from '../support/scoped';

const {layers} = tfl;
type Symbolic = tfl.SymbolicTensor;

/** Of one input, with a BatchNormalization. */
function network(options: QuantizeOptions = {}): tfl.LayersModel {
  const x = tfl.input({shape: [4], name: 'x'});
  const stack = [
    layers.dense({units: 5, name: 'a', kernelInitializer: tfl.initializers.randomNormal({seed: 1})}),
    layers.batchNormalization({name: 'n'}),
    layers.reLU({name: 'r'}),
    layers.dense({units: 2, name: 'b', kernelInitializer: tfl.initializers.randomNormal({seed: 2})}),
  ];
  const y = stack.reduce((at, layer) => layer.apply(at) as Symbolic, x);
  return quantizeModel(tfl.model({inputs: x, outputs: y}), options);
}

/** Of two inputs. */
function joined(): tfl.LayersModel {
  const inputs = [tfl.input({shape: [2], name: 'left'}), tfl.input({shape: [3], name: 'right'})];
  const y = layers.dense({units: 1, name: 'y', kernelInitializer: 'ones'});
  const outputs = y.apply(layers.concatenate({name: 'both'}).apply(inputs)) as Symbolic;
  return quantizeModel(tfl.model({inputs, outputs}));
}

const samples = () => tf.randomNormal([12, 4], 0.5, 2, 'float32', 7);
const targets = () => tf.randomNormal([12, 2], 0, 1, 'float32', 8);

async function rangesOf(
  q: tfl.LayersModel,
): Promise<readonly [string, string, number | undefined, number | undefined][]> {
  return (await describeQuantization(q).read()).map(({layer, what, min, max}) => [layer, what, min, max]);
}

async function statisticsOf(q: tfl.LayersModel): Promise<number[]> {
  const found = q.weights.filter(({originalName}) => originalName.startsWith('n/moving'));
  return (await Promise.all(found.map(each => valuesOf(each.read())))).flatMap(values => [...values]);
}

/** A layer that fails when it is told to. */
class Fuse extends tfl.layers.Layer {
  static className = 'Fuse';
  static left = Infinity;

  override call(inputs: tf.Tensor | tf.Tensor[]): tf.Tensor {
    if (--Fuse.left < 0) throw new Error('blown');
    return tf.clone([inputs].flat()[0]!);
  }
}
tf.serialization.registerClass(Fuse);

function throws(message: string): () => never {
  return () => {
    throw new Error(message);
  };
}

describe('samples', () => {
  scoped();

  const batches = (x: tf.Tensor) => tf.split(x, 3);
  const rows = (x: tf.Tensor) => data.array(x.arraySync() as number[][]);
  const both = (x: tf.Tensor) => data.zip<tf.TensorContainer>({xs: rows(x), ys: rows(x)});

  const FORMS: Readonly<Record<string, (x: tf.Tensor) => Samples>> = {
    'an array of one tensor': x => [x],
    'an object by input name': x => ({x}),
    '{xs, ys}': x => ({xs: x, ys: tf.zeros([3])}),
    '{xs} by input name': x => ({xs: {x}}),
    'an array of batches': x => batches(x).map(each => [each]),
    'an array of {xs, ys}': x => batches(x).map(xs => ({xs, ys: undefined})),
    'an array of batches by input name': x => batches(x).map(each => ({x: each})),
    *'a generator of tensors'(x) {
      yield* batches(x);
    },
    async *'a generator that waits, of {xs}'(x) {
      for (const xs of batches(x)) yield await Promise.resolve({xs: [xs]});
    },
    'a set of batches': x => new Set(batches(x)),
    'a dataset of tensors': x => rows(x).batch(4),
    'a dataset of {xs, ys}': x => both(x).batch(4),
    'a dataset of {xs, ys} by input name': x => data.zip({xs: data.zip({x: rows(x)}), ys: rows(x)}).batch(4),
    'a dataset by input name': x => data.zip({x: rows(x)}).batch(4),
    'a dataset of whole batches, as a generator makes them': x =>
      data.generator(() => batches(x.clone())[Symbol.iterator]()),
  };

  // Made of values on the host, as WebGPU does not read synchronously what it computed.
  const plain = async () => tf.tensor2d(Array.from(await valuesOf(samples())), [12, 4]);

  async function measured(given: (x: tf.Tensor) => Samples): Promise<{ranges: unknown; statistics: number[]}> {
    const [q, x] = [network(), await plain()];
    await reestimateBatchNorm(q, given(x), {samples: 12, batchSize: 4});
    await calibrate(q, given(x));
    expect(x.isDisposed).toBeFalse();
    return {ranges: await rangesOf(q), statistics: await statisticsOf(q)};
  }

  it('may come in every form that fit and fitDataset take, and as batches', async () => {
    const {ranges, statistics} = await measured(x => x);
    for (const [name, form] of Object.entries(FORMS)) {
      const found = await measured(form);
      expect(found.ranges).withContext(name).toEqual(ranges);
      found.statistics.forEach((value, i) => expect(value).withContext(name).toBeCloseTo(statistics[i]!, 5));
    }
    expect(console.warn).not.toHaveBeenCalled();
  });

  it('may come in a last batch that is smaller', async () => {
    const found = await measured(x => rows(x).batch(5));
    expect(found.ranges).toEqual((await measured(x => tf.split(x, [5, 5, 2]).map(each => [each]))).ranges);
  });

  it('of several inputs go in their order or by name, in any order', async () => {
    const left = tf.tensor2d([1, -2, 3, 4], [2, 2]);
    const right = tf.tensor2d([5, 6, 7, -8, 9, 10], [2, 3]);
    const forms: Samples[] = [
      [left, right],
      {right, left},
      {xs: [left, right], ys: left},
      {xs: {right, left}},
      [{right, left}],
      [[left, right]],
      data
        .zip({
          right: data.array([
            [5, 6, 7],
            [-8, 9, 10],
          ]),
          left: data.array([
            [1, -2],
            [3, 4],
          ]),
        })
        .batch(1),
    ];
    for (const form of forms) {
      const q = joined();
      await calibrate(q, form);
      const inputs = (await rangesOf(q)).filter(([layer]) => layer.endsWith('_quantized'));
      const ends = inputs.flatMap(([, , min, max]) => [min!, max!]);
      // To the 2 % by which integers are kept off ties.
      [-2, 4, -8, 10].forEach((end, i) => expect(ends[i]! / end).toBeCloseTo(1, 1));
    }
  });

  it('are disposed of where a dataset made them, and nowhere else', async () => {
    const x = await plain();
    const q = network();
    await calibrate(q, x);
    const kept = batches(x);
    const before = tf.memory().numTensors;
    for (let i = 0; i < 2; ++i) {
      await calibrate(q, both(x).batch(4));
      await calibrate(q, both(x).repeat().batch(4), {samples: 6});
      await reestimateBatchNorm(q, both(x).repeat().batch(4), {samples: 6});
      await calibrate(
        q,
        kept.map(xs => ({xs})),
      );
      await reestimateBatchNorm(
        q,
        kept.map(xs => ({xs})),
        {samples: 6},
      );
    }
    expect(tf.memory().numTensors).toBe(before);
    expect(kept.some(each => each.isDisposed)).toBeFalse();
  });

  it('are as many as asked for', async () => {
    const x = samples();
    const seen: unknown[] = [];
    const onProgress = (progress: unknown) => seen.push(progress);
    await calibrate(network(), x, {samples: 6, batchSize: 5, onProgress});
    await calibrate(
      network(),
      batches(x).map(xs => ({xs})),
      {samples: 6, onProgress},
    );
    expect(seen).toEqual([
      {done: 5, total: 10},
      {done: 10, total: 10},
      {done: 4, total: undefined},
      {done: 8, total: undefined},
    ]);
  });

  const BAD: readonly [string, (x: tf.Tensor) => unknown, RegExp][] = [
    ['nothing', () => undefined, /samples must be a tensor.*undefined/],
    ['null', () => null, /samples must be .*null/],
    ['a number', () => 3, /samples must be .* were 3/],
    ['a string', () => 'x.csv', /samples must be .*the string 'x.csv'/],
    ['a function', x => () => x, /samples must be .*a function. Call it/],
    ['a Promise', x => Promise.resolve(x), /a Promise/],
    ['an ImageData', () => ({constructor: {name: 'ImageData'}, width: 4}), /an? ImageData/],
    ['numbers', () => [1, 2], /a batch must be a tensor.*was 1/],
    ['typed numbers', () => new Float32Array(4), /a batch must be a tensor.*was 0/],
    ['an array of tensors and others', x => [x, 1], /a batch|2 /],
    ['no batches', () => [], /no samples/],
    ['no rows', () => tf.zeros([0, 4]), /no samples/],
    [
      'an empty dataset',
      () =>
        data
          .array([[1, 2, 3, 4]])
          .skip(1)
          .batch(1),
      /no samples/,
    ],
    ['a dataset of rows', () => data.array([[1, 2, 3, 4]]), /dataset.batch\(32\)/],
    [
      'a dataset of tensors of one row',
      () => data.generator(() => [tf.ones([4])][Symbol.iterator]()),
      /\[4\].*dataset.batch\(32\)/,
    ],
    ['targets alone', () => [{ys: tf.ones([2, 2])}], /has ys, but no xs/],
    ['xs undefined', () => ({xs: undefined, ys: tf.ones([2, 2])}), /has ys, but no xs/],
    ['xs and targets in an array', x => [x, tf.ones([12, 2])], /1 inputs \(x\), but 2 tensors were given.*\{xs, ys\}/],
    ['another name', x => ({image: x}), /nothing for the inputs x, and there are no inputs image.*inputs are x/],
    ['one name too many', x => ({x, y: x}), /no inputs y/],
    ['another shape', () => ({x: tf.zeros([2, 3])}), /input x takes samples of shape \[any,4\], but was given \[2,3\]/],
    ['strings', () => tf.tensor([['a', 'b', 'c', 'd']]), /input x takes numbers, but was given string/],
    ['a tensor that is gone', x => (x.dispose(), x), /input x was given is disposed/],
    ['a batch that is gone', x => (x.dispose(), [{x: tf.ones([1, 4])}, {x}]), /input x was given is disposed/],
    ['a batch that does not fit behind one that does', () => [[tf.ones([1, 4])], [tf.ones([1, 5])]], /\[1,5\]/],
  ];

  for (const [name, make, message] of BAD) {
    it(`are refused if they are ${name}`, async () => {
      const q = network();
      const bad = make(samples()) as Samples;
      const before = tf.memory().numTensors;
      await expectAsync(calibrate(q, bad)).toBeRejectedWithError(message);
      await expectAsync(calibrate(q, bad)).toBeRejectedWithError(/^calibrate: /);
      // A dataset's tensors go.
      expect(tf.memory().numTensors).toBeLessThanOrEqual(before);
      await expectAsync(reestimateBatchNorm(q, bad)).toBeRejectedWithError(message);
      expect((await rangesOf(q)).every(([, what, min]) => what !== 'output' || min === undefined)).toBeTrue();
    });
  }

  it('are refused with what is wrong with each input', async () => {
    const [left, right] = [tf.ones([4, 2]), tf.ones([4, 3])];
    const refused = (given: unknown, message: RegExp) =>
      expectAsync(calibrate(joined(), given as Samples)).toBeRejectedWithError(message);
    await refused([left], /2 inputs \(left,right\), but 1 tensors/);
    await refused(left, /2 inputs \(left,right\), but 1 tensors/);
    await refused({left}, /nothing for the inputs right/);
    await refused({left, right: undefined}, /input right takes a tensor, but was given undefined/);
    await refused([right, left], /input left .*\[4,3\]; input right .*\[4,2\]/);
    await refused([left, tf.ones([3, 3])], /as many samples each, but left has 4, right has 3/);
  });

  it('go to a model that keeps states as many at a time as it keeps them of, or are refused', async () => {
    needsTraining();
    needsSpeed();
    const rnn = layers.gru({
      units: 3,
      stateful: true,
      name: 'rnn',
      batchInputShape: [4, 5, 2],
      recurrentInitializer: 'glorotUniform',
    });
    const model = tfl.sequential({
      layers: [rnn, layers.batchNormalization(), layers.dense({units: 2, activation: 'softmax'})],
      name: 'states',
    });
    const made: tfl.LayersModel[] = [model];
    const fresh = () => made[made.push(quantizeModel(model)) - 1]!;
    const set = fresh();
    await calibrate(set, tf.ones([4, 5, 2]));
    const calls: Readonly<Record<string, (x: Samples, batchSize: number) => Promise<unknown>>> = {
      calibrate: (x, batchSize) => calibrate(fresh(), x, {batchSize}),
      reestimateBatchNorm: (x, batchSize) => reestimateBatchNorm(fresh(), x, {batchSize}),
      distil: (x, batchSize) => distil(fresh(), model, x, {batchSize, steps: 1}),
      analyzeQuantization: (x, batchSize) => analyzeQuantization(set, model, x, {batchSize}),
    };
    const remedy = String.raw`Give samples in batches of 4 \(batchSize: 4\)`;
    for (const [name, call] of Object.entries(calls)) {
      const refused = (shape: [number, number, number], batchSize: number, message: string) =>
        expectAsync(call(tf.ones(shape), batchSize)).toBeRejectedWithError(
          new RegExp(`^${name}: model states.* ${message}`),
        );
      await refused([64, 5, 2], 16, `4 samples, but a batch has 16 of 64. ${remedy}.$`);
      await refused(
        [66, 5, 2],
        4,
        `4 samples, but a batch has 2 of 66. ${remedy}, in a multiple of 4, such as the first 64.$`,
      );
      await refused([2, 5, 2], 16, `4 samples, but a batch has 2. ${remedy}, in a multiple of 4.$`);
      const three = [[tf.ones([4, 5, 2])], [tf.ones([3, 5, 2])]];
      await expectAsync(call(three, 4)).toBeRejectedWithError(/4 samples, but a batch has 3\. Give/);
      await expectAsync(call(tf.ones([8, 5, 2]), 4))
        .withContext(name)
        .toBeResolved();
    }
    // tfjs leaves them.
    for (const each of made) tf.dispose((each.getLayer('rnn') as unknown as {states: tf.Tensor[]}).states);
  });

  it('without end are refused if nobody says how many to take', async () => {
    const dataset = () =>
      data
        .array([[1, 2, 3, 4]])
        .repeat()
        .batch(2);
    await expectAsync(calibrate(network(), dataset())).toBeRejectedWithError(/without end.*samples: 512/);
    await calibrate(network(), dataset(), {samples: 4});
    await reestimateBatchNorm(network(), dataset(), {samples: 4});
  });
});

describe('what fails or stops leaves nothing behind', () => {
  scoped();

  /** A generator that tells whether it was ended. */
  function watched(...given: (tf.Tensor | (() => never))[]): {samples: Samples; ended: () => boolean} {
    let isEnded = false;
    function* batches() {
      try {
        for (const each of given) yield typeof each === 'function' ? each() : each;
      } finally {
        isEnded = true;
      }
    }
    return {samples: batches(), ended: () => isEnded};
  }

  function fused(): tfl.LayersModel {
    const parts = [
      layers.dense({units: 5, name: 'a', inputShape: [4]}),
      layers.batchNormalization({name: 'n'}),
      new Fuse({}),
      layers.dense({units: 2, name: 'b', activation: 'sigmoid'}),
    ];
    return quantizeModel(tfl.sequential({layers: parts}), {customLayers: {Fuse: {}}});
  }

  afterEach(() => (Fuse.left = Infinity));

  const FAILURES: Readonly<Record<string, (x: tf.Tensor) => [Samples, RegExp]>> = {
    'samples that fail': x => [watched(x, throws('no more')).samples, /no more/],
    'a batch that does not fit': x => [watched(x, tf.ones([2, 5])).samples, /\[2,5\]/],
    'a batch that is gone': x => {
      const other = tf.ones([2, 4]);
      other.dispose();
      return [watched(x, other).samples, /disposed/];
    },
    'a layer that fails at the second batch': x => {
      Fuse.left = 1;
      return [[{xs: x}, {xs: x}, {xs: x}], /blown/];
    },
    'a layer that fails at the first batch': x => {
      Fuse.left = 0;
      return [x, /blown/];
    },
  };

  for (const [name, make] of Object.entries(FAILURES)) {
    for (const [caller, call] of Object.entries({calibrate, reestimateBatchNorm})) {
      it(`${caller}, of ${name}`, async () => {
        const q = fused();
        const x = samples();
        await reestimateBatchNorm(q, x, {samples: 12});
        await calibrate(q, x);
        const moved = tf.mul(x, 3);
        const before = [await rangesOf(q), await statisticsOf(q)];
        const output = await valuesOf(tf.tidy(() => q.predict(x) as tf.Tensor));
        const [given, message] = make(moved);
        // What the prediction keeps is forgotten by either call.
        for (const layer of quantizingLayers('spec', q)) layer.forget?.();
        const held = tf.memory().numTensors;
        await expectAsync((call as typeof calibrate)(q, given)).toBeRejectedWithError(message);
        expect(tf.memory().numTensors).toBe(held);
        Fuse.left = Infinity;
        expect([await rangesOf(q), await statisticsOf(q)]).toEqual(before);
        expect(await valuesOf(tf.tidy(() => q.predict(x) as tf.Tensor))).toEqual(output);
        await (call as typeof calibrate)(q, moved, {samples: 12});
        expect([await rangesOf(q), await statisticsOf(q)]).not.toEqual(before);
      });
    }
  }

  it('calibrate, where onProgress fails', async () => {
    const q = network();
    const x = samples();
    const given = watched(x, x);
    const before = tf.memory().numTensors;
    const options = {batchSize: 5, onProgress: throws('full')};
    await expectAsync(calibrate(q, x, options)).toBeRejectedWithError('full');
    await expectAsync(calibrate(q, given.samples, options)).toBeRejectedWithError('full');
    expect(given.ended()).toBeTrue();
    expect(tf.memory().numTensors).toBe(before);
    expect((await rangesOf(q)).some(([, what, min]) => what === 'output' && min !== undefined)).toBeFalse();
  });

  it('either, once there are samples enough: a generator is ended', async () => {
    const q = network();
    const x = samples();
    const before = tf.memory().numTensors;
    for (const call of [calibrate, reestimateBatchNorm]) {
      const given = watched(x, x, throws('one too many'));
      await call(q, given.samples, {samples: 20});
      expect(given.ended()).toBeTrue();
      await call(q, x, {samples: 5, batchSize: 2});
    }
    expect(tf.memory().numTensors).toBe(before);
  });

  it('reestimateBatchNorm, of layers without gamma or beta, which tfjs cannot train', async () => {
    for (const options of [{scale: false}, {center: false}, {scale: false, center: false}]) {
      const q = quantizeModel(
        tfl.sequential({layers: [layers.batchNormalization({name: 'n', inputShape: [4], ...options})]}),
      );
      const x = samples();
      await calibrate(q, x);
      const before = tf.memory().numTensors;
      await reestimateBatchNorm(q, x, {samples: 12});
      expect(tf.memory().numTensors).toBe(before);
      const mean = await valuesOf(tf.tidy(() => tf.mean(x, 0)));
      const found = await statisticsOf(q);
      mean.forEach((value, i) => expect(found[i]).toBeCloseTo(value, 1));
      expect(await valuesOf(tf.tidy(() => q.predict(x) as tf.Tensor))).not.toContain(NaN);
    }
  });

  it('reestimateBatchNorm, of NaN: statistics stay as they were', async () => {
    const q = network();
    const x = samples();
    await reestimateBatchNorm(q, x, {samples: 12});
    const before = await statisticsOf(q);
    const bad = tf.fill([4, 4], NaN);
    const held = tf.memory().numTensors;
    await expectAsync(reestimateBatchNorm(q, [[x], [bad]])).toBeRejectedWithError(/statistics of n would be NaN.*stay/);
    expect(await statisticsOf(q)).toEqual(before);
    expect(tf.memory().numTensors).toBe(held);
  });

  it('reestimateBatchNorm: a layer has its own method again, frozen, or none but that of its class', async () => {
    const norm = layers.batchNormalization({inputShape: [4]});
    const [model, x] = [tfl.sequential({layers: [norm]}), samples()];
    const own = () => Object.getOwnPropertyDescriptor(norm, 'call')?.value as unknown;
    await reestimateBatchNorm(model, x, {samples: 12});
    expect(own()).toBeUndefined();
    freezeBatchNorm(model);
    const frozen = own();
    expect(frozen).toBeDefined();
    await reestimateBatchNorm(model, x, {samples: 12});
    expect(own()).toBe(frozen);
  });

  it('a second call at the same time is refused, and disturbs nothing', async () => {
    const [q, x] = [network(), samples()];
    const nested = tfl.model({inputs: q.inputs, outputs: q.getLayer('r').output});
    const [one] = await Promise.allSettled([
      reestimateBatchNorm(q, x, {samples: 12}),
      expectAsync(reestimateBatchNorm(q, x)).toBeRejectedWithError(/reestimateBatchNorm is at work on model.*await/),
      expectAsync(calibrate(q, x)).toBeRejectedWithError(/^calibrate: reestimateBatchNorm is at work/),
      expectAsync(calibrate(nested, x)).toBeRejectedWithError(/at work/),
    ]);
    expect(one.status).toBe('fulfilled');
    const [found, again] = [await statisticsOf(q), network()];
    again.setWeights(q.getWeights());
    await reestimateBatchNorm(again, x, {samples: 12});
    expect(found).toEqual(await statisticsOf(again));
    // It is in inference again: one sample is normalized as it is among others.
    const [alone, among] = tf.tidy(() => {
      const first = q.predict(x.slice(0, 1)) as tf.Tensor;
      return [first, (q.predict(x) as tf.Tensor).slice(0, 1)] as const;
    });
    const expected = await valuesOf(among);
    (await valuesOf(alone)).forEach((value, i) => expect(value).toBeCloseTo(expected[i]!, 5));
    await calibrate(q, x);
  });

  it('a batch between which a model trains is measured all the same', async () => {
    needsTraining();
    const q = network();
    q.compile({optimizer: tf.train.sgd(0), loss: 'meanSquaredError'});
    const [x, y] = [samples(), targets()];
    await calibrate(q, x);
    freezeRanges(q);
    async function* batches() {
      for (const each of [x, x]) {
        yield each;
        await q.fit(x, y, {epochs: 1});
      }
    }
    await reestimateBatchNorm(q, batches(), {samples: 24});
    const given = tfl.model({inputs: q.inputs, outputs: q.getLayer('a').output});
    const mean = await valuesOf(tf.tidy(() => (given.predict(x) as tf.Tensor).mean(0)));
    const found = await statisticsOf(q);
    mean.forEach((value, i) => expect(found[i]).toBeCloseTo(value, 4));
    q.optimizer.dispose();
  });

  for (const observer of ['movingAverage', 'lastValue', 'allValues', 'learned'] as const) {
    for (const offTies of [false, true]) {
      it(`a quantizer ${observer}${offTies ? ', off ties' : ''}, outside of any tidy`, async () => {
        const quantizer = new FakeQuantizer({observer, offTies});
        const x = samples();
        const cycle = async () => {
          tf.dispose([quantizer.apply(x, {training: true}), quantizer.apply(x), ...quantizer.range()]);
          quantizer.observing = false;
          tf.dispose(quantizer.apply(x, {training: true}));
          quantizer.observing = true;
          quantizer.setRange(-1, 1);
          await quantizer.snapshot();
          quantizer.quantizing = false;
          const passed = quantizer.apply(x, {training: true});
          if (passed !== x) passed.dispose();
          quantizer.quantizing = true;
        };
        await cycle();
        const before = tf.memory().numTensors;
        await cycle();
        await cycle();
        expect(tf.memory().numTensors).toBe(before);
        expect(x.isDisposed).toBeFalse();
        quantizer.dispose();
      });
    }
  }

  it('ranges that are frozen and let go, learned or not', async () => {
    for (const recipe of ['learned', 'minMax'] as const) {
      const q = network({recipe});
      await calibrate(q, samples());
      const before = tf.memory().numTensors;
      for (let i = 0; i < 3; ++i) {
        freezeRanges(q, true, 'all');
        freezeRanges(q, false, 'all');
      }
      expect(tf.memory().numTensors).toBe(before);
    }
  });
});

describe('calibrate sets', () => {
  scoped();

  it("the ranges of tfmot's weights, as a step of training does", async () => {
    const build = () => {
      const parts = [
        layers.conv2d({filters: 3, kernelSize: 2, inputShape: [5, 5, 2], name: 'c', activation: 'relu'}),
        layers.depthwiseConv2d({kernelSize: 2, name: 'd'}),
        layers.batchNormalization({name: 'n'}),
        layers.reLU({name: 'r'}),
        layers.flatten({name: 'f'}),
        layers.dense({units: 2, name: 'y', activation: 'softmax'}),
      ];
      return tfl.sequential({layers: parts});
    };
    const model = build();
    const x = tf.randomNormal([8, 5, 5, 2], 0, 1, 'float32', 3);
    const [calibrated, trained] = [0, 1].map(() => quantizeModel(model, {scheme: 'tfmot'})) as [
      tfl.LayersModel,
      tfl.LayersModel,
    ];
    await calibrate(calibrated, x);
    tf.tidy(() => void trained.apply(x, {training: true}));
    const weights = async (q: tfl.LayersModel) => (await rangesOf(q)).filter(([, what]) => /ernel/.test(what));
    expect((await weights(calibrated)).length).toBe(3);
    expect(await weights(calibrated)).toEqual(await weights(trained));
    const [float, rounded] = tf.tidy(() => [model, calibrated].map(each => each.predict(x) as tf.Tensor));
    const expected = await valuesOf(float!);
    (await valuesOf(rounded!)).forEach((value, i) => expect(Math.abs(value - expected[i]!)).toBeLessThan(0.03));
  });

  it("tfmot's weights back where it fails", async () => {
    const q = quantizeModel(tfl.sequential({layers: [layers.dense({units: 2, inputShape: [4], name: 'y'})]}), {
      scheme: 'tfmot',
    });
    const before = await rangesOf(q);
    await expectAsync(calibrate(q, [[samples()], [tf.ones([1, 5])]])).toBeRejectedWithError(/\[1,5\]/);
    await expectAsync(calibrate(q, [])).toBeRejectedWithError(/no samples/);
    function* failing() {
      yield samples();
      throw new Error('no more');
    }
    await expectAsync(calibrate(q, failing())).toBeRejectedWithError('no more');
    expect(await rangesOf(q)).toEqual(before);
  });

  for (const recipe of ['learned', 'minMax'] as const) {
    it(`every range, without a warning, ${recipe}`, async () => {
      const x = tfl.input({shape: [4], name: 'x'});
      const gate = layers.dense({units: 4, activation: 'sigmoid', name: 'gate'}).apply(x) as Symbolic;
      const turned = layers.dense({units: 4, activation: 'tanh', name: 'turned'}).apply(x) as Symbolic;
      const all = layers.multiply({name: 'all'}).apply([gate, turned]) as Symbolic;
      const shares = layers.softmax({name: 'shares'}).apply(all) as Symbolic;
      const y = layers.dense({units: 2, name: 'y'}).apply(shares) as Symbolic;
      const q = quantizeModel(tfl.model({inputs: x, outputs: y}), {recipe});
      const values = tf.randomNormal([5, 4], 0, 1, 'float32', 3);
      await calibrate(q, values);
      tf.tidy(() => void q.predict(values));
      await Promise.resolve();
      expect(console.warn).not.toHaveBeenCalled();
      expect((await rangesOf(q)).filter(([, what, min]) => what !== 'weights' && min === undefined)).toEqual([]);
      const other = quantizeModel(tfl.model({inputs: x, outputs: y}), {recipe});
      tf.tidy(() => void other.apply(values, {training: true}));
      await Promise.resolve();
      expect(console.warn).not.toHaveBeenCalled();
    });
  }
});

describe('a range off ties', () => {
  scoped();

  /** How far the values are from whole steps, in steps. */
  async function offSteps(values: tf.Tensor, step: number): Promise<number> {
    return Math.max(...(await valuesOf(values)).map(value => Math.abs(value / step - Math.round(value / step))));
  }

  const centered = () => tf.tidy(() => tf.sub(tf.div(tf.range(0, 256), 127.5), 1));

  for (const observer of ['movingAverage', 'lastValue', 'allValues', 'learned'] as const) {
    for (const [numBits, levels] of [
      [8, 254],
      [4, 14],
      [12, 4080],
    ] as const) {
      it(`has ${levels} steps between -1 and 1: ${observer}, ${numBits} bits`, async () => {
        const x = centered();
        const [plain, quantizer] = [{}, {offTies: true}].map(each => new FakeQuantizer({numBits, observer, ...each}));
        for (let i = 0; i < 3; ++i) tf.tidy(() => void quantizer!.apply(x, {training: true}));
        const {values} = await quantizer!.snapshot();
        const step = 2 / levels;
        expect(values!.max[0]! - values!.min[0]!).toBeCloseTo(step * (2 ** numBits - 1), 5);
        expect(Math.max(...values!.max)).toBeGreaterThan(1 - step);
        expect(await offSteps(quantizer!.apply(x), step)).toBeLessThan(1e-2);
        const [low, high] = quantizer!.range();
        expect((await valuesOf(low))[0]).toBeCloseTo(values!.min[0]!, 6);
        expect((await valuesOf(high))[0]).toBeCloseTo(values!.max[0]!, 6);
        tf.tidy(() => void plain!.apply(x, {training: true}));
        const {values: measured} = await plain!.snapshot();
        expect(measured!.max[0]! - measured!.min[0]!).toBeCloseTo(2, 5);
        for (const each of [plain, quantizer]) each!.dispose();
      });
    }
  }

  it('counts in predictions: a step of training rounds on the measured one, in one kernel', async () => {
    const [plain, quantizer] = [{}, {offTies: true}].map(each => new FakeQuantizer({...each}));
    const [expected, actual] = [plain, quantizer].map(each => each!.apply(centered(), {training: true}));
    expect(await valuesOf(actual!)).toEqual(await valuesOf(expected!));
    for (const each of [plain, quantizer]) each!.dispose();
  });

  it('is the measured one where 0 lies on a level, or anywhere but half-way', async () => {
    for (const [low, high] of [
      [0, 1],
      [-1, 3],
      [-0.3, 1],
      [-1, 127 / 128],
    ]) {
      const quantizer = new FakeQuantizer({offTies: true});
      tf.tidy(() => void quantizer.apply(tf.tensor([low!, high!]), {training: true}));
      const {values} = await quantizer.snapshot();
      expect(values!.min[0]).toBeCloseTo(low!, 6);
      expect(values!.max[0]).toBeCloseTo(high!, 6);
      quantizer.dispose();
    }
  });
});

describe('the schedule', () => {
  scoped();
  beforeEach(needsTraining);

  type Callbacks = Exclude<Parameters<tfl.LayersModel['fit']>[2], undefined>['callbacks'];

  function compiled(): tfl.LayersModel {
    const q = network();
    q.compile({optimizer: tf.train.sgd(0.01), loss: 'meanSquaredError'});
    return q;
  }

  async function fit(q: tfl.LayersModel, callbacks: Callbacks, epochs = 1): Promise<void> {
    await q.fit(samples(), targets(), {epochs, batchSize: 6, callbacks: callbacks!, shuffle: false});
  }

  async function isFrozen(q: tfl.LayersModel): Promise<boolean> {
    const rows = await describeQuantization(q).read();
    return rows.filter(({what}) => what === 'output').every(({observing}) => !observing);
  }

  const OTHERS: Readonly<Record<string, (note: () => void) => (schedule: tfl.Callback) => Callbacks>> = {
    'by itself': note => schedule => (note(), schedule),
    'alone in an array': note => schedule => (note(), [schedule]),
    'before a plain object': note => schedule => [schedule, {onEpochEnd: note}],
    'behind a plain object': note => schedule => [{onEpochEnd: note}, schedule],
    'between plain objects': note => schedule => [{onBatchEnd: note}, schedule, {onEpochEnd: note}],
    'before an instance': note => schedule => [schedule, new tfl.CustomCallback({onEpochEnd: note})],
    'behind an instance': note => schedule => [new tfl.CustomCallback({onEpochEnd: note}), schedule],
    'before an instance and a plain object': note => schedule =>
      [schedule, tfl.callbacks.earlyStopping({monitor: 'loss'}), {onEpochEnd: note}] as Callbacks,
  };

  for (const [name, make] of Object.entries(OTHERS)) {
    it(`works ${name}, in fit and fitDataset`, async () => {
      const note = jasmine.createSpy('note');
      const q = compiled();
      const options: ScheduleOptions = {
        quantizeAfter: 1,
        freezeRangesAfter: 3,
        reestimateBatchNorm: {data: samples(), samples: 12},
      };
      const callbacks = make(note)(quantizationSchedule(options));
      await fit(q, callbacks);
      expect(await isFrozen(q)).toBeFalse();
      const xs = Array.from(await valuesOf(samples()));
      const dataset = data.generator(() => [{xs: tf.tensor2d(xs, [12, 4]), ys: tf.ones([12, 2])}][Symbol.iterator]());
      await q.fitDataset(dataset, {epochs: 1, callbacks: callbacks!});
      expect(await isFrozen(q)).toBeTrue();
      expect(note).toHaveBeenCalled();
      expect(console.warn).not.toHaveBeenCalled();
      const given = tfl.model({inputs: q.inputs, outputs: q.getLayer('a').output});
      const mean = await valuesOf(tf.tidy(() => (given.predict(samples()) as tf.Tensor).mean(0)));
      const found = await statisticsOf(q);
      mean.forEach((value, i) => expect(found[i]).toBeCloseTo(value, 4));
      q.optimizer.dispose();
    });
  }

  it('leaves callbacks that it is not among to tfjs, which mixes none', async () => {
    const q = compiled();
    await fit(q, [quantizationSchedule({freezeRangesAfter: 1}), {}] as Callbacks);
    const mixed = [new tfl.CustomCallback({}), {}] as Callbacks;
    await expectAsync(fit(q, mixed)).toBeRejectedWithError(TypeError);
    q.optimizer.dispose();
  });

  it('checks its samples before the first step', async () => {
    const q = compiled();
    const before = await valuesOf(q.getLayer('a').getWeights()[0]!);
    const gone = samples();
    gone.dispose();
    for (const [given, message] of [
      [tf.ones([3, 5]), /^quantizationSchedule: reestimateBatchNorm: input x .*\[3,5\]/],
      [{data: tf.ones([3, 5]), samples: 3}, /\[3,5\]/],
      [[[samples()], [tf.ones([3, 5])]], /\[3,5\]/],
      [{image: samples()}, /no inputs image/],
      [gone, /disposed/],
      [3, /samples must be/],
    ] as [Samples, RegExp][]) {
      const schedule = () => quantizationSchedule({reestimateBatchNorm: given});
      await expectAsync(Promise.resolve().then(() => fit(q, schedule()))).toBeRejectedWithError(message);
    }
    expect(await valuesOf(q.getLayer('a').getWeights()[0]!)).toEqual(before);
    await fit(q, quantizationSchedule({reestimateBatchNorm: {data: samples(), samples: 12}}));
    q.optimizer.dispose();
  });

  it('measures as many samples as it is told to, at each end, also of a training that was stopped', async () => {
    const q = compiled();
    await fit(q, quantizationSchedule({reestimateBatchNorm: samples()}));
    expect(console.warn).toHaveBeenCalledOnceWith(jasmine.stringContaining('12 samples only, where 512'));
    const counted: number[] = [];
    const batches = {
      *[Symbol.iterator]() {
        for (let i = 1; ; ++i) {
          counted.push(i);
          yield samples();
        }
      },
    };
    const stop = {onBatchEnd: () => void (q.stopTraining = true)};
    await fit(q, [quantizationSchedule({reestimateBatchNorm: {data: batches, samples: 30}}), stop], 2);
    expect(counted).toEqual([1, 2, 3]);
    expect(console.warn).toHaveBeenCalledTimes(1);
    q.optimizer.dispose();
  });

  it('counts on from fit to fit, for each model by itself, and serves one at a time', async () => {
    const [q, other] = [compiled(), compiled()];
    const schedule = quantizationSchedule({freezeRangesAfter: 3});
    await fit(q, schedule);
    await fit(other, schedule);
    expect([await isFrozen(q), await isFrozen(other)]).toEqual([false, false]);
    await fit(q, schedule);
    expect([await isFrozen(q), await isFrozen(other)]).toEqual([true, false]);
    const [first, second] = await Promise.allSettled([fit(q, schedule), fit(other, schedule)]);
    expect(first.status).toBe('fulfilled');
    expect((second as PromiseRejectedResult).reason).toMatch(/at work in a fit of model .* Make one for model/);
    await fit(other, schedule);
    expect(await isFrozen(other)).toBeTrue();
    for (const each of [q, other]) each.optimizer.dispose();
  });

  it('leaves no tensors behind', async () => {
    for (const recipe of ['minMax', 'learned'] as const) {
      const q = network({recipe});
      q.compile({optimizer: tf.train.sgd(0.01), loss: 'meanSquaredError'});
      const [x, y] = [samples(), targets()];
      const steps = {quantizeAfter: 1, freezeRangesAfter: 2, freezeBatchNormAfter: 3};
      const run = async () => {
        const callbacks = quantizationSchedule({...steps, reestimateBatchNorm: {data: x, samples: 5, batchSize: 2}});
        await q.fit(x, y, {epochs: 2, batchSize: 6, callbacks});
        freezeRanges(q, false);
      };
      await run();
      const before = tf.memory().numTensors;
      await run();
      await run();
      expect(tf.memory().numTensors).toBe(before);
      q.optimizer.dispose();
    }
  });

  it('refuses a model that is not quantized', async () => {
    const plain = tfl.sequential({layers: [layers.dense({units: 2, inputShape: [4]})]});
    plain.compile({optimizer: tf.train.sgd(0.01), loss: 'meanSquaredError'});
    await expectAsync(fit(plain, quantizationSchedule({quantizeAfter: 1}))).toBeRejectedWithError(
      /^quantizationSchedule: model .* is not quantized/,
    );
    plain.optimizer.dispose();
  });
});
