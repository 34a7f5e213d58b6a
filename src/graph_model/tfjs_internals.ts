/**
 * What graph models lean on in tfjs-backend-webgpu 4.22.0 beyond the interface of backends, with the file in its dist/ that
 * has it. test/graph_model/tfjs_internals.spec.ts asks tfjs itself, and fails where it changes.
 */
import type {WebGPUBackend} from '@tensorflow/tfjs-backend-webgpu';
import {backend, getBackend, type Tensor} from '@tensorflow/tfjs-core';

/**
 * Whether a tensor can't be read at once: WebGPU knows the values that it was given or has read, and reading others would
 * stall the page, or lose the device of a software renderer. backend_webgpu.js: WebGPUBackend.write, convertAndCacheOnCPU
 */
export function isOnlyOnWebGPU({dataId}: Tensor): boolean {
  if (getBackend() !== 'webgpu') return false;
  return (backend() as unknown as WebGPUBackend).tensorMap.get(dataId).values == null;
}
