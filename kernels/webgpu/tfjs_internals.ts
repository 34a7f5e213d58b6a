/**
 * What the kernels know of tfjs-backend-webgpu beyond its documentation, each with the place in 4.22.0 that it leans on
 * (`dist/` of the package). test/kernels/tfjs_internals.spec.ts fails where tfjs changes it.
 *
 * The shaders also take names from what makeShader in webgpu_program.js writes before them: the buffer `result`, a buffer for
 * each of `variableNames`, and `uniforms`, which begins with NAN and INFINITY and goes on with a program's own. It calls
 * `main` with the index of the thread. A pipeline is found by a program's `shaderKey` and the types of its inputs, not by its
 * code: makeShaderKey there.
 */
import type {TensorInfo} from '@tensorflow/tfjs-core';

/**
 * A tensor as a flat array, whatever its shape. For each rank tfjs would compile anew: makeShaderKey in webgpu_program.js.
 * It takes a tensor's buffer by its dataId alone: tensorToBinding in backend_webgpu.js.
 */
export function flat({dataId, dtype}: TensorInfo): TensorInfo {
  return {dataId, dtype, shape: []};
}
