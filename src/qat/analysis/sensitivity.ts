/** What rounding a part of a model does to its outputs, measured by rounding it alone, or all but it. */
import type {Tensor} from '@tensorflow/tfjs-core';
import type {LayersModel} from '@tensorflow/tfjs-layers';
import type {Agreement} from '../outputs/agreement';
import type {OutputKind} from '../outputs/kinds';
import type {Rounding} from '../quantized_layers/quantizing';

/** Outputs of the float model for each batch, on the host. */
export interface Reference {
  readonly kinds: readonly OutputKind[];
  /** For each batch, the values of each output. */
  readonly outputs: readonly (readonly Float32Array[])[];
  /** The last dimension of each output. */
  readonly lasts: readonly number[];
}

/** What a model gives for batches, in inference, nothing rounded unless `rounding` says. */
export async function referenceOf(_model: LayersModel, _batches: readonly (readonly Tensor[])[]): Promise<Reference> {
  return Promise.reject(new Error('not yet'));
}

/**
 * The agreement with the reference when of all roundings of `q` only those of a group round ('only'), or all but those
 * ('without'): a pass over all batches for each group. What was on and off before is so again afterwards.
 */
export async function agreements(
  _q: LayersModel,
  _batches: readonly (readonly Tensor[])[],
  _reference: Reference,
  _groups: readonly (readonly Rounding[])[],
  _options: {readonly mode: 'only' | 'without'; readonly onEach?: () => void; readonly signal?: AbortSignal},
): Promise<Agreement[]> {
  return Promise.reject(new Error('not yet'));
}
