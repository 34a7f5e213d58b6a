/** The ops for tfjs's executor of graph models, and what its files need mended so that it finds their outputs. */
import {type GraphNode, type OpExecutor, registerOp} from '@tensorflow/tfjs-converter';
import {customGrad, io, type Scalar, type Tensor, type Tensor1D, util} from '@tensorflow/tfjs-core';
import {between, bits, flag, must, number, oneOf} from '../check/rules';
import * as ops from '../ops/ops';
import {isOnHost} from '../ops/tfjs_internals';
import {
  asGraph,
  attrProblems,
  type FunctionDef,
  type GraphDef,
  graphProblems,
  isOfLayers,
  type NodeDef,
  type OpRules,
  refuseGraph,
  returnsOf,
} from './check_graph';
import {handlerOf} from './model_source';
import {weightDataFor} from './weights';

type Attrs = GraphNode['attrs'];

/** An attribute, or TensorFlow's default, which the converter may have left out. */
function attr<T extends number | boolean | string>(attrs: Attrs, name: string, byDefault: T): T {
  return (attrs[name] ?? byDefault) as T;
}

function fakeQuantOptions(attrs: Attrs): ops.FakeQuantOptions {
  return {numBits: attr(attrs, 'num_bits', 8), narrowRange: attr(attrs, 'narrow_range', false)};
}

function argsOptions(attrs: Attrs): ops.FakeQuantArgsOptions {
  return {...fakeQuantOptions(attrs), min: attr(attrs, 'min', -6), max: attr(attrs, 'max', 6)};
}

function quantizeOptions(attrs: Attrs): ops.QuantizeAndDequantizeOptions {
  return {
    signedInput: attr(attrs, 'signed_input', true),
    numBits: attr(attrs, 'num_bits', 8),
    rangeGiven: attr(attrs, 'range_given', false),
    // tfjs hands over strings in lower case.
    roundMode: attr(attrs, 'round_mode', 'HALF_TO_EVEN').toUpperCase() as 'HALF_TO_EVEN' | 'HALF_UP',
    narrowRange: attr(attrs, 'narrow_range', false),
    axis: attr(attrs, 'axis', -1),
  };
}

/** V2 and V3 compute what V4 does, but their gradient passes everywhere and never reaches the bounds. */
function quantizeStraightThrough(x: Tensor, min: Tensor, max: Tensor, options: ops.QuantizeAndDequantizeOptions) {
  return customGrad(input => ({
    value: ops.quantizeAndDequantizeV4(input as Tensor, min, max, options),
    gradFunc: (dy: Tensor) => dy.clone(),
  }))(x);
}

/** V3 takes its width as a tensor, a constant as a rule, and always rounds half to even. */
function quantizeV3({inputs, attrs}: GraphNode): Tensor {
  const [x, min, max, width] = inputs as [Tensor, Tensor, Tensor, Tensor];
  if (!isOnHost(width)) {
    throw new Error(
      'QuantizeAndDequantizeV3: num_bits was computed on the GPU, and WebGPU cannot read it at once. ' +
        'Make it a constant or an input of the model, or use another backend.',
    );
  }
  const numBits = width.dataSync()[0] ?? NaN;
  const options = {...quantizeOptions(attrs), rangeGiven: attr(attrs, 'range_given', true), numBits};
  return quantizeStraightThrough(x, min, max, {...options, roundMode: 'HALF_TO_EVEN'});
}

/** One of TensorFlow's ops: what it takes, the names of its outputs where there are several, and how it is run. */
interface GraphOp extends OpRules {
  readonly outputs?: readonly string[];
  readonly run: OpExecutor;
}

const AXIS = must('an integer, -1 or more', (value: number) => Number.isInteger(value) && value >= -1);
const FAKE_QUANT = {num_bits: bits, narrow_range: flag};
const ARGS = {...FAKE_QUANT, min: number, max: number};
const QUANTIZE = {
  num_bits: between(1, 62),
  narrow_range: flag,
  signed_input: flag,
  range_given: flag,
  // As tfjs hands them on.
  round_mode: oneOf('half_to_even', 'half_up'),
  axis: AXIS,
};

const FAKE_QUANT_GRADIENTS = ['backprops_wrt_input', 'backprop_wrt_min', 'backprop_wrt_max'];

export const GRAPH_OPS: Readonly<Record<string, GraphOp>> = {
  FakeQuantWithMinMaxArgs: {
    inputs: ['inputs'],
    attrs: ARGS,
    run: ({inputs, attrs}) => {
      const [x] = inputs as [Tensor];
      return ops.fakeQuantWithMinMaxArgs(x, argsOptions(attrs));
    },
  },
  FakeQuantWithMinMaxArgsGradient: {
    inputs: ['gradients', 'inputs'],
    attrs: ARGS,
    run: ({inputs, attrs}) => {
      const [dy, x] = inputs as [Tensor, Tensor];
      return ops.fakeQuantWithMinMaxArgsGradient(dy, x, argsOptions(attrs));
    },
  },
  FakeQuantWithMinMaxVars: {
    inputs: ['inputs', 'min', 'max'],
    attrs: FAKE_QUANT,
    run: ({inputs, attrs}) => {
      const [x, min, max] = inputs as [Tensor, Scalar, Scalar];
      return ops.fakeQuantWithMinMaxVars(x, min, max, fakeQuantOptions(attrs));
    },
  },
  FakeQuantWithMinMaxVarsGradient: {
    inputs: ['gradients', 'inputs', 'min', 'max'],
    attrs: FAKE_QUANT,
    outputs: FAKE_QUANT_GRADIENTS,
    run: ({inputs, attrs}) => {
      const [dy, x, min, max] = inputs as [Tensor, Tensor, Scalar, Scalar];
      return ops.fakeQuantWithMinMaxVarsGradient(dy, x, min, max, fakeQuantOptions(attrs));
    },
  },
  FakeQuantWithMinMaxVarsPerChannel: {
    inputs: ['inputs', 'min', 'max'],
    attrs: FAKE_QUANT,
    run: ({inputs, attrs}) => {
      const [x, min, max] = inputs as [Tensor, Tensor1D, Tensor1D];
      return ops.fakeQuantWithMinMaxVarsPerChannel(x, min, max, fakeQuantOptions(attrs));
    },
  },
  FakeQuantWithMinMaxVarsPerChannelGradient: {
    inputs: ['gradients', 'inputs', 'min', 'max'],
    attrs: FAKE_QUANT,
    outputs: FAKE_QUANT_GRADIENTS,
    run: ({inputs, attrs}) => {
      const [dy, x, min, max] = inputs as [Tensor, Tensor, Tensor1D, Tensor1D];
      return ops.fakeQuantWithMinMaxVarsPerChannelGradient(dy, x, min, max, fakeQuantOptions(attrs));
    },
  },
  QuantizeAndDequantizeV2: {
    inputs: ['input', 'input_min', 'input_max'],
    attrs: QUANTIZE,
    run: ({inputs, attrs}) => {
      const [x, min, max] = inputs as [Tensor, Tensor, Tensor];
      return quantizeStraightThrough(x, min, max, quantizeOptions(attrs));
    },
  },
  QuantizeAndDequantizeV3: {
    inputs: ['input', 'input_min', 'input_max', 'num_bits'],
    attrs: QUANTIZE,
    run: quantizeV3,
  },
  QuantizeAndDequantizeV4: {
    inputs: ['input', 'input_min', 'input_max'],
    attrs: QUANTIZE,
    run: ({inputs, attrs}) => {
      const [x, min, max] = inputs as [Tensor, Tensor, Tensor];
      return ops.quantizeAndDequantizeV4(x, min, max, quantizeOptions(attrs));
    },
  },
  QuantizeAndDequantizeV4Grad: {
    inputs: ['gradients', 'input', 'input_min', 'input_max'],
    attrs: {axis: AXIS},
    outputs: ['input_backprop', 'input_min_backprop', 'input_max_backprop'],
    run: ({inputs, attrs}) => {
      const [dy, x, min, max] = inputs as [Tensor, Tensor, Tensor, Tensor];
      return ops.quantizeAndDequantizeV4Grad(dy, x, min, max, {axis: attr(attrs, 'axis', -1)});
    },
  },
};

/** Says what is wrong with a node, in place of what would come of it. */
function checked(opName: string, {inputs: names, attrs: rules, run}: GraphOp): OpExecutor {
  return node => {
    const missing = names.filter((_, i) => !node.inputs[i]).map(name => `its input ${name} is missing.`);
    refuseGraph(opName, [...missing, ...attrProblems(node.attrs, rules)]);
    return run(node);
  };
}

/** What computes one of TensorFlow's quantization ops, and the names of its outputs if it has several. */
export function quantizationOp(
  opName: string,
): {readonly run: OpExecutor; readonly outputs?: readonly string[]} | undefined {
  const row = Object.hasOwn(GRAPH_OPS, opName) ? GRAPH_OPS[opName] : undefined;
  return row && {run: checked(opName, row), ...(row.outputs && {outputs: row.outputs})};
}

/**
 * Makes `tf.loadGraphModel` execute TensorFlow's quantization ops: FakeQuantWithMinMaxArgs, Vars, VarsPerChannel and
 * their Gradient ops, QuantizeAndDequantizeV2, V3, V4 and V4Grad, with TensorFlow's numbers, defaults and outputs.
 *
 * Call it before loading: tfjs binds a model's ops when it loads. Calling it again changes nothing. A model whose
 * While or If bodies use a gradient op's second or third output must also be loaded through {@link mendGraph}.
 *
 * QuantizeAndDequantizeV3 reads `num_bits` from its tensor. On WebGPU that must be a constant, an input, or computed
 * from few numbers (which tfjs does on the CPU); else executing throws. Where TensorFlow refuses a given range whose
 * minimum is above its maximum (V2, V3, V4), these ops do not look, as that would have to wait for the device.
 *
 * @example
 * ```js
 * import * as tf from '@tensorflow/tfjs';
 * import {registerGraphOps} from 'tfjs-quantization/graph-model';
 *
 * registerGraphOps();
 * const graph = await tf.loadGraphModel('model/model.json');
 * ```
 */
export function registerGraphOps(): void {
  for (const [opName, row] of Object.entries(GRAPH_OPS)) registerOp(opName, checked(opName, row));
}

/** Our 'node:output name:0' as 'node:index'. tfjs resolves those of its own ops. */
function byIndex(reference: string, outputs: ReadonlyMap<string, readonly string[]>): string {
  const [node = '', output = ''] = reference.split(':');
  const index = outputs.get(node)?.indexOf(output) ?? -1;
  return index < 0 ? reference : `${node}:${index}`;
}

/**
 * Names our outputs by index within a function, and returns what nodes make through an Identity each: of several values
 * returned from one node (also an inner If or While) tfjs takes the last for all, and it reads no names there.
 */
function mendFunction(body: FunctionDef): FunctionDef {
  const nodes = body.nodeDef ?? [];
  const names = new Set(nodes.map(({name}) => name));
  const outputs = new Map(
    nodes.flatMap(({name, op}) => (GRAPH_OPS[op]?.outputs ? [[name, GRAPH_OPS[op].outputs] as const] : [])),
  );
  const ret = returnsOf(body);
  const returned: NodeDef[] = [];
  for (const [key, reference] of Object.entries(ret)) {
    // An argument that is passed on has no colon.
    if (!reference.includes(':')) continue;
    let name = `${key}/returned`;
    while (names.has(name)) name += '_';
    returned.push({name, op: 'Identity', input: [reference]});
    ret[key] = `${name}:output:0`;
  }
  const nodeDef = [...nodes, ...returned].map(node =>
    node.input ? {...node, input: node.input.map(reference => byIndex(reference, outputs))} : node,
  );
  const {inputArg = [], outputArg = []} = body.signature ?? {};
  // Empty lists are left out of a model.json, and tfjs misses them.
  return {...body, signature: {...body.signature, inputArg, outputArg}, nodeDef, ret};
}

const LAYERS_MODEL =
  'this is a layers model, not a graph model. Load it with tf.loadLayersModel(…), without mendGraph.';

/** The graph with all its functions mended; itself if there is nothing to mend. */
function mendTopology(topology: unknown): GraphDef {
  const graph = isOfLayers(topology) ? LAYERS_MODEL : asGraph(topology);
  if (typeof graph === 'string') throw new Error(`mendGraph: ${graph}`);
  refuseGraph('mendGraph', graphProblems(graph, GRAPH_OPS));
  const versions = graph.versions ?? {producer: 0, minConsumer: 0};
  const functions = graph.library?.function;
  if (!functions) return graph.versions ? graph : {...graph, versions};
  return {...graph, versions, library: {...graph.library, function: functions.map(mendFunction)}};
}

/** tfjs fails on weights that are not there; a graph without constants has none. */
function weightsOf({modelTopology, weightSpecs, weightData, getWeightStream}: io.ModelArtifacts) {
  const constant = (modelTopology as GraphDef).node.find(({op}) => op === 'Const');
  const needed = weightSpecs?.[0]?.name ?? constant?.name;
  if (needed !== undefined && (!weightSpecs || !(weightData ?? getWeightStream))) {
    throw new Error(
      `mendGraph: weightSpecs and weightData are missing, of '${needed}' and others. Give [modelJSON, weights], or the URL.`,
    );
  }
  const data = Array.isArray(weightData) ? weightDataFor(weightData) : weightData;
  return {weightSpecs: weightSpecs ?? [], weightData: data ?? new ArrayBuffer(0)};
}

function mendArtifacts(artifacts: io.ModelArtifacts): io.ModelArtifacts {
  if (artifacts?.format === 'layers-model') throw new Error(`mendGraph: ${LAYERS_MODEL}`);
  const {modelInitializer} = artifacts ?? {};
  const initializes = modelInitializer && 'node' in modelInitializer;
  return {
    ...artifacts,
    modelTopology: mendTopology(artifacts?.modelTopology),
    ...(initializes && {modelInitializer: mendTopology(modelInitializer)}),
    ...weightsOf(artifacts),
  };
}

/**
 * Wraps the loading of a graph model so that the gradient ops' second and third outputs also arrive inside While and
 * If bodies, where tfjs reads each of them as the first. It changes the bodies' topology only. What is wrong with a graph
 * it tells before tfjs runs into it.
 *
 * @example
 * ```js
 * import * as tf from '@tensorflow/tfjs';
 * import {mendGraph, registerGraphOps} from 'tfjs-quantization/graph-model';
 *
 * registerGraphOps();
 * const graph = await tf.loadGraphModel(mendGraph('model/model.json'));
 * ```
 *
 * @param source - what `tf.loadGraphModel` takes: the model's URL, or an IOHandler (`tf.io.browserFiles(files)`, ...).
 * @param options - the load options that a URL is loaded with (`requestInit`, `onProgress`, `fromTFHub`, ...).
 * @returns an IOHandler for `tf.loadGraphModel`.
 * @throws if `source` is nothing that can load; at loading, if the model is none or its graph malformed: the error names
 * each node. What the handler throws reaches `tf.loadGraphModel`.
 */
export function mendGraph(source: string | io.IOHandler, options?: io.LoadOptions): io.IOHandler;
/**
 * The same for `tf.loadGraphModelSync`.
 *
 * @param source - what that takes: an IOHandlerSync, ModelArtifacts, or a parsed model.json and its weights.
 * @returns an IOHandlerSync for `tf.loadGraphModelSync`.
 * @throws likewise.
 */
export function mendGraph(
  source: io.IOHandlerSync | io.ModelArtifacts | [modelJSON: io.ModelJSON, weights: io.WeightData],
): io.IOHandlerSync;
export function mendGraph(source: unknown, options?: io.LoadOptions): object {
  const handler = handlerOf('mendGraph', source, options ?? {});
  return {
    load: () => {
      const loaded = handler.load();
      return util.isPromise(loaded) ? loaded.then(mendArtifacts) : mendArtifacts(loaded);
    },
  };
}
