/** How a float network is trained, and how each contestant goes on from there. */
import * as tf from '@tensorflow/tfjs';
import {decode, encode} from '../lab/base64';
import {accuracyOf, type Examples, orderOf, pick} from '../lab/examples';
import {
  calibrate,
  type CalibrateOptions,
  chooseBits,
  distil,
  quantizeModel,
  reestimateBatchNorm,
} from '../src/entries/qat';
import {type Cell, isFloatOpen, openCells, type Plan, type Result, type SavedTensor} from './plan';
import {BATCH, type Row, SIZES, widthOf} from './rows';
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

function isOfFewBits(width: string): boolean {
  return Object.values(widthOf(width)!).some(bits => bits <= 3);
}

interface Training {
  readonly seed: number;
  readonly from: number;
  readonly epochs: number;
  readonly rate: number;
  readonly decays: boolean;
}

/** Trains with Adam, on the batches that the seed says. Returns what a step took in ms. */
async function train(
  model: tf.LayersModel,
  examples: Examples,
  training: Training,
  onSteps: (count: number) => unknown,
) {
  const {seed, from, epochs, rate, decays} = training;
  const optimizer = tf.train.adam(rate);
  const count = examples.images.shape[0];
  const perEpoch = Math.ceil(count / BATCH);
  model.compile({optimizer, loss: 'categoricalCrossentropy'});
  const times: number[] = [];
  for (let epoch = 0; epoch < epochs; ++epoch) {
    const {images, labels} = pick(examples, orderOf(count, seed, from + epoch));
    const onBatchBegin = (batch: number) => {
      const share = decays ? cosine((epoch * perEpoch + batch) / (epochs * perEpoch)) : 1;
      (optimizer as unknown as {learningRate: number}).learningRate = rate * share;
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
    const float = await this.#float();
    for (const cell of openCells(this.#plan, 'quantized')) await this.#trained(float, cell);
    const after = openCells(this.#plan, 'float');
    if (after.length > 0 || isFloatOpen(this.#plan)) {
      const step = await this.#trainOn(float);
      for (const cell of after) await (cell.row.distils ? this.#distilled(float, cell) : this.#calibrated(float, cell));
      if (isFloatOpen(this.#plan)) {
        await this.#reestimate(float);
        await this.#tell('float', '', float, step);
      }
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
    await train(
      model,
      this.#train,
      {seed, from: 0, epochs, rate: LEARNING_RATE, decays: false},
      this.#listener.onSteps,
    );
    const orders = Array.from({length: more}, (_, i) => orderOf(this.#train.images.shape[0], seed, epochs + i));
    await this.#listener.onFloat(await savedWeights(model), orders);
    return model;
  }

  /** The epochs that everybody gets. */
  #trainOn(model: tf.LayersModel, times = 1): Promise<number> {
    const {float: from, more: epochs} = SIZES[this.#plan.task]!.epochs;
    const training = {seed: this.#plan.seed, from, epochs, rate: times * LEARNING_RATE, decays: true};
    return train(model, this.#train, training, this.#listener.onSteps);
  }

  async #trained(float: tf.LayersModel, {row, width}: Cell): Promise<void> {
    const q = await this.#quantized(float, row, width);
    if (row.calibration) await this.#calibrate(q, row.calibration);
    const step = await this.#trainOn(q, isOfFewBits(width) ? row.rateOfFew : 1);
    if (row.reestimates) await this.#reestimate(q);
    await this.#tell(row.name, width, q, step);
    q.dispose();
  }

  async #calibrated(trained: tf.LayersModel, {row, width}: Cell): Promise<void> {
    const q = await this.#quantized(trained, row, width);
    if (row.reestimates) await this.#reestimate(q);
    await this.#calibrate(q, row.calibration!);
    await this.#tell(row.name, width, q);
    q.dispose();
  }

  async #distilled(teacher: tf.LayersModel, {row, width}: Cell): Promise<void> {
    const q = await this.#quantized(teacher, row, width);
    const samples = this.#samples();
    const steps = row.distils!;
    const start = performance.now();
    await distil(q, teacher, samples, {
      steps,
      seed: this.#plan.seed,
      onProgress: ({step}) => step > 0 && this.#listener.onSteps(1),
    });
    const step = (performance.now() - start) / steps;
    samples.dispose();
    await this.#tell(row.name, width, q, step);
    q.dispose();
  }

  async #quantized(float: tf.LayersModel, {options, choosesBits}: Row, width: string): Promise<tf.LayersModel> {
    const {weights, activations} = widthOf(width)!;
    const told = {...options, activations: {numBits: activations}};
    if (!choosesBits) return quantizeModel(float, {...told, weights: {...options.weights, numBits: weights}});
    const samples = this.#samples();
    const chosen = await chooseBits(float, samples, {
      bitsPerWeight: weights,
      quantize: told,
      reestimateBatchNorm: true,
      samples: SAMPLES,
      batchSize: BATCH,
    });
    samples.dispose();
    return quantizeModel(float, chosen.options);
  }

  #samples(): tf.Tensor4D {
    return this.#train.images.slice([0, 0, 0, 0], [SAMPLES, -1, -1, -1]);
  }

  async #calibrate(q: tf.LayersModel, options: CalibrateOptions): Promise<void> {
    const samples = this.#samples();
    await calibrate(q, samples, options);
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
