/** Samples as the model is given them: scaled, batch by batch. */
import * as tf from 'tfjs-quantization/tf';
import type {PortInfo, SampleInfo, Scaling} from '../contract';
import type {Job} from '../job';
import {type ImageShape, imageShapeOf, shownPixels} from './images';
import {type Column, type SampleSet, sizeOf} from './sample_set';
import {scaled} from './scaling';

/** So many samples are looked at for the lowest and the highest value. */
const LOOKED_AT = 256;

const PREVIEWS = 12;

/** Of the samples of each class, every so many are kept from training. */
const HELD_OUT = 5;

export class Feed {
  readonly set: SampleSet;
  readonly scaling: Scaling;
  readonly isInverted: boolean;
  readonly #inputs: readonly PortInfo[];

  constructor(set: SampleSet, inputs: readonly PortInfo[], scaling: Scaling, isInverted: boolean) {
    this.set = set;
    this.scaling = scaling;
    this.#inputs = inputs;
    this.isInverted = isInverted && this.channels === 1;
  }

  /** Channels of images; 1 of all else. */
  get channels(): number {
    return this.#image?.channels ?? 1;
  }

  get #image(): ImageShape | undefined {
    return this.#inputs.length === 1
      ? imageShapeOf({...this.#inputs[0]!, shape: [null, ...this.set.columns[0]!.shape]})
      : undefined;
  }

  /** Which samples training does not see: those that their files keep apart, else a fifth of each class. */
  get heldOut(): readonly boolean[] {
    const {isTest, labels, count} = this.set;
    if (isTest) return isTest;
    const seen = new Map<number, number>();
    return Array.from({length: count}, (_, i) => {
      const label = labels?.[i] ?? 0;
      const number = (seen.get(label) ?? 0) + 1;
      seen.set(label, number);
      return number % HELD_OUT === 0;
    });
  }

  /** The numbers of all samples, or of those that training sees, or does not. */
  rows(which: 'all' | 'training' | 'held out' = 'all'): number[] {
    const all = [...Array(this.set.count).keys()];
    if (which === 'all') return all;
    const {heldOut} = this;
    return all.filter(i => heldOut[i] === (which === 'held out'));
  }

  /** What an input is given of one or more samples. */
  #values(column: Column, port: PortInfo, rows: readonly number[]): Float32Array | Int32Array {
    const size = sizeOf(column.shape);
    const gathered = new (column.values.constructor as Float32ArrayConstructor)(rows.length * size);
    rows.forEach((row, i) => gathered.set(column.values.subarray(row * size, (row + 1) * size), i * size));
    if (port.dtype === 'int32') return Int32Array.from(gathered);
    return scaled(gathered, this.scaling, this.channels, this.isInverted && column.values instanceof Uint8Array);
  }

  /** A tensor for each input, which are the caller's. */
  tensors(rows: readonly number[]): tf.Tensor[] {
    return this.set.columns.map((column, i) => {
      const port = this.#inputs[i]!;
      return tf.tensor(
        this.#values(column, port, rows),
        [rows.length, ...column.shape],
        port.dtype === 'int32' ? 'int32' : 'float32',
      );
    });
  }

  /** Values of the first input, one sample after the other. */
  firstInput(rows: readonly number[]): Float32Array {
    return Float32Array.from(this.#values(this.set.columns[0]!, this.#inputs[0]!, rows));
  }

  /** Samples in batches of one size, the last aside, that pass as often as they are asked for. Between them the job has its turns. */
  batches(rows: readonly number[], batchSize: number, job: Job): AsyncIterable<tf.Tensor[]> {
    const tensors = (some: readonly number[]) => this.tensors(some);
    return {
      async *[Symbol.asyncIterator]() {
        for (let start = 0; start < rows.length; start += batchSize) {
          await job.turn();
          const batch = tensors(rows.slice(start, start + batchSize));
          try {
            yield batch;
          } finally {
            tf.dispose(batch);
          }
        }
      },
    };
  }

  async info(labels: readonly string[]): Promise<SampleInfo> {
    const {of, count, columnNames, labelColumn, warnings} = this.set;
    return {
      of,
      count,
      columns: columnNames,
      labelColumn,
      warnings,
      scaling: this.scaling,
      inverted: this.isInverted,
      classes: this.#classes(labels),
      values: this.#statistics(),
      previews: await this.#previews(),
    };
  }

  #classes(labels: readonly string[]): SampleInfo['classes'] {
    const own = this.set.labels;
    if (!own) return undefined;
    const counts = labels.map(() => 0);
    own.forEach(label => counts[label]!++);
    return labels.map((label, i) => ({label, count: counts[i]!}));
  }

  #statistics(): SampleInfo['values'] {
    const rows = this.rows().slice(0, LOOKED_AT);
    let [min, max, sum, count] = [Infinity, -Infinity, 0, 0];
    this.set.columns.forEach((column, i) => {
      for (const row of rows) {
        const values = this.#values(column, this.#inputs[i]!, [row]);
        for (const value of values) {
          if (value < min) min = value;
          if (value > max) max = value;
          sum += value;
        }
        count += values.length;
      }
    });
    return {min, max, mean: sum / count};
  }

  /** Bytes as they are, other numbers from the lowest, black, to the highest. */
  async #previews(): Promise<ImageBitmap[]> {
    const image = this.#image;
    const [column] = this.set.columns;
    if (!image || this.set.of === 'rows' || typeof createImageBitmap === 'undefined') return [];
    const size = sizeOf(column!.shape);
    const shown = this.rows()
      .slice(0, PREVIEWS)
      .map(row => column!.values.subarray(row * size, (row + 1) * size));
    const [low, high] = column!.values instanceof Uint8Array ? [0, 255] : extremes(shown);
    const byte = (value: number) => {
      const share = (value - low) / (high - low || 1);
      return Math.round(255 * (this.isInverted ? 1 - share : share));
    };
    return Promise.all(shown.map(values => createImageBitmap(shownPixels(Array.from(values, byte), image))));
  }
}

function extremes(all: readonly ArrayLike<number>[]): [number, number] {
  let [low, high] = [Infinity, -Infinity];
  for (const values of all) {
    for (let i = 0; i < values.length; ++i) {
      low = Math.min(low, values[i]!);
      high = Math.max(high, values[i]!);
    }
  }
  return [low, high];
}
