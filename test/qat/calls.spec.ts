/** Calls at the wrong time, of things that are gone, and with what has no effect: each is told, and nothing stays behind. */
import {data} from '@tensorflow/tfjs';
import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import {
  calibrate,
  describeQuantization,
  FakeQuantizer,
  quantizationSchedule,
  quantizedSaveHandler,
  quantizedValues,
  quantizedWeights,
  quantizeModel,
  type QuantizeOptions,
  reestimateBatchNorm,
  type Samples,
  type ScheduleOptions,
} from '../../src/entries/qat';
import {scoped} from '../support/scoped';

const {layers} = tfl;

/** A model with two within: one of layers with weights, one of layers that move values only. */
function nested(): tfl.LayersModel {
  const base = tfl.sequential({
    name: 'base',
    layers: [
      layers.dense({units: 4, inputShape: [4], name: 'a', kernelInitializer: 'identity'}),
      layers.batchNormalization({name: 'n'}),
      layers.reLU({name: 'r'}),
    ],
  });
  const moves = tfl.sequential({
    name: 'moves',
    layers: [layers.reshape({targetShape: [2, 2], inputShape: [4], name: 'm'}), layers.flatten({name: 'f'})],
  });
  const x = tfl.input({shape: [4], name: 'x'});
  const y = layers.dense({units: 2, name: 'y'}).apply(moves.apply(base.apply(x)));
  return tfl.model({inputs: x, outputs: y as tfl.SymbolicTensor, name: 'whole'});
}

const samples = () => tf.randomNormal([12, 4], 0.5, 2, 'float32', 7);

async function messageOf(run: () => unknown): Promise<string> {
  try {
    await run();
  } catch (error) {
    return (error as Error).message;
  }
  return '';
}

describe('options that have no effect are refused', () => {
  scoped();

  const REFUSED: readonly [QuantizeOptions, RegExp][] = [
    [{layers: {moves: {weights: {numBits: 4}}}}, /layers.moves.weights: no layer of model moves has weights/],
    [{layers: {moves: {activations: {numBits: 4}}}}, /layers.moves.activations: no layer of model moves gives/],
    [{ranges: {r: [-1, 1]}, layers: {r: {activations: {symmetric: true}}}}, /layers.r.activations.symmetric.*ranges.r/],
    [{ranges: {a: [-1, 1]}, layers: {r: {activations: {decay: 0.5}}}}, /layers.r.activations.decay.*ranges.a/],
  ];

  for (const [options, message] of REFUSED) {
    it(JSON.stringify(options), async () => {
      const model = nested();
      const before = tf.memory().numTensors;
      expect(await messageOf(() => quantizeModel(model, options))).toMatch(message);
      expect(tf.memory().numTensors).toBe(before);
    });
  }

  it('but for those that are false, undefined, or of what is rounded', () => {
    const none = undefined as never;
    for (const options of [
      {layers: {moves: false, base: {weights: {numBits: 4}, activations: {numBits: 4}}}},
      {layers: {moves: none}, ranges: {r: none}},
      {ranges: {r: [-1, 1]}, layers: {r: {activations: {numBits: 4}}}},
    ] as QuantizeOptions[]) {
      expect(() => quantizeModel(nested(), options)).not.toThrow();
    }
  });
});

describe('a model at work', () => {
  scoped();

  const CALLS: Readonly<Record<string, (q: tfl.LayersModel) => unknown>> = {
    calibrate: q => calibrate(q, samples(), {onProgress: () => void q.dispose()}),
    reestimateBatchNorm: q =>
      reestimateBatchNorm(
        q,
        (function* () {
          yield samples();
          q.dispose();
          yield samples();
        })(),
      ),
    quantizedWeights: q => {
      const weights = quantizedWeights(q);
      q.dispose();
      return weights;
    },
    describeQuantization: q => {
      const {read} = describeQuantization(q);
      q.dispose();
      return read();
    },
  };

  for (const [name, call] of Object.entries(CALLS)) {
    it(`is named by ${name} where it is disposed of meanwhile`, async () => {
      const q = quantizeModel(nested());
      await calibrate(q, samples());
      expect(await messageOf(() => call(q))).toMatch(new RegExp(`^${name}: model whole was disposed of meanwhile`));
    });
  }

  it('and a part of it are not measured at once, and told by the name of what is at work', async () => {
    const q = quantizeModel(nested());
    const part = tfl.model({inputs: q.inputs, outputs: q.getLayer('base').getOutputAt(1), name: 'part'});
    const both = await Promise.all([calibrate(q, samples()), messageOf(() => calibrate(part, samples()))]);
    expect(both[1]).toContain('calibrate: calibrate is at work on model whole. Wait');
  });
});

describe('samples that are given in vain', () => {
  scoped();

  const BAD: Readonly<Record<string, readonly [() => unknown, RegExp]>> = {
    'a promise': [() => Promise.resolve(samples()), /samples must be .* were a Promise. Await it/],
    'a dataset without an iterator': [() => ({iterator: () => null}), /dataset's iterator\(\) must give/],
    'a dataset whose iterator gives nothing': [
      () => ({iterator: () => ({next: () => null})}),
      /dataset's iterator\(\) must give/,
    ],
    'what looks iterable': [() => ({[Symbol.iterator]: 5}), /a batch must be a tensor/],
  };

  for (const [name, [make, message]] of Object.entries(BAD)) {
    it(`that are ${name} are refused`, async () => {
      const q = quantizeModel(nested());
      for (const call of [calibrate, reestimateBatchNorm]) {
        const told = await messageOf(() => call(q, make() as Samples));
        expect(told).toMatch(message);
        expect(told).toMatch(new RegExp(`^${call.name}: `));
      }
    });
  }

  it('are all measured if asked for Infinity, and told of if fewer than usual', async () => {
    const q = quantizeModel(nested());
    await calibrate(q, samples(), {samples: Infinity});
    await reestimateBatchNorm(q, samples(), {samples: Infinity});
    expect(console.warn).not.toHaveBeenCalled();
    const [warn, said] = [console.warn as jasmine.Spy, jasmine.stringContaining];
    await reestimateBatchNorm(q, samples());
    expect(warn).toHaveBeenCalledOnceWith(said('12 samples only, where 512 are usual'));
    await reestimateBatchNorm(q, samples(), {samples: 20});
    expect(warn).toHaveBeenCalledWith(said('12 samples only, where 20 were asked for'));
    const endless = {size: Infinity, iterator: () => Promise.reject(new Error('begun'))};
    expect(await messageOf(() => reestimateBatchNorm(q, endless, {samples: Infinity}))).toContain('without end');
  });

  it('of a schedule are checked where it is made', async () => {
    const schedule = (given: unknown) =>
      messageOf(() => quantizationSchedule({reestimateBatchNorm: given} as ScheduleOptions));
    const x = samples();
    for (const given of [null, NaN, 'x', 5, () => x, Promise.resolve(x)]) {
      expect(await schedule(given)).toContain('quantizationSchedule: reestimateBatchNorm: samples must be');
      expect(await schedule({data: given})).toContain('quantizationSchedule: reestimateBatchNorm.data must be');
    }
    expect(await schedule({data: x, sample: 5})).toContain('Did you mean samples?');
    expect(await schedule({data: x, samples: 0})).toContain('reestimateBatchNorm.samples must be');
    expect(await schedule({samples: 5})).toContain('reestimateBatchNorm.data must be');
    expect(await schedule({})).toContain('reestimateBatchNorm.data must be');
    const right = [x, [x], {x}, {data: x}, {data: x, x}, {xs: x}, {xs: x, ys: null}, {data: [x], samples: Infinity}];
    for (const given of [...right, data.array([1]), (function* () {})()]) expect(await schedule(given)).toBe('');
  });
});

describe('a quantizer', () => {
  scoped();

  it('that is disposed says so', async () => {
    const quantizer = new FakeQuantizer({initialRange: [-1, 1]});
    const x = samples();
    quantizer.apply(x);
    quantizer.dispose();
    quantizer.dispose();
    const before = tf.memory().numTensors;
    const calls = [
      () => quantizer.apply(x),
      () => quantizer.apply(x, {training: true}),
      () => quantizer.range(),
      () => quantizer.setRange(-1, 1),
      () => quantizer.snapshot(),
      () => quantizedValues(x, quantizer),
    ];
    for (const call of calls) expect(await messageOf(call)).toMatch(/^FakeQuantizer: it is disposed/);
    expect(console.warn).not.toHaveBeenCalled();
    expect(tf.memory().numTensors).toBe(before);
  });

  for (const observer of ['movingAverage', 'learned'] as const) {
    it(`with ranges for channels refuses another number of them (${observer})`, async () => {
      const quantizer = new FakeQuantizer({axis: -1, observer});
      quantizer.apply(samples(), {training: true});
      const {values} = await quantizer.snapshot();
      const narrow = tf.ones([2, 3]);
      const before = tf.memory().numTensors;
      for (const training of [true, false]) {
        expect(await messageOf(() => quantizer.apply(narrow, {training}))).toMatch(/x must have 4 slices .* \[2,3\]/);
      }
      expect(tf.memory().numTensors).toBe(before);
      expect((await quantizer.snapshot()).values).toEqual(values);
    });
  }

  it('rounds numbers to levels and leaves nothing behind', async () => {
    const quantizer = new FakeQuantizer({initialRange: [-127, 128]});
    quantizer.apply(tf.scalar(1));
    const before = tf.memory().numTensors;
    const {levels, view} = await quantizedValues([[-1, 5]] as never, quantizer);
    expect([Array.from(levels), view]).toEqual([
      [-2, 4],
      [1, 2],
    ]);
    expect(await messageOf(() => quantizedValues(NaN as never, quantizer))).toContain('holds NaN');
    expect(await messageOf(() => quantizedValues([1] as never, new FakeQuantizer()))).toContain('not set yet');
    expect(tf.memory().numTensors).toBe(before);
  });
});

it('quantizedSaveHandler() refuses to save what is no layers model', async () => {
  const {save} = quantizedSaveHandler({save: () => Promise.resolve({modelArtifactsInfo: {}} as tf.io.SaveResult)});
  const graph = {modelTopology: {node: [], library: {}}, weightData: new ArrayBuffer(0)};
  for (const artifacts of [null, {}, graph, {modelTopology: {class_name: 'Sequential'}}]) {
    expect(await messageOf(() => save!(artifacts as never))).toMatch(
      /^quantizedSaveHandler: what is saved must be a layers model/,
    );
  }
});
