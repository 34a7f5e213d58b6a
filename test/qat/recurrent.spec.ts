/** Recurrent layers round on every step what an integer runtime does, held to their formulas written out. */
import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import {
  calibrate,
  dequantizeModel,
  describeQuantization,
  FakeQuantizer,
  quantizedWeights,
  quantizeModel,
} from '../../src/entries/qat';
import {valuesOf} from '../support/environment';
import {artifactsOf, reloaded} from '../support/saved';
import {needsSpeed, needsTraining, scoped} from '../support/scoped';

type Model = tfl.LayersModel;
type Symbolic = tfl.SymbolicTensor;
type Layer = tfl.layers.Layer;
type Vector = readonly number[];
type Matrix = readonly Vector[];

const {layers} = tfl;
const [SAMPLES, STEPS, INPUTS, UNITS] = [16, 6, 3, 4];

function seeded(shape: readonly number[], seed: number, deviation = 1): tf.Tensor {
  return tf.randomNormal([...shape], 0, deviation, 'float32', seed);
}

const samples = () => seeded([SAMPLES, STEPS, INPUTS], 50);

/** A model of one layer, with seeded weights. */
function modelOf(layer: Layer): Model {
  const x = tfl.input({shape: [STEPS, INPUTS], name: 'x'});
  const model = tfl.model({inputs: x, outputs: layer.apply(x) as Symbolic | Symbolic[]});
  tf.tidy(() => model.setWeights(model.weights.map(({shape}, i) => seeded(shape as number[], i + 1, 0.7))));
  return model;
}

const outputsOf = (model: Model, x: tf.Tensor) => [model.predict(x)].flat();

/** What a quantizer that a model tells of does to a number. */
async function roundingOf(q: Model, what: string, layer = 'l'): Promise<(x: number) => number> {
  const row = (await describeQuantization(q).read()).find(each => each.layer === layer && each.what === what)!;
  const {min, max, numBits} = row as {min: number; max: number; numBits: number};
  const step = (max - min) / (2 ** numBits - 1);
  return x => Math.min(max, Math.max(min, step * Math.round(x / step)));
}

const sigmoid = (x: number) => 1 / (1 + Math.exp(-x));
const hardSigmoid = (x: number) => Math.min(1, Math.max(0, 0.2 * x + 0.5));

/** A vector times some columns of a matrix, and their bias. */
function product(x: Vector, matrix: Matrix, from: number, bias: Vector | undefined): number[] {
  return Array.from({length: UNITS}, (_, u) =>
    x.reduce((sum, each, i) => sum + each * matrix[i]![from + u]!, bias?.[from + u] ?? 0),
  );
}

const plus = (one: Vector, other: Vector) => one.map((each, i) => each + other[i]!);

/** One step: the next states of those before. */
type Step = (
  x: Vector,
  states: readonly Vector[],
  weights: {kernel: Matrix; recurrent: Matrix; bias: Vector},
) => Vector[];

const parts = (x: Vector, h: Vector, {kernel, recurrent, bias}: Parameters<Step>[2], count: number) =>
  Array.from({length: count}, (_, part) =>
    plus(product(x, kernel, part * UNITS, bias), product(h, recurrent, part * UNITS, undefined)),
  );

const lstmStep =
  (gate: (x: number) => number): Step =>
  (x, [h, c], weights) => {
    const [i, f, g, o] = parts(x, h!, weights, 4);
    const next = c!.map((each, u) => gate(f![u]!) * each + gate(i![u]!) * Math.tanh(g![u]!));
    return [next.map((each, u) => gate(o![u]!) * Math.tanh(each)), next];
  };

const gruStep: Step = (x, [h], weights) => {
  const {kernel, recurrent, bias} = weights;
  const [z, r] = parts(x, h!, weights, 2).map(part => part.map(hardSigmoid));
  const forgotten = h!.map((each, u) => each * r![u]!);
  const g = plus(product(x, kernel, 2 * UNITS, bias), product(forgotten, recurrent, 2 * UNITS, undefined)).map(
    Math.tanh,
  );
  return [h!.map((each, u) => z![u]! * each + (1 - z![u]!) * g[u]!)];
};

const simpleStep: Step = (x, [h], weights) => [parts(x, h!, weights, 1)[0]!.map(Math.tanh)];

interface Case {
  readonly layer: (args: {units: number; name: string; returnSequences: true}) => Layer;
  readonly step: Step;
  /** What rounds each state. */
  readonly states: readonly string[];
}

const CASES: Readonly<Record<string, Case>> = {
  'an LSTM': {layer: layers.lstm, step: lstmStep(hardSigmoid), states: ['output', 'cell state']},
  'an LSTM that runtimes have whole': {
    layer: args => layers.lstm({...args, recurrentActivation: 'sigmoid'}),
    step: lstmStep(sigmoid),
    states: ['output', 'cell state'],
  },
  'a GRU': {layer: layers.gru, step: gruStep, states: ['output']},
  'a SimpleRNN': {layer: layers.simpleRNN, step: simpleStep, states: ['output']},
};

const ARGS = {units: UNITS, name: 'l', returnSequences: true} as const;

describe('a recurrent layer with rounded states', () => {
  scoped();

  for (const [name, {layer, step, states}] of Object.entries(CASES)) {
    it(`rounds the states of ${name} on every step`, async () => {
      const q = quantizeModel(modelOf(layer(ARGS)), {activations: {numBits: 6}});
      await calibrate(q, samples());
      const [kernel, recurrent, bias] = dequantizeModel(q).getWeights();
      const weights = {
        kernel: (await kernel!.array()) as number[][],
        recurrent: (await recurrent!.array()) as number[][],
        bias: (await bias!.array()) as number[],
      };
      const rounds = await Promise.all(states.map(what => roundingOf(q, what)));
      const roundInput = await roundingOf(q, 'output', 'x_quantized');
      const expected = ((await samples().array()) as number[][][]).flatMap(sequence => {
        let given: Vector[] = states.map(() => new Array<number>(UNITS).fill(0));
        return sequence.flatMap(x => {
          given = step(x.map(roundInput), given, weights).map((state, i) => state.map(rounds[i]!));
          return [...given[0]!];
        });
      });
      const actual = await valuesOf(outputsOf(q, samples())[0]!);
      const unlike = expected.filter((each, i) => Math.abs(each - actual[i]!) > 1e-5).length;
      // Where a value lies between two levels, float32 may decide otherwise, and what follows from it.
      expect(unlike / expected.length).toBeLessThan(0.06);
      const [float] = outputsOf(dequantizeModel(q), samples());
      expect((await valuesOf(float!)).filter((each, i) => Math.abs(each - actual[i]!) > 1e-5).length).toBeGreaterThan(
        0.9 * expected.length,
      );
    });
  }

  it('measures all steps, also where the last alone is put out', async () => {
    needsTraining();
    for (const observe of ['calibrate', 'train'] as const) {
      const q = quantizeModel(modelOf(layers.lstm({units: UNITS, name: 'l'})), {
        activations: {observer: 'lastValue'},
        layers: {x: false},
      });
      if (observe === 'calibrate') await calibrate(q, samples(), {method: 'minMax', batchSize: SAMPLES});
      else {
        const optimizer = tf.train.sgd(0);
        q.compile({optimizer, loss: 'meanSquaredError'});
        await q.trainOnBatch(samples(), tf.zeros([SAMPLES, UNITS]));
        optimizer.dispose();
      }
      // Before there are ranges nothing is rounded.
      const all = modelOf(layers.lstm(ARGS));
      all.setWeights(dequantizeModel(q).getWeights());
      const hidden = [...(await valuesOf(outputsOf(all, samples())[0]!))];
      const {min, max} = (await describeQuantization(q).read()).find(row => row.what === 'output')!;
      expect(min)
        .withContext(observe)
        .toBeCloseTo(Math.min(...hidden), 5);
      expect(max)
        .withContext(observe)
        .toBeCloseTo(Math.max(...hidden), 5);
    }
  });

  it('trains through the rounding of states, and keeps nothing', async () => {
    needsTraining();
    for (const recipe of ['minMax', 'learned'] as const) {
      const q = quantizeModel(modelOf(layers.lstm({units: UNITS, name: 'l'})), {recipe});
      await calibrate(q, samples());
      const optimizer = tf.train.sgd(0.5);
      q.compile({optimizer, loss: 'meanSquaredError'});
      const target = tf.fill([SAMPLES, UNITS], 0.3);
      const before = await valuesOf(q.getWeights()[1]!);
      const losses: number[] = [(await q.trainOnBatch(samples(), target)) as number];
      const {numTensors} = tf.memory();
      const [x] = [samples()];
      for (let i = 0; i < 5; ++i) losses.push((await q.trainOnBatch(x, target)) as number);
      expect(tf.memory().numTensors).toBe(numTensors + 1);
      expect(losses[5]).withContext(recipe).toBeLessThan(losses[0]!);
      expect(await valuesOf(q.getWeights()[1]!)).not.toEqual(before);
      optimizer.dispose();
    }
  });

  it('has one step for each gate of an LSTM that runtimes have whole', async () => {
    const model = modelOf(layers.lstm({...ARGS, recurrentActivation: 'sigmoid'}));
    const {weights} = await quantizedWeights(quantizeModel(model));
    const [kernel] = model.getWeights();
    const columns = (await kernel!.array()) as number[][];
    const largest = [0, 1, 2, 3].map(gate =>
      Math.max(...columns.flatMap(row => row.slice(gate * UNITS, (gate + 1) * UNITS).map(Math.abs))),
    );
    const [own] = weights;
    expect([own!.shape, own!.view, own!.axis]).toEqual([[INPUTS, 4 * UNITS], [INPUTS, 4, UNITS], 1]);
    largest.forEach((each, gate) => expect(own!.scale[gate]).toBeCloseTo(each / 127, 8));
    columns.flat().forEach((value, i) => {
      const scale = own!.scale[Math.floor(i / UNITS) % 4]!;
      expect(Math.abs(own!.levels[i]! - value / scale)).toBeLessThanOrEqual(0.501);
    });
  });

  it('is in files what it was', async () => {
    needsSpeed();
    const stack = [layers.lstmCell({units: 3, recurrentActivation: 'sigmoid'}), layers.gruCell({units: 2})];
    const q = quantizeModel(modelOf(layers.rnn({cell: stack, returnState: true, name: 'l'})));
    await calibrate(q, samples());
    const expected = await Promise.all(outputsOf(q, samples()).map(valuesOf));
    for (const small of [undefined, {fakeQuant: true}]) {
      const again = await reloaded(q, small);
      const actual = await Promise.all(outputsOf(again, samples()).map(valuesOf));
      expect(actual).toEqual(expected);
    }
  });

  it('that was saved before states were rounded is as it was', async () => {
    const model = modelOf(layers.lstm({...ARGS, recurrentActivation: 'sigmoid', returnState: true}));
    const q = quantizeModel(model, {layers: {x: false}});
    await calibrate(q, samples());
    const saved = await artifactsOf(q);
    const text = JSON.stringify(saved.modelTopology).replace('"states":true', '"states":false');
    expect(text).not.toBe(JSON.stringify(saved.modelTopology));
    const before = await tfl.models.modelFromJSON(JSON.parse(text) as never);
    const states = (await describeQuantization(before).read()).filter(({what}) => what.startsWith('output'));
    expect(states.map(({what, note}) => [what, note.includes('not rounded')])).toEqual([
      ['output', false],
      ['output 3', true],
    ]);
    before.layers[1]!.setWeights(
      before.layers[1]!.getWeights().map((each, i) => (i < 3 ? model.getWeights()[i]! : each)),
    );
    await calibrate(before, samples());
    const [, , c] = outputsOf(before, samples());
    const [, , float] = outputsOf(dequantizeModel(before), samples());
    expect(await valuesOf(c!)).toEqual(await valuesOf(float!));
    expect((await quantizedWeights(before)).weights[0]!.scale.length).toBe(4 * UNITS);
  });
});

describe('a range whose step is a power of two', () => {
  scoped();

  it('holds what was measured, by less than twice', async () => {
    for (const largest of [0.3, 0.5, 0.99, 1, 1.01, 3, 63, 1e-9]) {
      const quantizer = new FakeQuantizer({numBits: 16, symmetric: true, powerOfTwo: true});
      const x = tf.tensor1d([largest, -largest / 3, largest / 2 ** 20, 0]);
      const rounded = await valuesOf(quantizer.apply(x, {training: true}));
      const ends = await Promise.all(quantizer.range().map(valuesOf));
      const end = Math.max(2 ** -20, 2 ** Math.ceil(Math.log2(largest)));
      expect(ends.map(([each]) => each!)).toEqual([-end, end * (1 - 2 ** -15)]);
      const step = end / 2 ** 15;
      (await valuesOf(x)).forEach((value, i) => {
        const level = Math.min(32767, Math.round(value / step));
        expect(rounded[i])
          .withContext(`${value}`)
          .toBe(Math.fround(level * step));
      });
      expect(await valuesOf(quantizer.apply(x))).toEqual(rounded);
      quantizer.dispose();
    }
  });

  it('can be one of each channel', async () => {
    const quantizer = new FakeQuantizer({symmetric: true, powerOfTwo: true, axis: 1});
    quantizer.apply(tf.tensor2d([[0.3, 5], [-0.1, -4]]), {training: true}); // prettier-ignore
    const {values} = await quantizer.snapshot();
    expect(values).toEqual({min: [-0.5, -8], max: [0.5 * (127 / 128), 8 * (127 / 128)]});
    quantizer.dispose();
  });

  it('is symmetric, not narrow and not learned', () => {
    const make = (options: object) => () => new FakeQuantizer({symmetric: true, powerOfTwo: true, ...options});
    expect(make({})).not.toThrow();
    expect(make({symmetric: false})).toThrowError(/powerOfTwo needs symmetric: true/);
    expect(make({narrowRange: true})).toThrowError(/powerOfTwo needs narrowRange: false/);
    expect(make({observer: 'learned'})).toThrowError(/powerOfTwo needs an observer that measures/);
  });
});
