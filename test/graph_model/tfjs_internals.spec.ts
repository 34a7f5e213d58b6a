/** What tfjs-converter does that this room leans on beyond its typings. */
import {deregisterOp, loadGraphModelSync, registerOp} from '@tensorflow/tfjs-converter';
import {type Tensor, tensor1d} from '@tensorflow/tfjs-core';
import {opsOfTfjs} from '../../src/graph_model/tfjs_internals';

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
