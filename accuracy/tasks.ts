/** What is learned: data and a float network for each task. */
import * as tf from '@tensorflow/tfjs';
import {type Digits, loadDigits} from '../demo/digits';
import packedMnist from './mnist.bin.gz';
import {SIZES} from './rows';

/** Images and their classes, one-hot. */
export interface Examples {
  readonly x: tf.Tensor4D;
  readonly y: tf.Tensor2D;
}

/** A data set and a network. */
export interface Task {
  readonly load: () => Promise<{readonly train: Examples; readonly test: Examples}>;
  readonly model: (seed: number) => tf.LayersModel;
}

const CLASSES = 10;

function oneHot(labels: tf.Tensor1D): tf.Tensor2D {
  return tf.tidy(() => tf.oneHot(labels, CLASSES).toFloat() as tf.Tensor2D);
}

/** Initializers of which each has a seed of its own, so that a seed gives the same network everywhere. */
function initializers(seed: number): () => {kernelInitializer: ReturnType<typeof tf.initializers.glorotUniform>} {
  let drawn = 1000 * seed;
  return () => ({kernelInitializer: tf.initializers.glorotUniform({seed: ++drawn})});
}

/** 1797 digits of 8x8 pixels; a small network of every common kind of layer. */
const digits: Task = {
  async load() {
    const {train, test} = await loadDigits();
    const examples = ({images, labels}: Digits): Examples => ({x: images, y: oneHot(labels)});
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

const SIDE = 14;
const MNIST_TRAIN = SIZES['mnist']!.trainCount;

/** The images of mnist.bin.gz: 14x14 pixels of 0 to 255 and the digit, one after the other. */
async function loadMnist(): ReturnType<Task['load']> {
  const bytes = new Blob([packedMnist]).stream().pipeThrough(new DecompressionStream('gzip'));
  const records = new Uint8Array(await new Response(bytes).arrayBuffer());
  const pixels = SIDE ** 2;
  const count = records.length / (pixels + 1);
  const table = tf.tensor2d(records, [count, pixels + 1], 'int32');
  const rows = (from: number, size: number): Examples => ({
    x: tf.tidy(() => table.slice([from, 0], [size, pixels]).toFloat().div(255).reshape([size, SIDE, SIDE, 1])),
    y: tf.tidy(() => oneHot(table.slice([from, pixels], [size, 1]).reshape([size]))),
  });
  const data = {train: rows(0, MNIST_TRAIN), test: rows(MNIST_TRAIN, count - MNIST_TRAIN)};
  table.dispose();
  return data;
}

/**
 * 2500 of MNIST's digits at half their size; a residual network of depthwise blocks as MobileNet v2's, each convolution with
 * a BatchNormalization, the blocks' ends without an activation.
 */
const mnist: Task = {
  load: loadMnist,
  model(seed) {
    const {layers} = tf;
    const init = initializers(seed);
    type Symbolic = tf.SymbolicTensor;
    const normalized = (x: Symbolic, layer: tf.layers.Layer, isLinear = false): Symbolic => {
      const y = layers.batchNormalization().apply(layer.apply(x)) as Symbolic;
      return isLinear ? y : (layers.reLU({maxValue: 6}).apply(y) as Symbolic);
    };
    const conv = (filters: number, kernelSize: number, strides = 1) =>
      layers.conv2d({filters, kernelSize, strides, padding: 'same', useBias: false, ...init()});
    const depthwise = () =>
      layers.depthwiseConv2d({
        kernelSize: 3,
        padding: 'same',
        useBias: false,
        depthwiseInitializer: init().kernelInitializer,
      });
    const block = (x: Symbolic): Symbolic => {
      const inside = normalized(normalized(x, conv(24, 1)), depthwise());
      return layers.add().apply([x, normalized(inside, conv(8, 1), true)]) as Symbolic;
    };
    const input = tf.input({shape: [SIDE, SIDE, 1]});
    const stem = layers.maxPooling2d({poolSize: 2, padding: 'same'}).apply(normalized(input, conv(8, 3, 2)));
    const pooled = layers.globalAveragePooling2d({}).apply(block(block(stem as Symbolic)));
    const dense = layers.dense({units: CLASSES, activation: 'softmax', ...init()});
    return tf.model({inputs: input, outputs: dense.apply(pooled) as Symbolic});
  },
};

export const TASKS: Readonly<Record<string, Task>> = {digits, mnist};
