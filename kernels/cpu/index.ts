/** The passes on a CPU, over the memory of the cpu backend, of wasm's, or of any other backend that can be read. */
import {engine, type KernelBackend, type Tensor, type TensorInfo} from '@tensorflow/tfjs-core';
import type {MathBackendCPU} from '@tensorflow/tfjs-backend-cpu';
import type {BackendWasm} from '@tensorflow/tfjs-backend-wasm';
import type {Device, GradientPart, Range, Scheme, View} from '../device';
import {type Grid, gridOf, unbounded} from '../grid';
import {loops, type Passes} from './loops';
import {type Heap, instantiate, pays} from './simd';
import {heapOf, valuesInPlace} from './tfjs_internals';

/** How a device reaches its memory. */
export interface Memory {
  read(tensor: TensorInfo): Float32Array;
  /** A new tensor of values that `fill` computes. Only `fill` reads tensors: making one may move the others. */
  make(shape: number[], fill: (values: Float32Array) => void): TensorInfo;
  dispose(tensor: TensorInfo): void;
  /** What computes in SIMD, where that is to be had. */
  simd(): Passes | undefined;
}

export function passesOver(memory: Memory, view: View): Passes {
  return (pays(view) ? memory.simd() : undefined) ?? loops;
}

export function gridsOf(memory: Memory, range: Range, {channels}: View, {fit, levels}: Scheme): Grid[] {
  if (range.kind === 'numbers') return [gridOf(fit, range.min, range.max, levels)];
  const rows = range.kind === 'rows' ? memory.read(range.rows) : undefined;
  const mins = range.kind === 'tensors' ? memory.read(range.min) : rows!.subarray(0, channels);
  const maxs = range.kind === 'tensors' ? memory.read(range.max) : rows!.subarray(channels);
  return Array.from({length: channels}, (_, c) => gridOf(fit, mins[c]!, maxs[c]!, levels));
}

/** What the gradient ops ask for: dx, and the sums of both sides. */
const DX_AND_SUMS: readonly GradientPart[] = [
  {side: 'inside', summed: false},
  {side: 'below', summed: true},
  {side: 'above', summed: true},
];

export function overMemory(memory: Memory): Device {
  return {
    roundToGrid(x, range, view, scheme) {
      return memory.make(x.shape, y => {
        const grids = gridsOf(memory, range, view, scheme).map(grid => (scheme.clamped ? grid : unbounded(grid)));
        passesOver(memory, view).roundToGrid(memory.read(x), y, grids, view, scheme.rounding, scheme.relu);
      });
    },
    straightThrough(dy, x, range, view, scheme, outputs) {
      const passes = passesOver(memory, view);
      const grids = () => gridsOf(memory, range, view, scheme);
      const sum = (values: Float64Array) => memory.make([...view.rangeShape], sums => sums.set(values));
      if (DX_AND_SUMS.every((all, i) => outputs[i]?.side === all.side && outputs[i]?.summed === all.summed)) {
        let sums: ReturnType<typeof passes.straightThroughAll>;
        const dx = memory.make(x.shape, into => {
          sums = passes.straightThroughAll(memory.read(dy), memory.read(x), into, grids(), view);
        });
        return [dx, sum(sums!.below), sum(sums!.above)];
      }
      return outputs.map(({side, summed}) =>
        summed
          ? sum(passes.straightThroughSum(memory.read(dy), memory.read(x), grids(), view, side))
          : memory.make(x.shape, into =>
              passes.straightThrough(memory.read(dy), memory.read(x), into, grids(), view, side),
            ),
      );
    },
    measure(x, view) {
      return memory.make([2, ...view.rangeShape], both =>
        both.set(passesOver(memory, view).measure(memory.read(x), view)),
      );
    },
    dispose: tensor => memory.dispose(tensor),
  };
}

const simds = new WeakMap<object, Passes | undefined>();

/** A backend's, made when it is first asked for. */
function simdOf(backend: object, heap?: Heap): Passes | undefined {
  if (!simds.has(backend)) simds.set(backend, instantiate(heap));
  return simds.get(backend);
}

/** A new array of a shape's size, filled. */
function filled(shape: readonly number[], fill: (values: Float32Array) => void): Float32Array {
  const values = new Float32Array(shape.reduce((size, dim) => size * dim, 1));
  fill(values);
  return values;
}

/** tfjs's cpu backend: its arrays are used in place. */
export function cpuMemory(backend: MathBackendCPU): Memory {
  return {
    read: tensor => valuesInPlace(backend, tensor),
    make: (shape, fill) => backend.makeTensorInfo(shape, 'float32', filled(shape, fill)),
    dispose: tensor => backend.disposeIntermediateTensorInfo(tensor),
    simd: () => simdOf(backend),
  };
}

/** tfjs's wasm backend: its heap is used in place. It may move when it grows, so the views are taken after that. */
export function wasmMemory(backend: BackendWasm): Memory {
  const simd = simdOf(backend, heapOf(backend));
  const view = (tensor: TensorInfo) => backend.typedArrayFromHeap(tensor) as Float32Array;
  return {
    read: view,
    make(shape, fill) {
      const made = backend.makeOutput(shape, 'float32');
      fill(view(made));
      return made;
    },
    dispose: tensor => void backend.disposeData(tensor.dataId),
    simd: () => simd,
  };
}

/** Any other backend: its tensors are read, computed here and put back. Right everywhere, fast where reading is cheap. */
export function hostMemory(backend: KernelBackend): Memory {
  return {
    read: ({dataId}) => backend.readSync(dataId) as Float32Array,
    make: (shape, fill) => engine().makeTensor(filled(shape, fill), shape, 'float32'),
    dispose: tensor => engine().disposeTensor(tensor as Tensor),
    simd: () => simdOf(backend),
  };
}
