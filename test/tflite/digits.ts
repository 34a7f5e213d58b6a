/** The handwritten digits, and the small network that learns them, for specs in Node. */
import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import {digitClassifier} from '../../lab/digit_classifier';
import {type Examples, type Split, splitOf} from '../../lab/examples';
import {DIGITS} from '../../lab/formats';
import {readFile} from '../support/environment';

/** The first 1437 digits to learn from, the other 360 to test with. */
export async function loadDigits(): Promise<Split> {
  return splitOf(new Uint8Array(await readFile('lab/digits.bin.gz')), DIGITS);
}

/** {@link digitModel} with what train_digits.mjs found. */
export async function trainedDigitModel(activation?: Activation): Promise<tfl.LayersModel> {
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

type Activation = Parameters<typeof digitClassifier>[1];

function digitModel(activation?: Activation): tfl.LayersModel {
  const initializer = tfl.initializers.glorotUniform({seed: 1});
  return digitClassifier(() => initializer, activation);
}

/** Trains for some epochs, in the order in which the digits are. */
export async function train(
  model: tfl.LayersModel,
  {images, labels}: Examples,
  epochs: number,
  rate: number,
): Promise<void> {
  const optimizer = tf.train.adam(rate);
  model.compile({optimizer, loss: 'categoricalCrossentropy'});
  await model.fit(images, labels, {epochs, batchSize: 64, shuffle: false, yieldEvery: 'never'});
  optimizer.dispose();
}
