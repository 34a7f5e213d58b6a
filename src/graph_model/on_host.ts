/** Computing what is read at once. */
import {findBackendFactory, getBackend, setBackend, type Tensor, tidy} from '@tensorflow/tfjs-core';
import {isOnHost} from '../ops/tfjs_internals';
import type {Constant} from './constant';

/** Backends from which reading stalls the page or, with WebGPU's, may lose the device. */
const ON_DEVICE = /webgl|webgpu/;

/** The result of `work` without its tensors. Not as a scope's own result: a scope looks for tensors in it, number by number. */
function tidied<T>(work: () => T): T {
  let result: T;
  tidy(() => {
    result = work();
  });
  return result!;
}

/** Runs `work` on the cpu, if the page would compute on a device and has both. The tensors that it makes are freed. */
export function onHost<T>(work: () => T): T {
  const device = getBackend();
  if (!ON_DEVICE.test(device) || !findBackendFactory('cpu')) return tidied(work);
  // Neither is waited for: the cpu is there at once, and the device was.
  void setBackend('cpu');
  try {
    return tidied(work);
  } finally {
    void setBackend(device);
  }
}

/**
 * The value of a tensor, read at once.
 *
 * @throws if WebGPU has computed it.
 */
export function readConstant(tensor: Tensor): Constant {
  if (!isOnHost(tensor)) throw new Error('What WebGPU has computed cannot be read at once.');
  const {dtype, shape} = tensor;
  return {dtype, shape, values: tensor.dataSync<'float32'>()};
}
