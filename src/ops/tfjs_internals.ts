/**
 * What the ops, and those that run them, lean on in tfjs-core and tfjs-backend-webgpu 4.22.0 beyond their typings, with the file
 * in their dist/ that has it. test/ops/tfjs_internals.spec.ts asks tfjs itself, and fails where it changes one of them.
 */
import type {WebGPUBackend} from '@tensorflow/tfjs-backend-webgpu';
import {engine, type Tensor} from '@tensorflow/tfjs-core';

/**
 * The class that tensors have where a page holds two copies of tfjs-core: they share one registry, and the first wins.
 * tensor.js: getGlobalTensorClass; global_util.js: getGlobal
 */
export function sharedTensorClass(): typeof Tensor | undefined {
  const globals = (globalThis as {_tfGlobals?: Map<string, unknown>})._tfGlobals;
  return globals?.get('Tensor') as typeof Tensor | undefined;
}

/**
 * Whether a tensor is read at once. WebGPU knows the values that it was given or has read; reading others stalls the page, or
 * loses the device of a software renderer. backend_webgpu.js: WebGPUBackend.write, readSync, convertAndCacheOnCPU
 */
export function isOnHost({dataId}: Tensor): boolean {
  const {backend, backendName} = engine();
  if (backendName !== 'webgpu') return true;
  const held = (backend as unknown as WebGPUBackend).tensorMap.get(dataId);
  return !held || held.values != null;
}
