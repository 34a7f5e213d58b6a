/** What is learned: data and a float network for each task. */
import * as tf from '@tensorflow/tfjs';
import {digitClassifier} from '../lab/digit_classifier';
import {loadDigits} from '../lab/digits';
import type {Split} from '../lab/examples';
import {MNIST} from '../lab/formats';
import {loadMnist} from '../lab/mnist';

/** A data set and a network. */
export interface Task {
  readonly load: () => Promise<Split>;
  readonly model: (seed: number) => tf.LayersModel;
}

const CLASSES = 10;

/** Initializers of which each has a seed of its own, so that a seed gives the same network everywhere. */
function initializers(seed: number): () => {kernelInitializer: ReturnType<typeof tf.initializers.glorotUniform>} {
  let drawn = 1000 * seed;
  return () => ({kernelInitializer: tf.initializers.glorotUniform({seed: ++drawn})});
}

/** A small network of every common kind of layer. */
const digits: Task = {
  load: loadDigits,
  model(seed) {
    const init = initializers(seed);
    return digitClassifier(() => init().kernelInitializer);
  },
};

/**
 * A residual network of depthwise blocks as MobileNet v2's, each convolution with
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
    const input = tf.input({shape: [MNIST.side, MNIST.side, 1]});
    const stem = layers.maxPooling2d({poolSize: 2, padding: 'same'}).apply(normalized(input, conv(8, 3, 2)));
    const pooled = layers.globalAveragePooling2d({}).apply(block(block(stem as Symbolic)));
    const dense = layers.dense({units: CLASSES, activation: 'softmax', ...init()});
    return tf.model({inputs: input, outputs: dense.apply(pooled) as Symbolic});
  },
};

export const TASKS: Readonly<Record<string, Task>> = {digits, mnist};
