/** Whole graphs as models of layers, against tfjs's own executor of graphs. */
import {MathBackendCPU} from '@tensorflow/tfjs-backend-cpu';
import {
  copyRegisteredKernels,
  getBackend,
  type io,
  memory,
  ones,
  registerBackend,
  removeBackend,
  setBackend,
  tensor,
  type Tensor,
} from '@tensorflow/tfjs-core';
import {type LayersModel, loadLayersModel} from '@tensorflow/tfjs-layers';
import {describeImport, importModel} from '../../src/entries/import';
import {readModels, tensorOf, unpack} from '../graph_model/control_flow_models';
import {onWebGPU, setup} from '../support/environment';
import {needsSpeed, needsTraining, scoped, skip} from '../support/scoped';
import {classesOf, CLOSE, difference, executed, flag, GraphBuilder, int, ints, text, type, valuesFor} from './graphs';

/** Those of a spec, to be disposed of. */
const models: LayersModel[] = [];

async function importedModel(artifacts: io.ModelArtifacts): Promise<LayersModel> {
  const model = await importModel(artifacts);
  models.push(model);
  return model;
}

function disposeModels(): void {
  for (const model of models.splice(0)) model.dispose();
}

type Signature = Readonly<Record<'inputs' | 'outputs', Readonly<Record<string, string>>>>;

/** With a signature: names of nodes by keys. */
function signed(graph: GraphBuilder, {inputs, outputs}: Signature): io.ModelArtifacts {
  const endsOf = (ends: Readonly<Record<string, string>>) =>
    Object.fromEntries(Object.entries(ends).map(([key, name]) => [key, {name}]));
  return {...graph.artifacts(), signature: {inputs: endsOf(inputs), outputs: endsOf(outputs)}};
}

/** Saves a model, and loads it again. */
async function loadedAgain(model: LayersModel): Promise<LayersModel> {
  let saved: io.ModelArtifacts | undefined;
  await model.save({
    save: artifacts => {
      saved = {...artifacts, modelTopology: JSON.parse(JSON.stringify(artifacts.modelTopology)) as object};
      return Promise.resolve({modelArtifactsInfo: {dateSaved: new Date(0), modelTopologyType: 'JSON'}});
    },
  });
  const loaded = await loadLayersModel({load: () => Promise.resolve(saved!)});
  models.push(loaded);
  return loaded;
}

/** Imports a graph, and holds it to what tfjs computes of it: as it is, and loaded again. */
async function imported(artifacts: io.ModelArtifacts): Promise<LayersModel> {
  const model = await importedModel(artifacts);
  const values = valuesFor(model);
  const expected = await executed(artifacts, model.inputNames, values);
  for (const each of [model, await loadedAgain(model)]) {
    const given = [each.predict(values)].flat();
    expect(given.length).toBe(expected.length);
    for (const [i, output] of given.entries()) {
      expect(output.dtype).toBe(expected[i]!.dtype);
      expect(await difference(output, expected[i]!))
        .withContext(model.outputNames[i]!)
        .toBeLessThan(CLOSE);
    }
  }
  return model;
}

/** A dense layer's nodes. */
function dense(graph: GraphBuilder, x: string, from: number, to: number, name?: string): string {
  return graph.op('MatMul', [x, graph.random([from, to])], {}, name);
}

const segmentsIn = (model: LayersModel) => describeImport(model).rows.filter(row => row.className === 'GraphSegment');

describe('importModel of a graph', () => {
  scoped();
  afterEach(disposeModels);

  it('computes what takes a value twice, beside others that take it', async () => {
    for (const op of ['Mul', 'AddV2', 'Square', 'Maximum', 'AddN', 'ConcatV2']) {
      const graph = new GraphBuilder();
      const y = graph.op('Relu', [dense(graph, graph.input('x', [null, 3]), 3, 4)]);
      const taken = op === 'Square' ? [y] : op === 'AddN' ? [y, y, y] : [y, y];
      if (op === 'ConcatV2') taken.push(graph.scalar(1, 'int32'));
      const attr = op === 'AddN' ? {N: int(3)} : op === 'ConcatV2' ? {N: int(2)} : {};
      const twice = graph.op(op, taken, attr, 'twice');
      const later = graph.op('Sigmoid', [dense(graph, twice, op === 'ConcatV2' ? 8 : 4, 4)]);
      graph.op('Mul', [later, y], {}, 'end');
      await imported(graph.artifacts());
    }
  });

  it('keeps the names and the order of inputs and outputs, ":0" left out', async () => {
    const graph = new GraphBuilder();
    const [a, b] = [graph.input('a', [null, 3]), graph.input('b', [null, 3])];
    const sum = graph.op('AddV2', [a, b]);
    graph.op('Identity', [graph.op('Relu', [sum])], {}, 'Identity_1');
    graph.op('Identity', [dense(graph, sum, 3, 2)], {}, 'Identity');
    const artifacts = signed(graph, {
      inputs: {second: 'b:0', 'first:0': 'a:0'},
      outputs: {'Identity_1:0': 'Identity_1:0', scores: 'Identity:0'},
    });
    const model = await importedModel(artifacts);
    expect(model.inputNames).toEqual(['second', 'first']);
    expect(model.outputNames).toEqual(['Identity_1', 'scores']);
    const [x, y] = [ones([2, 3]), tensor([-1, 2, -3], [1, 3]).tile([2, 1])];
    const given = model.predict([x, y]) as Tensor[];
    const expected = await executed(artifacts, ['second', 'first:0'], [x, y]);
    for (const [i, output] of given.entries()) expect(await difference(output, expected[i]!)).toBeLessThan(CLOSE);
  });

  it('takes the ends of a graph without a signature, and drops what nothing needs', async () => {
    const graph = new GraphBuilder();
    const x = graph.input('x', [null, 3]);
    graph.input('unused', [null, 3]);
    graph.random([100]);
    dense(graph, x, 3, 2, 'net/out');
    const model = await importedModel(graph.artifacts());
    expect(model.inputNames).toEqual(['x']);
    expect(model.outputNames).toEqual(['net/out']);
    expect(model.countParams()).toBe(6);
  });

  it('gives an input, a value twice, and a value within what becomes one layer', async () => {
    const graph = new GraphBuilder();
    const x = graph.input('x', [null, 3]);
    const y = dense(graph, x, 3, 2, 'dense');
    graph.op('Relu', [y], {}, 'relu');
    const outputs = {same: 'x', before: 'dense', after: 'relu', again: 'relu:0'};
    const model = await imported(signed(graph, {inputs: {x: 'x'}, outputs}));
    expect(model.outputNames).toEqual(['same', 'before', 'after', 'again']);
  });

  it('tells names apart that outputs, inputs and nodes share', async () => {
    const graph = new GraphBuilder();
    const x = graph.input('x', [null, 3]);
    const first = graph.op('Sigmoid', [dense(graph, x, 3, 3)], {}, 'y');
    graph.op('Tanh', [graph.op('Elu', [first])], {}, 'z');
    const artifacts = signed(graph, {inputs: {in: 'x'}, outputs: {y: 'z:0', in: 'y:0'}});
    const model = await imported(artifacts);
    expect(model.inputNames).toEqual(['in']);
    expect(model.outputNames[0]).toBe('y');
    expect(new Set(model.layers.map(({name}) => name)).size).toBe(model.layers.length);
  });

  it('leaves nodes without layers in one segment, with their weights', async () => {
    if (setup.backend === 'wasm') skip("tfjs's wasm backend has no Einsum");
    const graph = new GraphBuilder();
    const x = graph.input('x', [2, 3]);
    const y = graph.op('Abs', [dense(graph, x, 3, 4)]);
    const z = graph.op('Einsum', [graph.op('Ceil', [y]), graph.random([4, 2])], {
      equation: text('ij,jk->ik'),
      N: int(2),
    });
    dense(graph, z, 2, 2, 'out');
    const model = await imported(graph.artifacts());
    const [segment, ...others] = segmentsIn(model);
    expect(others).toEqual([]);
    expect(segment!.nodes.length).toBe(3);
    expect(segment!.note).toContain('Abs has no layer');
    expect(model.trainableWeights.map(({shape}) => shape)).toEqual([
      [3, 4],
      [4, 2],
      [2, 2],
    ]);
  });

  it('knows constants that are computed, and what nodes give, whatever the backend can', async () => {
    const graph = new GraphBuilder();
    const kernel = graph.op('Mul', [graph.random([3, 4]), graph.op('Exp', [graph.random([4])])]);
    const y = graph.op('MatMul', [graph.input('x', [2, 3]), kernel]);
    graph.op('Einsum', [y, graph.random([4, 5])], {equation: text('ij,jk->ik'), N: int(2)});
    const model = await importedModel(graph.artifacts());
    expect(classesOf(model)).toEqual(['Dense', 'tfjs-quantization>GraphSegment']);
    expect(model.outputs.map(({shape}) => shape)).toEqual([[2, 5]]);
  });

  it('waits for a backend that is still starting', async () => {
    const graph = new GraphBuilder();
    dense(graph, graph.input('x', [null, 3]), 3, 2);
    const own = getBackend();
    copyRegisteredKernels('cpu', 'late');
    registerBackend('late', () => Promise.resolve(new MathBackendCPU()));
    const starting = setBackend('late');
    try {
      const model = await importModel(graph.artifacts());
      expect(getBackend()).toBe('late');
      expect(classesOf(model)).toEqual(['Dense']);
      model.dispose();
    } finally {
      await starting;
      await setBackend(own);
      removeBackend('late');
    }
  });

  it('makes no cycle of a segment that a layer goes around', async () => {
    const graph = new GraphBuilder();
    const x = graph.input('x', [2, 3]);
    const a = graph.op('Abs', [x]);
    const b = dense(graph, a, 3, 3);
    const c = graph.op('Atan2', [a, b]);
    graph.op('Atan2', [c, graph.op('Floor', [x])], {}, 'out');
    const model = await imported(graph.artifacts());
    expect(segmentsIn(model).length).toBeGreaterThan(1);
  });

  it('hands on several outputs of nodes, and integers', async () => {
    const graph = new GraphBuilder();
    const x = graph.input('x', [null, 6]);
    const top = graph.op('TopKV2', [dense(graph, x, 6, 6), graph.scalar(2, 'int32')], {sorted: flag(true)});
    graph.op('Identity', [`${top}:1`], {T: type('DT_INT32')}, 'indices');
    const parts = graph.op('Split', [graph.scalar(1, 'int32'), top], {num_split: int(2)});
    dense(graph, `${parts}:1`, 1, 2, 'last');
    const model = await imported(signed(graph, {inputs: {x: 'x'}, outputs: {indices: 'indices', last: 'last'}}));
    expect(model.outputs.map(({dtype}) => dtype)).toEqual(['int32', 'float32']);
  });

  it('takes integers', async () => {
    const graph = new GraphBuilder();
    const x = graph.input('x', [null, 4], 'int32');
    const cast = graph.op('Cast', [x], {SrcT: type('DT_INT32'), DstT: type('DT_FLOAT')});
    dense(graph, cast, 4, 2, 'out');
    const model = await imported(graph.artifacts());
    expect(model.inputs[0]!.dtype).toBe('int32');
  });

  it('takes any batch where the graph takes one at a time, if layers compute all', async () => {
    const build = (op: string) => {
      const graph = new GraphBuilder();
      graph.op(op, [dense(graph, graph.input('x', [1, 3]), 3, 2)], {}, 'out');
      return graph.artifacts();
    };
    const layers = await importedModel(build('Relu'));
    expect(layers.inputs[0]!.shape).toEqual([null, 3]);
    expect((layers.predict(ones([5, 3])) as Tensor).shape).toEqual([5, 2]);
    const segment = await importedModel(build('Abs'));
    expect(segment.inputs[0]!.shape).toEqual([1, 3]);
  });

  it('follows shapes that are computed, with open dimensions', async () => {
    const graph = new GraphBuilder();
    const x = graph.input('x', [null, null, null, 2]);
    const y = graph.op('Relu', [
      graph.op('Conv2D', [x, graph.random([3, 3, 2, 3])], {
        strides: ints(1, 1, 1, 1),
        dilations: ints(1, 1, 1, 1),
        padding: text('SAME'),
      }),
    ]);
    const shape = graph.op('Shape', [y], {out_type: type('DT_INT32')});
    const batch = graph.op('StridedSlice', [shape, graph.ints(0), graph.ints(1), graph.ints(1)], {
      shrink_axis_mask: int(1),
    });
    const target = graph.op('Pack', [batch, graph.scalar(-1, 'int32'), graph.scalar(3, 'int32')], {N: int(3)});
    graph.op('Reshape', [y, target], {}, 'rows');
    const model = await imported(graph.artifacts());
    expect(classesOf(model)).toContain('Conv2D');
    expect(model.outputs[0]!.shape).toEqual([null, null, 3]);
  });

  it('takes the shape of an input from the signature, where its node has none', async () => {
    const graph = new GraphBuilder();
    dense(graph, graph.input('x', [null, 3]), 3, 2, 'out');
    const artifacts = graph.artifacts();
    const [place] = (artifacts.modelTopology as {node: {attr: Record<string, unknown>}[]}).node;
    delete place!.attr['shape'];
    await expectAsync(importModel(artifacts)).toBeRejectedWithError(/the input 'x' has no shape/);
    const tensorShape = {dim: [{size: '-1'}, {size: '3'}]};
    const signature = {inputs: {x: {name: 'x:0', tensorShape}}, outputs: {out: {name: 'out:0'}}};
    const model = await importedModel({...artifacts, signature});
    expect(model.inputs[0]!.shape).toEqual([null, 3]);
  });

  it('gives what hangs on no value of an input', async () => {
    const graph = new GraphBuilder();
    const x = graph.input('x', [null, 3]);
    graph.op('Abs', [x], {}, 'out');
    graph.op('Neg', [graph.constant([1, 2])], {}, 'fixed');
    graph.op('Shape', [x], {out_type: type('DT_INT32')}, 'sizes');
    const outputs = {out: 'out', fixed: 'fixed', sizes: 'sizes'};
    const model = await imported(signed(graph, {inputs: {x: 'x'}, outputs}));
    expect(model.outputNames).toEqual(['out', 'fixed', 'sizes']);
  });

  it('trains segments with the layers around them', async () => {
    needsTraining();
    const graph = new GraphBuilder();
    const x = graph.input('x', [4, 3]);
    const y = graph.op('Erf', [dense(graph, x, 3, 4)]);
    dense(graph, graph.op('MatMul', [graph.random([4, 4]), y]), 4, 1, 'out');
    const model = await importedModel(graph.artifacts());
    model.compile({loss: 'meanSquaredError', optimizer: 'sgd'});
    const before = model.getWeights().map(each => each.clone());
    await model.fit(ones([4, 3]), ones([4, 1]), {epochs: 2, batchSize: 4});
    for (const [i, each] of model.getWeights().entries()) expect(await difference(each, before[i]!)).toBeGreaterThan(0);
  });

  it('leaves the weights of the model, and nothing where it fails', async () => {
    const graph = new GraphBuilder();
    const x = graph.input('x', [null, 3]);
    const y = graph.op('AddV2', [dense(graph, x, 3, 2), graph.random([2])]);
    graph.op('Relu', [y], {}, 'out');
    const artifacts = graph.artifacts();
    const {numTensors} = memory();
    const model = await importModel(artifacts);
    expect(memory().numTensors - numTensors).toBe(model.weights.length);
    model.dispose();
    expect(memory().numTensors).toBe(numTensors);
    const {node} = artifacts.modelTopology as {node: {op: string}[]};
    node.at(-1)!.op = 'NoSuchOp';
    await expectAsync(importModel(artifacts)).toBeRejectedWithError(/'out' \(NoSuchOp\)/);
    expect(memory().numTensors).toBe(numTensors);
  });

  it('tells how far it is', async () => {
    const graph = new GraphBuilder();
    dense(graph, graph.input('x', [null, 3]), 3, 2, 'out');
    const told: string[] = [];
    const model = await importModel(graph.artifacts(), {
      onProgress: ({stage, done, total}) => told.push(`${stage} ${done} of ${total}`),
    });
    model.dispose();
    expect(told.filter(each => each.startsWith('convert'))).toEqual([
      'convert 1 of 3',
      'convert 2 of 3',
      'convert 3 of 3',
    ]);
  });

  for (const [what, op] of [
    ['layers', (graph: GraphBuilder, last: string, x: string) => graph.op('AddV2', [last, x])],
    ['other nodes', (graph: GraphBuilder, last: string) => graph.op('Abs', [last])],
  ] as const) {
    it(`imports 20,000 nodes in a row, of ${what}`, async () => {
      needsSpeed();
      const graph = new GraphBuilder();
      const x = graph.input('x', [null, 2]);
      let last = x;
      for (let i = 0; i < 20000; i++) last = op(graph, last, x);
      const model = await importedModel(graph.artifacts());
      const given = model.predict(ones([1, 2])) as Tensor;
      expect([...(await given.data())]).toEqual(what === 'layers' ? [20001, 20001] : [1, 1]);
    });
  }
});

/** What a model gives; on WebGPU, whose values no layer waits for, nothing where it would have to. */
function attempt(predict: () => Tensor[]): Tensor[] {
  try {
    return predict();
  } catch (error) {
    if (!onWebGPU) throw error;
    expect((error as Error).message).toMatch(/^node '.*' \(.*\) needs values that WebGPU has computed/);
    return [];
  }
}

describe("importModel of TensorFlow's loops, conditions and lists", () => {
  scoped();
  afterEach(disposeModels);

  for (const kind of ['functions', 'frames']) {
    it(`computes what TensorFlow did, written as ${kind}`, async () => {
      for (const [name, {graphs, cases}] of Object.entries(await readModels())) {
        const packed = graphs[kind];
        if (!packed) continue;
        const {modelTopology, weightSpecs, weightData, outputs} = packed;
        const data = Uint8Array.from(atob(weightData), char => char.charCodeAt(0)).buffer;
        const ends = Object.entries(outputs).map(([key, node]) => [key, {name: node}] as const);
        const signature = {outputs: Object.fromEntries(ends)};
        const model = await importedModel({modelTopology, weightSpecs, weightData: data, signature});
        for (const {inputs, outputs: expected} of cases) {
          const values = model.inputNames.map(each => tensorOf(unpack(inputs[each]!)));
          const given = attempt(() => [model.apply(values.length === 1 ? values[0]! : values)].flat() as Tensor[]);
          for (const [i, value] of given.entries()) {
            const of = tensorOf(unpack(expected[Object.keys(outputs)[i]!]!));
            expect(await difference(value, of))
              .withContext(`${name} ${model.outputNames[i]}`)
              .toBeLessThan(CLOSE);
          }
        }
      }
    });
  }
});

describe('describeImport', () => {
  scoped();
  afterEach(disposeModels);

  it('names the nodes of each layer, and what is folded into it, of quantized models too', async () => {
    const graph = new GraphBuilder();
    const x = graph.input('x', [null, 4]);
    const y = graph.op('AddV2', [dense(graph, x, 4, 3, 'product'), graph.random([3])], {}, 'bias');
    graph.op('Relu', [y], {}, 'relu');
    const model = await importedModel(graph.artifacts());
    const rows = [{layer: 'relu', className: 'Dense', nodes: ['product', 'bias', 'relu'], note: jasmine.any(String)}];
    expect(describeImport(model).rows as unknown[]).toEqual(rows);
    const lines: string[] = [];
    describeImport(model).print(line => lines.push(line));
    expect(lines.length).toBe(2);
    expect(lines[1]).toMatch(/^relu +Dense +3 /);
  });

  it('tells of segments in models that were loaded', async () => {
    const graph = new GraphBuilder();
    graph.op('Abs', [graph.input('x', [null, 4])], {}, 'abs');
    const model = await loadedAgain(await importedModel(graph.artifacts()));
    expect(describeImport(model).rows).toEqual([
      {layer: 'abs', className: 'GraphSegment', nodes: ['abs'], note: 'Abs has no layer'},
    ]);
  });

  it('refuses what is no model', () => {
    expect(() => describeImport({} as LayersModel)).toThrowError(/^describeImport: model must be a tf.LayersModel/);
  });
});
