/** Published models, and what they are given. Where they come from: fetch.mjs. */
import * as tf from '@tensorflow/tfjs-core';

export interface Published {
  readonly name: string;
  /** What the darkest and the brightest pixel become. */
  readonly range: readonly [dark: number, bright: number];
  /** Of the outputs whose largest number decides, the first: scores of classes, or of places where something may be. */
  readonly scores?: number;
}

/** In the order of the table. */
export const PUBLISHED: readonly Published[] = [
  {name: 'blazeface', range: [-1, 1], scores: 0},
  {name: 'emotion', range: [-1, 1], scores: 0},
  {name: 'facemesh', range: [0, 1]},
  {name: 'movenet-lightning', range: [0, 255]},
  {name: 'mobilenet_v2_mid', range: [0, 1], scores: 0},
  {name: 'fer', range: [-1, 1], scores: 0},
  {name: 'antispoof', range: [0, 1]},
  {name: 'liveness', range: [0, 1], scores: 0},
  {name: 'iris', range: [0, 1]},
  {name: 'faceres', range: [0, 255]},
  {name: 'handlandmark-lite', range: [0, 1]},
  {name: 'centernet', range: [0, 255]},
  {name: 'handtrack', range: [0, 255]},
  {name: 'mobilenet_v2', range: [0, 1], scores: 0},
];

/** What a model takes, as `inputs[0]` of layers and graphs says. */
export interface Taken {
  readonly shape?: readonly (number | null)[];
  readonly dtype?: tf.DataType;
}

/** How wide and high a photo is. */
const PHOTO = 224;
export const PHOTO_BYTES = PHOTO * PHOTO * 3;

/** Pixels from 0 to 255 as a model takes them. */
export function scaled(pixels: tf.Tensor4D, dtype: tf.DataType | undefined, {range}: Published): tf.Tensor4D {
  const [dark, bright] = range;
  return tf.tidy(() => {
    const values = tf.add<tf.Tensor4D>(tf.mul(pixels, (bright - dark) / 255), dark);
    return dtype === 'int32' ? tf.cast(tf.round(values), 'int32') : values;
  });
}

/** Photos as a model takes them. Where it takes images of any size, they keep theirs. */
export function inputsOf(photos: Uint8Array, {shape, dtype}: Taken, published: Published): tf.Tensor4D {
  const [, height, width, channels] = shape!.map(size => (size! > 0 ? size : undefined));
  return tf.tidy(() => {
    const count = photos.length / PHOTO_BYTES;
    const pixels = tf.tensor4d(Float32Array.from(photos), [count, PHOTO, PHOTO, 3]);
    const sized = height && width ? tf.image.resizeBilinear(pixels, [height, width]) : pixels;
    return scaled(channels === 1 ? tf.mean<tf.Tensor4D>(sized, 3, true) : sized, dtype, published);
  });
}
