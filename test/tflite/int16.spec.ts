/** toTFLite of activations with more than 8 bits: int16, with the weights in int8; alone, and beside layers of other widths. */
import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import {type ActivationOptions, calibrate, quantizeModel} from '../../src/entries/qat';
import {SEGMENT} from '../../src/graph_model/saved_segment';
import {SPECS} from '../../src/layers/specs';
import type {LayerSpec} from '../../src/layers/specs/layer_spec';
import {LOWERINGS} from '../../src/inference/lowerings';
import {toTFLite, type TFLiteOptions} from '../../src/entries/tflite';
import {scoped} from '../support/scoped';
import {loadDigits, trainedDigitModel} from './digits';
import {distances, EACH_LAYER, quantizedSmall} from './each_layer';
import {WITHOUT} from './random_layers';
import {parse, run, type Runtime, stopRuntimes} from './runtimes';

afterAll(stopRuntimes);

const {layers} = tfl;

describe('toTFLite of int16 activations', () => {
  scoped();

  for (const activations of [{numBits: 16, symmetric: true}, {numBits: 12}]) {
    it(`agrees with the model in all runtimes: ${JSON.stringify(activations)}`, async () => {
      const {train, test} = await loadDigits();
      const model = await trainedDigitModel('linear');
      const q = quantizeModel(model, {activations});
      await calibrate(q, train.images.slice(0, 256));
      const bytes = await toTFLite(q);
      const {operators, tensors} = await parse(bytes);
      expect(new Set(operators.map(({outputs}) => tensors[outputs[0]!]!.type))).toEqual(new Set(['INT16', 'FLOAT32']));
      const images = Array.from({length: 40}, (_, i) => [test.images.slice(i, 1).dataSync<'float32'>()]);
      const expected = tf.tidy(() => (q.predict(test.images.slice(0, 40)) as tf.Tensor).dataSync());
      const step = tensors[operators[operators.length - 1]!.inputs[0]!]!.scale[0]!;
      for (const runtime of ['reference', 'xnnpack', 'litert.js', 'micro'] as const) {
        const rows = (await run(bytes, runtime, images)).flatMap(([row]) => [...row!]);
        const off = rows.map((each, i) => Math.abs(each - expected[i]!) / step);
        // Of 65536 levels; float32 has not many more.
        expect(Math.max(...off))
          .withContext(runtime)
          .toBeLessThan(3.5);
      }
    });
  }
});

const W8 = {numBits: 8};
const W12 = {numBits: 12};
const W16 = {numBits: 16, symmetric: true};

/** How the inputs, every other one, are rounded; and all the rest. */
const WIDTHS: readonly (readonly [inputs: ActivationOptions, others: ActivationOptions])[] = [
  [{numBits: 4}, W8],
  [W8, W12],
  [W12, W8],
  [{numBits: 10}, {numBits: 15}],
  [W16, W16],
  [
    {numBits: 8, symmetric: true},
    {numBits: 16, symmetric: true, narrowRange: true},
  ],
];

const isWide = ({numBits = 8}: ActivationOptions) => numBits > 8;

function runtimesFor(name: string): readonly Runtime[] {
  // Microcontrollers have no kernel of int16 for it.
  const lacking = name === 'UpSampling2D, bilinear' ? ['micro'] : (WITHOUT[name] ?? []);
  return (['reference', 'xnnpack', 'micro'] as const).filter(each => !lacking.includes(each));
}

function quantizedTo(name: string, [inputs, others]: (typeof WIDTHS)[number]) {
  return quantizedSmall(EACH_LAYER[name]!, model => ({
    activations: others,
    recipe: 'minMax',
    layers: Object.fromEntries(model.inputNames.map((input, i) => [input, {activations: i % 2 ? others : inputs}])),
  }));
}

/** What a model gives unrounded is half a level off on any grid. */
const UNROUNDED = 0.5;

describe('toTFLite of several widths', () => {
  scoped();

  for (const [name, {tolerance = 1, wide = tolerance, isNarrow = false}] of Object.entries(EACH_LAYER)) {
    it(`in a model of ${name}`, async () => {
      for (const widths of WIDTHS.filter(each => !isNarrow || !each.some(isWide))) {
        const model = await quantizedTo(name, widths);
        const bytes = await toTFLite(model.q);
        for (const [runtime, off] of await distances(model, bytes, runtimesFor(name))) {
          expect(off)
            .withContext(`${JSON.stringify(widths)}, ${runtime}`)
            .toBeLessThanOrEqual((isWide(widths[1]) ? wide : tolerance) + UNROUNDED);
        }
      }
    });
  }

  it('in a model that averages 8 bits to more, of images and of rows', async () => {
    for (const shape of [
      [3, 3, 2],
      [5, 3],
    ]) {
      const small = {
        inputs: [shape, shape],
        build: (...inputs: tfl.SymbolicTensor[]) => layers.average().apply(inputs) as tfl.SymbolicTensor,
      };
      const model = await quantizedSmall(small, ({inputNames}) => ({
        activations: W12,
        layers: Object.fromEntries(inputNames.map(input => [input, {activations: W8}])),
      }));
      for (const [runtime, off] of await distances(model, await toTFLite(model.q), ['reference', 'xnnpack', 'micro'])) {
        expect(off).withContext(`${shape.join()}, ${runtime}`).toBeLessThanOrEqual(2);
      }
    }
  });

  it('in a model that concatenates the largest of images, which their ranges come after', async () => {
    const channelsLast = {dataFormat: 'channelsLast'} as const;
    const model = await quantizedSmall(
      {
        inputs: [[3, 3, 2]],
        build: x => {
          const conv = layers.conv2d({filters: 2, kernelSize: 2}).apply(x) as tfl.SymbolicTensor;
          const most = layers.globalMaxPooling2d(channelsLast).apply(conv) as tfl.SymbolicTensor;
          return layers
            .concatenate()
            .apply([most, layers.flatten().apply(x) as tfl.SymbolicTensor]) as tfl.SymbolicTensor;
        },
      },
      () => ({activations: W16, recipe: 'minMax'}),
    );
    for (const [runtime, off] of await distances(model, await toTFLite(model.q), ['reference', 'xnnpack', 'micro'])) {
      expect(off)
        .withContext(runtime)
        .toBeLessThanOrEqual(1 + UNROUNDED);
    }
  });

  it('is tried with every class that can be written', async () => {
    const seen = new Set<string>();
    for (const small of Object.values(EACH_LAYER)) {
      const {q} = await quantizedSmall(small, () => ({}));
      for (const layer of q.layers) {
        const inner = (layer as unknown as {layer?: tfl.layers.Layer}).layer;
        for (const each of [layer, inner]) if (each) seen.add(each.getClassName());
      }
    }
    const rows = Object.entries<LayerSpec>(SPECS);
    const inFloat = rows.filter(([, {lowered}]) => lowered === 'float').map(([name]) => name);
    // Of specs of their own, and of tfmot's.
    const others = [...inFloat, 'QuantizeLayer', SEGMENT];
    expect(Object.keys(LOWERINGS).filter(name => !seen.has(name)).sort()).toEqual(others.sort()); // prettier-ignore
  });
});

async function ofDense(
  activations: ActivationOptions,
  args: object = {},
): Promise<{q: tfl.LayersModel; x: tf.Tensor[]}> {
  return quantizedSmall(
    {inputs: [[4]], build: x => layers.dense({units: 3, name: 'd', ...args}).apply(x) as never},
    () => ({
      activations,
      recipe: 'minMax',
    }),
  );
}

async function messageOf(q: tfl.LayersModel, options: TFLiteOptions = {}): Promise<string> {
  return toTFLite(q, options).then(
    () => 'no error',
    (error: unknown) => (error as Error).message,
  );
}

const PORTS = {int8: [Int8Array, -128, 127], uint8: [Uint8Array, 0, 255], int16: [Int16Array, -32768, 32767]} as const;

describe('toTFLite of int16, in detail', () => {
  scoped();

  for (const [type, widths] of [
    ['int8', [W8, {numBits: 4}]],
    ['uint8', [W8, {numBits: 4}]],
    ['int16', [W8, {numBits: 4}, W12, W16]],
  ] as const) {
    it(`takes and gives ${type}`, async () => {
      for (const activations of widths) {
        const {q, x} = await ofDense(activations);
        const bytes = await toTFLite(q, {inputType: type, outputType: type});
        const {tensors, operators} = await parse(bytes);
        const given = tensors[operators[0]!.inputs[0]!]!;
        const taken = tensors[operators[operators.length - 1]!.outputs[0]!]!;
        expect([given.type, taken.type]).toEqual([type.toUpperCase(), type.toUpperCase()]);
        if (type === 'int16') expect([given.zeroPoint, taken.zeroPoint]).toEqual([[0], [0]]);
        const [array, low, high] = PORTS[type];
        const stored = x[0]!
          .dataSync<'float32'>()
          .map(each => Math.round(each / given.scale[0]!) + given.zeroPoint[0]!);
        const integers = new array(stored.map(each => Math.max(low, Math.min(high, each))));
        const expected = tf.tidy(() => (q.predict(x[0]!) as tf.Tensor).dataSync());
        const runs = Array.from({length: integers.length / 4}, (_, i) => [integers.slice(4 * i, 4 * i + 4)]);
        for (const runtime of ['reference', 'xnnpack', 'micro'] as const) {
          const got = (await run(bytes, runtime, runs)).flatMap(([y]) => [...y!]);
          const off = got.map((each, i) => Math.abs(each - taken.zeroPoint[0]! - expected[i]! / taken.scale[0]!));
          expect(Math.max(...off))
            .withContext(`${JSON.stringify(activations)}, ${runtime}`)
            .toBeLessThan(1.01);
        }
      }
    });
  }

  it('refuses ports with fewer levels than the model has', async () => {
    const {q} = await ofDense(W12);
    const message = await messageOf(q, {inputType: 'int8', outputType: 'uint8'});
    expect(message).toContain("inputType int8 has 256 levels, but input x0 more. Use 'int16' or 'float32'");
    expect(message).toContain("outputType uint8 has 256 levels, but output d more. Use 'int16' or 'float32'");
  });

  it('refuses an ELU of more than 8 bits, and writes one of 8 bits between others', async () => {
    expect(await messageOf((await ofDense(W12, {activation: 'elu'})).q)).toMatch(
      /layer d: TensorFlow Lite computes ELU on 8 bits only\. .*numBits of 8 or fewer, or use another activation/,
    );
    const small = {
      inputs: [[4]],
      build: (x: tfl.SymbolicTensor) =>
        layers.dense({units: 2}).apply(layers.dense({units: 3, activation: 'elu', name: 'd'}).apply(x)) as never,
    };
    const model = await quantizedSmall(small, () => ({activations: W12, layers: {d: {activations: W8}}}));
    const [[, off]] = (await distances(model, await toTFLite(model.q), ['xnnpack'])) as [[Runtime, number]];
    expect(off).toBeLessThan(1.5);
  });

  it('refuses numbers so large that kernels overflow', async () => {
    for (const [activation, operator] of Object.entries({sigmoid: 'LOGISTIC', softmax: 'SOFTMAX', tanh: 'TANH'})) {
      const {q} = await ofDense(W12, {activation});
      const large = (scale: number) =>
        q.layers.forEach(layer => {
          if (layer.name === 'd') layer.setWeights(layer.getWeights().map((w, i) => (i === 0 ? w.mul(scale) : w)));
        });
      large(1e6);
      const x = tf.randomNormal([12, 4], 0, 1, 'float32', 3);
      await calibrate(q, x);
      expect(await messageOf(q)).toMatch(
        new RegExp(`layer d: TensorFlow Lite computes ${operator} of more than 8 bits for numbers up to 131072, but`),
      );
      large(1e-2);
      await calibrate(q, x);
      const [[, off]] = (await distances({q, x: [x]}, await toTFLite(q), ['xnnpack'])) as [[Runtime, number]];
      expect(off).toBeLessThan(8);
    }
  });

  it('stores weights of 4 bits as int4 where a kernel of int16 reads them', async () => {
    const conv = () => layers.conv2d({filters: 2, kernelSize: 2, name: 'conv'});
    const depthwise = () => layers.depthwiseConv2d({kernelSize: 2, name: 'depthwise'});
    const dense = () => layers.dense({units: 3, name: 'dense'});
    for (const [make, type] of [
      [conv, 'INT4'],
      [dense, 'INT4'],
      [depthwise, 'INT8'],
    ] as const) {
      const small = {inputs: [[3, 4, 2]], build: (x: tfl.SymbolicTensor) => make().apply(x) as never};
      const options = {weights: {numBits: 4}, activations: W12, recipe: 'minMax'} as const;
      const model = await quantizedSmall(small, () => options);
      const bytes = await toTFLite(model.q, {int4: true});
      expect((await parse(bytes)).tensors.find(({name}) => name.endsWith('/weights'))!.type).toBe(type);
      for (const [runtime, off] of await distances(model, bytes, ['reference', 'builtin', 'xnnpack'])) {
        expect(off).withContext(`${type}, ${runtime}`).toBeLessThan(1.5);
      }
    }
  });

  it('writes an embedding with a range for each row on the grid of its output', async () => {
    const small = EACH_LAYER['Embedding']!;
    for (const activations of [W8, W12]) {
      const model = await quantizedSmall(small, () => ({weights: {perChannel: true}, activations}));
      const bytes = await toTFLite(model.q);
      // Microcontrollers look up int8 alone.
      const runtimes: readonly Runtime[] = ['reference', 'xnnpack', 'micro'];
      const tried = isWide(activations) ? runtimes.slice(0, 2) : runtimes;
      for (const [runtime, off] of await distances(model, bytes, tried)) {
        expect(off).withContext(runtime).toBeLessThan(1.5);
      }
    }
  });

  it("has the versions of TensorFlow's op_version.cc", async () => {
    const versions = new Map<string, Set<number>>();
    for (const small of Object.values(EACH_LAYER).filter(each => !each.isNarrow)) {
      const {q} = await quantizedSmall(small, () => ({activations: W12}));
      const {operators, tensors} = await parse(await toTFLite(q));
      for (const {name, version, inputs, outputs} of operators) {
        const types = [...inputs, ...outputs].map(i => tensors[i]!.type);
        if (!types.includes('INT16')) continue;
        versions.set(name, (versions.get(name) ?? new Set()).add(version));
      }
    }
    expect(Object.fromEntries([...versions].map(([name, all]) => [name, [...all]]))).toEqual({
      ...Object.fromEntries(
        ['ADD', 'AVERAGE_POOL_2D', 'BATCH_MATMUL', 'CONCATENATION', 'DEQUANTIZE'].map(name => [name, [3]]),
      ),
      ...Object.fromEntries(['LOGISTIC', 'MAX_POOL_2D', 'MEAN', 'PAD', 'RELU', 'SOFTMAX'].map(name => [name, [3]])),
      ...Object.fromEntries(['TANH', 'TRANSPOSE_CONV'].map(name => [name, [3]])),
      ...Object.fromEntries(['CONV_2D', 'MAXIMUM', 'MINIMUM', 'MUL', 'SLICE'].map(name => [name, [4]])),
      ...Object.fromEntries(['RESIZE_BILINEAR', 'RESIZE_NEAREST_NEIGHBOR'].map(name => [name, [4]])),
      ...Object.fromEntries(['DEPTHWISE_CONV_2D', 'SUB', 'TRANSPOSE'].map(name => [name, [5]])),
      ...Object.fromEntries(['LEAKY_RELU', 'QUANTIZE'].map(name => [name, [2]])),
      FULLY_CONNECTED: [7],
      RESHAPE: [1],
    });
  });
});
