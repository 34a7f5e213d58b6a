/**
 * Graph models: TensorFlow's quantization ops in models that `tensorflowjs_converter` wrote. Without this entry
 * FakeQuantWithMinMaxVars passes its input on and the others are unknown ops.
 *
 * @packageDocumentation
 */
import type {WebGPUBackend} from '@tensorflow/tfjs-backend-webgpu';
import {type GraphNode, type OpExecutor, registerOp} from '@tensorflow/tfjs-converter';
import {backend, customGrad, getBackend, io, type Scalar, type Tensor, type Tensor1D} from '@tensorflow/tfjs-core';
import * as ops from './index';

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

/** Whether reading at once would stall the page, or lose the device of a software renderer. */
function onlyOnWebGPU({dataId}: Tensor): boolean {
  if (getBackend() !== 'webgpu') return false;
  return (backend() as unknown as WebGPUBackend).tensorMap.get(dataId).values == null;
}

/** V3 takes its width as a tensor, a constant as a rule, and always rounds half to even. */
function quantizeV3({inputs, attrs}: GraphNode): Tensor {
  const [x, min, max, width] = inputs as [Tensor, Tensor, Tensor, Tensor];
  if (onlyOnWebGPU(width)) {
    throw new Error(
      'QuantizeAndDequantizeV3: num_bits was computed on the GPU, and WebGPU cannot read it at once. ' +
        'Make it a constant or an input of the model, or use another backend.',
    );
  }
  const numBits = width.dataSync()[0] ?? NaN;
  const options = {...quantizeOptions(attrs), rangeGiven: attr(attrs, 'range_given', true), numBits};
  return quantizeStraightThrough(x, min, max, {...options, roundMode: 'HALF_TO_EVEN'});
}

const EXECUTORS: Readonly<Record<string, OpExecutor>> = {
  FakeQuantWithMinMaxArgs: ({inputs, attrs}) => {
    const [x] = inputs as [Tensor];
    return ops.fakeQuantWithMinMaxArgs(x, argsOptions(attrs));
  },
  FakeQuantWithMinMaxArgsGradient: ({inputs, attrs}) => {
    const [dy, x] = inputs as [Tensor, Tensor];
    return ops.fakeQuantWithMinMaxArgsGradient(dy, x, argsOptions(attrs));
  },
  FakeQuantWithMinMaxVars: ({inputs, attrs}) => {
    const [x, min, max] = inputs as [Tensor, Scalar, Scalar];
    return ops.fakeQuantWithMinMaxVars(x, min, max, fakeQuantOptions(attrs));
  },
  FakeQuantWithMinMaxVarsGradient: ({inputs, attrs}) => {
    const [dy, x, min, max] = inputs as [Tensor, Tensor, Scalar, Scalar];
    return ops.fakeQuantWithMinMaxVarsGradient(dy, x, min, max, fakeQuantOptions(attrs));
  },
  FakeQuantWithMinMaxVarsPerChannel: ({inputs, attrs}) => {
    const [x, min, max] = inputs as [Tensor, Tensor1D, Tensor1D];
    return ops.fakeQuantWithMinMaxVarsPerChannel(x, min, max, fakeQuantOptions(attrs));
  },
  FakeQuantWithMinMaxVarsPerChannelGradient: ({inputs, attrs}) => {
    const [dy, x, min, max] = inputs as [Tensor, Tensor, Tensor1D, Tensor1D];
    return ops.fakeQuantWithMinMaxVarsPerChannelGradient(dy, x, min, max, fakeQuantOptions(attrs));
  },
  QuantizeAndDequantizeV2: ({inputs, attrs}) => {
    const [x, min, max] = inputs as [Tensor, Tensor, Tensor];
    return quantizeStraightThrough(x, min, max, quantizeOptions(attrs));
  },
  QuantizeAndDequantizeV3: quantizeV3,
  QuantizeAndDequantizeV4: ({inputs, attrs}) => {
    const [x, min, max] = inputs as [Tensor, Tensor, Tensor];
    return ops.quantizeAndDequantizeV4(x, min, max, quantizeOptions(attrs));
  },
  QuantizeAndDequantizeV4Grad: ({inputs, attrs}) => {
    const [dy, x, min, max] = inputs as [Tensor, Tensor, Tensor, Tensor];
    return ops.quantizeAndDequantizeV4Grad(dy, x, min, max, {axis: attr(attrs, 'axis', -1)});
  },
};

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
 * registerGraphOps();
 * const model = await tf.loadGraphModel('model/model.json');
 * ```
 */
export function registerGraphOps(): void {
  for (const [opName, executor] of Object.entries(EXECUTORS)) registerOp(opName, executor);
}

interface NodeDef {
  name: string;
  op: string;
  input?: string[];
}

interface FunctionDef {
  nodeDef?: NodeDef[];
  /** What each returned value is: 'node:output name:0'. */
  ret?: Record<string, string>;
}

interface GraphDef {
  library?: {function?: FunctionDef[]};
}

const FAKE_QUANT_GRADIENTS = ['backprops_wrt_input', 'backprop_wrt_min', 'backprop_wrt_max'];

/** The outputs of the ops with several, in order. */
const OUTPUT_NAMES: Readonly<Record<string, readonly string[]>> = {
  FakeQuantWithMinMaxVarsGradient: FAKE_QUANT_GRADIENTS,
  FakeQuantWithMinMaxVarsPerChannelGradient: FAKE_QUANT_GRADIENTS,
  QuantizeAndDequantizeV4Grad: ['input_backprop', 'input_min_backprop', 'input_max_backprop'],
};

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
  const outputs = new Map(nodes.flatMap(({name, op}) => (OUTPUT_NAMES[op] ? [[name, OUTPUT_NAMES[op]]] : [])));
  const ret = {...body.ret};
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
  return {...body, nodeDef, ret};
}

/** The topology with all its functions mended; itself if there are none. */
function mendTopology(topology: object): object {
  const graph: GraphDef = topology;
  const functions = graph.library?.function;
  return functions ? {...graph, library: {...graph.library, function: functions.map(mendFunction)}} : graph;
}

function checkSource(source: unknown): void {
  if (typeof source === 'string' && source !== '') return;
  const isObject = typeof source === 'object' && source !== null;
  if (isObject && 'load' in source && typeof source.load === 'function') return;
  const was = isObject ? 'an object without load()' : (JSON.stringify(source) ?? typeof source);
  throw new Error(`mendGraph: source must be the model's URL or an IOHandler with a load method, but was ${was}.`);
}

/** As tf.loadGraphModel finds one. */
function handlerOf(source: io.IOHandler | string, options: io.LoadOptions): io.IOHandler {
  if (typeof source !== 'string') return source;
  const handlers = options.requestInit ? [] : io.getLoadHandlers(source, options);
  if (handlers.length > 1) throw new Error(`mendGraph: ${handlers.length} load handlers claim the URL '${source}'.`);
  return handlers[0] ?? io.browserHTTPRequest(source, options);
}

/**
 * Wraps the loading of a graph model so that the gradient ops' second and third outputs also arrive inside While and
 * If bodies, where tfjs reads each of them as the first. It changes the bodies' topology only.
 *
 * @example
 * ```js
 * registerGraphOps();
 * const model = await tf.loadGraphModel(mendGraph('model/model.json'));
 * ```
 *
 * @param source - what `tf.loadGraphModel` takes: the model's URL, or an IOHandler.
 * @param options - the load options that a URL is loaded with (`requestInit`, `onProgress`, ...).
 * @returns an IOHandler for `tf.loadGraphModel`.
 * @throws if `source` is neither a URL nor an IOHandler that can load. What loading throws reaches `tf.loadGraphModel`.
 */
export function mendGraph(source: io.IOHandler | string, options: io.LoadOptions = {}): io.IOHandler {
  checkSource(source);
  const handler = handlerOf(source, options);
  return {
    load: async () => {
      const artifacts = await handler.load?.();
      if (!artifacts?.modelTopology) throw new Error(`mendGraph: the IOHandler loaded no model topology.`);
      return {...artifacts, modelTopology: mendTopology(artifacts.modelTopology)};
    },
  };
}
