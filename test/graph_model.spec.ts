/** Models that the real converter wrote give what TensorFlow gave before their conversion. */
import {deregisterOp, type GraphModel, loadGraphModel} from '@tensorflow/tfjs-converter';
import {dispose, env, grad, io, memory, type Tensor} from '@tensorflow/tfjs-core';
import {mendGraph, registerGraphOps} from '../src/graph_model';
import {onWebGPU} from './environment';
import {type Case, type ExpectedOutput, inputTensors, modelHandler, readExpected, unpack} from './graph_models/models';

const STATIC_MODELS = [
  'args',
  'vars',
  'vars_per_channel',
  'quantize_v2',
  'quantize_v3',
  'quantize_v3_bits',
  'quantize_v4',
  'quantize_v4_grad',
  'qat_network',
];
const CONTROL_FLOW_MODELS = ['while_vars', 'while_mixed', 'cond_channels', 'cond_in_while'];

type Run = (model: GraphModel, run: Case) => Promise<Tensor[]>;

async function withInputs(run: Case, execute: (inputs: Record<string, Tensor>, names: string[]) => unknown) {
  const inputs = inputTensors(run.inputs);
  try {
    const names = Object.values(run.outputs).map(({node}) => node);
    return [(await execute(inputs, names)) as Tensor | Tensor[]].flat();
  } finally {
    dispose(inputs);
  }
}

const execute: Run = (model, run) => withInputs(run, (inputs, names) => model.execute(inputs, names));
const executeAsync: Run = (model, run) => withInputs(run, (inputs, names) => model.executeAsync(inputs, names));

function isClose(actual: number, expected: number): boolean {
  return Object.is(actual, expected) || Math.abs(actual - expected) <= 1e-5 * Math.max(1, Math.abs(expected));
}

/** Bit for bit, -0 unlike +0, NaN like NaN; or within 1e-5 where TensorFlow leaves the order of a sum open. */
function mismatches(actual: ArrayLike<number>, expected: ArrayLike<number>, exact: boolean): string[] {
  const same = exact ? Object.is : isClose;
  return Array.from(expected).flatMap((value, i) => {
    const found = actual[i] ?? NaN;
    return same(found, value) ? [] : [`[${i}] ${found} instead of ${value}`];
  });
}

async function check(label: string, result: Tensor | undefined, expected: ExpectedOutput): Promise<void> {
  expect(result?.shape).withContext(label).toEqual(expected.shape);
  expect(result?.dtype).withContext(label).toBe(expected.dtype);
  const actual = (await result?.data<'float32'>()) ?? [];
  expect(mismatches(actual, unpack(expected), expected.exact))
    .withContext(label)
    .toEqual([]);
}

/** Runs all cases of a model and compares all outputs. */
async function checkModel(name: string, topology: string, run: Run): Promise<void> {
  const model = await loadGraphModel(mendGraph(await modelHandler(name, topology)));
  const cases = (await readExpected())[name] ?? [];
  expect(cases.length).toBeGreaterThan(0);
  // All at once, as a GPU answers late.
  const answers = cases.map(async (one, index) => {
    const results = await run(model, one);
    const outputs = Object.entries(one.outputs);
    await Promise.all(
      outputs.map(([output, expected], i) => check(`${name} case ${index} ${output}`, results[i], expected)),
    );
    dispose(results);
  });
  await Promise.all(answers);
  model.dispose();
}

async function load(name: string): Promise<{model: GraphModel; run: Case}> {
  const run = (await readExpected())[name]?.at(-1);
  if (!run) throw new Error(`${name} has no cases`);
  return {model: await loadGraphModel(mendGraph(await modelHandler(name))), run};
}

/** The tensors alive after each of four runs. */
async function tensorsAlive(name: string, run: Run): Promise<number[]> {
  const {model, run: inputs} = await load(name);
  const counts: number[] = [];
  for (let i = 0; i < 4; i++) {
    dispose(await run(model, inputs));
    counts.push(memory().numTensors);
  }
  model.dispose();
  return counts;
}

describe('graph models', () => {
  beforeEach(() => {
    registerGraphOps();
    // executeAsync warns of every model without control flow.
    spyOn(console, 'warn');
  });

  for (const topology of ['model.json', 'stripped.json']) {
    for (const name of STATIC_MODELS) {
      it(`execute ${name}/${topology} as TensorFlow does`, () => checkModel(name, topology, execute));
      it(`executeAsync ${name}/${topology} as TensorFlow does`, () => checkModel(name, topology, executeAsync));
    }
    for (const name of CONTROL_FLOW_MODELS) {
      it(`executeAsync ${name}/${topology} as TensorFlow does`, () => checkModel(name, topology, executeAsync));
    }
  }

  it('have all their models in these tests', async () => {
    expect(Object.keys(await readExpected()).sort()).toEqual([...STATIC_MODELS, ...CONTROL_FLOW_MODELS].sort());
  });

  for (const name of STATIC_MODELS) {
    it(`leak nothing when ${name} is executed`, async () => {
      expect(new Set(await tensorsAlive(name, execute)).size).toBe(1);
      expect(new Set(await tensorsAlive(name, executeAsync)).size).toBe(1);
    });
  }

  for (const name of CONTROL_FLOW_MODELS) {
    it(`leak nothing when ${name} is executed`, async () => {
      expect(new Set(await tensorsAlive(name, executeAsync)).size).toBe(1);
    });
  }
});

describe('registerGraphOps', () => {
  afterEach(() => registerGraphOps());

  it('is what keeps a converted network from running unquantized', async () => {
    const distance = async () => {
      const {model, run} = await load('qat_network');
      const [result] = await execute(model, run);
      const expected = unpack(run.outputs['conv'] as ExpectedOutput);
      const actual = (await result?.data<'float32'>()) ?? [];
      dispose([result]);
      model.dispose();
      return Math.max(...Array.from(actual, (value, i) => Math.abs(value - (expected[i] ?? NaN))));
    };
    deregisterOp('FakeQuantWithMinMaxVars');
    expect(await distance()).toBeGreaterThan(1e-3);
    registerGraphOps();
    registerGraphOps();
    expect(await distance()).toBeLessThan(1e-5);
  });

  it('makes known what tfjs calls an unknown op', async () => {
    deregisterOp('FakeQuantWithMinMaxArgs');
    const {model, run} = await load('args');
    await expectAsync(execute(model, run)).toBeRejectedWithError(/Unknown op 'FakeQuantWithMinMaxArgs'/);
    model.dispose();
  });

  it('tells of a num_bits that no grid has, by name and value', async () => {
    const {model, run} = await load('quantize_v3_bits');
    const bits = {...run, inputs: {...run.inputs, bits: {dtype: 'int32', shape: [], data: btoa('\x28\0\0\0')}}} as Case;
    await expectAsync(execute(model, bits)).toBeRejectedWithError(/QuantizeAndDequantize.*numBits.*81/);
    model.dispose();
  });

  if (onWebGPU) {
    it('tells of a num_bits that WebGPU cannot read at once', async () => {
      const forward = env().getBool('WEBGPU_CPU_FORWARD');
      env().set('WEBGPU_CPU_FORWARD', false);
      const {model, run} = await load('quantize_v3_bits');
      await expectAsync(execute(model, run)).toBeRejectedWithError(/num_bits was computed on the GPU/);
      env().set('WEBGPU_CPU_FORWARD', forward);
      model.dispose();
    });
  }

  it('gives V2 and V3 the gradient 1 everywhere, as TensorFlow does', async () => {
    for (const [name, node] of [
      ['quantize_v2', 'PartitionedCall/QuantizeAndDequantizeV2_1'],
      ['quantize_v3', 'PartitionedCall/QuantizeAndDequantizeV3'],
    ] as const) {
      const {model, run} = await load(name);
      const inputs = inputTensors(run.inputs);
      const dx = grad(x => model.execute({...inputs, x}, node) as Tensor)(inputs['x'] as Tensor);
      expect(new Set(await dx.data())).toEqual(new Set([1]));
      dispose([dx, ...Object.values(inputs)]);
      model.dispose();
    }
  });
});

describe('mendGraph', () => {
  beforeAll(registerGraphOps);

  const topologyOf = async (handler: io.IOHandler) => (await handler.load?.())?.modelTopology;

  /** A model with one function, whose single quantization node is q. */
  function withFunction(op: string, nodeDef: object[], ret: Record<string, string>): io.ModelArtifacts {
    const q = {name: 'q', op, input: ['dy', 'x', 'low', 'high']};
    return {modelTopology: {node: [], library: {function: [{signature: {}, nodeDef: [q, ...nodeDef], ret}]}}};
  }

  it('is what brings the second and third output out of a body', async () => {
    const model = await loadGraphModel(await modelHandler('cond_channels'));
    const run = (await readExpected())['cond_channels']?.[0] as Case;
    const results = await executeAsync(model, run);
    const unmended = results[Object.keys(run.outputs).indexOf('taken_dmin')];
    expect(unmended?.shape).toEqual(run.outputs['taken_dx']?.shape);
    dispose(results);
    model.dispose();
  });

  it('passes a model without functions on untouched', async () => {
    const handler = await modelHandler('vars');
    expect(await topologyOf(mendGraph(handler))).toBe(await topologyOf(handler));
  });

  it('does not change the artifacts it was given', async () => {
    const handler = await modelHandler('while_vars');
    const before = JSON.stringify(await topologyOf(handler));
    await topologyOf(mendGraph(handler));
    expect(JSON.stringify(await topologyOf(handler))).toBe(before);
  });

  it('names inputs by index and returns through an Identity each', async () => {
    const user = {name: 'user', op: 'AddV2', input: ['q:backprop_wrt_min:0', 'q:backprop_wrt_max:0', '^q', 'x']};
    const taken = {name: 'low/returned', op: 'TopKV2', input: ['q:backprops_wrt_input:0', 'k']};
    const ret = {low: 'q:backprop_wrt_min:0', also: 'q:backprop_wrt_min:0', top: 'low/returned:indices:0', x: 'x'};
    const artifacts = withFunction('FakeQuantWithMinMaxVarsGradient', [user, taken], ret);
    const mended = await topologyOf(mendGraph({load: () => Promise.resolve(artifacts)}));
    const {nodeDef, ret: returned} = (mended as {library: {function: [{nodeDef: object[]; ret: object}]}}).library
      .function[0];
    expect(nodeDef.slice(1)).toEqual([
      {...user, input: ['q:1', 'q:2', '^q', 'x']},
      {...taken, input: ['q:0', 'k']},
      {name: 'low/returned_', op: 'Identity', input: ['q:1']},
      {name: 'also/returned', op: 'Identity', input: ['q:1']},
      {name: 'top/returned', op: 'Identity', input: ['low/returned:indices:0']},
    ]);
    expect(returned).toEqual({
      low: 'low/returned_:output:0',
      also: 'also/returned:output:0',
      top: 'top/returned:output:0',
      x: 'x',
    });
  });

  it('loads a URL through its handler, with the load options', async () => {
    const handler = await modelHandler('args');
    const asked: unknown[] = [];
    io.registerLoadRouter((url, options) => {
      if (url !== 'mend-graph-test://args') return null as unknown as io.IOHandler;
      asked.push(options);
      return handler;
    });
    const onProgress = () => undefined;
    expect(await topologyOf(mendGraph('mend-graph-test://args', {onProgress}))).toBe(await topologyOf(handler));
    expect(asked).toEqual([{onProgress}]);
    // With requestInit tfjs fetches whatever the URL looks like.
    mendGraph('mend-graph-test://args', {requestInit: {}});
    expect(asked.length).toBe(1);
  });

  it('takes an unknown URL for a path to fetch, as tfjs does', async () => {
    const paths: string[] = [];
    spyOn(env().platform, 'fetch').and.callFake(path => {
      paths.push(path);
      return Promise.reject(new Error('offline'));
    });
    const model = loadGraphModel(mendGraph('models/model.json'));
    await expectAsync(model).toBeRejectedWithError(/offline/);
    expect(paths).toEqual(['models/model.json']);
  });

  it('refuses what is neither a URL nor a handler', () => {
    for (const [i, bad] of [undefined, null, 7, '', {}, {load: 'x'}, new Float32Array(1)].entries()) {
      expect(() => mendGraph(bad as unknown as string))
        .withContext(`source ${i}`)
        .toThrowError(/^mendGraph: source must be the model's URL or an IOHandler with a load method/);
    }
  });

  it('tells of a handler that loads no topology', async () => {
    const empty = mendGraph({load: () => Promise.resolve({weightData: new ArrayBuffer(0)})});
    await expectAsync(loadGraphModel(empty)).toBeRejectedWithError(/mendGraph: .*no model topology/);
  });
});
