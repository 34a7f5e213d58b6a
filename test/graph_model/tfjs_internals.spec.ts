/** What the graph models' part takes from tfjs's private parts. */
import {deregisterOp, loadGraphModelSync, registerOp} from '@tensorflow/tfjs-converter';
import type {Tensor} from '@tensorflow/tfjs-core';
import {knownOps} from '../../src/graph_model/tfjs_internals';
import {weightDataFor} from '../../src/graph_model/weights';

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
  function sum(parts: ArrayBuffer[]): number[] {
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
    const values = Array.from(y.dataSync());
    y.dispose();
    model.dispose();
    return values;
  }

  it('read zeros from a last one that is longer than the first, but for an empty one behind it', () => {
    const parts = [new Float32Array([1]).buffer, new Float32Array([2, 3, 4]).buffer];
    expect(sum(parts)).not.toEqual([4, 6]);
    expect(sum(weightDataFor(parts))).toEqual([4, 6]);
  });
});
