/** What is learned: data and a float network for each task. */
import * as tf from '@tensorflow/tfjs';
import {loadDigits} from '../demo/digits';

/** Images and their classes, one-hot. */
export interface Examples {
  readonly x: tf.Tensor4D;
  readonly y: tf.Tensor2D;
}

/** A data set, a network and how long each is trained. */
export interface Task {
  readonly load: () => Promise<{readonly train: Examples; readonly test: Examples}>;
  readonly model: (seed: number) => tf.LayersModel;
  /** Epochs of the float network, and those that every contestant gets after them. */
  readonly epochs: {readonly float: number; readonly more: number};
  readonly trainCount: number;
}

const CLASSES = 10;

function examples({images, labels}: {images: tf.Tensor4D; labels: tf.Tensor1D}): Examples {
  return {x: images, y: tf.tidy(() => tf.oneHot(labels, CLASSES).toFloat() as tf.Tensor2D)};
}

/** Initializers of which each has a seed of its own, so that a seed gives the same network everywhere. */
function initializers(seed: number): () => {kernelInitializer: ReturnType<typeof tf.initializers.glorotUniform>} {
  let drawn = 1000 * seed;
  return () => ({kernelInitializer: tf.initializers.glorotUniform({seed: ++drawn})});
}

/** 1797 digits of 8x8 pixels; a small network of every common kind of layer. */
const digits: Task = {
  epochs: {float: 10, more: 3},
  trainCount: 1437,
  async load() {
    const {train, test} = await loadDigits();
    return {train: examples(train), test: examples(test)};
  },
  model(seed) {
    const {layers} = tf;
    const init = initializers(seed);
    const depthwiseInitializer = init().kernelInitializer;
    return tf.sequential({
      layers: [
        layers.conv2d({
          filters: 8,
          kernelSize: 3,
          padding: 'same',
          activation: 'relu',
          inputShape: [8, 8, 1],
          ...init(),
        }),
        layers.depthwiseConv2d({kernelSize: 3, padding: 'same', depthwiseInitializer}),
        layers.batchNormalization(),
        layers.reLU(),
        layers.conv2d({filters: 16, kernelSize: 3, strides: 2, padding: 'same', activation: 'relu', ...init()}),
        layers.maxPooling2d({poolSize: 2}),
        layers.flatten(),
        layers.dense({units: 32, activation: 'relu', ...init()}),
        layers.dense({units: CLASSES, activation: 'softmax', ...init()}),
      ],
    });
  },
};

export const TASKS: Readonly<Record<string, Task>> = {digits};
