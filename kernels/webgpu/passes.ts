/** The two ways through a tensor: a pass over each element, and a reduction of each channel. */
import type {TensorInfo} from '@tensorflow/tfjs-core';
import type {WebGPUBackend} from '@tensorflow/tfjs-backend-webgpu';
import lanesOwn from '../../shaders/webgpu/lanes_own.wgsl';
import lanesShared from '../../shaders/webgpu/lanes_shared.wgsl';
import reducePartials from '../../shaders/webgpu/reduce_partials.wgsl';
import stridedLoopText from '../../shaders/webgpu/strided_loop.wgsl';
import type {View} from '../device';
import type {Grids} from './grids';
import {arithmetic, type Width, widthOf} from './lanes';
import {type Dispatch, run, type Uniforms, WORKGROUP_SIZE} from './program';
import {loopUniforms, type StridedLoop, stridedLoop, threadsToMap, threadsToReduce} from './strided_loop';

/** A pass in which each thread loops over some elements of `tensors` and writes its results. */
export interface Pass {
  readonly name: string;
  readonly body: string;
  /** What the body is specialised by: constants of quantize.wgsl by name. */
  readonly constants?: Readonly<Record<string, string>>;
  readonly uniforms?: Uniforms;
  readonly tensors: Readonly<Record<string, TensorInfo>>;
  readonly grids?: Grids;
}

function dispatchOf(
  {name, body, constants = {}, uniforms, tensors, grids}: Pass,
  width: Width,
  loop: StridedLoop,
): Omit<Dispatch, 'components' | 'shape'> {
  const code = () => {
    const definitions = Object.entries(constants).map(([constant, value]) => `const ${constant} = ${value};\n`);
    const lanes = width.lanes === width.channels ? lanesOwn : lanesShared;
    return [arithmetic(width), ...definitions, stridedLoopText, lanes, grids?.code, body].join('\n');
  };
  const inputs = Object.entries(tensors).map(([input, tensor]) => ({name: input, tensor, components: width.lanes}));
  return {
    key: [name, width.lanes, width.channels, ...Object.values(constants), grids?.key].join('_'),
    code,
    inputs: [...inputs, ...(grids?.inputs ?? [])],
    uniforms: {...loopUniforms(loop), ...grids?.uniforms, ...uniforms},
    threads: loop.threads,
  };
}

/** One channel needs no order: its elements are one run. */
export function simplest(view: View): View {
  return view.channels === 1 ? {...view, outer: 1, inner: view.outer * view.inner} : view;
}

/** A pass over all of a tensor, of its shape. */
export function eachElement(
  backend: WebGPUBackend,
  view: View,
  shape: readonly number[],
  width: Width,
  pass: Pass,
): TensorInfo {
  const loop = stridedLoop(view, width, threadsToMap(view, width));
  return run(backend, {...dispatchOf(pass, width, loop), components: width.lanes, shape});
}

/** A pass over a single channel of which each workgroup leaves two results: [1, 2 * workgroups]. */
export function reduceParts(backend: WebGPUBackend, view: View, pass: Pass): TensorInfo {
  const width = widthOf(view);
  const loop = stridedLoop(view, width, threadsToReduce(view, width));
  const groups = Math.ceil(loop.threads / WORKGROUP_SIZE);
  return run(backend, {...dispatchOf(pass, width, loop), components: width.channels, shape: [1, 2 * groups]});
}

/** Up to this many partial results are combined by one thread, more by a workgroup. */
const FEW = 64;

/** What becomes of the partial results of a pass: extremes are two rows of one tensor, sums a tensor each. */
type Reduction = 'SUM' | 'EXTREMES';

/**
 * A pass that leaves `rows` values per channel, in one dispatch if a thread has all of a channel. `outputs` says which
 * rows go into one tensor.
 */
export function reduceChannels(
  backend: WebGPUBackend,
  view: View,
  of: Reduction,
  outputs: readonly {readonly rows: number; readonly shape: readonly number[]}[],
  passFor: (row?: number) => Pass,
): TensorInfo[] {
  const width = widthOf(view);
  const loop = stridedLoop(view, width, threadsToReduce(view, width));
  const {outer, together: inner} = loop;
  const first = (pass: Pass) => ({...dispatchOf(pass, width, loop), components: width.channels});
  if (outer * inner === 1) {
    return outputs.map(({shape}, row) =>
      run(backend, {...first(passFor(outputs.length > 1 ? row : undefined)), shape}),
    );
  }
  const rows = outputs.reduce((sum, output) => sum + output.rows, 0);
  const partials = run(backend, {...first(passFor()), shape: [rows * loop.threads * width.channels]});
  const together = outer * inner <= FEW ? 1 : WORKGROUP_SIZE;
  let start = 0;
  const reduced = outputs.map(output => {
    const from = start;
    start += output.rows * view.channels;
    return run(backend, {
      key: `reduce_${of}_${together}`,
      code: () => `const OF = ${of};\nconst WIDTH = ${together}u;\n${reducePartials}`,
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
  return reduced;
}
