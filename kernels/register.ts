/** Registers rows x backends as kernels. A new backend is one line here. */
import {
  engine,
  getKernel,
  type KernelBackend,
  type NamedAttrMap,
  type NamedTensorMap,
  registerKernel,
  type Tensor,
} from '@tensorflow/tfjs-core';
import type {MathBackendCPU} from '@tensorflow/tfjs-backend-cpu';
import type {BackendWasm} from '@tensorflow/tfjs-backend-wasm';
import type {MathBackendWebGL} from '@tensorflow/tfjs-backend-webgl';
import type {WebGPUBackend} from '@tensorflow/tfjs-backend-webgpu';
import {cpuMemory, hostMemory, overMemory, wasmMemory} from './cpu';
import type {Device} from './device';
import {
  FAKE_QUANT_OPS,
  type KernelInputs,
  LEARNED_OPS,
  type OpRow,
  QUANTIZE_AND_DEQUANTIZE_OPS,
  STATISTICS_OPS,
} from './op_table';
import {webgl} from './webgl';
import {webgpu} from './webgpu';

/** Of the backends known by name, which need not be installed, and of any other. */
export interface Devices<Made> {
  readonly cpu: (backend: MathBackendCPU) => Made;
  readonly webgl: (backend: MathBackendWebGL) => Made;
  readonly webgpu: (backend: WebGPUBackend) => Made;
  readonly wasm: (backend: BackendWasm) => Made;
  readonly host: (backend: KernelBackend) => Made;
}

type DeviceOf = (backend: KernelBackend) => unknown;

/** Rows that were registered, and how their device is made for a backend. */
interface Registered {
  readonly rows: readonly OpRow<unknown, unknown>[];
  readonly devices: Readonly<Record<string, DeviceOf>>;
}

const registered: Registered[] = [];

/** Registers rows for a backend, unless a copy of this package has done so before. */
function registerFor(backendName: string, {rows, devices}: Registered): void {
  const make = devices[backendName] ?? devices['host']!;
  const made = new WeakMap<object, unknown>();
  const deviceOf = (backend: KernelBackend) => {
    if (!made.has(backend)) made.set(backend, make(backend));
    return made.get(backend);
  };
  for (const {kernelName, kernel} of rows) {
    if (getKernel(kernelName, backendName)) continue;
    registerKernel({
      kernelName,
      backendName,
      kernelFunc: ({inputs, attrs, backend}) =>
        kernel(deviceOf(backend as KernelBackend), inputs as KernelInputs, attrs),
    });
  }
}

/** Registers rows for the backends known by name, and for any other once it runs one. */
export function registerRows<Made>(rows: readonly OpRow<never, Made>[], devices: Devices<Made>): void {
  const all = {rows, devices} as unknown as Registered;
  registered.push(all);
  for (const backendName of ['cpu', 'webgl', 'webgpu', 'wasm', 'tensorflow']) registerFor(backendName, all);
}

/** Registers every op of the entry of the ops. */
export function registerKernels(): void {
  const rows = [...FAKE_QUANT_OPS, ...QUANTIZE_AND_DEQUANTIZE_OPS, ...STATISTICS_OPS, ...LEARNED_OPS];
  registerRows<Device>(rows, {
    cpu: backend => overMemory(cpuMemory(backend)),
    wasm: backend => overMemory(wasmMemory(backend)),
    host: backend => overMemory(hostMemory(backend)),
    webgl,
    webgpu,
  });
}

/** Its name. Asking for the backend initializes it, or throws what to await. */
function currentBackend(): string {
  const tfjs = engine();
  return tfjs.backend && tfjs.backendName;
}

/** Runs a kernel on the current backend, also on one that no table knows. */
export function runKernel<Output extends Tensor | Tensor[]>(
  kernelName: string,
  inputs: NamedTensorMap,
  attrs: object,
): Output {
  const backendName = currentBackend();
  if (!getKernel(kernelName, backendName)) for (const each of registered) registerFor(backendName, each);
  return engine().runKernel<Output>(kernelName, inputs, attrs as NamedAttrMap);
}
