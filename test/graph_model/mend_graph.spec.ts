/** Models that the real converter wrote give what TensorFlow gave before their conversion. */
import {deregisterOp, type GraphModel, loadGraphModel, loadGraphModelSync} from '@tensorflow/tfjs-converter';
import {dispose, env, grad, io, memory, scalar, type Tensor, tensor1d} from '@tensorflow/tfjs-core';
import {mendGraph, registerGraphOps} from '../../src/entries/graph_model';
import {onWebGPU} from '../support/environment';
import {type Case, type ExpectedOutput, inputTensors, modelHandler, readExpected, unpack} from '../graph_models/models';

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
    const signature = {name: 'body', inputArg: ['dy', 'x', 'low', 'high', 'k'].map(name => ({name}))};
    return {modelTopology: {node: [], library: {function: [{signature, nodeDef: [q, ...nodeDef], ret}]}}};
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
        .toThrowError(
          /^mendGraph: source must be the model's URL, an IOHandler with a load method .*ModelArtifacts, or/,
        );
    }
  });

  it('tells of a handler that loads no topology', async () => {
    const empty = mendGraph({load: () => Promise.resolve({weightData: new ArrayBuffer(0)})});
    await expectAsync(loadGraphModel(empty)).toBeRejectedWithError(/mendGraph: .*no model topology/);
  });
});

/** The attributes of an If. */
function branches(taken: string, other: string) {
  return {then_branch: {func: {name: taken}}, else_branch: {func: {name: other}}};
}

describe('mendGraph takes', () => {
  beforeAll(() => registerGraphOps());
  beforeEach(() => void spyOn(console, 'warn'));

  /** Of a model whose second and third outputs come out of a body. */
  const NAME = 'cond_channels';

  async function artifacts(): Promise<io.ModelArtifacts> {
    return (await modelHandler(NAME)).load!();
  }

  async function checkLoaded(model: GraphModel | GraphModel<io.IOHandlerSync>): Promise<void> {
    const run = (await readExpected())[NAME]![0]!;
    const results = await executeAsync(model as GraphModel, run);
    for (const [i, [output, expected]] of Object.entries(run.outputs).entries()) {
      await check(output, results[i], expected);
    }
    dispose(results);
    model.dispose();
  }

  function joined(data: io.WeightData | undefined): ArrayBuffer {
    return io.CompositeArrayBuffer.join(data);
  }

  it('a synchronous handler, for loadGraphModelSync', async () => {
    await checkLoaded(loadGraphModelSync(mendGraph(io.fromMemorySync(await artifacts()))));
  });

  it('a synchronous handler, for loadGraphModel', async () => {
    await checkLoaded(await loadGraphModel(mendGraph(io.fromMemorySync(await artifacts())) as unknown as io.IOHandler));
  });

  it('a handler of what is in memory', async () => {
    await checkLoaded(await loadGraphModel(mendGraph(io.fromMemory(await artifacts()))));
  });

  it('artifacts', async () => {
    await checkLoaded(loadGraphModelSync(mendGraph(await artifacts())));
  });

  it('a model.json and its weights', async () => {
    const {modelTopology, weightSpecs, weightData} = await artifacts();
    const weightsManifest = [{paths: ['weights.bin'], weights: weightSpecs!}];
    const json = {modelTopology: modelTopology!, weightsManifest} as io.ModelJSON;
    await checkLoaded(loadGraphModelSync(mendGraph([json, joined(weightData)])));
  });

  it('what fetches, for a URL, also one of TensorFlow Hub', async () => {
    const {modelTopology, weightSpecs, weightData} = await artifacts();
    const weightsManifest = [{paths: ['weights.bin'], weights: weightSpecs!}];
    const asked: string[] = [];
    const fetchFunc = ((url: string) => {
      asked.push(url);
      const body = url.includes('model.json') ? JSON.stringify({modelTopology, weightsManifest}) : joined(weightData);
      return Promise.resolve(new Response(body));
    }) as typeof fetch;
    const hub = mendGraph('https://hub.test/model', {fetchFunc, fromTFHub: true});
    await checkLoaded(await loadGraphModel(hub));
    expect(asked).toEqual([
      'https://hub.test/model/model.json?tfjs-format=file',
      'https://hub.test/model/weights.bin?tfjs-format=file',
    ]);
    await checkLoaded(
      await loadGraphModel(mendGraph('https://plain.test/model.json', {fetchFunc, streamWeights: true})),
    );
    expect(asked.slice(2)).toEqual(['https://plain.test/model.json', 'https://plain.test/weights.bin']);
  });

  it('graphs without versions, weights and lists that are empty', async () => {
    const call = {name: 'y', op: 'StatelessIf', input: ['flag'], attr: branches('one', 'two')};
    const flag = {name: 'flag', op: 'Placeholder', attr: {dtype: {type: 'DT_BOOL'}, shape: {shape: {}}}};
    const returning = (name: string) => ({
      signature: {name, outputArg: [{name: 'out', type: 'DT_FLOAT'}]},
      nodeDef: [
        {name: 'same', op: 'Identity', input: ['filled:output:0']},
        {name: 'filled', op: 'Fill', input: ['dims:output:0', 'value:output:0'], attr: {T: {type: 'DT_FLOAT'}}},
        {name: 'dims', op: 'Const', attr: {}},
        {name: 'value', op: 'Const', attr: {}},
      ],
      ret: {out: 'same:output:0'},
    });
    const topology = {node: [flag, call], library: {function: [returning('one'), returning('two')]}};
    const weightSpecs: io.WeightsManifestEntry[] = [
      {name: 'dims', shape: [1], dtype: 'int32'},
      {name: 'value', shape: [], dtype: 'float32'},
    ];
    const weightData = new ArrayBuffer(8);
    new Int32Array(weightData)[0] = 3;
    new Float32Array(weightData)[1] = 7;
    const model = loadGraphModelSync(mendGraph({modelTopology: topology, weightSpecs, weightData}));
    const condition = scalar(true, 'bool');
    const y = (await model.executeAsync({flag: condition})) as Tensor;
    expect(Array.from(await y.data())).toEqual([7, 7, 7]);
    dispose([condition, y]);
    model.dispose();

    const bare = loadGraphModelSync(mendGraph({modelTopology: {node: [{name: 'x', op: 'Placeholder'}]}}));
    expect(bare.modelVersion).toBe('0.0');
    bare.dispose();
  });
});

describe('malformed graphs', () => {
  beforeAll(() => registerGraphOps());

  const placeholder = (name: string) => ({name, op: 'Placeholder', attr: {dtype: {type: 'DT_FLOAT'}}});
  const x = placeholder('x');
  const bounds = [placeholder('min'), placeholder('max')];
  const vars = (attr: object, input = ['x', 'min', 'max']) => ({
    node: [x, ...bounds, {name: 'q', op: 'FakeQuantWithMinMaxVars', input, attr}],
  });
  const identity = (name: string, input: string) => ({name, op: 'Identity', input: [input]});
  const body = (nodeDef: unknown[], ret: unknown = {out: 'y:output:0'}) => ({
    node: [x],
    library: {
      function: [{signature: {name: 'f', inputArg: [{name: 'a'}], outputArg: [{name: 'out'}]}, nodeDef, ret}],
    },
  });
  const REMEDY = /Convert the model anew, or correct its model\.json\.$/;

  /** Each a topology, and what the error must tell besides mendGraph. */
  const BROKEN: Readonly<Record<string, readonly [topology: unknown, ...told: RegExp[]]>> = {
    'no topology': [undefined, /no model topology/],
    null: [null, /no model topology/],
    'a string': ['{"node": []}', /must be that of a model\.json/],
    'a list': [[], /must be that of a model\.json/],
    binary: [new ArrayBuffer(8), /is binary/],
    'a layers model': [{class_name: 'Sequential', config: {}}, /a layers model.*tf\.loadLayersModel/],
    'a layers model of Keras': [{keras_version: '2', model_config: {}}, /a layers model.*tf\.loadLayersModel/],
    'no nodes': [{versions: {}}, /a list 'node', but that was undefined/],
    'nodes that are no list': [{node: {x}}, /a list 'node'/],
    'null for a node': [{node: [x, null]}, /node 1 must have a name.*null/, REMEDY],
    'a node without a name': [{node: [{op: 'Identity'}]}, /node 0 must have a name.*\{"op":"Identity"\}/, REMEDY],
    'a node without an op': [{node: [{name: 'y'}]}, /node 0 must have.*"y"/, REMEDY],
    'inputs that are no list': [{node: [x, {...identity('y', 'x'), input: 'x'}]}, /node 1 must have/, REMEDY],
    'an input that is no name': [{node: [x, {name: 'y', op: 'Identity', input: [7]}]}, /node 1 must have/, REMEDY],
    'attributes that are none': [{node: [{...x, attr: {dtype: 'DT_FLOAT'}}]}, /node 0 must have/, REMEDY],
    'one name twice': [{node: [x, placeholder('x')]}, /two nodes are called 'x'/, REMEDY],
    'an unknown input': [
      {node: [x, identity('y', 'z:1')]},
      /node 'y' \(Identity\): its input 'z:1' is no node/,
      REMEDY,
    ],
    'an unknown control input': [{node: [x, identity('y', '^z')]}, /node 'y' \(Identity\): its input '\^z'/, REMEDY],
    'a cycle': [{node: [identity('y', 'z'), identity('z', 'y')]}, /node '[yz]' is among its own inputs/, REMEDY],
    'too few inputs': [
      vars({}, ['x', 'min', '^max']),
      /node 'q' \(FakeQuantWithMinMaxVars\): .*max, but has 2/,
      REMEDY,
    ],
    'num_bits 99': [
      vars({num_bits: {i: '99'}}),
      /'q' \(FakeQuantWithMinMaxVars\): num_bits .*between 2 and 16.* 99/,
      REMEDY,
    ],
    'num_bits 1': [vars({num_bits: {i: '1'}}), /num_bits .*between 2 and 16, inclusive, but was 1\./, REMEDY],
    'num_bits 7.5': [vars({num_bits: {f: 7.5}}), /num_bits .*integer.* 7\.5/, REMEDY],
    'num_bits in letters': [vars({num_bits: {i: 'eight'}}), /num_bits .*NaN/, REMEDY],
    'num_bits that is a flag': [vars({num_bits: {b: true}}), /num_bits .*true/, REMEDY],
    'narrow_range in letters': [
      vars({narrow_range: {s: btoa('false')}}),
      /narrow_range must be true or false.*'false'/,
      REMEDY,
    ],
    'narrow_range as a number': [
      vars({narrow_range: {i: '0'}}),
      /narrow_range must be true or false, but was 0/,
      REMEDY,
    ],
    'a bound in letters': [
      {node: [x, {name: 'q', op: 'FakeQuantWithMinMaxArgs', input: ['x'], attr: {min: {s: btoa('-6')}}}]},
      /'q' \(FakeQuantWithMinMaxArgs\): min must be a number/,
      REMEDY,
    ],
    'an unknown rounding': [
      {
        node: [
          x,
          ...bounds,
          {
            name: 'q',
            op: 'QuantizeAndDequantizeV4',
            input: ['x', 'min', 'max'],
            attr: {round_mode: {s: btoa('HALF_DOWN')}, num_bits: {i: '63'}, axis: {i: '-2'}},
          },
        ],
      },
      /3 problems/,
      /round_mode must be 'half_to_even' or 'half_up', but was the string 'half_down'/,
      /num_bits must be an integer between 1 and 62, inclusive, but was 63/,
      /axis must be an integer, -1 or more, but was -2/,
      REMEDY,
    ],
    'a library that is none': [{node: [x], library: 'f'}, /library\.function must be a list of functions.*"f"/, REMEDY],
    'functions that are no list': [{node: [x], library: {function: {}}}, /library\.function must be a list/, REMEDY],
    'null for a function': [{node: [x], library: {function: [null]}}, /library\.function must be a list/, REMEDY],
    'a function without a signature': [{node: [x], library: {function: [{nodeDef: []}]}}, /library\.function/, REMEDY],
    'an unknown function': [
      {node: [x, {name: 'y', op: 'StatelessIf', input: ['x'], attr: branches('f', 'g')}], library: body([]).library},
      /node 'y' \(StatelessIf\): else_branch is the function "g", not in the library/,
      REMEDY,
    ],
    'a function called where there is no library': [
      {node: [x, {name: 'y', op: 'While', input: ['x'], attr: {cond: {func: {name: 'f'}}}}]},
      /node 'y' \(While\): cond is the function "f"/,
      REMEDY,
    ],
    'a node of a function without a name': [body([{op: 'Identity'}]), /node 0 of the function 'f' must have/, REMEDY],
    'an unknown input in a function': [
      body([identity('y', 'b')]),
      /node 'y' \(Identity\) of the function 'f': its input 'b' is no node/,
      REMEDY,
    ],
    'a cycle in a function': [
      body([identity('y', 'z:output:0'), identity('z', 'y:output:0')]),
      /node '[yz]' of the function 'f' is among its own inputs/,
      REMEDY,
    ],
    'a bad attribute in a function': [
      body([{name: 'y', op: 'FakeQuantWithMinMaxArgs', input: ['a'], attr: {num_bits: {i: '0'}}}]),
      /node 'y' \(FakeQuantWithMinMaxArgs\) of the function 'f': num_bits .* 0\./,
      REMEDY,
    ],
    'a return that is nowhere': [
      body([identity('y', 'a')], {out: 'z:output:0'}),
      /the function 'f' returns 'out', which is "z:output:0", no node there/,
      REMEDY,
    ],
    'no return': [body([identity('y', 'a')], {}), /the function 'f' returns 'out', which is undefined/, REMEDY],
    'a return of another type': [body([identity('y', 'a')], {out: 7}), /library\.function must be a list/, REMEDY],
  };

  for (const [title, [topology, ...told]] of Object.entries(BROKEN)) {
    it(`are told by mendGraph: ${title}`, async () => {
      const loaded = {modelTopology: topology} as io.ModelArtifacts;
      expect(() => loadGraphModelSync(mendGraph({load: () => loaded}))).toThrowError(/^mendGraph: /);
      for (const part of told) {
        await expectAsync(loadGraphModel(mendGraph({load: () => Promise.resolve(loaded)}))).toBeRejectedWithError(part);
      }
    });
  }

  it('are told by mendGraph: another format, and no artifacts', () => {
    const of = (loaded: unknown) => () => loadGraphModelSync(mendGraph({load: () => loaded as io.ModelArtifacts}));
    expect(of({format: 'layers-model', modelTopology: {node: []}})).toThrowError(/^mendGraph: .*tf\.loadLayersModel/);
    expect(of(undefined)).toThrowError(/^mendGraph: .*no model topology/);
    expect(of(null)).toThrowError(/^mendGraph: .*no model topology/);
    expect(of('{}')).toThrowError(/^mendGraph: .*no model topology/);
  });

  it('are told by mendGraph: ten problems of many', () => {
    const node = Array.from({length: 25}, (_, i) => identity(`y${i}`, 'nowhere'));
    const load = () => loadGraphModelSync(mendGraph({modelTopology: {node}}));
    expect(load).toThrowError(/^mendGraph: 11 problems:\n(- node 'y\d'.*\n){10}- and 15 more\./);
  });

  it('are told by mendGraph: weights that are missing', () => {
    const modelTopology = {node: [{name: 'kernel', op: 'Const', attr: {}}]};
    const weights = [{name: 'kernel', shape: [1], dtype: 'float32'}] as io.WeightsManifestEntry[];
    const weightsManifest = [{paths: ['weights.bin'], weights}];
    const json = {modelTopology, weightsManifest} as unknown as io.ModelJSON;
    for (const source of [{modelTopology}, {modelTopology, weightSpecs: weights}]) {
      const load = () => loadGraphModelSync(mendGraph(source));
      expect(load).toThrowError(
        /^mendGraph: weightSpecs and weightData are missing, of 'kernel'.*\[modelJSON, weights\]/,
      );
    }
    expect(() => loadGraphModelSync(mendGraph(json as unknown as io.ModelArtifacts))).toThrowError(
      /^mendGraph: source is a model\.json without its weights.*\[modelJSON, weights\]/,
    );
    expect(() => mendGraph([json, new Uint8Array(4) as unknown as ArrayBuffer])).toThrowError(
      /^mendGraph: .*ArrayBuffer/,
    );
    expect(() => mendGraph([null as unknown as io.ModelJSON, new ArrayBuffer(4)])).toThrowError(/^mendGraph: .*null/);
  });

  it('may have a loop of the old kind', () => {
    const node = [
      x,
      {name: 'merge', op: 'Merge', input: ['x', 'next']},
      {name: 'next', op: 'NextIteration', input: ['merge']},
    ];
    expect(() => mendGraph({modelTopology: {node}}).load?.()).not.toThrow();
  });

  /** Loads a model as it is, without mendGraph. */
  async function executed(topology: object): Promise<Tensor> {
    const artifacts = {modelTopology: {versions: {}, ...topology}, weightSpecs: [], weightData: new ArrayBuffer(0)};
    const model = loadGraphModelSync(io.fromMemorySync(artifacts));
    const inputs = {x: tensor1d([1]), min: scalar(-1), max: scalar(1)};
    const used = Object.fromEntries(model.inputNodes.map(name => [name, inputs[name as 'x']]));
    try {
      return (await model.executeAsync(used, 'q')) as Tensor;
    } finally {
      dispose(inputs);
      model.dispose();
    }
  }

  /** The same, where mendGraph has not looked. */
  const AT_EXECUTION: Readonly<Record<string, readonly [topology: object, told: RegExp]>> = {
    'num_bits 99': [
      vars({num_bits: {i: '99'}}),
      /^FakeQuantWithMinMaxVars: num_bits .*between 2 and 16.* 99\. Convert/,
    ],
    'num_bits in letters': [vars({num_bits: {i: 'eight'}}), /^FakeQuantWithMinMaxVars: num_bits .*NaN\. Convert/],
    'narrow_range as a number': [vars({narrow_range: {i: '1'}}), /^FakeQuantWithMinMaxVars: narrow_range .*but was 1/],
    'too few inputs': [
      vars({}, ['x']),
      /^FakeQuantWithMinMaxVars: [^]*input min is missing\.\n.*input max is missing\. Convert/,
    ],
    'too few inputs of V3': [
      {node: [x, ...bounds, {name: 'q', op: 'QuantizeAndDequantizeV3', input: ['x', 'min', 'max']}]},
      /^QuantizeAndDequantizeV3: its input num_bits is missing/,
    ],
    'a bound in letters': [
      {node: [x, {name: 'q', op: 'FakeQuantWithMinMaxArgs', input: ['x'], attr: {max: {s: btoa('six')}}}]},
      /^FakeQuantWithMinMaxArgs: max must be a number, but was the string 'six'/,
    ],
    'an axis that is none': [
      {
        node: [
          x,
          ...bounds,
          {name: 'q', op: 'QuantizeAndDequantizeV4', input: ['x', 'min', 'max'], attr: {axis: {f: 0.5}}},
        ],
      },
      /^QuantizeAndDequantizeV4: axis must be an integer, -1 or more, but was 0\.5/,
    ],
  };

  for (const [title, [topology, told]] of Object.entries(AT_EXECUTION)) {
    it(`are told by their ops: ${title}`, async () => {
      spyOn(console, 'warn');
      await expectAsync(executed(topology)).toBeRejectedWithError(told);
    });
  }
});
