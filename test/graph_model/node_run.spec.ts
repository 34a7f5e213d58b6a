/** Nodes run on their own, at once. */
import {loadGraphModelSync} from '@tensorflow/tfjs-converter';
import {
  add,
  dispose,
  grad,
  memory,
  oneHot,
  reshape,
  sum,
  tensor,
  type Tensor,
  tensor1d,
  tidy,
} from '@tensorflow/tfjs-core';
import type {NodeDef} from '../../src/graph_model/check_graph';
import type {Constant} from '../../src/graph_model/constant';
import {NodeRun, type NodeSet} from '../../src/graph_model/node_run';
import {segmentProblems} from '../../src/graph_model/segment_problems';
import {onWebGPU} from '../support/environment';
import {needsTraining, skip} from '../support/scoped';
import {INPUTS, type Model, readGraph, readModels, tensorOf, unpack} from './control_flow_models';

/** A difference of float32 sums in another order. */
const TOLERANCE = 1e-5;

function worst(actual: ArrayLike<number>, expected: ArrayLike<number>): number {
  return Array.from(expected, (value, i) => Math.abs(value - actual[i]!)).reduce((a, b) => Math.max(a, b), 0);
}

/** Runs nodes; on WebGPU, whose values nobody reads at once, undefined where they would have to be. */
function attempt(run: NodeRun, inputs: readonly Tensor[]): Tensor[] | undefined {
  const before = memory().numTensors;
  try {
    return run.run(inputs);
  } catch (error) {
    if (!onWebGPU) throw error;
    expect((error as Error).message).toMatch(/^node '.*' \(.*\) needs values that WebGPU has computed.*cutModel/s);
    expect(memory().numTensors).toBe(before);
    return undefined;
  }
}

const constantsOf = (values: Readonly<Record<string, Constant>>) => new Map(Object.entries(values));
const ints = (shape: readonly number[], ...values: number[]): Constant => ({
  dtype: 'int32',
  shape,
  values: Int32Array.from(values),
});
const konst = (name: string): NodeDef => ({name, op: 'Const'});

async function valuesOf(tensors: readonly Tensor[]): Promise<number[][]> {
  const values = await Promise.all(tensors.map(async each => Array.from(await each.data())));
  dispose([...tensors]);
  return values;
}

describe('NodeRun', () => {
  it('runs some nodes, which others do not keep from it', async () => {
    const set: NodeSet = {
      nodes: [
        konst('axis'),
        {name: 'parts', op: 'Split', input: ['axis', 'a/b:1'], attr: {num_split: {i: '2'}}},
        {name: 'other', op: 'NobodyKnows', input: ['parts', 'not/there']},
        {name: 'negative', op: 'Neg', input: ['parts:1', '^other']},
      ],
      inputs: ['a/b:1'],
      outputs: ['parts:1', 'negative:0', 'parts'],
    };
    const run = new NodeRun(set, constantsOf({axis: ints([], 0)}));
    const x = tensor1d([1, 2, 3, 4]);
    const found = run.run([x]);
    expect(found.map(({shape}) => shape)).toEqual([[2], [2], [2]]);
    expect(await valuesOf(found)).toEqual([
      [3, 4],
      [-3, -4],
      [1, 2],
    ]);
    x.dispose();
    run.dispose();
    expect(memory().numTensors).toBe(0);
  });

  it('evaluates constants', async () => {
    const nodes = [konst('one'), konst('two'), {name: 'sum', op: 'AddV2', input: ['one', 'two']}];
    const run = new NodeRun(
      {nodes, inputs: [], outputs: ['sum', 'one']},
      constantsOf({one: ints([2], 1, 2), two: ints([], 5)}),
    );
    for (let i = 0; i < 2; i++) {
      expect(await valuesOf(run.run([]))).toEqual([
        [6, 7],
        [1, 2],
      ]);
    }
    run.dispose();
  });

  it('gives tensors of the caller, also where it gives what it takes, and twice', async () => {
    const nodes = [{name: 'same', op: 'Identity', input: ['x']}];
    const run = new NodeRun({nodes, inputs: ['x'], outputs: ['x', 'x', 'same', 'same']}, new Map());
    const x = tensor1d([1, 2]);
    const found = run.run([x]);
    expect(new Set([x, ...found]).size).toBe(5);
    expect(await valuesOf(found)).toEqual(Array.from({length: 4}, () => [1, 2]));
    expect(x.isDisposed).toBeFalse();
    x.dispose();
    run.dispose();
  });

  it('does not care what nodes are called', async () => {
    const names = ['__proto__', 'toString', 'constructor', 'a,b', 'node0', 'input0', 'b--c', 'x-1'];
    const nodes = names.map((name, i) => ({name, op: 'Neg', input: [i === 0 ? 'hasOwnProperty' : names[i - 1]!]}));
    const run = new NodeRun({nodes, inputs: ['hasOwnProperty'], outputs: names}, new Map());
    const x = tensor1d([1]);
    expect(await valuesOf(run.run([x]))).toEqual(names.map((_, i) => [i % 2 === 0 ? -1 : 1]));
    expect(({} as {x?: unknown}).x).toBeUndefined();
    x.dispose();
    run.dispose();
  });

  it('keeps strings, truths and NaN', async () => {
    const strings = Uint8Array.from([2, 0, 0, 0, 104, 105, 0, 0, 0, 0]);
    const constants = constantsOf({
      text: {dtype: 'string', shape: [2], values: strings},
      truth: {dtype: 'bool', shape: [2], values: Uint8Array.of(1, 0)},
      float: {dtype: 'float32', shape: [3], values: Float32Array.of(NaN, -Infinity, -0)},
    });
    const run = new NodeRun(
      {nodes: ['text', 'truth', 'float'].map(konst), inputs: [], outputs: ['text', 'truth', 'float']},
      constants,
    );
    const found = run.run([]);
    expect(found.map(({dtype}) => dtype)).toEqual(['string', 'bool', 'float32']);
    const [text, truth, float] = await Promise.all(found.map(each => each.data<'float32'>()));
    expect(Array.from(text as unknown as string[])).toEqual(['hi', '']);
    expect(Array.from(truth!)).toEqual([1, 0]);
    expect(Array.from(float!)).toEqual([NaN, -Infinity, -0]);
    dispose(found);
    run.dispose();
  });

  it('says which node fails, and leaves nothing', () => {
    const nodes = Array.from({length: 20}, (_, i) => ({
      name: `n${i}`,
      op: i === 12 ? 'MatMul' : 'Neg',
      input: i === 0 ? ['x'] : i === 12 ? ['n11', 'x'] : [`n${i - 1}`],
    }));
    const run = new NodeRun({nodes, inputs: ['x'], outputs: ['n19']}, new Map());
    const x = tensor([1, 2, 3, 4, 5, 6], [2, 3]);
    const before = memory().numTensors;
    expect(() => run.run([x])).toThrowError(/^node 'n12' \(MatMul\): /);
    expect(memory().numTensors).toBe(before);
    x.dispose();
    run.dispose();
    const missing = {
      nodes: [konst('a'), konst('b'), {name: 'c', op: 'Add', input: ['a', 'b']}],
      inputs: [],
      outputs: ['c'],
    };
    expect(() => new NodeRun(missing, constantsOf({a: ints([], 1)}))).toThrowError(/node 'b' \(Const\).*missing/);
    expect(memory().numTensors).toBe(0);
  });
});

describe('NodeRun of what tfjs runs asynchronously', () => {
  let models: Readonly<Record<string, Model>>;

  beforeAll(async () => {
    models = await readModels();
  });

  const BOTH = ['functions', 'frames'];
  const MODELS = {
    loop: BOTH,
    nested_loops: BOTH,
    conditions: BOTH,
    condition_in_loop: BOTH,
    loop_in_condition: BOTH,
    mapped: BOTH,
    arrays: BOTH,
    picks: BOTH,
    old_arrays: ['frames'],
  };
  for (const [name, keys] of Object.entries(MODELS)) {
    for (const key of keys) {
      it(`gives what TensorFlow gives: ${name} with ${key}`, async () => {
        const {graphs, cases} = models[name]!;
        const {set, constants, labels} = readGraph(graphs[key]!);
        expect(segmentProblems(set)).toEqual([]);
        const run = new NodeRun(set, constants);
        for (const {inputs, outputs} of cases) {
          const given = INPUTS.map(input => tensorOf(unpack(inputs[input]!)));
          const before = memory().numTensors;
          const found = attempt(run, given);
          if (found) expect(memory().numTensors - before).toBe(labels.length);
          for (const [i, each] of (found ?? []).entries()) {
            const {shape, dtype, values} = unpack(outputs[labels[i]!]!);
            expect([each.shape, each.dtype])
              .withContext(labels[i]!)
              .toEqual([[...shape], dtype]);
            expect(worst(await each.data(), values))
              .withContext(labels[i]!)
              .toBeLessThanOrEqual(TOLERANCE);
          }
          dispose([...given, ...(found ?? [])]);
        }
        run.dispose();
        expect(memory().numTensors).toBe(0);
      });
    }
  }

  it('gives what tfjs gives, which waits: soft non-max suppression', async () => {
    const node: NodeDef[] = [
      ...['boxes', 'scores', 'most', 'iou', 'lowest', 'sigma'].map(name => ({name, op: 'Placeholder', attr: {}})),
      {name: 'pick', op: 'NonMaxSuppressionV5', input: ['boxes', 'scores', 'most', 'iou', 'lowest', 'sigma'], attr: {}},
    ];
    const inputs = node.slice(0, -1).map(({name}) => name);
    const outputs = ['pick:0', 'pick:1'];
    const corners = [0, 0, 1, 1, 0, 0.1, 1, 1.1, 0, -0.1, 1, 0.9, 0, 10, 1, 11, 0, 10.2, 1, 11.1];
    const given = [
      tensor(corners, [5, 4]),
      tensor1d([0.9, 0.75, 0.6, 0.95, 0.5]),
      tensor(4, [], 'int32'),
      tensor(0.9, []),
      tensor(0.1, []),
      tensor(0.5, []),
    ];
    const artifacts = {
      modelTopology: {node, versions: {producer: 0, minConsumer: 0}},
      weightSpecs: [],
      weightData: new ArrayBuffer(0),
    };
    const model = loadGraphModelSync(artifacts);
    const named = Object.fromEntries(inputs.map((name, i) => [name, given[i]!]));
    const expected = await valuesOf([await model.executeAsync(named, outputs)].flat());
    const run = new NodeRun({nodes: node, inputs, outputs}, new Map());
    expect(await valuesOf(run.run(given))).toEqual(expected);
    expect(expected[0]!.length).toBeGreaterThan(2);
    dispose(given);
    run.dispose();
    model.dispose();
  });

  for (const key of BOTH) {
    it(`lets gradients pass: a loop with ${key}`, async () => {
      needsTraining();
      if (onWebGPU) skip('its conditions are computed on the device');
      const {set, constants} = readGraph(models['condition_in_loop']!.graphs[key]!);
      const run = new NodeRun(set, constants);
      const steps = tensor(4, [], 'int32');
      const x = tensor([0.1, 0.2, -0.3, 0.4, 0.5, -0.6], [2, 3]);
      const total = (given: Tensor) => sum(run.run([given, steps])[0]!);
      const before = memory().numTensors;
      const gradient = grad(total)(x);
      expect(memory().numTensors).toBe(before + 1);
      // The loop is linear: a step of one for each value tells all.
      const [gradients, base] = await valuesOf([gradient, tidy(() => total(x))]);
      const moves = gradients!.map((_, i) => tidy(() => total(add(x, reshape(oneHot(i, 6), [2, 3])))));
      const moved = (await valuesOf(moves)).flat();
      expect(
        worst(
          gradients!,
          moved.map(value => value - base![0]!),
        ),
      ).toBeLessThan(1e-5);
      dispose([x, steps]);
      run.dispose();
    });
  }
  it('takes what a loop holds from outside, where it is given', async () => {
    needsTraining();
    if (onWebGPU) skip('its conditions are computed on the device');
    const {set, constants} = readGraph(models['condition_in_loop']!.graphs['frames']!);
    const {name} = set.nodes.find(node => constants.get(node.name)?.shape.join() === '3,3')!;
    const others = new Map([...constants].filter(([other]) => other !== name));
    const run = new NodeRun({...set, inputs: [...set.inputs, name]}, others);
    const [x, steps, kernel] = [tensor([1, 2, 3], [1, 3]), tensor(1, [], 'int32'), tensorOf(constants.get(name)!)];
    const gradient = grad((weight: Tensor) => sum(run.run([x, steps, weight])[0]!))(kernel);
    expect(await valuesOf([gradient])).toEqual([[1, 1, 1, 2, 2, 2, 3, 3, 3]]);
    dispose([x, steps, kernel]);
    run.dispose();
  });
});

describe('segmentProblems', () => {
  const problemsOf = (nodes: readonly NodeDef[], outputs: readonly string[]) =>
    segmentProblems({nodes, inputs: ['x'], outputs});

  it('says which ops nobody knows, where they are needed', () => {
    const nodes = [
      {name: 'a', op: 'Frobnicate', input: ['x']},
      {name: 'b', op: 'Neg', input: ['x']},
      {name: 'c', op: 'Neg', input: ['a']},
    ];
    expect(problemsOf(nodes, ['b'])).toEqual([]);
    const [problem, ...others] = problemsOf(nodes, ['c']);
    expect(others).toEqual([]);
    expect(problem).toMatch(/^node 'a' \(Frobnicate\): .*tf\.registerOp\('Frobnicate'.*cutModel/);
  });

  it('says what is not in the graph, and of what the rest is missing', () => {
    const nodes = [
      {name: 'table', op: 'HashTableV2'},
      {name: 'find', op: 'LookupTableFindV2', input: ['table', 'x', 'x']},
      {name: 'switch', op: 'Switch', input: ['x', 'x']},
      {name: 'end', op: 'Pack', input: ['find', 'switch:1']},
    ];
    const problems = problemsOf(nodes, ['end']);
    expect(problems.map(problem => problem.split(':')[0]!).sort()).toEqual([
      "node 'find' (LookupTableFindV2)",
      "node 'switch' (Switch)",
      "node 'table' (HashTableV2)",
    ]);
    for (const problem of problems) expect(problem).toContain('cutModel');
  });
});
