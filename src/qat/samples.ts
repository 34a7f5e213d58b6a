/** Samples that pass a model, batch by batch. */
import {dispose, slice, Tensor, tidy} from '@tensorflow/tfjs-core';
import type {LayersModel} from '@tensorflow/tfjs-layers';

/** A batch: a tensor, or one for each of the model's inputs. */
export type Batch = Tensor | readonly Tensor[];

/** Tensors of all samples, or batches one after the other. An array of tensors is one for each of the model's inputs. */
export type Samples = Batch | Iterable<Batch> | AsyncIterable<Batch>;

function isTensors(samples: Samples): samples is Batch {
  return (
    samples instanceof Tensor ||
    (Array.isArray(samples) && samples.length > 0 && samples.every(each => each instanceof Tensor))
  );
}

function checkBatch(caller: string, model: LayersModel, batch: readonly Tensor[]): void {
  const {inputs, inputNames} = model;
  if (batch.length !== inputs.length) {
    throw new Error(
      `${caller}: the model has ${inputs.length} inputs (${inputNames}), but ${batch.length} tensors were given.`,
    );
  }
  const wrong = inputs.flatMap(({shape}, i) => {
    const given = batch[i]!.shape;
    if (given.length === shape.length && shape.every((dim, axis) => axis === 0 || dim === null || dim === given[axis]))
      return [];
    const wanted = shape.map(dim => dim ?? 'any');
    return [`input ${inputNames[i]} takes samples of shape [${wanted}], but was given [${given}]`];
  });
  if (wrong.length > 0) throw new Error(`${caller}: ${wrong.join('; ')}. Stack samples along the first dimension.`);
}

/** How many samples there are; undefined for batches that are not counted beforehand. */
export function sampleCount(samples: Samples): number | undefined {
  return isTensors(samples) ? ([samples].flat() as Tensor[])[0]?.shape[0] : undefined;
}

/** Slices of tensors, or the batches themselves. Throws if they do not fit the model. */
export async function* batchesOf(
  caller: string,
  model: LayersModel,
  samples: Samples,
  batchSize: number,
): AsyncGenerator<readonly Tensor[]> {
  if (!isTensors(samples)) {
    for await (const batch of samples) {
      const tensors = [batch].flat() as Tensor[];
      checkBatch(caller, model, tensors);
      yield tensors;
    }
    return;
  }
  const tensors = [samples].flat() as Tensor[];
  checkBatch(caller, model, tensors);
  const total = tensors[0]!.shape[0];
  for (let start = 0; start < total; start += batchSize) {
    const size = Math.min(batchSize, total - start);
    const slices = tidy(() => tensors.map(each => slice(each, start, size)));
    yield slices;
    dispose(slices);
  }
}
