/** toTFLite of models that are not quantized, whose weights are stored as float32, float16, int8 or int4. */
import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import * as fc from 'fast-check';
import {calibrate, quantizeModel} from '../../src/entries/qat';
import {toTFLite} from '../../src/entries/tflite';
import {sizeProblems} from '../../src/export/tflite/flat_model';
import {scoped} from '../support/scoped';
import {mobileNetV2} from '../../lab/mobilenet';
import {Nodes} from './segments';
import {parse, quantizedByLiteRt, run, type SchemaModel, stopRuntimes} from './runtimes';

afterAll(stopRuntimes);

const {layers} = tfl;

/** What a weight of a shape holds. */
type Values = (shape: readonly number[], seed: number) => tf.Tensor;

const normal: Values = (shape, seed) => tf.randomNormal([...shape], 0, 1, 'float32', seed);

/** Channels of all sizes, some of them 0. */
const uneven: Values = (shape, seed) => {
  const channels = shape[shape.length - 1]!;
  const sizes = tf.pow(10, tf.randomUniform([channels], -8, 3, 'float32', seed));
  const isThere = tf.randomUniform([channels], 0, 1, 'float32', seed + 1).greater(0.2);
  return normal(shape, seed).mul(sizes).mul(isThere);
};

/** A model of layers one after the other. */
function stack(shape: readonly number[], all: readonly tfl.layers.Layer[], values = normal): tfl.LayersModel {
  const input = tfl.input({shape: [...shape], name: 'x'});
  const output = all.reduce((y, layer) => layer.apply(y) as tfl.SymbolicTensor, input);
  const model = tfl.model({inputs: input, outputs: output});
  tf.tidy(() => model.setWeights(model.weights.map(({shape: own}, i) => values(own as number[], i + 1))));
  return model;
}

/** The layer of a product, and the numbers that it is given. */
interface Product {
  readonly shape: readonly number[];
  readonly make: () => tfl.layers.Layer;
}

const upTo = (max: number) => fc.integer({min: 1, max});
const padding = 'same';

const PRODUCTS: Readonly<Record<string, fc.Arbitrary<Product>>> = {
  Conv1D: fc
    .record({i: upTo(60), filters: upTo(60), kernelSize: upTo(3)})
    .map(({i, ...args}) => ({shape: [5, i], make: () => layers.conv1d({...args, padding})})),
  Conv2D: fc
    .record({i: upTo(24), filters: upTo(24), kernelSize: upTo(4), strides: upTo(2)})
    .map(({i, ...args}) => ({shape: [6, 5, i], make: () => layers.conv2d({...args, padding})})),
  Conv2DTranspose: fc
    .record({i: upTo(24), filters: upTo(24), kernelSize: upTo(4), strides: upTo(2)})
    .map(({i, ...args}) => ({shape: [3, 4, i], make: () => layers.conv2dTranspose({...args, padding})})),
  Dense: fc
    .record({i: upTo(70), units: upTo(70), rows: fc.constantFrom([], [3])})
    .map(({i, rows, ...args}) => ({shape: [...rows, i], make: () => layers.dense(args)})),
  DepthwiseConv2D: fc
    .record({i: upTo(90), depthMultiplier: upTo(2), kernelSize: upTo(4)})
    .map(({i, ...args}) => ({shape: [6, 5, i], make: () => layers.depthwiseConv2d({...args, padding})})),
  SeparableConv2D: fc
    .record({i: upTo(90), filters: upTo(40), kernelSize: upTo(4)})
    .map(({i, ...args}) => ({shape: [6, 5, i], make: () => layers.separableConv2d({...args, padding})})),
};

const OF_PRODUCTS = /^(BATCH_MATMUL|CONV_2D|DEPTHWISE_CONV_2D|EMBEDDING_LOOKUP|FULLY_CONNECTED|TRANSPOSE_CONV)$/;

/** The weights of products in a file, without what it alone calls them: float16 ones where they come from. */
function weightsIn({operators, tensors}: SchemaModel) {
  // LiteRT's quantizer forgets to say that they are DEQUANTIZE.
  const halves = operators.filter(({inputs}) => tensors[inputs[0]!]!.type === 'FLOAT16');
  const made = new Map(halves.map(each => [each.outputs[0]!, each]));
  return operators
    .filter(({name}) => OF_PRODUCTS.test(name))
    .map(({inputs}) => tensors[made.get(inputs[1]!)?.inputs[0] ?? inputs[1]!]!)
    .map(({type, shape, scale, zeroPoint, axis, digest}) => ({type, shape, scale, zeroPoint, axis, digest}));
}

/** What of a model's products is in its file, and in that which LiteRT's quantizer makes of its float file. */
async function bothOf(model: tfl.LayersModel, weights: keyof typeof BITS) {
  const [floats, ours] = [await toTFLite(model), await toTFLite(model, {weights})];
  const theirs = await quantizedByLiteRt(floats, BITS[weights]);
  return {own: weightsIn(await parse(ours)), theirs: weightsIn(await parse(theirs))};
}

const BITS = {float16: 16, int8: 8, int4: 4} as const;

describe("toTFLite's weights as LiteRT's quantizer has them", () => {
  scoped();

  for (const [name, product] of Object.entries(PRODUCTS)) {
    for (const weights of ['float16', 'int8', 'int4'] as const) {
      it(`${name}, ${weights}`, async () => {
        let narrow = 0;
        await fc.assert(
          fc.asyncProperty(product, fc.boolean(), async ({shape, make}, isUneven) => {
            const model = stack(shape, [make()], isUneven ? uneven : normal);
            const {own, theirs} = await bothOf(model, weights);
            expect(own.length).toBeGreaterThan(0);
            expect(own).toEqual(theirs);
            narrow += own.filter(({type}) => type !== 'FLOAT32').length;
          }),
          {numRuns: 40, seed: 16},
        );
        expect(narrow).toBeGreaterThan(5);
      });
    }
  }

  it('which makes integers of 1024 numbers and more', async () => {
    for (const weights of ['int8', 'int4'] as const) {
      for (const [inputs, units, type] of [
        [33, 31, 'FLOAT32'],
        [32, 32, weights.toUpperCase()],
      ] as const) {
        const {own, theirs} = await bothOf(stack([inputs], [layers.dense({units})]), weights);
        expect(own).toEqual(theirs);
        expect(own.map(each => each.type)).toEqual([type]);
      }
    }
  });

  it('constants of graph segments', async () => {
    const operations = {
      BatchMatMulV2: [[1, 5, 40], (to: Nodes, x: string) => to.add('BatchMatMulV2', [x, to.noise([1, 40, 30])])],
      'BatchMatMulV2, transposed': [
        [1, 5, 40],
        (to: Nodes, x: string) => to.add('BatchMatMulV2', [x, to.noise([1, 30, 40])], {adj_y: true}),
      ],
      Conv2D: [
        [1, 6, 5, 12],
        (to: Nodes, x: string) =>
          to.add('Conv2D', [x, to.noise([3, 3, 12, 11])], {
            strides: [1, 1, 1, 1],
            padding: 'SAME',
            dilations: [1, 1, 1, 1],
          }),
      ],
      MatMul: [[1, 40], (to: Nodes, x: string) => to.add('MatMul', [x, to.noise([40, 31])])],
    } as const;
    for (const [name, [shape, add]] of Object.entries(operations)) {
      const [nodes, x] = [new Nodes(), normal(shape, 5)];
      const segment = nodes.segment('graph', ['x'], [add(nodes, 'x')], [x]);
      const input = tfl.input({batchShape: [...shape], name: 'x'});
      const model = tfl.model({inputs: input, outputs: segment.apply(input) as tfl.SymbolicTensor});
      const expected = tf.tidy(() => (model.predict(x) as tf.Tensor).dataSync<'float32'>());
      for (const weights of ['int8', 'int4'] as const) {
        const {own, theirs} = await bothOf(model, weights);
        expect(own).withContext(name).toEqual(theirs);
        expect(own[0]!.type)
          .withContext(name)
          .toMatch(/INT[48]/);
      }
      const bytes = await toTFLite(model, {weights: 'int8'});
      for (const runtime of ['reference', 'builtin', 'xnnpack', 'litert.js'] as const) {
        const [[y]] = (await run(bytes, runtime, [[x.dataSync<'float32'>()]])) as [[Float32Array]];
        const most = expected.reduce((largest, each) => Math.max(largest, Math.abs(each)), 0);
        const far = y.reduce((largest, each, i) => Math.max(largest, Math.abs(each - expected[i]!)), 0);
        expect(far / most)
          .withContext(`${name}, ${runtime}`)
          .toBeLessThan(0.03);
      }
    }
  });

  it('a row of an Embedding as an output of Dense', async () => {
    for (const [weights, columns] of [
      ['int8', 33],
      ['int4', 32],
    ] as const) {
      const table = uneven([columns, 40], 3).transpose<tf.Tensor2D>();
      const embedding = stack([7], [layers.embedding({inputDim: 40, outputDim: columns})], () => table);
      const dense = stack([columns], [layers.dense({units: 40, useBias: false})], () => table.transpose());
      const [found, expected] = [await toTFLite(embedding, {weights}), await toTFLite(dense, {weights})];
      expect(weightsIn(await parse(found))).toEqual(weightsIn(await parse(expected)));
    }
  });
});

async function messageOf(model: tfl.LayersModel, options: object): Promise<string> {
  return toTFLite(model, options).then(
    () => '',
    (error: unknown) => (error as Error).message,
  );
}

describe('toTFLite is told weights', () => {
  scoped();

  it('that float16 does not reach, of all layers at once', async () => {
    const names = ['first', 'second', 'third', 'fourth'];
    const largest = [65519, -65520, 1e9, 2];
    const all = names.map(name => layers.dense({units: 3, name, useBias: name !== 'third'}));
    const model = stack([3], all);
    model.layers.slice(1).forEach((layer, i) => {
      const [kernel, ...others] = layer.getWeights();
      layer.setWeights([
        tf.fill(kernel!.shape, largest[i]! / 2),
        ...others.map(each => tf.fill(each.shape, largest[i]!)),
      ]);
    });
    const reach = 'and float16 ends at 65504';
    expect(await messageOf(model, {weights: 'float16'})).toBe(
      'toTFLite: 2 problems:\n' +
        `- layer second: its weights hold -65520, ${reach}. Use weights 'float32' or 'int8', or scale them.\n` +
        `- layer third: its weights hold 500000000, ${reach}. Use weights 'float32' or 'int8', or scale them.`,
    );
    // What is nearer to the largest number than to the next that there would be becomes that.
    const small = stack([1], [layers.dense({units: 2, useBias: false})], () => tf.tensor2d([[65519, -65519]]));
    const bytes = await toTFLite(small, {weights: 'float16'});
    expect(await run(bytes, 'xnnpack', [[Float32Array.of(1)]])).toEqual([[Float32Array.of(65504, -65504)]]);
  });

  it('of quantized models, whose integers are there', async () => {
    const q = quantizeModel(stack([3], [layers.dense({units: 2})]));
    await calibrate(q, tf.ones([1, 3]));
    for (const weights of ['float32', 'float16', 'int4']) {
      const message = await messageOf(q, {weights});
      expect(message).toContain(`weights '${weights}' are for what computes in float, but the model is quantized`);
      expect(message).toContain('int4: true');
    }
    expect(await toTFLite(q, {weights: 'int8'})).toEqual(await toTFLite(q));
  });

  it('of layers that a quantized model computes in float', async () => {
    const dense = (name: string) => layers.dense({units: 40, name});
    const q = quantizeModel(stack([40], [dense('rounded'), dense('left')]), {layers: {left: false}});
    await calibrate(q, normal([4, 40], 2));
    for (const [weights, type] of [
      ['float32', 'FLOAT32'],
      ['float16', 'FLOAT16'],
      ['int4', 'INT4'],
    ] as const) {
      const bytes = await toTFLite(q, {floatFallback: true, weights});
      expect(weightsIn(await parse(bytes)).map(each => each.type)).toEqual(['INT8', type]);
      expect((await run(bytes, 'xnnpack', [[new Float32Array(40)]]))[0]![0]!.length).toBe(40);
    }
  });

  it('of a type that there is not', async () => {
    const model = stack([3], [layers.dense({units: 2})]);
    const types = "weights must be 'float32' or 'float16' or 'int8' or 'int4', but was the string 'bfloat16'.";
    expect(await messageOf(model, {weights: 'bfloat16'})).toContain(types);
    expect(await messageOf(model, {int4: true})).toContain("Use weights 'int4'.");
  });

  it('of 2 GiB', () => {
    const length = 2 ** 30;
    const bytes = () => {
      throw new Error('it is not to be made');
    };
    const constant = (key: string) => ({length, key, bytes});
    const fileOf = (...keys: string[]) => ({
      description: '',
      tensors: keys.map(key => ({name: key, type: 'float32', shape: [2 ** 28], data: constant(key)}) as const),
      operators: [],
      inputs: [],
      outputs: [],
      metadata: [],
    });
    expect(sizeProblems(fileOf('a', 'b')).join()).toMatch(/2 GiB.* takes up to 21\d{8} bytes.*'float16'/);
    // The same numbers are there once.
    expect(sizeProblems(fileOf('a', 'a'))).toEqual([]);
  });
});

describe('A float file of MobileNet v2', () => {
  scoped();

  it('is as small as its weights', async () => {
    const model = mobileNetV2(224);
    const bytes = async (weights: 'float32' | 'float16' | 'int8' | 'int4') => (await toTFLite(model, {weights})).length;
    const whole = await bytes('float32');
    for (const [weights, share] of [
      ['float16', 0.51],
      ['int8', 0.27],
      ['int4', 0.15],
    ] as const) {
      const found = (await bytes(weights)) / whole;
      expect(found).withContext(weights).toBeLessThan(share);
    }
  });
});
