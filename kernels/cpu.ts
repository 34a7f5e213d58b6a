/** The specification in loops, over the memory of the cpu backend or of any backend that can be read. */
import {engine, type KernelBackend, type Tensor, type TensorInfo} from '@tensorflow/tfjs-core';
import type {MathBackendCPU} from '@tensorflow/tfjs-backend-cpu';
import type {Device, Range, Scheme, View} from './device';
import {type Grid, gridOf, project, route, type Rounding, type Side, snap, unbounded} from './grid';

/** How a device reaches its memory. */
interface Memory {
  read(tensor: TensorInfo): Float32Array;
  make(values: Float32Array, shape: number[]): TensorInfo;
  dispose(tensor: TensorInfo): void;
}

/** Calls `pass` for each run of elements that share a channel. */
function forEachRun({outer, channels, inner}: View, pass: (channel: number, from: number, to: number) => void): void {
  for (let o = 0, at = 0; o < outer; ++o) {
    for (let c = 0; c < channels; ++c, at += inner) pass(c, at, at + inner);
  }
}

function gridsOf(memory: Memory, range: Range, {channels}: View, {fit, levels}: Scheme): Grid[] {
  if (range.kind === 'numbers') return [gridOf(fit, range.min, range.max, levels)];
  const both = range.kind === 'measured' ? memory.read(range.both) : undefined;
  const mins = range.kind === 'tensors' ? memory.read(range.min) : both!.subarray(0, channels);
  const maxs = range.kind === 'tensors' ? memory.read(range.max) : both!.subarray(channels);
  return Array.from({length: channels}, (_, c) => gridOf(fit, mins[c]!, maxs[c]!, levels));
}

function projectRun(x: Float32Array, y: Float32Array, from: number, to: number, grid: Grid, rounding: Rounding): void {
  if (rounding === 'multiply' || rounding === 'divide') {
    for (let i = from; i < to; ++i) y[i] = project(x[i]!, grid, rounding);
  } else {
    for (let i = from; i < to; ++i) y[i] = snap(x[i]!, grid, rounding);
  }
}

function overMemory(memory: Memory): Device {
  const like = (x: TensorInfo, values: Float32Array) => memory.make(values, x.shape);
  return {
    project(x, range, view, scheme) {
      const values = memory.read(x);
      const grids = gridsOf(memory, range, view, scheme).map(grid => (scheme.clamped ? grid : unbounded(grid)));
      const y = new Float32Array(values.length);
      forEachRun(view, (c, from, to) => projectRun(values, y, from, to, grids[c]!, scheme.rounding));
      return like(x, y);
    },
    route(dy, x, range, view, scheme, side) {
      const [gradients, values] = [memory.read(dy), memory.read(x)];
      const grids = gridsOf(memory, range, view, scheme);
      const dx = new Float32Array(values.length);
      forEachRun(view, (c, from, to) => {
        const grid = grids[c]!;
        for (let i = from; i < to; ++i) dx[i] = route(gradients[i]!, values[i]!, grid, side);
      });
      return like(x, dx);
    },
    routeSum(dy, x, range, view, scheme, side: Side) {
      const [gradients, values] = [memory.read(dy), memory.read(x)];
      const grids = gridsOf(memory, range, view, scheme);
      const sums = new Float64Array(view.channels);
      forEachRun(view, (c, from, to) => {
        const grid = grids[c]!;
        let sum = 0;
        for (let i = from; i < to; ++i) sum += route(gradients[i]!, values[i]!, grid, side);
        sums[c]! += sum;
      });
      return memory.make(Float32Array.from(sums), [...view.rangeShape]);
    },
    measure(x, view) {
      const values = memory.read(x);
      const both = new Float32Array(2 * view.channels).fill(Infinity, 0, view.channels).fill(-Infinity, view.channels);
      forEachRun(view, (c, from, to) => {
        let low = both[c]!;
        let high = both[view.channels + c]!;
        for (let i = from; i < to; ++i) {
          const v = values[i]!;
          if (v < low) low = v;
          if (v > high) high = v;
        }
        both[c] = low;
        both[view.channels + c] = high;
      });
      return memory.make(both, [2, view.channels]);
    },
    dispose: tensor => memory.dispose(tensor),
  };
}

/** tfjs's cpu backend: its arrays are used in place. */
export function cpu(backend: MathBackendCPU): Device {
  return overMemory({
    read: ({dataId}) => backend.data.get(dataId).values as Float32Array,
    make: (values, shape) => backend.makeTensorInfo(shape, 'float32', values),
    dispose: tensor => backend.disposeIntermediateTensorInfo(tensor),
  });
}

/** Any other backend: its tensors are read, computed here and put back. Right everywhere, fast where reading is cheap. */
export function host(backend: KernelBackend): Device {
  return overMemory({
    read: ({dataId}) => backend.readSync(dataId) as Float32Array,
    make: (values, shape) => engine().makeTensor(values, shape, 'float32'),
    dispose: tensor => engine().disposeTensor(tensor as Tensor),
  });
}
