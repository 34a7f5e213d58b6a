/** Samples that pass a model, batch by batch. */
import {clone, dispose, slice, type Tensor, type TensorContainer, tidy} from '@tensorflow/tfjs-core';
import type {LayersModel} from '@tensorflow/tfjs-layers';
import {
  type BatchedDataset,
  byInput,
  checkCount,
  checkedInputs,
  checkSamples,
  checkStates,
  isDataset,
  isObject,
  isTensor,
  isWhole,
  type Samples,
} from './samples';

async function* elementsOf(caller: string, dataset: BatchedDataset): AsyncGenerator {
  const iterator = (await dataset.iterator()) as Partial<Awaited<ReturnType<BatchedDataset['iterator']>>> | undefined;
  const following = async () => {
    const next: unknown = await iterator?.next?.();
    if (isObject(next)) return next as unknown as IteratorResult<unknown>;
    throw new Error(`${caller}: the dataset's iterator() must give what has a method next, as tf.data's do.`);
  };
  for (let next = await following(); !next.done; next = await following()) {
    try {
      yield next.value;
    } finally {
      dispose(next.value as TensorContainer);
    }
  }
}

/** How samples pass. */
interface Passing {
  /** Samples at a time, where they are all in one. */
  readonly batchSize: number;
  /** No batch follows once there were so many. */
  readonly atMost: number;
}

/** How many samples will pass; undefined for batches that are not counted beforehand. */
export function sampleCount(model: LayersModel, samples: Samples, passing: Passing): number | undefined {
  if (!isWhole(samples)) return undefined;
  const [first] = byInput(model, samples);
  return isTensor(first) ? upTo(first.shape[0], passing) : undefined;
}

/** All of `total` samples, or as many whole batches as it takes. */
function upTo(total: number, {batchSize, atMost}: Passing): number {
  return Math.min(total, Math.ceil(atMost / batchSize) * batchSize);
}

/** Of a caller's tensors, which may be gone once they are checked. */
function clones(tensors: readonly Tensor[]): Tensor[] {
  return tensors.map(each => clone(each));
}

function* ours(tensors: Tensor[]): Generator<Tensor[]> {
  try {
    yield tensors;
  } finally {
    dispose(tensors);
  }
}

/**
 * Slices of tensors, or the batches themselves, in the order of the model's inputs. Throws if they do not fit the model. They are
 * disposed of when the next ones are asked for; what is taken out of the array before is whose takes it.
 */
export async function* batchesOf(
  caller: string,
  model: LayersModel,
  samples: Samples,
  passing: Passing,
): AsyncGenerator<Tensor[]> {
  const {batchSize, atMost} = passing;
  checkSamples(caller, model, samples, atMost);
  if (!isWhole(samples)) {
    let seen = 0;
    for await (const batch of isDataset(samples) ? elementsOf(caller, samples) : (samples as AsyncIterable<unknown>)) {
      const tensors = checkedInputs(caller, model, batch);
      const size = tensors[0]!.shape[0];
      if (size > 0) {
        checkStates(caller, model, size, size);
        yield* ours(clones(tensors));
      }
      seen += size;
      if (seen >= atMost) return;
    }
    checkCount(caller, seen);
    return;
  }
  const total = upTo(checkedInputs(caller, model, samples)[0]!.shape[0], passing);
  checkStates(caller, model, total, batchSize);
  for (let start = 0; start < total; start += batchSize) {
    const size = Math.min(batchSize, total - start);
    const tensors = checkedInputs(caller, model, samples);
    const isAll = size === tensors[0]!.shape[0];
    yield* ours(isAll ? clones(tensors) : tidy(() => tensors.map(each => slice(each, start, size))));
  }
}

/** Passes a batch through a model, for what its layers see of it. Activations are freed as in a prediction: once they have served. */
export function pass(model: LayersModel, batch: readonly Tensor[]): void {
  tidy(() => void model.predictOnBatch(batch.length === 1 ? batch[0]! : [...batch]));
}
