/** Files of models that are not quantized: they compute what the models do, as closely as their weights are stored. */
import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import {toTFLite} from '../../src/entries/tflite';
import {scoped} from '../support/scoped';
import {EACH_LAYER, floatSmall, IN_FLOAT, SAMPLES} from './each_layer';
import {NETWORKS, seedNetwork} from './networks';
import {WITHOUT} from './random_layers';
import {parse, run, runByName, type Runtime, stopRuntimes} from './runtimes';

afterAll(stopRuntimes);

const {layers} = tfl;
const LITERT = ['reference', 'builtin', 'xnnpack', 'litert.js'] as const;

/** How far outputs may be from the model's, of the largest. */
const WITHIN = {float32: 1e-5, float16: 1e-3} as const;

/** How far a file's outputs are from a model's, of the largest. */
async function distance(
  model: tfl.LayersModel,
  x: readonly tf.Tensor[],
  bytes: Uint8Array,
  runtime: Runtime,
  {batch = 1, resize = false} = {},
): Promise<number> {
  const expected = tf.tidy(() => (model.predict([...x]) as tf.Tensor).dataSync<'float32'>());
  const part = (each: tf.Tensor, i: number) => tf.tidy(() => each.slice(i * batch, batch).dataSync<'float32'>());
  const runs = Array.from({length: SAMPLES / batch}, (_, i) => x.map(each => part(each, i)));
  const got = (await run(bytes, runtime, runs, resize ? batch : undefined)).flatMap(([y]) => [...y!]);
  if (got.length !== expected.length) throw new Error(`${got.length} numbers instead of ${expected.length}`);
  const most = expected.reduce((largest, each) => Math.max(largest, Math.abs(each)), 0);
  return got.reduce((far, each, i) => Math.max(far, Math.abs(each - expected[i]!)), 0) / most;
}

describe('toTFLite of a model that is not quantized', () => {
  scoped();

  for (const [name, small] of Object.entries({...EACH_LAYER, ...IN_FLOAT})) {
    it(name, async () => {
      const {model, x} = floatSmall(small);
      for (const weights of ['float32', 'float16'] as const) {
        const bytes = await toTFLite(model, {weights});
        for (const runtime of LITERT) {
          // Which of them has no kernel.
          if (WITHOUT[name]?.includes(runtime)) continue;
          const far = await distance(model, x, bytes, runtime);
          expect(far).withContext(`${weights}, ${runtime}`).toBeLessThan(WITHIN[weights]);
        }
      }
      const bytes = await toTFLite(model, {batchSize: null});
      for (const runtime of ['builtin', 'xnnpack'] as const) {
        const far = await distance(model, x, bytes, runtime, {batch: 3, resize: true});
        expect(far).withContext(`any batch, ${runtime}`).toBeLessThan(WITHIN.float32);
      }
    });
  }
});

/** Numbers as float16 has them. */
function toFloat16(x: tf.Tensor): tf.Tensor {
  const steps = tf.pow(2, tf.sub(10, x.abs().log().div(Math.LN2).floor().maximum(-14)));
  return x.mul(steps).round().div(steps);
}

describe('toTFLite of a network that is not quantized', () => {
  scoped();

  for (const [name, make] of Object.entries(NETWORKS)) {
    it(`like ${name}`, async () => {
      const model = make();
      seedNetwork(model);
      const x = tf.randomNormal([SAMPLES, ...(model.inputs[0]!.shape.slice(1) as number[])], 0, 1, 'float32', 2);
      const [floats, halves] = [await toTFLite(model), await toTFLite(model, {weights: 'float16'})];
      for (const runtime of [...LITERT, 'micro'] as const) {
        expect(await distance(model, [x], floats, runtime))
          .withContext(runtime)
          .toBeLessThan(WITHIN.float32);
      }
      // Through many layers the model itself is that far from what it was with its weights rounded.
      const rounded = make();
      tf.tidy(() => rounded.setWeights(model.getWeights().map(toFloat16)));
      const lost = await distance(rounded, [x], floats, 'reference');
      for (const runtime of LITERT) {
        expect(await distance(model, [x], halves, runtime))
          .withContext(`float16, ${runtime}`)
          .toBeLessThan(Math.max(WITHIN.float16, 1.1 * lost));
      }
    });
  }
});

/** A layer with 1024 weights or more. */
interface Large {
  readonly shape: readonly number[];
  readonly make: () => tfl.layers.Layer;
  /** The dimensions of its weight over which all have the same step. */
  readonly over: readonly number[];
  /** Whether runtimes take its weights as int4. */
  readonly inInt4: boolean;
  readonly tokens?: boolean;
}

const LARGE: Readonly<Record<string, Large>> = {
  Conv1D: {
    shape: [6, 33],
    make: () => layers.conv1d({filters: 31, kernelSize: 3}),
    over: [0, 1],
    inInt4: true,
  },
  Conv2D: {
    shape: [6, 5, 11],
    make: () => layers.conv2d({filters: 13, kernelSize: 3, strides: 2, padding: 'same', activation: 'relu'}),
    over: [0, 1, 2],
    inInt4: true,
  },
  'Conv2D, dilated': {
    shape: [9, 8, 12],
    make: () => layers.conv2d({filters: 16, kernelSize: 3, dilationRate: 2}),
    over: [0, 1, 2],
    inInt4: true,
  },
  Conv2DTranspose: {
    shape: [3, 4, 12],
    make: () => layers.conv2dTranspose({filters: 11, kernelSize: 3, strides: 2, padding: 'same'}),
    over: [0, 1, 3],
    inInt4: false,
  },
  Dense: {shape: [65], make: () => layers.dense({units: 33, activation: 'relu'}), over: [0], inInt4: true},
  'Dense of rows': {shape: [5, 65], make: () => layers.dense({units: 33}), over: [0], inInt4: true},
  DepthwiseConv2D: {
    shape: [6, 5, 60],
    make: () => layers.depthwiseConv2d({kernelSize: 3, depthMultiplier: 2}),
    over: [0, 1],
    inInt4: false,
  },
  Embedding: {
    shape: [5],
    make: () => layers.embedding({inputDim: 50, outputDim: 24}),
    over: [1],
    inInt4: true,
    tokens: true,
  },
  // Runtimes would read each second row from the middle of a byte on.
  'Embedding of odd rows': {
    shape: [5],
    make: () => layers.embedding({inputDim: 50, outputDim: 25}),
    over: [1],
    inInt4: false,
    tokens: true,
  },
};

/** A weight on a grid about 0 whose steps reach as far as its slices do. */
function onGrid(weight: tf.Tensor, over: readonly number[], most: number): tf.Tensor {
  const step = weight
    .abs()
    .max([...over], true)
    .div(most);
  return weight.div(step).round().mul(step);
}

describe('toTFLite with weights of integers', () => {
  scoped();

  for (const [name, {shape, make, over, inInt4, tokens = false}] of Object.entries(LARGE)) {
    for (const weights of ['int8', 'int4'] as const) {
      it(`${weights} of ${name}`, async () => {
        const input = tfl.input({shape: [...shape]});
        const model = tfl.model({inputs: input, outputs: make().apply(input) as tfl.SymbolicTensor});
        const values = model.weights.map((each, i) => tf.randomNormal(each.shape as number[], 0, 1, 'float32', 3 + i));
        model.setWeights(values);
        const files = {1: await toTFLite(model, {weights}), 3: await toTFLite(model, {weights, batchSize: null})};
        model.setWeights([onGrid(values[0]!, over, weights === 'int4' && inInt4 ? 7 : 127), ...values.slice(1)]);
        const x = tokens
          ? tf.randomUniform([SAMPLES, ...shape], 0, 50, 'float32', 1).floor()
          : tf.randomNormal([SAMPLES, ...shape], 0.3, 1, 'float32', 1);
        for (const runtime of LITERT) {
          // What is left is the rounding of the inputs, which are 8 bits on the way.
          const within = tokens ? 1e-6 : 0.015;
          expect(await distance(model, [x], files[1], runtime))
            .withContext(runtime)
            .toBeLessThan(within);
          if (runtime === 'litert.js') continue;
          expect(await distance(model, [x], files[3], runtime, {batch: 3, resize: true}))
            .withContext(`any batch, ${runtime}`)
            .toBeLessThan(within);
        }
      });
    }
  }
});

describe('toTFLite of an LSTM with weights of integers', () => {
  scoped();

  const shape = [6, 32];
  const lstm = (units: number) => layers.lstm({units, recurrentActivation: 'sigmoid', returnSequences: true});
  const x = () => tf.randomNormal([SAMPLES, ...shape], 0, 1, 'float32', 1);

  it('computes with one step for each gate', async () => {
    const input = tfl.input({shape});
    const model = tfl.model({inputs: input, outputs: lstm(33).apply(input) as tfl.SymbolicTensor});
    const [kernel, recurrent, bias] = model.weights.map((each, i) =>
      tf.randomNormal(each.shape as number[], 0, 0.3, 'float32', 3 + i),
    ) as [tf.Tensor, tf.Tensor, tf.Tensor];
    model.setWeights([kernel, recurrent, bias]);
    const bytes = await toTFLite(model, {weights: 'int8'});
    const onGrids = (weight: tf.Tensor) =>
      tf.concat(
        tf.split(weight, 4, 1).map(gate => onGrid(gate, [0, 1], 127)),
        1,
      );
    model.setWeights([onGrids(kernel), onGrids(recurrent), bias]);
    // LiteRT.js loads no file with this operator.
    for (const runtime of ['reference', 'builtin', 'xnnpack'] as const) {
      expect(await distance(model, [x()], bytes, runtime))
        .withContext(runtime)
        .toBeLessThan(0.02);
    }
    const {operators} = await parse(bytes);
    expect(operators.map(({name, version}) => [name, version])).toContain(['UNIDIRECTIONAL_SEQUENCE_LSTM', 3]);
  });

  it('keeps all of its kernels float where one is small', async () => {
    const input = tfl.input({shape});
    const model = tfl.model({inputs: input, outputs: lstm(31).apply(input) as tfl.SymbolicTensor});
    const {tensors} = await parse(await toTFLite(model, {weights: 'int8'}));
    expect(tensors.some(({type}) => type === 'INT8')).toBeFalse();
  });
});

describe('The signature of a file', () => {
  scoped();

  it('has the names of inputs and outputs, told apart', async () => {
    const [a, b] = ['a', 'b'].map(name => tfl.input({shape: [2], name})) as [tfl.SymbolicTensor, tfl.SymbolicTensor];
    const sum = layers.add({name: 'sum'}).apply([a, b]) as tfl.SymbolicTensor;
    const twice = layers.reLU({name: 'sum_1'});
    const outputs = [sum, twice.apply(a), twice.apply(b), sum] as tfl.SymbolicTensor[];
    const model = tfl.model({inputs: [b, a], outputs});
    const inputs = {a: Float32Array.of(1, -2, 5, 6), b: Float32Array.of(-3, 4, 7, 8)};
    for (const options of [{}, {batchSize: null}, {weights: 'float16', batchSize: null}] as const) {
      const batch = 'batchSize' in options ? 2 : 1;
      const given = Object.fromEntries(
        Object.entries(inputs).map(([name, values]) => [name, values.slice(0, 2 * batch)]),
      );
      const found = await runByName(await toTFLite(model, options), given);
      const part = (...values: number[]) => Float32Array.from(values.slice(0, 2 * batch));
      const [sums, ofA, ofB] = [part(-2, 2, 12, 14), part(1, 0, 5, 6), part(0, 4, 7, 8)];
      expect(found).toEqual({sum: sums, sum_1: ofA, sum_1_1: ofB, sum_2: sums});
    }
  });
});
