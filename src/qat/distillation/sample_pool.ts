/** Samples that stay on the device, of which any can be drawn. */
import {concat, dispose, gather, keep, slice, type Tensor, tensor1d, tidy} from '@tensorflow/tfjs-core';
import type {LayersModel} from '@tensorflow/tfjs-layers';
import {gathered} from '../tools/gather';
import {checkedInputs, isWhole, type Samples} from '../tools/samples';

/** Samples one after the other: a tensor for each column, which are inputs and what a teacher says to them. */
interface Part {
  readonly count: number;
  columns: readonly Tensor[];
}

/** More numbers than this are not put into one tensor: a texture has no more room on some devices. */
const MOST_NUMBERS = 2 ** 24;

/** Samples in parts that are large, but that each device has room for. */
export class SamplePool {
  readonly #parts: Part[];
  readonly count: number;

  private constructor(parts: Part[]) {
    this.#parts = parts;
    this.count = parts.reduce((sum, {count}) => sum + count, 0);
  }

  /** Samples that are all in one as they are; of batches copies, until there are `atMost`. */
  static async of(caller: string, model: LayersModel, samples: Samples, atMost: number): Promise<SamplePool> {
    if (isWhole(samples)) {
      const tensors = checkedInputs(caller, model, samples);
      return new SamplePool([{count: tensors[0]!.shape[0], columns: tensors.map(each => keep(each.clone()))}]);
    }
    const taken = await gathered(caller, model, samples, {batchSize: 1, atMost});
    try {
      for (const batch of taken.batches) checkShapes(caller, model, taken.batches[0]!, batch);
      return new SamplePool(joined(taken.batches));
    } finally {
      taken.dispose();
    }
  }

  /** All samples in order, up to `atMost`, in batches that are disposed of after use. */
  *batches(size: number, atMost = Infinity): Generator<readonly Tensor[]> {
    let rest = Math.min(this.count, atMost);
    for (const part of this.#parts) {
      for (let start = 0; start < part.count && rest > 0; start += size) {
        const length = Math.min(size, part.count - start, rest);
        rest -= length;
        const batch = tidy(() => part.columns.map(each => slice(each, start, length)));
        try {
          yield batch;
        } finally {
          dispose(batch);
        }
      }
    }
  }

  /** The samples of these numbers. Batches have no order, so that neither have these. They are the caller's. */
  rows(numbers: readonly number[]): Tensor[] {
    return tidy(() => {
      let first = 0;
      const pieces = this.#parts.flatMap(({count, columns}) => {
        const own = numbers.map(number => number - first).filter(number => number >= 0 && number < count);
        first += count;
        if (own.length === 0) return [];
        const indices = tensor1d(own, 'int32');
        return [columns.map(each => gather(each, indices))];
      });
      return joinedColumns(pieces);
    });
  }

  /** Adds what `compute` makes of each batch as columns, if `onBatch` lets it get to the end. */
  async addColumns(
    size: number,
    compute: (batch: readonly Tensor[]) => Tensor[],
    onBatch: () => Promise<void>,
  ): Promise<void> {
    const added: Tensor[][] = [];
    const pieces: Tensor[][] = [];
    try {
      for (const part of this.#parts) {
        for (let start = 0; start < part.count; start += size) {
          const length = Math.min(size, part.count - start);
          pieces.push(tidy(() => compute(part.columns.map(each => slice(each, start, length)))));
          await onBatch();
        }
        added.push(tidy(() => joinedColumns(pieces).map(each => keep(each.clone()))));
        dispose(pieces.splice(0));
      }
      this.#parts.forEach((part, i) => (part.columns = [...part.columns, ...added[i]!]));
    } catch (error) {
      dispose([pieces, added]);
      throw error;
    }
  }

  dispose(): void {
    for (const {columns} of this.#parts) dispose([...columns]);
  }
}

function joinedColumns(pieces: readonly Tensor[][]): Tensor[] {
  if (pieces.length === 1) return pieces[0]!;
  return pieces[0]!.map((_, i) => concat(pieces.map(columns => columns[i]!)));
}

/** Batches put together, as many as a tensor may hold. */
function joined(batches: readonly (readonly Tensor[])[]): Part[] {
  const groups: (readonly Tensor[])[][] = [];
  let room = 0;
  for (const batch of batches) {
    const size = Math.max(...batch.map(each => each.size));
    if (size > room) {
      groups.push([]);
      room = MOST_NUMBERS;
    }
    groups[groups.length - 1]!.push(batch);
    room -= size;
  }
  return groups.map(group => {
    const columns = tidy(() => joinedColumns(group.map(each => [...each])).map(each => keep(each.clone())));
    return {count: columns[0]!.shape[0], columns};
  });
}

function checkShapes(
  caller: string,
  {inputNames}: LayersModel,
  first: readonly Tensor[],
  batch: readonly Tensor[],
): void {
  first.forEach(({shape: [, ...shape]}, i) => {
    const [, ...own] = batch[i]!.shape;
    if (own.every((dim, axis) => dim === shape[axis])) return;
    throw new Error(
      `${caller}: samples must be of one shape, but input ${inputNames[i]} was given [${shape}], then [${own}]. ` +
        'Resize them, or give those of each shape in turn.',
    );
  });
}
