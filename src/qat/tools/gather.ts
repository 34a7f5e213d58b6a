/** Samples that pass a model several times. */
import {clone, dispose, slice, type Tensor, tidy} from '@tensorflow/tfjs-core';
import type {LayersModel} from '@tensorflow/tfjs-layers';
import {batchesOf} from './batches';
import {checkStates, type Samples} from './samples';

/** Batches of samples. */
export interface Gathered {
  readonly batches: readonly (readonly Tensor[])[];
  /** How many samples they are. */
  readonly samples: number;
  dispose(): void;
}

/** No more than `atMost` of the samples, once: copies, which are the caller's to dispose. Throws if they do not fit the model. */
export async function gathered(
  caller: string,
  model: LayersModel,
  samples: Samples,
  {batchSize, atMost}: {readonly batchSize: number; readonly atMost: number},
): Promise<Gathered> {
  const batches: Tensor[][] = [];
  let seen = 0;
  try {
    for await (const batch of batchesOf(caller, model, samples, {batchSize, atMost})) {
      const size = Math.min(batch[0]!.shape[0], atMost - seen);
      checkStates(caller, model, size, size);
      const isWhole = size === batch[0]!.shape[0];
      batches.push(tidy(() => batch.map(each => (isWhole ? clone(each) : slice(each, 0, size)))));
      seen += size;
    }
  } catch (error) {
    dispose(batches);
    throw error;
  }
  return {batches, samples: seen, dispose: () => dispose(batches)};
}
