/** Images of digits as tensors, and what is done with them before and after training. */
import * as tf from '@tensorflow/tfjs-core';
import type {LayersModel} from '@tensorflow/tfjs-layers';
import type {Format} from './formats';

/** `images`: [count, side, side, 1], from 0 to 1. `labels`: [count, 10], one-hot. */
export type Examples = {readonly images: tf.Tensor4D; readonly labels: tf.Tensor2D};

export type Split = {readonly train: Examples; readonly test: Examples};

const CLASSES = 10;

/** The examples of records, unpacked. */
export function splitOf(records: Uint8Array, {side, most, trainCount}: Format): Split {
  const pixels = side ** 2;
  const count = records.length / (pixels + 1);
  return tf.tidy(() => {
    const table = tf.tensor2d(records, [count, pixels + 1], 'int32');
    const rows = (from: number, size: number): Examples => {
      const ink = tf.cast(tf.slice(table, [from, 0], [size, pixels]), 'float32');
      const digits = tf.reshape(tf.slice(table, [from, pixels], [size, 1]), [size]);
      return {
        images: tf.reshape(tf.div(ink, most), [size, side, side, 1]),
        labels: tf.cast(tf.oneHot(digits, CLASSES), 'float32') as tf.Tensor2D,
      };
    };
    return {train: rows(0, trainCount), test: rows(trainCount, count - trainCount)};
  });
}

/** The examples of a file. */
export async function unpackedSplit(packed: Uint8Array<ArrayBuffer>, format: Format): Promise<Split> {
  const bytes = new Blob([packed]).stream().pipeThrough(new DecompressionStream('gzip'));
  return splitOf(new Uint8Array(await new Response(bytes).arrayBuffer()), format);
}

/** Numbers in [0, 1) that depend on nothing but the seed (mulberry32). */
export function* randoms(seed: number): Generator<number, never> {
  for (let state = seed | 0; ;) {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    yield ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  }
}

/** The order of an epoch's examples. */
export function orderOf(count: number, seed: number, epoch: number): number[] {
  const random = randoms(1000 * seed + epoch);
  const order = [...Array(count).keys()];
  for (let i = count - 1; i > 0; --i) {
    const j = Math.floor(random.next().value * (i + 1));
    [order[i], order[j]] = [order[j]!, order[i]!];
  }
  return order;
}

/** The examples of these indices. */
export function pick({images, labels}: Examples, indices: readonly number[]): Examples {
  return tf.tidy(() => {
    const chosen = tf.tensor1d([...indices], 'int32');
    return {images: tf.gather(images, chosen), labels: tf.gather(labels, chosen)};
  });
}

/** The share of images whose digit gets the highest score, in percent. */
export async function accuracyOf(model: LayersModel, {images, labels}: Examples): Promise<number> {
  const right = tf.tidy(() => {
    const scores = model.predict(images, {batchSize: images.shape[0]}) as tf.Tensor2D;
    return tf.mean(tf.cast(tf.equal(tf.argMax(scores, 1), tf.argMax(labels, 1)), 'float32'));
  });
  const [share] = await right.data();
  right.dispose();
  return 100 * share!;
}
