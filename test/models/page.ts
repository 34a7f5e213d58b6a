/** The page that trains the emotion classifier at few bits on what it predicts as it is, on WebGL. */
import '@tensorflow/tfjs';
import * as tf from '@tensorflow/tfjs-core';
import type {LayersModel} from '@tensorflow/tfjs-layers';
import {best} from '../../lab/agreement';
import {orderOf} from '../../lab/examples';
import {importModel} from '../../src/entries/import';
import {calibrate, quantizeModel} from '../../src/entries/qat';
import {inputsOf, PHOTO_BYTES, PUBLISHED} from './published';

const SEEDS = [1];
/** Photos that crops are of, in turn, and how many of those are trained on. */
const PHOTOS = 25;
const SEEN = 15;
const TRAIN = 128;
const CALIBRATION = 64;
const TEST = 96;
const BATCH = 8;
const EPOCHS = 3;
const STEPS = EPOCHS * (TRAIN / BATCH);
const RATE = 1e-4;

/** Shares of crops that get the class of the float model, before training and after. */
export interface TrainingReport {
  readonly train: number;
  readonly test: number;
  readonly steps: number;
  readonly batch: number;
  readonly rate: number;
  readonly minutes: number;
  readonly seeds: readonly {
    readonly seed: number;
    /** Other crops of the photos that were trained on. */
    readonly seen: readonly [before: number, after: number];
    /** Crops of other photos. */
    readonly unseen: readonly [before: number, after: number];
  }[];
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

/** Adam's rate falls as a cosine. */
async function trainEpochs(
  q: LayersModel,
  x: tf.Tensor4D,
  targets: tf.Tensor2D,
  seed: number,
  onStep: (step: number, loss: number) => Promise<void>,
): Promise<void> {
  const optimizer = tf.train.adam(RATE);
  q.compile({optimizer, loss: 'categoricalCrossentropy'});
  let step = 0;
  for (let epoch = 0; epoch < EPOCHS; ++epoch) {
    const order = orderOf(TRAIN, seed, epoch);
    for (let from = 0; from < TRAIN; from += BATCH) {
      (optimizer as unknown as {learningRate: number}).learningRate =
        (RATE * (1 + Math.cos((Math.PI * step) / STEPS))) / 2;
      const chosen = tf.tensor1d(order.slice(from, from + BATCH), 'int32');
      const xs = tf.gather(x, chosen);
      const ys = tf.gather(targets, chosen);
      const loss = (await q.trainOnBatch(xs, ys)) as number;
      tf.dispose([chosen, xs, ys]);
      await onStep(++step, loss);
    }
  }
  optimizer.dispose();
}

/** Crops as the model takes them: those to train on, other crops of the same photos, and crops of the other photos. */
async function cropsOf(url: string, model: LayersModel) {
  const bytes = new Uint8Array(await (await fetch(url)).arrayBuffer());
  const crops = Array.from({length: bytes.length / PHOTO_BYTES}, (_, i) =>
    bytes.subarray(i * PHOTO_BYTES, (i + 1) * PHOTO_BYTES),
  );
  const seen = crops.filter((_, i) => i % PHOTOS < SEEN);
  const unseen = crops.filter((_, i) => i % PHOTOS >= SEEN);
  const published = PUBLISHED.find(({name}) => name === 'emotion')!;
  const tensorOf = (some: readonly Uint8Array[]) =>
    tf.tidy(() =>
      tf.concat4d(
        some.map(crop => inputsOf(crop, model.inputs[0]!, published)),
        0,
      ),
    );
  return {
    train: tensorOf(seen.slice(0, TRAIN)),
    seen: tensorOf(seen.slice(TRAIN, TRAIN + TEST)),
    unseen: tensorOf(unseen.slice(0, TEST)),
  };
}

window.trainEmotion = async (modelUrl, photosUrl) => {
  await tf.setBackend('cpu'); // crops of full size are more than a software renderer's textures bear
  const model = await importModel(modelUrl);
  const {train, seen, unseen} = await cropsOf(photosUrl, model);
  if (!(await tf.setBackend('webgl'))) throw new Error('This browser offers no webgl backend.');
  const tell = (what: string, i: number, step: number) =>
    window.onTraining(`emotion, ${what}`, i * STEPS + step, SEEDS.length * STEPS);
  await tell('float', 0, 0);
  const targets = model.predict(train, {batchSize: BATCH}) as tf.Tensor2D;
  const expected = {seen: await classesOf(model, seen), unseen: await classesOf(model, unseen)};
  const started = performance.now();
  const seeds = [];
  for (const [i, seed] of SEEDS.entries()) {
    const q = quantizeModel(model, {weights: {numBits: 4}});
    await tell(`seed ${seed}, calibrating`, i, 0);
    await calibrate(q, train, {method: 'minMax', samples: CALIBRATION, batchSize: BATCH});
    const agreements = async () =>
      [await agreementOf(q, seen, expected.seen), await agreementOf(q, unseen, expected.unseen)] as const;
    const [seenBefore, unseenBefore] = await agreements();
    await trainEpochs(q, train, targets, seed, (step, loss) => tell(`seed ${seed}, loss ${loss.toFixed(3)}`, i, step));
    const [seenAfter, unseenAfter] = await agreements();
    seeds.push({seed, seen: [seenBefore, seenAfter], unseen: [unseenBefore, unseenAfter]} as const);
    q.dispose();
  }
  const minutes = (performance.now() - started) / 60_000 / SEEDS.length;
  return {train: TRAIN, test: TEST, steps: STEPS, batch: BATCH, rate: RATE, minutes, seeds};
};
