/**
 * What the ops lean on in tfjs-core 4.22.0 beyond its typings, with the file in its dist/ that has it.
 * test/ops/tensor_class.spec.ts asks tfjs itself, and fails where it changes one of them.
 */
import type {Tensor} from '@tensorflow/tfjs-core';

/**
 * The class that tensors have where a page holds two copies of tfjs-core: they share one registry, and the first wins.
 * tensor.js: getGlobalTensorClass; global_util.js: getGlobal
 */
export function sharedTensorClass(): typeof Tensor | undefined {
  const globals = (globalThis as {_tfGlobals?: Map<string, unknown>})._tfGlobals;
  return globals?.get('Tensor') as typeof Tensor | undefined;
}
