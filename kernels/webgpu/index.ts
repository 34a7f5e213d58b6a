/** The passes on WebGPU: how tensors are bound, how wide a lane is, which thread visits what, how a sum is staged. */
import type {TensorInfo} from '@tensorflow/tfjs-core';
import type {WebGPUBackend, WebGPUProgram} from '@tensorflow/tfjs-backend-webgpu';
import foldOwn from '../../shaders/webgpu/fold_own.wgsl';
import foldShared from '../../shaders/webgpu/fold_shared.wgsl';
import measureBody from '../../shaders/webgpu/measure.wgsl';
import observeText from '../../shaders/webgpu/observe.wgsl';
import projectBody from '../../shaders/webgpu/project.wgsl';
import quantize from '../../shaders/webgpu/quantize.wgsl';
import reduceBody from '../../shaders/webgpu/reduce.wgsl';
import routeBody from '../../shaders/webgpu/route.wgsl';
import sumBody from '../../shaders/webgpu/sum.wgsl';
import walkText from '../../shaders/webgpu/walk.wgsl';
import type {Device, Range, Scheme, View} from '../device';
import type {Side} from '../grid';
import {OBSERVERS} from '../observe';

/** A uniform of a program: its type in WGSL and its value. */
type Uniforms = Readonly<Record<string, readonly ['u32' | 'f32', number]>>;

/** An input of a program: how many values one element of its array has in WGSL. */
interface Input {
  readonly name: string;
  readonly tensor: TensorInfo;
  readonly components: number;
}

interface Pass {
  /** Names everything in `code` that varies: tfjs compares keys, not code. */
  readonly key: string;
  readonly code: () => string;
  readonly inputs: readonly Input[];
  readonly uniforms: Uniforms;
  readonly threads: number;
  readonly components: number;
  readonly shape: readonly number[];
}

const WORKGROUP_SIZE = 64;

class QuantizationProgram implements WebGPUProgram {
  readonly dispatchLayout = {x: []};
  readonly outputShape = [];
  readonly workgroupSize: [number, number, number] = [WORKGROUP_SIZE, 1, 1];
  readonly outputComponent: number;
  readonly variableNames: string[];
  readonly variableComponents: number[];
  readonly uniforms: string;
  dispatch: [number, number, number];
  shaderKey: string;
  readonly getUserCode: () => string;

  constructor({key, code, inputs, uniforms, threads, components}: Pass) {
    this.shaderKey = `quantization_${key}`;
    this.getUserCode = code;
    this.variableNames = inputs.map(({name}) => name);
    this.variableComponents = inputs.map(input => input.components);
    this.outputComponent = components;
    this.uniforms = Object.entries(uniforms).reduce((text, [name, [type]]) => `${text}${name} : ${type}, `, '');
    this.dispatch = [Math.ceil(threads / WORKGROUP_SIZE), 1, 1];
  }
}

/** To a program every tensor is a flat array, whatever its shape: tfjs would compile anew for every rank. */
function flat({dataId, dtype}: TensorInfo): TensorInfo {
  return {dataId, dtype, shape: []};
}

function run(backend: WebGPUBackend, pass: Pass): TensorInfo {
  const output = backend.makeTensorInfo([...pass.shape], 'float32');
  const data = Object.values(pass.uniforms).map(([type, value]) => ({
    type: type === 'u32' ? 'uint32' : 'float32',
    data: [value],
  }));
  const tensors = pass.inputs.map(({tensor}) => flat(tensor));
  backend.runWebGPUProgram(new QuantizationProgram(pass), tensors, 'float32', data, flat(output));
  return output;
}

/** How many values a thread takes at a time, and how many channels these belong to. */
interface Width {
  readonly lanes: 1 | 4;
  readonly channels: 1 | 4;
}

/** A vec4 must not reach over the end of a run of one channel, unless channels alternate in fours. */
function widthOf({channels, inner}: View): Width {
  if (inner % 4 === 0) return {lanes: 4, channels: 1};
  if (inner === 1 && channels % 4 === 0) return {lanes: 4, channels: 4};
  return {lanes: 1, channels: 1};
}

/** quantize.wgsl for this width. */
function arithmetic(width: Width): string {
  return quantize.replace(/^alias (\w+) = vec4<(\w+)>;$/gm, (line, name: string, type: string) =>
    (name.startsWith('Lane') ? width.lanes : width.channels) === 4 ? line : `alias ${name} = ${type};`,
  );
}

/**
 * Which thread visits what, counted in lanes. The threads of a walk share runs of `inner` lanes of one channel,
 * `together` to a run, and go on in steps of `step` for `reach` lanes: to the end of the run, or, where `step` leads
 * to the same place in a later row, to the end of the tensor.
 */
interface Walk {
  readonly threads: number;
  readonly together: number;
  readonly inner: number;
  readonly channels: number;
  readonly lanes: number;
  readonly step: number;
  readonly reach: number;
  /** The threads seen as a tensor: [outer, channels, together]. */
  readonly outer: number;
}

/** Threads side by side read memory side by side, at least this many. */
const NEIGHBOURS = 16;

/** A walk of about `wanted` threads: of more if there are more channels, of fewer if there are fewer elements. */
function walkOf(view: View, width: Width, wanted: number): Walk {
  const channels = view.channels / width.channels;
  const inner = (view.inner * width.channels) / width.lanes;
  const {outer} = view;
  const columns = channels * inner;
  const lanes = outer * columns;
  const rows = Math.min(outer, Math.max(1, Math.floor(wanted / columns)));
  const share = Math.max(NEIGHBOURS, Math.floor(wanted / (outer * channels)));
  const together = Math.min(inner, share);
  const alongRuns = outer * channels * together;
  if (columns <= wanted || columns <= alongRuns) {
    const threads = rows * columns;
    return {threads, together: inner, inner, channels, lanes, step: threads, reach: lanes, outer: rows};
  }
  return {threads: alongRuns, together, inner, channels, lanes, step: together, reach: inner, outer};
}

function between(low: number, value: number, high: number): number {
  return Math.min(high, Math.max(low, Math.ceil(value)));
}

/** A thread that writes what it reads takes enough to pay for its grids; 2^18 threads fill any GPU. */
function threadsToMap(view: View, width: Width): number {
  const lanes = (view.outer * view.channels * view.inner) / width.lanes;
  return between(2 ** 13, lanes / (width.lanes === width.channels ? 32 : 16), 2 ** 18);
}

/** A thread that writes one partial result takes much, to leave little for the second stage. */
function threadsToFold(view: View, width: Width): number {
  const lanes = (view.outer * view.channels * view.inner) / width.lanes;
  return between(2 ** 10, lanes / 64, 2 ** 14);
}

function walkUniforms({threads, together, inner, channels, lanes, step, reach}: Walk): Uniforms {
  const numbers = {threads, together, inner, channels, lanes, step, reach};
  return Object.fromEntries(Object.entries(numbers).map(([name, value]) => [name, ['u32', value] as const]));
}

/** How the grid of a channel is had. */
interface Grids {
  readonly key: string;
  readonly code: string;
  readonly inputs: readonly Input[];
  readonly uniforms: Uniforms;
}

function gridsOf(range: Range, {fit, levels}: Scheme, {channels: components}: Width): Grids {
  const bind = (name: string, tensor: TensorInfo): Input => ({name, tensor, components});
  const code = (low: string, high: string) => `
    fn gridAt(channel: u32) -> Grid {
      let levels = Levels(uniforms.qmin, uniforms.qmax);
      return gridOf(${fit.toUpperCase()}, Channels(${low}), Channels(${high}), levels);
    }`;
  const key = `${range.kind}_${fit}`;
  const uniforms: Uniforms = {qmin: ['f32', levels.qmin], qmax: ['f32', levels.qmax]};
  switch (range.kind) {
    case 'numbers':
      return {
        key,
        code: code('uniforms.low', 'uniforms.high'),
        inputs: [],
        uniforms: {...uniforms, low: ['f32', range.min], high: ['f32', range.max]},
      };
    case 'tensors':
      return {
        key,
        code: code('lows[channel]', 'highs[channel]'),
        inputs: [bind('lows', range.min), bind('highs', range.max)],
        uniforms,
      };
    case 'rows':
      return {
        key,
        code: code('rows[channel]', 'rows[uniforms.channels + channel]'),
        inputs: [bind('rows', range.rows)],
        uniforms,
      };
  }
}

/** One channel needs no order: its elements are one run. */
function simplest(view: View): View {
  return view.channels === 1 ? {...view, outer: 1, inner: view.outer * view.inner} : view;
}

/** A pass that walks `tensors` once and writes each thread's results. */
interface Walking {
  readonly name: string;
  readonly body: string;
  /** What the body is specialised by: constants of quantize.wgsl by name. */
  readonly constants?: Readonly<Record<string, string>>;
  readonly tensors: Readonly<Record<string, TensorInfo>>;
  readonly grids?: Grids;
}

function walking({name, body, constants = {}, tensors, grids}: Walking, width: Width, walk: Walk) {
  const definitions = Object.entries(constants).map(([constant, value]) => `const ${constant} = ${value};\n`);
  const fold = width.lanes === width.channels ? foldOwn : foldShared;
  const inputs = Object.entries(tensors).map(([input, tensor]) => ({name: input, tensor, components: width.lanes}));
  return {
    key: [name, width.lanes, width.channels, ...Object.values(constants), grids?.key].join('_'),
    code: () => [arithmetic(width), ...definitions, walkText, fold, grids?.code, body].join('\n'),
    inputs: [...inputs, ...(grids?.inputs ?? [])],
    uniforms: {...walkUniforms(walk), ...grids?.uniforms},
    threads: walk.threads,
  };
}

/** A pass over all of a tensor, of its shape. */
function map(backend: WebGPUBackend, view: View, shape: readonly number[], width: Width, pass: Walking): TensorInfo {
  const walk = walkOf(view, width, threadsToMap(view, width));
  return run(backend, {...walking(pass, width, walk), components: width.lanes, shape});
}

/** Up to this many partial results are combined by one thread, more by a workgroup. */
const FEW = 64;

/** What becomes of the partial results of a pass: extremes are two rows of one tensor, sums a tensor each. */
type Reduction = 'SUM' | 'EXTREMES';

/**
 * A pass that leaves `rows` values per channel, in one dispatch if a thread has all of a channel. `outputs` says which
 * rows go into one tensor.
 */
function fold(
  backend: WebGPUBackend,
  view: View,
  of: Reduction,
  outputs: readonly {readonly rows: number; readonly shape: readonly number[]}[],
  passes: (row?: number) => Walking,
): TensorInfo[] {
  const width = widthOf(view);
  const walk = walkOf(view, width, threadsToFold(view, width));
  const {outer, together: inner} = walk;
  const first = (pass: Walking) => ({...walking(pass, width, walk), components: width.channels});
  if (outer * inner === 1) {
    return outputs.map(({shape}, row) => run(backend, {...first(passes(outputs.length > 1 ? row : undefined)), shape}));
  }
  const rows = outputs.reduce((sum, output) => sum + output.rows, 0);
  const partials = run(backend, {...first(passes()), shape: [rows * walk.threads * width.channels]});
  const together = outer * inner <= FEW ? 1 : WORKGROUP_SIZE;
  let start = 0;
  const folded = outputs.map(output => {
    const from = start;
    start += output.rows * view.channels;
    return run(backend, {
      key: `reduce_${of}_${together}`,
      code: () => `const OF = ${of};\nconst WIDTH = ${together}u;\n${reduceBody}`,
      inputs: [{name: 'partials', tensor: partials, components: 1}],
      uniforms: {
        outer: ['u32', outer],
        channels: ['u32', view.channels],
        inner: ['u32', inner],
        start: ['u32', from],
        end: ['u32', start],
      },
      threads: output.rows * view.channels * together,
      components: 1,
      shape: output.shape,
    });
  });
  backend.disposeData(partials.dataId);
  return folded;
}

/** tfjs's webgpu backend. */
export function webgpu(backend: WebGPUBackend): Device {
  const routing = (
    name: string,
    body: string,
    width: Width,
    [dy, x]: readonly TensorInfo[],
    range: Range,
    scheme: Scheme,
  ) => {
    const grids = gridsOf(range, scheme, width);
    return (side: Side | 'both') => ({
      name,
      body,
      constants: {SIDE: side.toUpperCase()},
      tensors: {dy: dy!, x: x!},
      grids,
    });
  };
  return {
    project(x, range, given, scheme) {
      const view = simplest(given);
      const width = widthOf(view);
      return map(backend, view, x.shape, width, {
        name: 'project',
        body: projectBody,
        constants: {ROUNDING: scheme.rounding.toUpperCase(), CLAMPED: String(scheme.clamped)},
        tensors: {x},
        grids: gridsOf(range, scheme, width),
      });
    },
    route(dy, x, range, given, scheme, outputs) {
      const view = simplest(given);
      const width = widthOf(view);
      const routed = routing('route', routeBody, width, [dy, x], range, scheme);
      const summed = routing('sum', sumBody, width, [dy, x], range, scheme);
      const sides = outputs.filter(output => output.summed).map(({side}) => side);
      const rows = sides.map(() => ({rows: 1, shape: view.rangeShape}));
      const together = sides.length > 1 ? 'both' : sides[0];
      const sums = together
        ? fold(backend, view, 'SUM', rows, row => summed(row === undefined ? together : sides[row]!))
        : [];
      return outputs.map(output =>
        output.summed ? sums[sides.indexOf(output.side)]! : map(backend, view, x.shape, width, routed(output.side)),
      );
    },
    measure(x, given) {
      const view = simplest(given);
      const pass = {name: 'measure', body: measureBody, tensors: {x}};
      return fold(backend, view, 'EXTREMES', [{rows: 2, shape: [2, ...view.rangeShape]}], () => pass)[0]!;
    },
    observe(measured, moving, {channels, rangeShape}, {observer, rate, debias, ratio}) {
      return run(backend, {
        key: 'observe',
        code: () => observeText,
        inputs: [
          {name: 'measured', tensor: measured, components: 1},
          {name: 'moving', tensor: moving, components: 1},
        ],
        uniforms: {
          channels: ['u32', channels],
          observer: ['u32', OBSERVERS.indexOf(observer)],
          debias: ['u32', debias ? 1 : 0],
          rate: ['f32', rate],
          ratio: ['f32', ratio],
        },
        threads: channels,
        components: 1,
        shape: [3, ...rangeShape],
      });
    },
    dispose: ({dataId}) => {
      backend.disposeData(dataId);
    },
  };
}
