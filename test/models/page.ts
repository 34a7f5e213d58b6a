/** The page that trains the emotion classifier at few bits on what it predicts as it is, on WebGL. */
import '@tensorflow/tfjs';
import * as tf from '@tensorflow/tfjs-core';
import type {LayersModel} from '@tensorflow/tfjs-layers';
import {best} from '../../lab/agreement';
import {orderOf} from '../../lab/examples';
import {importModel} from '../../src/entries/import';
import {calibrate, quantizeModel} from '../../src/entries/qat';
import {inputsOf, PHOTO_BYTES, PUBLISHED} from './published';

const SEEDS = [1, 2, 3];
const TRAIN = 256;
const BATCH = 32;
const EPOCHS = 12;
const STEPS = EPOCHS * (TRAIN / BATCH);
const RATE = 1e-3;

/** Shares of the photos that the training does not see that get the class of the float model. */
export interface TrainingReport {
  readonly photos: {readonly train: number; readonly test: number};
  readonly steps: number;
  readonly minutes: number;
  readonly seeds: readonly {readonly seed: number; readonly before: number; readonly after: number}[];
}

declare global {
  interface Window {
    /** For whoever drives the page, which takes the URLs of both. */
    trainEmotion(model: string, photos: string): Promise<TrainingReport>;
    onTraining: (what: string, done: number, total: number) => Promise<void>;
  }
}

async function classesOf(model: LayersModel, x: tf.Tensor): Promise<number[]> {
  const y = model.predict(x, {batchSize: BATCH}) as tf.Tensor2D;
  const rows = await y.array();
  y.dispose();
  return rows.map(row => best(Float32Array.from(row)));
}

async function agreementOf(model: LayersModel, x: tf.Tensor, expected: readonly number[]): Promise<number> {
  const found = await classesOf(model, x);
  return found.filter((each, i) => each === expected[i]).length / expected.length;
}

async function trainEpochs(
  q: LayersModel,
  x: tf.Tensor4D,
  targets: tf.Tensor2D,
  seed: number,
  onStep: () => Promise<void>,
) {
  const optimizer = tf.train.adam(RATE);
  q.compile({optimizer, loss: 'categoricalCrossentropy'});
  for (let epoch = 0; epoch < EPOCHS; ++epoch) {
    (optimizer as unknown as {learningRate: number}).learningRate =
      (RATE * (1 + Math.cos((Math.PI * epoch) / EPOCHS))) / 2;
    const order = orderOf(TRAIN, seed, epoch);
    for (let from = 0; from < TRAIN; from += BATCH) {
      const chosen = tf.tensor1d(order.slice(from, from + BATCH), 'int32');
      const xs = tf.gather(x, chosen);
      const ys = tf.gather(targets, chosen);
      await q.trainOnBatch(xs, ys);
      tf.dispose([chosen, xs, ys]);
      await onStep();
    }
  }
  optimizer.dispose();
}

window.trainEmotion = async (modelUrl, photosUrl) => {
  await tf.setBackend('cpu'); // photos of full size are more than a software renderer's textures bear
  const model = await importModel(modelUrl);
  const published = PUBLISHED.find(({name}) => name === 'emotion')!;
  const bytes = new Uint8Array(await (await fetch(photosUrl)).arrayBuffer());
  const x = inputsOf(bytes.subarray(0, TRAIN * PHOTO_BYTES), model.inputs[0]!, published);
  const test = inputsOf(bytes.subarray(TRAIN * PHOTO_BYTES), model.inputs[0]!, published);
  if (!(await tf.setBackend('webgl'))) throw new Error('This browser offers no webgl backend.');
  const targets = model.predict(x, {batchSize: BATCH}) as tf.Tensor2D;
  const expected = await classesOf(model, test);
  const started = performance.now();
  const seeds = [];
  for (const [i, seed] of SEEDS.entries()) {
    const q = quantizeModel(model, {weights: {numBits: 4}});
    await calibrate(q, x, {batchSize: BATCH});
    await window.onTraining(`emotion, seed ${seed}: calibrated`, i * STEPS, SEEDS.length * STEPS);
    const before = await agreementOf(q, test, expected);
    let step = 0;
    await trainEpochs(q, x, targets, seed, () =>
      window.onTraining(`emotion, seed ${seed}`, i * STEPS + ++step, SEEDS.length * STEPS),
    );
    seeds.push({seed, before, after: await agreementOf(q, test, expected)});
    q.dispose();
  }
  return {
    photos: {train: TRAIN, test: expected.length},
    steps: STEPS,
    minutes: (performance.now() - started) / 60_000 / SEEDS.length,
    seeds,
  };
};
