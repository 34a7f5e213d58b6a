/**
 * What the ops lean on in tfjs-core 4.22.0 beyond its typings, with the file in its dist/ that has it.
 * test/ops/tensor_class.spec.ts asks tfjs itself, and fails where it changes one of them.
 */
import {Tensor} from '@tensorflow/tfjs-core';

/**
 * The classes that tensors have: where a page holds two copies of tfjs-core, the tensors of both are of the class of the
 * first, which others can but look up. tensor.js: getGlobalTensorClass; global_util.js: getGlobal
 */
export function tensorClasses(): ReadonlySet<typeof Tensor> {
  const globals = (globalThis as {_tfGlobals?: ReadonlyMap<string, unknown>})._tfGlobals;
  const shared = globals?.get('Tensor') as typeof Tensor | undefined;
  return new Set([Tensor, shared ?? Tensor]);
}
