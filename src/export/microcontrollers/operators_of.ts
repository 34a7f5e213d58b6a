/** The operators in a .tflite file. */
import {readModel} from './model_file';

/**
 * An operator of a .tflite file: see {@link operatorsOf}.
 *
 * @example
 * ```js
 * import {operatorsOf, toTFLite} from 'tfjs-quantization/tflite';
 *
 * const names = operatorsOf(await toTFLite(model)).map(({operator}) => operator);
 * console.log(names.join(' ')); // CONV_2D MEAN FULLY_CONNECTED SOFTMAX
 * ```
 */
export interface OperatorUse {
  /** As TensorFlow Lite names it, CONV_2D for example; a custom operator's own name. */
  readonly operator: string;
  /** The version that a runtime must have. */
  readonly version: number;
  /** How many times the model computes it. */
  readonly count: number;
}

/**
 * What a .tflite file computes with: each operator, its version, and how often, in the order in which they first come.
 *
 * @param bytes - what toTFLite gave, or any .tflite file.
 * @returns a row for each operator of a version.
 * @throws if `bytes` are no .tflite file.
 *
 * @example
 * ```js
 * import {operatorsOf, toTFLite} from 'tfjs-quantization/tflite';
 *
 * const bytes = await toTFLite(q);
 * for (const {operator, version, count} of operatorsOf(bytes)) {
 *   console.log(operator, version, count);
 * }
 * ```
 */
export function operatorsOf(bytes: Uint8Array): OperatorUse[] {
  const uses = new Map<string, OperatorUse>();
  for (const {operators} of readModel('operatorsOf', bytes).subgraphs) {
    for (const {operator, version, isCustom} of operators) {
      const key = `${operator} ${version} ${isCustom}`;
      uses.set(key, {operator, version, count: 1 + (uses.get(key)?.count ?? 0)});
    }
  }
  return [...uses.values()];
}
