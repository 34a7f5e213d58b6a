/** The handwritten digits of digits.bin.gz as tensors. Format and source: README.md. */
import * as tf from '../src/entries/tf';
import packed from './digits.bin.gz';

const PIXELS = 64;
const INK = 16;
const TRAIN_COUNT = 1437;

/** `images`: [count, 8, 8, 1], 0 for paper to 1 for ink. `labels`: [count], int32, 0 to 9. */
export type Digits = {readonly images: tf.Tensor4D; readonly labels: tf.Tensor1D};

export type DigitSplit = {readonly train: Digits; readonly test: Digits};

export async function loadDigits(): Promise<DigitSplit> {
  const bytes = new Blob([packed]).stream().pipeThrough(new DecompressionStream('gzip'));
  const records = new Uint8Array(await new Response(bytes).arrayBuffer());
  const count = records.length / (PIXELS + 1);
  return tf.tidy(() => {
    const table = tf.tensor2d(records, [count, PIXELS + 1], 'int32');
    const rows = (from: number, size: number): Digits => ({
      images: table.slice([from, 0], [size, PIXELS]).toFloat().div(INK).reshape([size, 8, 8, 1]),
      labels: table.slice([from, PIXELS], [size, 1]).reshape([size]),
    });
    return {train: rows(0, TRAIN_COUNT), test: rows(TRAIN_COUNT, count - TRAIN_COUNT)};
  });
}

/** All full batches of `digits`, in an order that `seed` decides. The caller disposes each. */
export function* batchesOf(digits: Digits, size: number, seed: number): Generator<Digits> {
  const count = digits.labels.size;
  const keys = tf.tidy(() => tf.randomUniform([count], 0, 1, 'float32', seed).dataSync());
  const order = Int32Array.from(keys.keys()).sort((a, b) => (keys[a] ?? 0) - (keys[b] ?? 0));
  for (let from = 0; from + size <= count; from += size) {
    yield tf.tidy(() => {
      const chosen = tf.tensor1d(order.subarray(from, from + size), 'int32');
      return {images: tf.gather(digits.images, chosen), labels: tf.gather(digits.labels, chosen)};
    });
  }
}
