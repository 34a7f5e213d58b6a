/** How a float network is trained, and how each contestant goes on from there. */
import * as tf from '@tensorflow/tfjs';
import {decode, encode} from '../lab/base64';
import {accuracyOf, type Examples, orderOf, pick} from '../lab/examples';
import {calibrate, quantizeModel, reestimateBatchNorm} from '../src/entries/qat';
import {BATCH, keyOf, needsMore, type Plan, type Result, type SavedTensor} from './plan';
import {type Row, ROWS, SIZES, widthOf} from './rows';
import {type Task, TASKS} from './tasks';

/** What is told while it goes on. */
export interface Listener {
  readonly onSteps: (count: number) => unknown;
  readonly onFloat: (weights: SavedTensor[], orders: number[][]) => unknown;
  readonly onResult: (result: Result) => unknown;
}

const LEARNING_RATE = 3e-3;
const SAMPLES = 512;

/** From 1 to 0 over the course of training. */
function cosine(progress: number): number {
  return (1 + Math.cos(Math.PI * progress)) / 2;
}

interface Training {
  readonly seed: number;
  readonly from: number;
  readonly epochs: number;
  readonly decays: boolean;
}

/** Trains with Adam, on the batches that the seed says. Returns what a step took in ms. */
async function train(
  model: tf.LayersModel,
  examples: Examples,
  training: Training,
  onSteps: (count: number) => unknown,
) {
  const {seed, from, epochs, decays} = training;
  const optimizer = tf.train.adam(LEARNING_RATE);
  const count = examples.images.shape[0];
  const perEpoch = Math.ceil(count / BATCH);
  model.compile({optimizer, loss: 'categoricalCrossentropy'});
  const times: number[] = [];
  for (let epoch = 0; epoch < epochs; ++epoch) {
    const {images, labels} = pick(examples, orderOf(count, seed, from + epoch));
    const onBatchBegin = (batch: number) => {
      const rate = decays ? cosine((epoch * perEpoch + batch) / (epochs * perEpoch)) : 1;
      (optimizer as unknown as {learningRate: number}).learningRate = LEARNING_RATE * rate;
      return Promise.resolve();
    };
    const start = performance.now();
    await model.fit(images, labels, {
      batchSize: BATCH,
      epochs: 1,
      shuffle: false,
      callbacks: {onBatchBegin},
    });
    times.push((performance.now() - start) / perEpoch);
    tf.dispose([images, labels]);
    onSteps(perEpoch);
  }
  optimizer.dispose();
  return times.sort((a, b) => a - b)[times.length >> 1]!;
}

function bytesOf({buffer, byteOffset, byteLength}: ArrayBufferView): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength);
}

async function savedWeights(model: tf.LayersModel): Promise<SavedTensor[]> {
  const tensors = model.layers.flatMap(layer => layer.getWeights());
  return Promise.all(
    tensors.map(async tensor => ({
      shape: tensor.shape,
      data: encode(bytesOf(await tensor.data())),
    })),
  );
}

function loadWeights(model: tf.LayersModel, saved: readonly SavedTensor[]): void {
  const next = saved[Symbol.iterator]();
  tf.tidy(() => {
    for (const layer of model.layers) {
      const tensors = layer.getWeights().map(() => {
        const {shape, data} = next.next().value!;
        return tf.tensor(new Float32Array(decode(data).buffer), [...shape]);
      });
      layer.setWeights(tensors);
    }
  });
}

/** Trains and measures everything of a seed, and tells each number as soon as it is there. */
export async function runSeed(plan: Plan, listener: Listener): Promise<void> {
  const task = TASKS[plan.task]!;
  const {train: examples, test} = await task.load();
  await new Seed(plan, task, examples, test, listener).run();
  tf.dispose([examples, test]);
}

class Seed {
  readonly #plan: Plan;
  readonly #task: Task;
  readonly #train: Examples;
  readonly #test: Examples;
  readonly #listener: Listener;

  constructor(plan: Plan, task: Task, train: Examples, test: Examples, listener: Listener) {
    this.#plan = plan;
    this.#task = task;
    this.#train = train;
    this.#test = test;
    this.#listener = listener;
  }

  async run(): Promise<void> {
    const {rows, widths, seed, done} = this.#plan;
    const float = await this.#float();
    const cells = (trains: Row['trains']) =>
      ROWS.filter(row => row.trains === trains && rows.includes(row.name)).flatMap(row =>
        widths.filter(width => !done.includes(keyOf({row: row.name, width, seed}))).map(width => ({row, width})),
      );
    for (const {row, width} of cells('quantized')) await this.#quantized(float, row, width);
    if (needsMore(this.#plan)) {
      const step = await this.#trainOn(float);
      for (const {row, width} of cells('float')) await this.#after(float, row, width);
      await this.#reestimate(float);
      await this.#tell('float', '', float, step);
    }
    float.dispose();
  }

  async #float(): Promise<tf.LayersModel> {
    const {seed, float: saved} = this.#plan;
    const model = this.#task.model(seed);
    if (saved) {
      loadWeights(model, saved);
      return model;
    }
    const {float: epochs, more} = SIZES[this.#plan.task]!.epochs;
    await train(model, this.#train, {seed, from: 0, epochs, decays: false}, this.#listener.onSteps);
    const orders = Array.from({length: more}, (_, i) => orderOf(this.#train.images.shape[0], seed, epochs + i));
    await this.#listener.onFloat(await savedWeights(model), orders);
    return model;
  }

  /** The epochs that everybody gets. */
  #trainOn(model: tf.LayersModel): Promise<number> {
    const {float: from, more: epochs} = SIZES[this.#plan.task]!.epochs;
    return train(model, this.#train, {seed: this.#plan.seed, from, epochs, decays: true}, this.#listener.onSteps);
  }

  async #quantized(float: tf.LayersModel, row: Row, width: string): Promise<void> {
    const q = this.#quantizedModel(float, row, width);
    if (row.calibrates) await this.#calibrate(q);
    const step = await this.#trainOn(q);
    if (row.reestimates) await this.#reestimate(q);
    await this.#tell(row.name, width, q, step);
    q.dispose();
  }

  async #after(trained: tf.LayersModel, row: Row, width: string): Promise<void> {
    const q = this.#quantizedModel(trained, row, width);
    if (row.reestimates) await this.#reestimate(q);
    await this.#calibrate(q);
    await this.#tell(row.name, width, q);
    q.dispose();
  }

  #quantizedModel(float: tf.LayersModel, {options}: Row, width: string): tf.LayersModel {
    const {weights, activations} = widthOf(width)!;
    return quantizeModel(float, {...options, weights: {numBits: weights}, activations: {numBits: activations}});
  }

  #samples(): tf.Tensor4D {
    return this.#train.images.slice([0, 0, 0, 0], [SAMPLES, -1, -1, -1]);
  }

  async #calibrate(q: tf.LayersModel): Promise<void> {
    const samples = this.#samples();
    await calibrate(q, samples, {method: 'minMax', batchSize: BATCH});
    samples.dispose();
  }

  async #reestimate(q: tf.LayersModel): Promise<void> {
    const samples = this.#samples();
    await reestimateBatchNorm(q, samples, {samples: SAMPLES, batchSize: BATCH});
    samples.dispose();
  }

  async #tell(row: string, width: string, model: tf.LayersModel, step?: number): Promise<void> {
    const accuracy = await accuracyOf(model, this.#test);
    await this.#listener.onResult({row, width, seed: this.#plan.seed, accuracy, ...(step !== undefined && {step})});
  }
}
