/** Layers that run nodes of graphs. */
import {dispose, io, memory, type Scalar, sum, tensor, type Tensor, train, variableGrads} from '@tensorflow/tfjs-core';
import {
  input,
  layers,
  type LayersModel,
  loadLayersModel,
  model as newModel,
  type SymbolicTensor,
} from '@tensorflow/tfjs-layers';
import {dequantizeModel, quantizeModel} from '../../src/entries/qat';
import '../../src/entries/import';
import type {NodeDef} from '../../src/graph_model/check_graph';
import type {Constant} from '../../src/graph_model/constant';
import {GraphSegment, type GraphSegmentArgs} from '../../src/graph_model/segment';
import {artifactsOf, reloaded} from '../support/saved';
import {needsTraining, scoped} from '../support/scoped';

const floats = (shape: number[], ...values: number[]): Constant => ({
  dtype: 'float32',
  shape,
  values: Float32Array.from(values),
});
const ints = (shape: number[], ...values: number[]): Constant => ({
  dtype: 'int32',
  shape,
  values: Int32Array.from(values),
});
const konst = (name: string): NodeDef => ({name, op: 'Const', attr: {}});

/** A product by a weight, then the places of its highest values: two outputs of two types. */
const PRODUCT: GraphSegmentArgs = {
  name: 'end/product',
  graph: {
    nodes: [
      konst('Kernel>A/withCamelCase'),
      konst('axis'),
      {name: 'MatMul', op: 'MatMul', input: ['x_y', 'Kernel>A/withCamelCase']},
      {name: 'ArgMax', op: 'ArgMax', input: ['MatMul', 'axis'], attr: {T: {s: 'U29tZVRleHQ='}}},
    ],
    inputs: ['x_y'],
    outputs: ['MatMul', 'ArgMax'],
  },
  outputs: [
    {shape: [null, 2], dtype: 'float32'},
    {shape: [null], dtype: 'int32'},
  ],
  constants: new Map([
    ['Kernel>A/withCamelCase', floats([3, 2], 1, 2, 3, 4, 5, 6)],
    ['axis', ints([], -1)],
  ]),
  weights: ['Kernel>A/withCamelCase'],
  reasons: [{op: 'ArgMax', reason: "no layer finds 'the_highest'"}],
};

/** Constants of all types, numbers that JSON has not among them: they are what comes out. */
const CONSTANTS: GraphSegmentArgs = {
  name: 'constants',
  graph: {
    nodes: [
      ...['numbers', 'whole', 'truths', 'texts'].map(konst),
      {name: 'first', op: 'AddV2', input: ['x', 'numbers']},
      {name: 'second', op: 'Select', input: ['truths', 'whole', 'whole']},
      {name: 'third', op: 'Identity', input: ['texts']},
    ],
    inputs: ['x'],
    outputs: ['first', 'second', 'third'],
  },
  outputs: [
    {shape: [null, 3], dtype: 'float32'},
    {shape: [2], dtype: 'int32'},
    {shape: [1], dtype: 'string'},
  ],
  constants: new Map([
    ['numbers', floats([3], NaN, -Infinity, 1e-7)],
    ['whole', ints([2], -2147483648, 2147483647)],
    ['truths', {dtype: 'bool', shape: [2], values: Uint8Array.of(1, 0)}],
    ['texts', {dtype: 'string', shape: [1], values: Uint8Array.of(3, 0, 0, 0, 0xe2, 0x82, 0xac)}],
  ]),
};

function modelOf(args: GraphSegmentArgs): LayersModel {
  const x = input({batchShape: [null, 3], name: 'x'});
  return newModel({inputs: x, outputs: new GraphSegment(args).apply(x) as SymbolicTensor[]});
}

async function predicted(model: LayersModel, x: Tensor): Promise<unknown[][]> {
  const outputs = [model.predict(x)].flat();
  const values = await Promise.all(outputs.map(async each => Array.from(await each.data())));
  dispose(outputs);
  return values;
}

const segmentOf = (model: LayersModel) => model.layers.find(layer => layer instanceof GraphSegment)!;

describe('GraphSegment', () => {
  scoped();

  it('runs its nodes, and leaves nothing behind', async () => {
    const start = memory().numTensors;
    const model = modelOf(PRODUCT);
    expect(model.outputs.map(({shape, dtype}) => [shape, dtype])).toEqual([
      [[null, 2], 'float32'],
      [[null], 'int32'],
    ]);
    const x = tensor([1, 0, 0, -1, 0, 0], [2, 3]);
    const before = memory().numTensors;
    for (let i = 0; i < 3; i++) {
      expect(await predicted(model, x)).toEqual([
        [1, 2, -1, -2],
        [1, 0],
      ]);
      expect(memory().numTensors).toBe(before);
    }
    model.dispose();
    x.dispose();
    expect(memory().numTensors).toBe(start);
  });

  it('tells what it is made of', () => {
    const segment = segmentOf(modelOf(PRODUCT));
    expect(segment.graph).toEqual(PRODUCT.graph);
    expect(segment.weightNames).toEqual(['Kernel>A/withCamelCase']);
    expect([...segment.constants.keys()]).toEqual(['axis']);
    expect(segment.reasons).toEqual(PRODUCT.reasons!);
    expect(segment.countParams()).toBe(6);
    expect(segment.trainableWeights.length).toBe(1);
  });

  for (const args of [PRODUCT, CONSTANTS]) {
    it(`is the same once it is saved: ${args.name}`, async () => {
      const model = modelOf(args);
      const x = tensor([1, 0.5, 0, -1, 0, 0], [2, 3]);
      const expected = await predicted(model, x);
      const before = segmentOf(model);
      const loaded = await reloaded(model);
      const segment = segmentOf(loaded);
      expect(segment.getConfig()).toEqual(before.getConfig());
      expect(segment.graph).toEqual(before.graph);
      expect(segment.reasons).toEqual(before.reasons);
      expect([...segment.constants]).toEqual([...before.constants]);
      expect(await predicted(loaded, x)).toEqual(expected);
      expect(loaded.outputs.map(({dtype}) => dtype)).toEqual(args.outputs.map(({dtype}) => dtype));
    });
  }

  it('is copied by quantizeModel and dequantizeModel, and stays float', async () => {
    const x = input({batchShape: [null, 3], name: 'x'});
    const dense = layers.dense({units: 3, name: 'dense', kernelInitializer: 'identity', useBias: false});
    const outputs = new GraphSegment(PRODUCT).apply(dense.apply(x)) as SymbolicTensor[];
    const model = newModel({inputs: x, outputs});
    const quantized = quantizeModel(model, {layers: {'end/product': false}});
    const copy = dequantizeModel(quantized);
    const given = tensor([1, 0, 0, -1, 0, 0], [2, 3]);
    const expected = await predicted(model, given);
    expect(await predicted(quantized, given)).toEqual(expected);
    expect(await predicted(copy, given)).toEqual(expected);
    expect(await predicted(await reloaded(quantized), given)).toEqual(expected);
    expect(await predicted(await reloaded(quantized, {}), given)).toEqual(expected);
    model.dispose();
    quantized.dispose();
    expect(await predicted(copy, given)).toEqual(expected);
  });

  it('has weights whose gradients are those of its ops', async () => {
    needsTraining();
    const model = modelOf(PRODUCT);
    const x = tensor([1, 2, 3, -1, 0.5, 4], [2, 3]);
    const {value, grads} = variableGrads(() => sum<Scalar>((model.apply(x) as Tensor[])[0]!));
    const [gradient] = Object.values(grads);
    // The sum of a product: each row of the kernel has the sum of a column of x.
    expect(Array.from(await gradient!.data())).toEqual([0, 0, 2.5, 2.5, 7, 7]);
    dispose([value, grads]);
  });

  it('trains', async () => {
    needsTraining();
    const x = input({batchShape: [null, 3], name: 'x'});
    const args = {...PRODUCT, graph: {...PRODUCT.graph, outputs: ['MatMul']}, outputs: PRODUCT.outputs.slice(0, 1)};
    const model = newModel({inputs: x, outputs: new GraphSegment(args).apply(x) as SymbolicTensor});
    const optimizer = train.sgd(0.5);
    model.compile({optimizer, loss: 'meanSquaredError'});
    const [given, wanted] = [tensor([1, 0, 0, 0, 1, 0, 0, 0, 1], [3, 3]), tensor([0, 1, 2, 3, 4, 5], [3, 2])];
    await model.fit(given, wanted, {epochs: 60});
    optimizer.dispose();
    const [kernel] = model.getWeights();
    for (const [i, value] of (await kernel!.data()).entries()) expect(value).withContext(String(i)).toBeCloseTo(i, 1);
    const loaded = await reloaded(model);
    expect(await predicted(loaded, given)).toEqual(await predicted(model, given));
    segmentOf(model).trainable = false;
    expect(model.trainableWeights.length).toBe(0);
    expect(segmentOf(await reloaded(model)).trainable).toBeFalse();
  });

  it('takes several inputs, and what is not float', async () => {
    const inputs = [
      input({batchShape: [null, 3], name: 'a'}),
      input({batchShape: [null, 1], name: 'b', dtype: 'int32'}),
    ];
    const args: GraphSegmentArgs = {
      name: 'gather',
      graph: {
        nodes: [konst('one'), {name: 'gather', op: 'GatherV2', input: ['a', 'b', 'one'], attr: {batch_dims: {i: '1'}}}],
        inputs: ['a', 'b'],
        outputs: ['gather'],
      },
      outputs: [{shape: [null, 1], dtype: 'float32'}],
      constants: new Map([['one', ints([], 1)]]),
    };
    const model = newModel({inputs, outputs: new GraphSegment(args).apply(inputs) as SymbolicTensor});
    const given = [tensor([1, 2, 3, 4, 5, 6], [2, 3]), tensor([2, 0], [2, 1], 'int32')];
    const y = model.predict(given) as Tensor;
    expect(Array.from(await y.data())).toEqual([3, 4]);
  });

  it('says what is wrong with a damaged file, by layer and place', async () => {
    const damages: [(config: Record<string, never>) => void, RegExp][] = [
      [config => delete config['graph'], /graph must be an object/],
      [config => (config['graph'] = {name: '{'} as never), /graph must be an object/],
      [config => (config['graph'] = {name: '{"nodes":[],"inputs":["x"],"outputs":["y"]}'} as never), /output 'y'/],
      [
        config => (config['graph'] = {name: '{"nodes":[{"name":1}],"inputs":["x"],"outputs":["x"]}'} as never),
        /graph: node 1? ?.*must have a name/,
      ],
      [config => (config['constants'] = [] as never), /node 'axis' \(Const\) has no value/],
      [config => ((config['constants']![0] as {shape: number[]}).shape = [2]), /constants\[0\] \('axis'\) must have 2/],
      [
        config => ((config['constants']![0] as {dtype: string}).dtype = 'float64'),
        /constants\[0\] \('axis'\) must be of/,
      ],
      [config => ((config['constants']![0] as {values: object}).values = {name: '?'}), /base64/],
      [config => (config['weights'] = [{name: 'MatMul', dtype: 'float32', shape: [1]}] as never), /'MatMul'|no value/],
      [config => (config['outputs'] = [{shape: ['a'], dtype: 'float32'}] as never), /outputs\[0\]\.shape\[0\]/],
      [config => (config['outputs'] = [] as never), /2 outputs/],
      [config => (config['version'] = 2 as never), /newer version/],
    ];
    const model = modelOf(PRODUCT);
    for (const [damage, message] of damages) {
      const artifacts = await artifactsOf(model);
      const topology = artifacts.modelTopology as {config: {layers: {class_name: string; config: never}[]}};
      const saved = topology.config.layers.find(({class_name}) => class_name.includes('GraphSegment'))!;
      damage(saved.config);
      const before = memory().numTensors;
      const failed = await loadLayersModel(io.fromMemory(artifacts)).then(
        () => '',
        (error: unknown) => (error as Error).message,
      );
      expect(failed).toMatch(message);
      expect(failed).toMatch(/^Layer end\/product cannot be loaded: /);
      expect(memory().numTensors).toBe(before);
    }
  });
});
