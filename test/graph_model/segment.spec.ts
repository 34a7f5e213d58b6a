/** Layers that run nodes of graphs. */
import {io, memory, tensor, type Tensor} from '@tensorflow/tfjs-core';
import {
  input,
  type LayersModel,
  loadLayersModel,
  model as newModel,
  type SymbolicTensor,
} from '@tensorflow/tfjs-layers';
import '../../src/entries/import';
import type {Constant} from '../../src/graph_model/constant';
import {GraphSegment, type GraphSegmentArgs} from '../../src/graph_model/segment';

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

/** A product by a weight, then the places of its highest values: two outputs of two types. */
const PRODUCT: GraphSegmentArgs = {
  name: 'end/product',
  graph: {
    nodes: [
      {name: 'kernel', op: 'Const', attr: {}},
      {name: 'axis', op: 'Const', attr: {}},
      {name: 'MatMul', op: 'MatMul', input: ['x', 'kernel']},
      {name: 'ArgMax', op: 'ArgMax', input: ['MatMul', 'axis']},
    ],
    inputs: ['x'],
    outputs: ['MatMul', 'ArgMax'],
  },
  outputs: [
    {shape: [null, 2], dtype: 'float32'},
    {shape: [null], dtype: 'int32'},
  ],
  constants: new Map([
    ['kernel', floats([3, 2], 1, 2, 3, 4, 5, 6)],
    ['axis', ints([], -1)],
  ]),
  weights: ['kernel'],
  reasons: [{op: 'ArgMax', reason: 'no layer finds the highest'}],
};

function modelOf(args: GraphSegmentArgs): LayersModel {
  const x = input({batchShape: [null, 3], name: 'x'});
  return newModel({inputs: x, outputs: new GraphSegment(args).apply(x) as SymbolicTensor[]});
}

async function saved(model: LayersModel): Promise<LayersModel> {
  let artifacts: io.ModelArtifacts | undefined;
  await model.save(io.withSaveHandler(made => Promise.resolve((artifacts = made) as never)));
  const {modelTopology, weightSpecs, weightData} = artifacts!;
  const json: unknown = JSON.parse(JSON.stringify(modelTopology));
  return loadLayersModel(io.fromMemory({modelTopology: json as object, weightSpecs, weightData}));
}

describe('GraphSegment', () => {
  it('runs its nodes, also once it is saved', async () => {
    const model = modelOf(PRODUCT);
    expect(model.outputs.map(({shape, dtype}) => [shape, dtype])).toEqual([
      [[null, 2], 'float32'],
      [[null], 'int32'],
    ]);
    const loaded = await saved(model);
    const x = tensor([1, 0, 0, -1, 0, 0], [2, 3]);
    for (const each of [model, loaded]) {
      const before = memory().numTensors;
      const [product, places] = each.predict(x) as Tensor[];
      expect(Array.from(await product!.data())).toEqual([1, 2, -1, -2]);
      expect(Array.from(await places!.data())).toEqual([1, 0]);
      product!.dispose();
      places!.dispose();
      expect(memory().numTensors).toBe(before);
    }
    x.dispose();
    model.dispose();
    loaded.dispose();
    expect(memory().numTensors).toBe(0);
  });
});
