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
import {cpu, host, wasm} from './cpu';
import type {Device} from './device';
import {
  FAKE_QUANT_OPS,
  type KernelInputs,
  LEARNED_OPS,
  LEARNING_OPS,
  type OpRow,
  QUANTIZE_AND_DEQUANTIZE_OPS,
  RANGE_OPS,
  STATISTICS_OPS,
} from './op_table';
import {webgl} from './webgl';
import {webgpu} from './webgpu';

type DeviceOf = (backend: KernelBackend) => Device;

const DEVICES: Readonly<Record<string, DeviceOf>> = {
  cpu: backend => cpu(backend as MathBackendCPU),
  webgl: backend => webgl(backend as MathBackendWebGL),
  webgpu: backend => webgpu(backend as unknown as WebGPUBackend),
  wasm: backend => wasm(backend as BackendWasm),
  tensorflow: host,
};

const ROWS = [
  ...FAKE_QUANT_OPS,
  ...QUANTIZE_AND_DEQUANTIZE_OPS,
  ...STATISTICS_OPS,
  ...RANGE_OPS,
  ...LEARNED_OPS,
  ...LEARNING_OPS,
] as readonly OpRow<unknown>[];

/** Registers every op for a backend, unless a copy of this package has done so before. */
function registerOps(backendName: string, make: DeviceOf): void {
  const devices = new WeakMap<object, Device>();
  const deviceOf = (backend: KernelBackend) => {
    let device = devices.get(backend);
    if (!device) devices.set(backend, (device = make(backend)));
    return device;
  };
  for (const {kernelName, kernel} of ROWS) {
    if (getKernel(kernelName, backendName)) continue;
    registerKernel({
      kernelName,
      backendName,
      kernelFunc: ({inputs, attrs, backend}) =>
        kernel(deviceOf(backend as KernelBackend), inputs as KernelInputs, attrs),
    });
  }
}

/** Registers every op for the backends known by name. They need not be installed. */
export function registerKernels(): void {
  for (const [backendName, deviceOf] of Object.entries(DEVICES)) registerOps(backendName, deviceOf);
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
  if (!getKernel(kernelName, backendName)) registerOps(backendName, DEVICES[backendName] ?? host);
  return engine().runKernel<Output>(kernelName, inputs, attrs as NamedAttrMap);
}
