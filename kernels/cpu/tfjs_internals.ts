/**
 * What the kernels know of tfjs-backend-cpu and -wasm beyond their documentation, each with the place in 4.22.0 that it leans
 * on (`dist/` of the package). test/kernels/tfjs_internals.spec.ts fails where tfjs changes it.
 */
import type {TensorInfo} from '@tensorflow/tfjs-core';
import type {MathBackendCPU} from '@tensorflow/tfjs-backend-cpu';
import type {BackendWasm} from '@tensorflow/tfjs-backend-wasm';
import type {Heap} from './simd';

/** A tensor's values in the cpu backend, in place: TensorData in backend_cpu.js. */
export function valuesInPlace(backend: MathBackendCPU, {dataId}: TensorInfo): Float32Array {
  return backend.data.get(dataId).values as Float32Array;
}

/** Parts of BackendWasmModule in ../wasm-out that the types hide. */
interface WasmInternals {
  readonly asm?: {readonly memory?: WebAssembly.Memory};
  readonly _malloc: (bytes: number) => number;
}

/** The memory of the wasm backend. The build with threads keeps it to itself: undefined. */
export function heapOf(backend: BackendWasm): Heap | undefined {
  const {asm, _malloc: allocate} = backend.wasm as unknown as WasmInternals;
  return asm?.memory && {memory: asm.memory, allocate};
}
