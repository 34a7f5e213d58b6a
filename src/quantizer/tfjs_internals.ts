/** What this room knows of tfjs that tfjs does not promise. */
import {engine, type Tensor} from '@tensorflow/tfjs-core';

/**
 * Whether a value is read without waiting. WebGPU reads synchronously by way of a canvas: slowly, where at all.
 *
 * Leans on `tensorMap` of tfjs-backend-webgpu 4.22, src/backend_webgpu.ts: `readSync` gives `tensorData.values` where they are
 * not null, as they are of what was uploaded or read; `runWebGPUProgram` leaves them out.
 */
export function isOnHost({dataId}: Tensor): boolean {
  const {backend, backendName} = engine();
  if (backendName !== 'webgpu') return true;
  const {tensorMap} = backend as unknown as {tensorMap: {get(id: object): {values?: unknown} | undefined}};
  const held = tensorMap.get(dataId);
  return !held || held.values != null;
}
