/** Which thread visits what: see shaders/webgpu/strided_loop.wgsl. */
import type {View} from '../device';
import type {Width} from './lanes';
import type {Uniforms} from './program';

/**
 * A loop of each thread, counted in lanes. Threads share runs of `inner` lanes of one channel, `together` to a run, and go
 * on in steps of `step` for `reach` lanes: to the end of the run, or, where `step` leads to the same place in a later row,
 * to the end of the tensor.
 */
export interface StridedLoop {
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

/** A loop of about `wanted` threads: of more if there are more channels, of fewer if there are fewer elements. */
export function stridedLoop(view: View, width: Width, wanted: number): StridedLoop {
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
export function threadsToMap(view: View, width: Width): number {
  const lanes = (view.outer * view.channels * view.inner) / width.lanes;
  return between(2 ** 13, lanes / (width.lanes === width.channels ? 32 : 16), 2 ** 18);
}

/** A thread that writes one partial result takes much, to leave little for the second stage. */
export function threadsToReduce(view: View, width: Width): number {
  const lanes = (view.outer * view.channels * view.inner) / width.lanes;
  return between(2 ** 10, lanes / 64, 2 ** 14);
}

export function loopUniforms({threads, together, inner, channels, lanes, step, reach}: StridedLoop): Uniforms {
  const numbers = {threads, together, inner, channels, lanes, step, reach};
  return Object.fromEntries(Object.entries(numbers).map(([name, value]) => [name, ['u32', value] as const]));
}
