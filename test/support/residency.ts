/** Tensors that are where a program may find them: in the page's memory, or in each of the forms that a GPU keeps. */
import * as tf from '@tensorflow/tfjs-core';
import {onWebGL, onWebGPU, webgl, webgpu} from './environment';

/**
 * `sliced` is a view into a longer texture: tfjs slices without copying and adds an offset to every access.
 * `device` is a buffer of WebGPU.
 */
export type Residency = 'host' | 'packed' | 'unpacked' | 'sliced' | 'device';

/** Where a tensor can be on the backend of this run. */
export const RESIDENCIES: readonly Residency[] = onWebGL
  ? ['host', 'packed', 'unpacked', 'sliced']
  : onWebGPU
    ? ['host', 'device']
    : ['host'];

/** A float32 tensor that is there. Its values are moved by tfjs's slice or reverse, which compute nothing. */
export function tensorAt(residency: Residency, values: Float32Array, shape: readonly number[]): tf.Tensor {
  const [...dims] = shape;
  if (residency === 'host' || values.length === 0) return tf.tensor(values, dims, 'float32');
  const flags = {WEBGL_CPU_FORWARD: false, WEBGL_PACK_ARRAY_OPERATIONS: residency === 'packed'};
  const moved = withFlags(onWebGL ? flags : {}, () =>
    tf.tidy(() => tf.reshape(residency === 'sliced' ? tailOf(values) : turned(values), dims)),
  );
  checkResidency(residency, moved);
  return moved;
}

function withFlags<T>(flags: Readonly<Record<string, boolean>>, work: () => T): T {
  const before = Object.keys(flags).map(name => [name, tf.env().getBool(name)] as const);
  for (const [name, value] of Object.entries(flags)) tf.env().set(name, value);
  try {
    return work();
  } finally {
    for (const [name, value] of before) tf.env().set(name, value);
  }
}

function tailOf(values: Float32Array): tf.Tensor {
  const longer = new Float32Array(values.length + 1);
  longer.set(values, 1);
  return tf.slice(tf.tensor1d(longer), 1, values.length);
}

function turned(values: Float32Array): tf.Tensor {
  return tf.reverse(tf.tensor1d(values.slice().reverse()));
}

function checkResidency(residency: Residency, {dataId}: tf.Tensor): void {
  if (residency === 'device') {
    if (webgpu().tensorMap.get(dataId).resource == null) throw new Error('This tensor is not on the device.');
    return;
  }
  const {texture, isPacked, slice} = webgl().texData.get(dataId);
  const found = texture == null && slice == null ? 'host' : slice != null ? 'sliced' : isPacked ? 'packed' : 'unpacked';
  if (found !== residency) throw new Error(`This tensor is ${found}, not ${residency}.`);
}
