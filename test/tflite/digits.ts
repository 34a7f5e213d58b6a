/** The handwritten digits of the demo and a small convolutional network that learns them, for specs in Node. */
import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import {readFile} from '../support/environment';

const PIXELS = 64;
const TRAIN = 1437;

export interface Digits {
  readonly images: tf.Tensor4D;
  readonly labels: Int32Array;
}

/** The first 1437 digits to learn from, the other 360 to test with. */
export async function loadDigits(): Promise<{train: Digits; test: Digits}> {
  const records = new Uint8Array(await readFile('demo/digits.bin.gz'));
  const rows = (from: number, to: number): Digits => {
    const lines = Array.from({length: to - from}, (_, i) => records.subarray((from + i) * (PIXELS + 1)));
    const pixels = lines.flatMap(line => [...line.subarray(0, PIXELS)].map(ink => ink / 16));
    return {images: tf.tensor4d(pixels, [to - from, 8, 8, 1]), labels: Int32Array.from(lines, line => line[PIXELS]!)};
  };
  const count = records.length / (PIXELS + 1);
  return {train: rows(0, TRAIN), test: rows(TRAIN, count)};
}

/** {@link digitModel} with what train_digits.mjs found. */
export async function trainedDigitModel(activation: Activation = 'softmax'): Promise<tfl.LayersModel> {
  const model = digitModel(activation);
  const values = new Float32Array(await readFile('test/tflite/digits.bin'));
  let at = 0;
  const weights = model.weights.map(({shape}) => {
    const size = tf.util.sizeFromShape(shape as number[]);
    return tf.tensor(values.slice(at, (at += size)), shape as number[]);
  });
  model.setWeights(weights);
  tf.dispose(weights);
  return model;
}

/** The bytes of digits.bin. */
export async function trainedWeights(epochs: number): Promise<Uint8Array> {
  await tf.setBackend('cpu');
  const model = digitModel();
  await train(model, (await loadDigits()).train, epochs, 3e-3);
  const values = model.getWeights().flatMap(weight => [...weight.dataSync()]);
  return new Uint8Array(Float32Array.from(values).buffer);
}

/** What comes out: probabilities, or the scores that they are of. */
type Activation = 'softmax' | 'linear';

/** Convolutions of all kinds, a BatchNormalization, a pool and two dense layers. */
function digitModel(activation: Activation = 'softmax'): tfl.LayersModel {
  const {layers} = tfl;
  const seed = 1;
  const kernelInitializer = tfl.initializers.glorotUniform({seed});
  const conv = {kernelInitializer, padding: 'same' as const, kernelSize: 3};
  return tfl.sequential({
    name: 'digits',
    layers: [
      layers.conv2d({...conv, filters: 8, activation: 'relu', inputShape: [8, 8, 1], name: 'conv'}),
      layers.depthwiseConv2d({...conv, depthwiseInitializer: kernelInitializer, name: 'depthwise'}),
      layers.batchNormalization({name: 'norm'}),
      layers.reLU({name: 'relu'}),
      layers.conv2d({...conv, filters: 16, strides: 2, activation: 'relu', name: 'down'}),
      layers.maxPooling2d({poolSize: 2, name: 'pool'}),
      layers.flatten({name: 'flat'}),
      layers.dense({units: 32, activation: 'relu', kernelInitializer, name: 'hidden'}),
      layers.dense({units: 10, activation, kernelInitializer, name: 'classes'}),
    ],
  });
}

/** Trains for some epochs, in the order in which the digits are. */
export async function train(
  model: tfl.LayersModel,
  {images, labels}: Digits,
  epochs: number,
  rate: number,
): Promise<void> {
  const optimizer = tf.train.adam(rate);
  const targets = tf.tidy(() => tf.oneHot(tf.tensor1d(labels, 'int32'), 10).toFloat());
  model.compile({optimizer, loss: 'categoricalCrossentropy'});
  await model.fit(images, targets, {epochs, batchSize: 64, shuffle: false, yieldEvery: 'never'});
  optimizer.dispose();
  targets.dispose();
}
