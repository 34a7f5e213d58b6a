/** The passes on a CPU, over the memory of the cpu backend, of wasm's, or of any other backend that can be read. */
import {engine, type KernelBackend, type Tensor, tensor1d, type TensorInfo} from '@tensorflow/tfjs-core';
import type {MathBackendCPU} from '@tensorflow/tfjs-backend-cpu';
import type {BackendWasm} from '@tensorflow/tfjs-backend-wasm';
import {type Device, type GradientPart, learnedLayout, type Range, type Scheme, type View, viewOf} from '../device';
import {type Grid, gridOf, unbounded} from '../grid';
import {BINS, binsOf} from '../histogram';
import {learn, learnGradient} from '../learn';
import {loops, type Passes} from './loops';
import {observe} from '../observe';
import {type Heap, instantiate, pays} from './simd';
import {heapOf, valuesInPlace} from './tfjs_internals';

/** How a device reaches its memory. */
interface Memory {
  read(tensor: TensorInfo): Float32Array;
  /** A new tensor of values that `fill` computes. Only `fill` reads tensors: making one may move the others. */
  make(shape: number[], fill: (values: Float32Array) => void): TensorInfo;
  dispose(tensor: TensorInfo): void;
  /** What computes in SIMD, where that is to be had. */
  simd(): Passes | undefined;
}

function passesOver(memory: Memory, view: View): Passes {
  return (pays(view) ? memory.simd() : undefined) ?? loops;
}

function gridsOf(memory: Memory, range: Range, {channels}: View, {fit, levels}: Scheme): Grid[] {
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

/** The extremes of each channel: the smallest of all, then the largest. */
function measure(memory: Memory, x: TensorInfo, view: View, strict: boolean, shape: number[]): TensorInfo {
  return memory.make(shape, both => {
    const [values, passes] = [memory.read(x), passesOver(memory, view)];
    both.set(passes.measure(values, view));
    const highs = both.subarray(view.channels);
    if (strict && (passes.hasNaN(values) || !both.every(Number.isFinite))) highs.fill(Infinity);
  });
}

function overMemory(memory: Memory): Device {
  return {
    roundToGrid(x, range, view, scheme) {
      return memory.make(x.shape, y => {
        const grids = gridsOf(memory, range, view, scheme).map(grid => (scheme.clamped ? grid : unbounded(grid)));
        passesOver(memory, view).roundToGrid(memory.read(x), y, grids, view, scheme.rounding);
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
    sumPair(dy, x, range, view, scheme, sides) {
      return memory.make([2, ...view.rangeShape], sums => {
        const grids = gridsOf(memory, range, view, scheme);
        sides.forEach((side, row) => {
          const values = passesOver(memory, view).straightThroughSum(
            memory.read(dy),
            memory.read(x),
            grids,
            view,
            side,
          );
          sums.set(values, row * view.channels);
        });
      });
    },
    measure: (x, view, strict) => measure(memory, x, view, strict, [2, ...view.rangeShape]),
    measureParts: x => measure(memory, x, viewOf(x.shape), true, [1, 2]),
    histogram(x, extremes) {
      const [low, high] = memory.read(extremes);
      const counts = new Int32Array(BINS);
      const values = memory.read(x);
      passesOver(memory, viewOf([values.length])).histogram(values, binsOf(low!, high!), counts);
      return tensor1d(counts, 'int32');
    },
    observe(measured, moving, {channels, rangeShape}, rule) {
      return memory.make([3, ...rangeShape], next => {
        const [batch, before] = [memory.read(measured), memory.read(moving)];
        for (let c = 0; c < channels; ++c) {
          const range = {low: before[c]!, high: before[channels + c]!, weight: before[2 * channels + c]!};
          const {low, high, weight} = observe(range, batch[c]!, batch[channels + c]!, rule);
          next[c] = low;
          next[channels + c] = high;
          next[2 * channels + c] = weight;
        }
      });
    },
    learn(trained, last, rule) {
      const {channels, second} = learnedLayout(last.shape, rule);
      return memory.make(last.shape, grid => {
        const [logs, before] = [memory.read(trained), memory.read(last)];
        for (let c = 0; c < channels; ++c) {
          const ends = {scale: before[c]!, low: before[second + c]!};
          const {scale, low} = learn([logs[c]!, logs[second + c]!], ends, rule);
          grid[second + c] = low;
          grid[c] = scale;
        }
      });
    },
    learnGradient(dy, grid, rule) {
      const {channels, second} = learnedLayout(grid.shape, rule);
      return memory.make(grid.shape, gradients => {
        const [of, at] = [memory.read(dy), memory.read(grid)];
        const endsOf = (values: Float32Array, c: number) => ({scale: values[c]!, low: values[second + c]!});
        for (let c = 0; c < channels; ++c) {
          const [first, other] = learnGradient(endsOf(of, c), endsOf(at, c), rule);
          gradients[second + c] = other;
          gradients[c] = first;
        }
      });
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
export function cpu(backend: MathBackendCPU): Device {
  return overMemory({
    read: tensor => valuesInPlace(backend, tensor),
    make: (shape, fill) => backend.makeTensorInfo(shape, 'float32', filled(shape, fill)),
    dispose: tensor => backend.disposeIntermediateTensorInfo(tensor),
    simd: () => simdOf(backend),
  });
}

/** tfjs's wasm backend: its heap is used in place. It may move when it grows, so the views are taken after that. */
export function wasm(backend: BackendWasm): Device {
  const simd = simdOf(backend, heapOf(backend));
  const view = (tensor: TensorInfo) => backend.typedArrayFromHeap(tensor) as Float32Array;
  return overMemory({
    read: view,
    make(shape, fill) {
      const made = backend.makeOutput(shape, 'float32');
      fill(view(made));
      return made;
    },
    dispose: tensor => void backend.disposeData(tensor.dataId),
    simd: () => simd,
  });
}

/** Any other backend: its tensors are read, computed here and put back. Right everywhere, fast where reading is cheap. */
export function host(backend: KernelBackend): Device {
  return overMemory({
    read: ({dataId}) => backend.readSync(dataId) as Float32Array,
    make: (shape, fill) => engine().makeTensor(filled(shape, fill), shape, 'float32'),
    dispose: tensor => engine().disposeTensor(tensor as Tensor),
    simd: () => simdOf(backend),
  });
}
