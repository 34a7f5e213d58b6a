/** What this room knows of tfjs that tfjs does not promise. */
import {engine, type Tensor} from '@tensorflow/tfjs-core';

/**
 * Whether a value is read without waiting. WebGPU reads synchronously by way of a canvas: slowly, where at all.
 *
 * Leans on tfjs-backend-webgpu 4.22.0, dist/backend_webgpu.js:265: `readSync` gives the `values` of an entry of `tensorMap`
 * where there are any, as there are of what the page gave and of what was read.
 * test/quantizer/tfjs_internals.spec.ts fails if that changes.
 */
export function isOnHost({dataId}: Tensor): boolean {
  const {backend, backendName} = engine();
  if (backendName !== 'webgpu') return true;
  const {tensorMap} = backend as unknown as {tensorMap: {get(id: object): {values?: unknown} | undefined}};
  const held = tensorMap.get(dataId);
  return !held || held.values != null;
}
