/** Gradients of ops for which tfjs has none, against differences of their values. */
import {grad, memory, ones, randomNormal, type Tensor, tensor, tidy} from '@tensorflow/tfjs-core';
import type {NodeDef} from '../../src/graph_model/check_graph';
import type {Constant} from '../../src/graph_model/constant';
import {NodeRun} from '../../src/graph_model/node_run';
import {setup} from '../support/environment';
import {needsTraining, scoped} from '../support/scoped';

const ints = (shape: readonly number[], ...values: number[]): Constant => ({
  dtype: 'int32',
  shape,
  values: Int32Array.from(values),
});
const floats = (shape: readonly number[]): Constant => ({
  dtype: 'float32',
  shape,
  values: Float32Array.from({length: shape.reduce((a, b) => a * b, 1)}, (_, i) => Math.sin(i + 1)),
});
const row = (...values: number[]) => ints([values.length], ...values);
const text = (s: string) => ({s: btoa(s)});
const whole = (i: number) => ({i: String(i)});

interface Asked {
  readonly op: string;
  readonly x: number[];
  /** What the node takes beside x; 'x' stands for it. */
  readonly inputs: readonly (Constant | 'x')[];
  readonly attr?: NodeDef['attr'];
}

const slices = (
  x: number[],
  begin: number[],
  end: number[],
  strides: number[],
  masks: Record<string, number> = {},
): Asked => ({
  op: 'StridedSlice',
  x,
  inputs: ['x', row(...begin), row(...end), row(...strides)],
  attr: Object.fromEntries(Object.entries(masks).map(([name, mask]) => [`${name}_mask`, whole(mask)])),
});

const products = (equation: string, x: number[], ...inputs: readonly (Constant | 'x')[]): Asked => ({
  op: 'Einsum',
  x,
  inputs,
  attr: {equation: text(equation), N: whole(inputs.length)},
});

const ASKED: Readonly<Record<string, Asked>> = {
  'a slice': slices([3, 4, 2], [0, 1, 0], [3, 3, 2], [1, 1, 1]),
  'every second': slices([2, 5, 2], [0, 0, 0], [2, 5, 2], [1, 2, 1]),
  'every third from the second on': slices([8, 2], [1, 0], [8, 2], [3, 1]),
  backwards: slices([2, 6], [0, -1], [2, 0], [1, -2], {begin: 1, end: 1}),
  'all backwards': slices([4], [0], [0], [-1], {begin: 1, end: 1}),
  'a dimension less': slices([3, 4, 2], [1, 0, 0], [2, 0, 0], [1, 1, 1], {shrink_axis: 1, begin: 6, end: 6}),
  'the last channel': slices([2, 3, 2], [0, -1], [0, 0], [1, 1], {ellipsis: 1, shrink_axis: 2}),
  'a dimension more': slices([3, 2], [0, 0, 1], [0, 0, 2], [1, 1, 1], {new_axis: 2, begin: 1, end: 1}),
  nothing: slices([3, 2], [2, 0], [2, 2], [1, 1]),
  'a product of matrices': products('ab,bc->ac', [3, 4], 'x', floats([4, 2])),
  'the other of a product': products('ab,bc->ac', [4, 2], floats([3, 4]), 'x'),
  heads: products('abc,cde->abde', [2, 3, 4], 'x', floats([4, 2, 3])),
  scores: products('aecd,abcd->acbe', [2, 3, 2, 2], 'x', floats([2, 3, 2, 2])),
  'a transpose': products('abc->cab', [2, 3, 4], 'x'),
  sums: products('ab->b', [2, 3], 'x'),
  'the highest': {op: 'TopKV2', x: [3, 5], inputs: ['x', ints([], 2)], attr: {sorted: {b: true}}},
  'depth to space': {
    op: 'DepthToSpace',
    x: [2, 2, 3, 8],
    inputs: ['x'],
    attr: {block_size: whole(2), data_format: text('NHWC')},
  },
  gathered: {op: 'GatherNd', x: [3, 4], inputs: ['x', ints([3, 1], 2, 0, 2)]},
  scattered: {op: 'ScatterNd', x: [2, 3], inputs: [ints([2, 1], 3, 1), 'x', row(4, 3)]},
};

const konst = (name: string): NodeDef => ({name, op: 'Const', attr: {}});

/** The nodes as a function. */
function runOf(nodes: readonly NodeDef[], constants: ReadonlyMap<string, Constant>, output: string): NodeRun {
  const all = [...nodes, ...Array.from(constants.keys(), konst)];
  return new NodeRun({nodes: all, inputs: ['x'], outputs: [output]}, constants);
}

/** What of dy comes back to x, by the change of each of its values: the ops are linear, or nearly. */
function byDifferences(f: (x: Tensor) => Tensor, x: Tensor, dy: Tensor): number[] {
  const values = Array.from(x.dataSync());
  const at = (changed: number, by: number) =>
    tidy(() => {
      const moved = values.map((each, i) => (i === changed ? each + by : each));
      return f(tensor(moved, x.shape as [number]))
        .mul(dy)
        .sum()
        .dataSync()[0]!;
    });
  return values.map((_, i) => (at(i, 1 / 64) - at(i, -1 / 64)) * 32);
}

describe('Gradients of ops that tfjs has none of', () => {
  scoped();

  it('are those of differences', () => {
    needsTraining();
    for (const [name, {op, x: shape, inputs, attr = {}}] of Object.entries(ASKED)) {
      const constants = new Map(inputs.flatMap((each, i) => (each === 'x' ? [] : [[`c${i}`, each] as const])));
      const input = inputs.map((each, i) => (each === 'x' ? 'x' : `c${i}`));
      const run = runOf([{name: 'y', op, input, attr: {T: {type: 'DT_FLOAT'}, ...attr}}], constants, 'y');
      // Far apart, so that the order of the highest stays.
      const x = tensor(
        Float32Array.from({length: shape.reduce((a, b) => a * b, 1)}, (_, i) => (i * 7) % 11),
        shape as [number],
      );
      const f = (given: Tensor) => run.run([given])[0]!;
      const dy = randomNormal(f(x).shape, 0, 1, 'float32', 5);
      const before = memory().numTensors;
      const found = grad(given => f(given))(x, dy);
      expect(memory().numTensors).toBe(before + 1);
      expect(found.shape).withContext(name).toEqual(shape);
      const expected = byDifferences(f, x, dy);
      found.dataSync().forEach((each, i) =>
        expect(each)
          .withContext(name)
          .toBeCloseTo(expected[i]!, setup.backend === 'cpu' ? 3 : 1),
      );
      run.dispose();
    }
  });

  it('pass by what is only asked whether it holds', () => {
    needsTraining();
    const float = {T: {type: 'DT_FLOAT'}};
    const nodes: NodeDef[] = [
      {name: 'double', op: 'Mul', input: ['x', 'two'], attr: float},
      ...['Greater', 'Less', 'LessEqual', 'GreaterEqual', 'Equal', 'NotEqual'].map(op => ({
        name: op,
        op,
        input: ['double', 'two'],
        attr: float,
      })),
      {name: 'not', op: 'LogicalNot', input: ['Less'], attr: {}},
      {name: 'and', op: 'LogicalAnd', input: ['Greater', 'NotEqual'], attr: {}},
      {name: 'or', op: 'LogicalOr', input: ['and', 'Equal'], attr: {}},
      {name: 'and2', op: 'LogicalAnd', input: ['or', 'not'], attr: {}},
      {name: 'and3', op: 'LogicalAnd', input: ['and2', 'GreaterEqual'], attr: {}},
      {name: 'or2', op: 'LogicalOr', input: ['and3', 'LessEqual'], attr: {}},
      {name: 'all', op: 'All', input: ['or2', 'axis'], attr: {keep_dims: {b: true}}},
      {name: 'any', op: 'Any', input: ['Greater', 'axis'], attr: {keep_dims: {b: true}}},
      {name: 'both', op: 'LogicalAnd', input: ['all', 'any'], attr: {}},
      {name: 'chosen', op: 'SelectV2', input: ['both', 'zero', 'x'], attr: float},
      {name: 'y', op: 'SelectV2', input: ['Greater', 'double', 'chosen'], attr: float},
    ];
    const constants = new Map<string, Constant>([
      ['two', {dtype: 'float32', shape: [], values: Float32Array.of(2)}],
      ['zero', {dtype: 'float32', shape: [4], values: new Float32Array(4)}],
      ['axis', row(0)],
    ]);
    const run = runOf(nodes, constants, 'y');
    const x = tensor([-1, 0.5, 1, 3]);
    expect([...run.run([x])[0]!.dataSync()]).toEqual([0, 0, 0, 6]);
    expect([...grad(given => run.run([given])[0]!)(x, ones([4])).dataSync()]).toEqual([0, 0, 0, 2]);
    run.dispose();
  });
});
