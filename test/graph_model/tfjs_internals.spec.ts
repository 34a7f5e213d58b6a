/** What tfjs-converter and tfjs-core do that this room leans on beyond their typings. */
import {deregisterOp, loadGraphModelSync, registerOp} from '@tensorflow/tfjs-converter';
import {type Tensor, tensor1d} from '@tensorflow/tfjs-core';
import {knownOps, opsOfTfjs} from '../../src/graph_model/tfjs_internals';
import {weightDataFor} from '../../src/graph_model/weights';

describe('tfjs-converter', () => {
  it('knows its ops, and those that are registered', () => {
    const asked = ['Conv2D', 'Identity', 'Where', 'While', 'HashTableV2', 'Frobnicate', 'toString', '__proto__'];
    expect([...opsOfTfjs(asked)]).toEqual(['Conv2D', 'Identity', 'Where', 'While', 'HashTableV2']);
    registerOp('Frobnicate', ({inputs}) => inputs[0]!);
    expect(opsOfTfjs(asked)).toContain('Frobnicate');
    deregisterOp('Frobnicate');
  });

  it('hands on what is kept and has an id, as a tensor that it does not know', () => {
    const list = {kept: true, id: 'list', tensors: [] as Tensor[]};
    registerOp('MakeList', () => list as unknown as Tensor);
    registerOp('AskList', ({inputs}) => tensor1d([(inputs[0] as unknown) === list ? 1 : 0]));
    const node = [
      {name: 'x', op: 'Placeholder', attr: {}},
      {name: 'make', op: 'MakeList', input: ['x'], attr: {}},
      {name: 'same', op: 'Identity', input: ['make'], attr: {}},
      {name: 'ask', op: 'AskList', input: ['same'], attr: {}},
    ];
    const model = loadGraphModelSync({
      modelTopology: {node, versions: {producer: 0, minConsumer: 0}},
      weightSpecs: [],
      weightData: new ArrayBuffer(0),
    });
    const x = tensor1d([0]);
    const y = model.execute({x}, 'ask') as Tensor;
    expect(y.shape).toEqual([1]);
    return y.data().then(([found]) => {
      expect(found).toBe(1);
      x.dispose();
      y.dispose();
      model.dispose();
      deregisterOp('MakeList');
      deregisterOp('AskList');
    });
  });
});

describe("tfjs-converter's table of ops", () => {
  it('tells which are known, and how many inputs they take', () => {
    registerOp('ImportTestOp', ({inputs}) => inputs[0]!);
    const ops = ['Relu', 'Conv2D', 'Const', 'While', 'ConcatV2', 'ImportTestOp', 'Nowhere', 'constructor', '__proto__'];
    const known = knownOps([...ops, 'Relu']);
    deregisterOp('ImportTestOp');
    expect(Object.fromEntries(known)).toEqual({Relu: 1, Conv2D: 2, Const: 0, While: 0, ConcatV2: 0, ImportTestOp: 0});
    expect(knownOps(['ImportTestOp']).size).toBe(0);
  });
});

describe("tfjs-core's buffers of weights", () => {
  /** Adds two weights. */
  async function sum(parts: ArrayBuffer[]): Promise<number[]> {
    const constant = (name: string) => ({name, op: 'Const', attr: {}});
    const node = [constant('a'), constant('b'), {name: 'y', op: 'AddV2', input: ['a', 'b']}];
    const model = loadGraphModelSync({
      modelTopology: {node, versions: {producer: 0, minConsumer: 0}},
      weightSpecs: [
        {name: 'a', shape: [2], dtype: 'float32'},
        {name: 'b', shape: [2], dtype: 'float32'},
      ],
      weightData: parts,
    });
    const y = model.execute({}) as Tensor;
    const values = Array.from(await y.data());
    y.dispose();
    model.dispose();
    return values;
  }

  it('read zeros from a last one that is longer than the first, but for an empty one behind it', async () => {
    const parts = [new Float32Array([1]).buffer, new Float32Array([2, 3, 4]).buffer];
    expect(await sum(parts)).not.toEqual([4, 6]);
    expect(await sum(weightDataFor(parts))).toEqual([4, 6]);
  });
});
