/** Computing what is read at once. */
import {findBackendFactory, getBackend, setBackend, type Tensor, tidy} from '@tensorflow/tfjs-core';
import {isOnHost} from '../ops/tfjs_internals';
import type {Constant} from './constant';

/** The result of `work` without its tensors. Not as a scope's own result: a scope looks for tensors in it, number by number. */
function tidied<T>(work: () => T): T {
  let result: T;
  tidy(() => {
    result = work();
  });
  return result!;
}

/**
 * Runs `work` on tfjs's cpu backend, if the page has it: reading from a device stalls the page or, with WebGPU, may lose the
 * device, and no other backend has all kernels. The tensors that it makes are freed.
 */
export function onHost<T>(work: () => T): T {
  const own = getBackend();
  if (own === 'cpu' || !findBackendFactory('cpu')) return tidied(work);
  // Neither is waited for: the cpu's is there at once, and the page's own was.
  void setBackend('cpu');
  try {
    return tidied(work);
  } finally {
    void setBackend(own);
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
