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

/**
 * Values of four bytes as uniforms that lie one after the other, in few pieces: tfjs makes an array of each. It puts two at a
 * multiple of 8 bytes and four at one of 16, behind 8 bytes of its own and 8 for each flat tensor, the output among them:
 * makeUniforms and recordAndSubmit in backend_webgpu.js.
 */
export function gapless(values: readonly number[], inputs: number): {type: string; data: number[]}[] {
  const pieces = [];
  for (let from = 0, to = inputs % 2 === 0 ? 4 : 2; from < values.length; from = to, to += 4) {
    pieces.push({type: 'uint32', data: values.slice(from, to)});
  }
  return pieces;
}
