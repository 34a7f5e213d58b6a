/** Graphs with FakeQuant nodes: quantized models with their ranges, on the grids of their weights. */
import {loadGraphModel} from '@tensorflow/tfjs-converter';
import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import {mendGraph, registerGraphOps} from '../../src/entries/graph_model';
import {describeImport, importModel} from '../../src/entries/import';
import {
  dequantizeModel,
  describeQuantization,
  freezeRanges,
  quantizedWeights,
  setFakeQuant,
} from '../../src/entries/qat';
import {toTFLite} from '../../src/entries/tflite';
import {quantized} from '../../src/import/graph/fake_quant';
import {gridOfWeight} from '../../src/import/graph/weight_grids';
import {QuantizedInput} from '../../src/qat/quantized_layers/quantized_input';
import {QuantizedLayer} from '../../src/qat/quantized_layers/quantized_layer';
import {inputTensors, modelHandler, readExpected} from '../graph_models/models';
import {reloaded} from '../support/saved';
import {needsTraining, scoped} from '../support/scoped';

/** Whole numbers from -most to most, of which the first reaches it. */
function levels(count: number, most: number, seed: number): number[] {
  const values = tf.tidy(() => tf.randomUniform([count], -most, most + 1, 'int32', seed).dataSync());
  return Array.from(values, (value, i) => (i === 0 ? most : value));
}

const CHANNELS = {count: 4, of: (i: number) => i % 4};

describe('gridOfWeight', () => {
  it('finds the steps of channels of any gain', () => {
    const steps = [0.003, -0.17, 12.5, 1e-6];
    const values = Float32Array.from(levels(36, 127, 1), (level, i) => level * Math.fround(steps[i % 4]!));
    for (const c of [1, 2, 3]) values[c] = -127 * steps[c]!;
    const grid = gridOfWeight(values, CHANNELS, [4, 8])!;
    expect([grid.numBits, grid.symmetric]).toEqual([8, true]);
    grid.max.forEach((max, c) => expect(max / 127 / Math.abs(steps[c]!)).toBeCloseTo(1, 6));
    expect(grid.min).toEqual(grid.max.map(max => -max));
  });

  it('finds the one step of a tensor, and its width', () => {
    for (const [most, numBits] of [
      [7, 4],
      [127, 8],
      [100, 8],
    ] as const) {
      const grid = gridOfWeight(
        Float32Array.from(levels(36, most, 2), level => level * 0.01),
        CHANNELS,
        [4],
      )!;
      const top = 2 ** (numBits - 1) - 1;
      expect(grid.numBits).toBe(numBits);
      expect(grid.max.length).toBe(1);
      expect(grid.max[0]! / top).toBeCloseTo(0.01, 8);
    }
  });

  it('takes a channel of even levels for one of the width of the others', () => {
    const values = Float32Array.from(
      levels(36, 127, 3),
      (level, i) => (i % 4 === 2 ? 2 * (level % 60) : level) * (1 + (i % 4)),
    );
    for (const c of [0, 1, 3]) values[c] = 127 * (1 + c);
    values[2] = 3 * 126;
    const grid = gridOfWeight(values, CHANNELS, [4])!;
    grid.max.forEach((max, c) => expect(max / (1 + c)).toBeCloseTo(127, 4));
  });

  it('holds levels that are not symmetric, and channels of zeros', () => {
    const stepOf = (c: number) => 0.1 * (1 + 0.37 * c);
    const values = Float32Array.from(levels(36, 7, 4), (level, i) => (i % 4 === 1 ? 0 : (level + 3) * stepOf(i % 4)));
    const {numBits, symmetric, min, max} = gridOfWeight(values, CHANNELS, [4])!;
    expect([numBits, symmetric]).toEqual([4, false]);
    expect([min[1], max[1]]).toEqual([0, 0]);
    for (const c of [0, 2, 3]) expect((max[c]! - min[c]!) / 15 / stepOf(c)).toBeCloseTo(1, 6);
  });

  it('finds none of values that were never rounded', () => {
    const values = tf.tidy(() => tf.randomNormal([36], 0, 1, 'float32', 5).dataSync());
    expect(gridOfWeight(values, CHANNELS, [4, 8])).toBeUndefined();
    expect(gridOfWeight([NaN, 1], undefined, [8])).toBeUndefined();
  });

  it('takes weights of millions', () => {
    const values = Float32Array.from({length: 2 ** 20}, (_, i) => ((i % 255) - 127) * 0.01);
    const {numBits, max} = gridOfWeight(values, CHANNELS, [4])!;
    expect([numBits, max.length]).toEqual([8, 1]);
  });

  it('tells no width from a few values', () => {
    expect(gridOfWeight([0.3, 0.7, 0.1], {count: 3, of: i => i}, [4])!.numBits).toBe(8);
  });
});

/** As a graph is imported: FakeQuant nodes are layers. */
function rounds(name: string, min: number, max: number, numBits = 8): QuantizedInput {
  return new QuantizedInput({name, quantizer: {numBits, narrowRange: false, fixed: [min, max], pinned: true}});
}

function apply(layer: tfl.layers.Layer, x: tfl.SymbolicTensor | tfl.SymbolicTensor[]): tfl.SymbolicTensor {
  return layer.apply(x) as tfl.SymbolicTensor;
}

/** A network whose conv and dense weights are on grids; the second conv's are not. */
function importedModel(): tfl.LayersModel {
  const input = tfl.input({shape: [6, 6, 2], name: 'image'});
  const x = apply(rounds('image/quant', -1, 1), input);
  const conv = apply(
    tfl.layers.conv2d({filters: 4, kernelSize: 3, padding: 'same', activation: 'relu', name: 'conv'}),
    x,
  );
  const once = apply(rounds('conv/quant', 0, 6), conv);
  const float = apply(tfl.layers.conv2d({filters: 4, kernelSize: 1, name: 'float'}), once);
  const joined = apply(rounds('add/quant', -3, 3), apply(tfl.layers.add({name: 'add'}), [float, once]));
  const pooled = apply(tfl.layers.globalAveragePooling2d({name: 'pool'}), joined);
  const y = apply(tfl.layers.dense({units: 3, name: 'dense'}), apply(rounds('pool/quant', -1, 2), pooled));
  const model = tfl.model({inputs: input, outputs: apply(rounds('scores', -4, 4, 4), y), name: 'imported'});
  const conv2d = levels(72, 127, 6).map((level, i) => level * 0.002 * (1 + (i % 4)));
  for (const c of [1, 2, 3]) conv2d[c] = 127 * 0.002 * (1 + c);
  const weights = {
    conv: tf.tensor(conv2d, [3, 3, 2, 4]),
    dense: tf.tensor(
      levels(12, 127, 7).map(level => level * 0.01),
      [4, 3],
    ),
  };
  for (const [name, kernel] of Object.entries(weights)) {
    const layer = model.getLayer(name);
    layer.setWeights([kernel, layer.getWeights()[1]!]);
    kernel.dispose();
  }
  return model;
}

/** What a model gives of x. */
async function predict(model: Pick<tfl.LayersModel, 'predict'>, x: tf.Tensor): Promise<number[]> {
  const y = model.predict(x) as tf.Tensor;
  const values = await y.data();
  y.dispose();
  return Array.from(values);
}

function furthest(one: readonly number[], other: readonly number[]): number {
  return Math.max(...one.map((value, i) => Math.abs(value - other[i]!)));
}

describe('A graph with FakeQuant nodes', () => {
  scoped();

  it('becomes a model that rounds in the layers that compute, as it did', async () => {
    const x = tf.randomUniform([3, 6, 6, 2], -1, 1, 'float32', 8);
    const model = importedModel();
    const expected = await predict(model, x);
    const q = await quantized(model);
    expect(furthest(await predict(q, x), expected)).toBeLessThan(1e-5);
    expect(q.outputNames).toEqual(['scores']);
    expect(dequantizeModel(q).outputNames).toEqual(['scores']);
    const rows = await describeQuantization(q).read();
    const found = rows.filter(({numBits}) => numBits !== undefined);
    expect(found.map(({layer, what, numBits, ranges, note}) => [layer, what, numBits, ranges, note])).toEqual([
      ['image/quant', 'output', 8, 1, ''],
      ['conv', 'kernel', 8, 4, ''],
      ['conv', 'output', 8, 1, ''],
      ['float', 'kernel', 8, 4, 'switched off'],
      ['add', 'output', 8, 1, ''],
      ['pool', 'output', 8, 1, ''],
      ['scores', 'kernel', 8, 1, ''],
      ['scores', 'output', 4, 1, ''],
    ]);
    const minOf = (name: string, of: string) => rows.find(({layer, what}) => layer === name && what === of)!.min;
    expect(minOf('conv', 'kernel')).toBeCloseTo(-4 * 0.002 * 127, 5);
    expect(minOf('add', 'output')).toBe(-3);
    expect(minOf('scores', 'kernel')).toBeCloseTo(-1.27, 6);
    const again = await reloaded(q);
    expect(await predict(again, x)).toEqual(await predict(q, x));
    for (const each of [q, again]) each.dispose();
  });

  it('keeps the grids of its weights until their ranges may move', async () => {
    needsTraining();
    const q = await quantized(importedModel());
    const steps = async () => {
      const weights = (await quantizedWeights(q)).weights.filter(({layer}) => layer !== 'float');
      return weights.flatMap(({scale}) => Array.from(scale));
    };
    const before = await steps();
    [0.002, 0.004, 0.006, 0.008, 0.01].forEach((step, i) => expect(before[i]! / step).toBeCloseTo(1, 6));
    q.compile({optimizer: 'sgd', loss: 'meanSquaredError'});
    const [x, y] = [tf.randomUniform([8, 6, 6, 2], -1, 1, 'float32', 9), tf.ones([8, 3])];
    await q.fit(x, y, {epochs: 2});
    expect(await steps()).toEqual(before);
    freezeRanges(q, false, 'all');
    await q.fit(x, y, {epochs: 2});
    expect(await steps()).not.toEqual(before);
    q.dispose();
  });

  it('is as it was without such nodes', async () => {
    const model = tfl.sequential({layers: [tfl.layers.dense({units: 2, inputShape: [3]})]});
    expect(await quantized(model)).toBe(model);
    model.dispose();
  });
});

/** A node of a graph: its op, what it takes, its attributes. */
type Node = readonly [op: string, inputs: readonly string[], attrs?: object];

/** A value of a graph that is given: a number, or the first of so many of a shape. */
type Value = number | readonly [shape: readonly number[], values: ArrayLike<number>, dtype?: 'int32'];

const FLOAT = {T: {type: 'DT_FLOAT'}};

/** A graph of nodes by name, that takes x and gives what nothing takes. */
function graphOf(
  shape: readonly number[],
  nodes: Readonly<Record<string, Node>>,
  constants: Readonly<Record<string, Value>>,
): tf.io.ModelArtifacts {
  const dim = [-1, ...shape].map(size => ({size: String(size)}));
  const x = {name: 'x', op: 'Placeholder', attr: {dtype: {type: 'DT_FLOAT'}, shape: {shape: {dim}}}};
  const taken = new Set(Object.values(nodes).flatMap(([, inputs]) => inputs));
  const used = Object.entries(constants).filter(([name]) => taken.has(name));
  const values = used.map(([name, value]) => {
    const [of, numbers, dtype = 'float32' as const] = typeof value === 'number' ? [[], [value]] : value;
    return {name, shape: [...of], dtype, numbers};
  });
  const consts = values.map(({name, dtype, shape: own}) => {
    const type = {type: dtype === 'int32' ? 'DT_INT32' : 'DT_FLOAT'};
    const tensorShape = {dim: own.map(size => ({size: String(size)}))};
    return {name, op: 'Const', attr: {dtype: type, value: {tensor: {dtype: type.type, tensorShape}}}};
  });
  const others = Object.entries(nodes).map(([name, [op, input, attr = {}]]) => ({
    name,
    op,
    input,
    attr: {...FLOAT, ...attr},
  }));
  const bytes = values.map(
    ({numbers, dtype}) => new Uint8Array((dtype === 'int32' ? Int32Array : Float32Array).from(numbers).buffer),
  );
  const weightData = new Uint8Array(bytes.flatMap(each => [...each])).buffer;
  const topology = {node: [x, ...consts, ...others], library: {}, versions: {}};
  return {
    modelTopology: topology,
    format: 'graph-model',
    weightSpecs: values.map(({name, shape: own, dtype}) => ({name, shape: own, dtype})),
    weightData,
  };
}

/** How far what is imported is from what tf.loadGraphModel makes of the same graph, in the largest of its values. */
async function differenceOf(artifacts: tf.io.ModelArtifacts, x: tf.Tensor): Promise<[number, tfl.LayersModel]> {
  registerGraphOps();
  const graph = await loadGraphModel(mendGraph(tf.io.fromMemory(artifacts)));
  const expected = await predict(graph as Pick<tfl.LayersModel, 'predict'>, x);
  graph.dispose();
  const model = await importModel(artifacts);
  return [furthest(await predict(model, x), expected) / Math.max(...expected.map(Math.abs)), model];
}

const bits = (numBits: number, narrow = false) => ({num_bits: {i: numBits}, narrow_range: {b: narrow}});
const given = {range_given: {b: true}};

const RANGES = {low: -1.7, high: 3.3, zero: 0, positive: 0.5, negative: -2, five: [[], [5], 'int32']} as const;

const ROUNDING: Readonly<Record<string, Node>> = {
  'its defaults': ['FakeQuantWithMinMaxArgs', ['x']],
  'a range in its attributes': ['FakeQuantWithMinMaxArgs', ['x'], {...bits(4, true), min: {f: -1.37}, max: {f: 0.1}}],
  'a range that is given': ['FakeQuantWithMinMaxVars', ['x', 'low', 'high']],
  '4 narrow bits': ['FakeQuantWithMinMaxVars', ['x', 'low', 'high'], bits(4, true)],
  '16 bits': ['FakeQuantWithMinMaxVars', ['x', 'low', 'high'], bits(16)],
  'a range above 0': ['FakeQuantWithMinMaxVars', ['x', 'positive', 'high']],
  'a range up to 0': ['FakeQuantWithMinMaxVars', ['x', 'negative', 'zero']],
  V2: ['QuantizeAndDequantizeV2', ['x', 'low', 'high'], given],
  'V2 of 5 bits from 0': [
    'QuantizeAndDequantizeV2',
    ['x', 'zero', 'high'],
    {...given, ...bits(5), signed_input: {b: false}},
  ],
  V3: ['QuantizeAndDequantizeV3', ['x', 'negative', 'positive', 'five'], {narrow_range: {b: true}}],
  V4: ['QuantizeAndDequantizeV4', ['x', 'negative', 'high'], {...given, ...bits(6)}],
};

const EDGES = [1, 0.5, 0.7, 1.2];

/** A network of FakeQuant nodes. Converters fold that of the kernel into it. */
function network(numBits: number, isFolded = true): tf.io.ModelArtifacts {
  const quant = bits(numBits);
  const ones = {list: {i: ['1', '1', '1', '1']}};
  const conv = {strides: ones, dilations: ones, padding: {s: btoa('SAME')}};
  const random = (count: number, seed: number) =>
    tf.tidy(() => tf.randomNormal([count], 0, 0.5, 'float32', seed).dataSync());
  const weights = random(72, 11);
  const most = 2 ** (numBits - 1) - 1;
  const folded = weights.map((value, i) => {
    const step = EDGES[i % 4]! / most;
    return Math.max(-most, Math.min(most, Math.round(value / step))) * step;
  });
  const kernel: Node = ['FakeQuantWithMinMaxVarsPerChannel', ['weights', 'lows', 'highs'], bits(numBits, true)];
  return graphOf(
    [6, 6, 2],
    {
      rounded: ['FakeQuantWithMinMaxVars', ['x', 'low', 'high'], quant],
      ...(!isFolded && {kernel}),
      conv: ['Conv2D', ['rounded', isFolded ? 'folded' : 'kernel'], conv],
      biased: ['BiasAdd', ['conv', 'bias']],
      relu: ['Relu', ['biased']],
      first: ['FakeQuantWithMinMaxVars', ['relu', 'zero', 'high'], quant],
      second: ['FakeQuantWithMinMaxVars', ['relu', 'zero', 'positive'], quant],
      float: ['Conv2D', ['second', 'floats'], conv],
      sum: ['AddV2', ['first', 'float']],
      twice: ['FakeQuantWithMinMaxVars', ['sum', 'low', 'high'], quant],
      again: ['FakeQuantWithMinMaxArgs', ['twice'], {...bits(8), min: {f: -1}, max: {f: 2}}],
      pooled: ['Mean', ['again', 'axes']],
      dense: ['MatMul', ['pooled', 'matrix']],
    },
    {
      ...RANGES,
      weights: [[3, 3, 2, 4], weights],
      folded: [[3, 3, 2, 4], folded],
      lows: [[4], EDGES.map(edge => -edge)],
      highs: [[4], EDGES],
      bias: [[4], [0.1, -0.2, 0.3, 0]],
      floats: [[1, 1, 4, 4], random(16, 12)],
      axes: [[2], [1, 2], 'int32'],
      matrix: [[4, 3], random(12, 13)],
    },
  );
}

describe('importModel, of nodes that round,', () => {
  scoped();

  for (const [what, node] of Object.entries(ROUNDING)) {
    it(`rounds as one of ${what} does`, async () => {
      const x = tf.randomUniform([4, 33], -4, 4, 'float32', 14);
      const [difference, model] = await differenceOf(graphOf([33], {y: node}, RANGES), x);
      expect(difference).toBeLessThan(1e-5);
      expect(model.layers.map(layer => layer.getClassName())).toEqual(['InputLayer', QuantizedInput.className]);
      model.dispose();
    });
  }

  const networks = [4, 8].flatMap(numBits => [true, false].map(isFolded => ({numBits, isFolded})));
  for (const {numBits, isFolded} of networks) {
    const which = `${numBits} bits${isFolded ? '' : ', not folded,'}`;
    it(`quantizes a network to ${which} where the graph is, and nowhere else`, async () => {
      const x = tf.randomUniform([3, 6, 6, 2], -2, 4, 'float32', 15);
      const [difference, q] = await differenceOf(network(numBits, isFolded), x);
      expect(difference).toBeLessThan(1e-5);
      const rows = await describeQuantization(q).read();
      const found = rows.map(({layer, what, numBits: own, ranges}) => [layer, what, own, ranges]);
      expect(found).toEqual([
        ['rounded', 'output', numBits, 1],
        ['relu', 'kernel', numBits, 4],
        ['relu', 'output', undefined, 0],
        ['second', 'output', numBits, 1],
        ['first', 'output', numBits, 1],
        ['float', 'kernel', 8, 4],
        ['float', 'output', undefined, 0],
        ['sum', 'output', numBits, 1],
        ['again', 'output', 8, 1],
        ['pooled', 'output', undefined, 0],
        ['dense', 'weights', undefined, 0],
        ['dense', 'output', undefined, 0],
      ]);
      const origins = describeImport(q).rows.map(({layer, nodes, note}) => [layer, nodes.join(' '), note]);
      expect(origins).toEqual([
        ['rounded', 'rounded', undefined],
        ['relu', 'conv biased relu', `with Conv2D, BiasAdd; kernel of ${numBits} bits`],
        ['second', 'second', undefined],
        ['first', 'first', undefined],
        ['float', 'float', 'kernel that the graph does not round'],
        ['sum', 'sum twice', `rounds to ${numBits} bits`],
        ['again', 'again', undefined],
        ['pooled', 'pooled', undefined],
        ['dense', 'dense', undefined],
      ]);
      const again = await reloaded(q);
      expect(await predict(again, x)).toEqual(await predict(q, x));
      for (const each of [q, again]) each.dispose();
    });
  }

  it('leaves weights float that the graph does, until they are to be rounded', async () => {
    const ones = {list: {i: ['1', '1', '1', '1']}};
    const kernel = tf.tidy(() => tf.randomNormal([16], 0, 1, 'float32', 17).dataSync());
    const nodes = {
      rounded: ['FakeQuantWithMinMaxVars', ['x', 'low', 'high']],
      conv: ['Conv2D', ['rounded', 'kernel'], {strides: ones, dilations: ones, padding: {s: btoa('SAME')}}],
      y: ['FakeQuantWithMinMaxArgs', ['conv']],
    } as const;
    const x = tf.randomUniform([3, 2, 2, 4], -2, 4, 'float32', 18);
    const [difference, q] = await differenceOf(
      graphOf([2, 2, 4], nodes, {...RANGES, kernel: [[1, 1, 4, 4], kernel]}),
      x,
    );
    expect(difference).toBeLessThan(1e-5);
    await expectAsync(toTFLite(q)).toBeRejectedWithError(/layer y: the rounding of its kernel is off.*setFakeQuant/);
    setFakeQuant(q, true);
    expect((await toTFLite(q)).length).toBeGreaterThan(0);
    q.dispose();
  });

  it('leaves nothing behind but the model', async () => {
    const before = tf.memory().numTensors;
    const q = await importModel(network(8));
    const weights = new Set(q.weights).size;
    expect(tf.memory().numTensors - before).toBe(weights);
    q.dispose();
    expect(tf.memory().numTensors).toBe(before);
  });

  it('trains the network on', async () => {
    needsTraining();
    const q = await importModel(network(8));
    q.compile({optimizer: 'sgd', loss: 'meanSquaredError'});
    const [x, y] = [tf.randomUniform([8, 6, 6, 2], -1, 1, 'float32', 16), tf.ones([8, 3])];
    const before = await predict(q, x);
    const {history} = await q.fit(x, y, {epochs: 3});
    const losses = history['loss'] as number[];
    expect(losses[2]!).toBeLessThan(losses[0]!);
    expect(await predict(q, x)).not.toEqual(before);
    q.dispose();
  });
});

/** Of the folders of test/graph_models, the classes of what rounds. */
const SEGMENT = 'tfjs-quantization>GraphSegment';
const CONVERTED: Readonly<Record<string, readonly string[]>> = {
  args: [QuantizedInput.className, SEGMENT],
  vars: [SEGMENT],
  vars_per_channel: [SEGMENT],
  quantize_v2: [SEGMENT],
  quantize_v3: [SEGMENT],
  quantize_v3_bits: [SEGMENT],
  quantize_v4: [SEGMENT],
  quantize_v4_grad: [SEGMENT],
  qat_network: [QuantizedInput.className, QuantizedLayer.className],
};

describe('importModel, of converted graphs,', () => {
  scoped();

  for (const [folder, classes] of Object.entries(CONVERTED)) {
    it(`gives what tf.loadGraphModel gives of ${folder}`, async () => {
      registerGraphOps();
      const graph = await loadGraphModel(mendGraph(await modelHandler(folder)));
      const model = await importModel(await modelHandler(folder));
      const rounding = model.layers.map(layer => layer.getClassName()).filter(name => /Quantized|Segment/.test(name));
      expect(new Set(rounding)).toEqual(new Set(classes));
      for (const {inputs} of (await readExpected())[folder]!) {
        const given = inputTensors(inputs);
        const expected = [graph.execute(given)].flat();
        const values = model.inputNames.map(name => given[name]!);
        const found = [model.apply(values.length === 1 ? values[0]! : values)].flat() as tf.Tensor[];
        expect(found.length).toBe(expected.length);
        for (const [i, value] of found.entries()) {
          const [one, other] = [await value.data(), await expected[i]!.data()];
          const largest = Math.max(...other.filter(Number.isFinite).map(Math.abs));
          const isOff = (each: number, j: number) =>
            !Object.is(each, other[j]) && !(Math.abs(each - other[j]!) <= 1e-5 * largest) && each !== other[j];
          expect(one.filter(isOff).length).withContext(model.outputNames[i]!).toBe(0);
        }
      }
      graph.dispose();
      model.dispose();
    });
  }
});
