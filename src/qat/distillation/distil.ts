/** Training without labels: the float model teaches its quantized copy. */
import {clone, dispose, type Tensor, type TensorContainer} from '@tensorflow/tfjs-core';
import type {LayersModel} from '@tensorflow/tfjs-layers';
import {checkOptions} from '../../check/options';
import {callback, count, integer, isFinite32, must, type Rules, throwProblems} from '../../check/rules';
import {checkModel} from '../../layers/model';
import {type OutputKind, outputKinds} from '../outputs/kinds';
import {quantizingLayers} from '../quantized_layers/quantizing';
import {remeasure} from '../tools/batch_norm';
import {calibrateAlone} from '../tools/calibrate';
import {withModelLock} from '../tools/model_lock';
import {scaleProblems} from '../tools/sample_scale';
import {checkedInputs, checkSamples, sampleRule, type Batch, type Samples} from '../tools/samples';
import {modelProblems} from './check_models';
import {learningRateFor} from './learning_rate';
import {type DistilLosses, lossesFor, lossProblems, lossRule} from './loss_option';
import {batchesByChance} from './order';
import {SamplePool} from './sample_pool';
import {type Memory, rememberValues, Student, variablesIn} from './student';
import {statisticsIn, Teacher} from './teacher';
import {type Lesson, Training} from './training';
import {varianceOf} from './variance';

/** Samples that a function makes anew for each step: augmented images. They are disposed of after use. */
export type SampleFunction = (step: number) => Batch | Promise<Batch>;

/** How far {@link distil} is. */
export interface DistilProgress {
  /** Steps done. */
  readonly step: number;
  /** Steps in all. */
  readonly steps: number;
  /** The loss of the step; undefined before the first, while what comes before training is done. */
  readonly loss: number | undefined;
}

/** How {@link distil} trains. */
export interface DistilOptions {
  /** Steps of training; 240 by default. */
  readonly steps?: number;
  /** Samples in a step; 64 by default. */
  readonly batchSize?: number;
  /** Of Adam, at the start; it falls to 0 along a cosine. By default as the width asks for. */
  readonly learningRate?: number;
  /**
   * The loss of each output, for all, in their order or by their names: 'categoricalCrossentropy' or 'binaryCrossentropy', less
   * that of the teacher with itself, 'meanSquaredError', or a function of the teacher's outputs and the model's. By default
   * as the outputs are: classes, probabilities, or other numbers.
   */
  readonly loss?: DistilLosses;
  /** Of the order of the samples; 0 by default. */
  readonly seed?: number;
  /** Called after each step. Nobody by default. */
  readonly onProgress?: (progress: DistilProgress) => void;
  /** Stops the training, which leaves the best state so far, and rejects with its reason. None by default. */
  readonly signal?: AbortSignal;
}

/** What {@link distil} reached. */
export interface DistilResult {
  /** The loss over the samples, in inference, before the first step and after the last. */
  readonly loss: {readonly before: number; readonly after: number};
  /** Steps that would have made weights NaN and were undone. */
  readonly undone: number;
}

const DISTIL: Rules<DistilOptions> = {
  steps: count,
  batchSize: count,
  learningRate: must('a number above 0', (value: number) => isFinite32(value) && value > 0),
  loss: lossRule,
  seed: integer,
  onProgress: callback,
  signal: must('an AbortSignal', (value: AbortSignal) => typeof value?.throwIfAborted === 'function'),
};

/** So many samples are measured and calibrated with, and more are not looked at for the loss. */
const MEASURED = 512;
/** So many samples are kept of what comes batch by batch; more gained nothing. */
const KEPT = 1024;
/** Fewer samples than this are told. */
const FEW = 64;

/**
 * Trains a quantized model to say what the float model says, which needs no labels. What comes before is done too: the
 * statistics of BatchNormalization are measured anew (the float model's for as long as it teaches), and activations are
 * calibrated by 'mse'. Then all that is trainable learns, ranges too, by Adam; noise such as Dropout is off, regularizers are
 * left out, and what the model is compiled with is neither used nor touched. At the end statistics are measured once more.
 *
 * Classes are compared by their divergence (Kullback and Leibler), probabilities of their own each by itself, other numbers by
 * the squared error relative to their variance; several outputs weigh alike. Distillation: Hinton et al. 2015, at a
 * temperature of 1.
 *
 * @param q - a model of `quantizeModel`.
 * @param teacher - the float model, which stays as it is.
 * @param samples - what the model is for, without labels: some hundreds of samples, as tensors or batches of any kind (1024
 * are kept of batches), or a function that makes a batch for each step. It is called for some of the first steps before
 * them, to calibrate with, and its tensors are disposed of after use. Targets that go along are left alone.
 * @param options - steps, batch size, learning rate, loss, seed, progress and signal.
 * @returns the loss before and after, and how many steps were undone as they made NaN.
 * @throws if the models do not fit each other or the samples, if the samples are of another scale than the model was
 * calibrated with, if nothing is trainable, or if one of them is at work in another call: the model is then as it was. If
 * the signal stops it, if steps go on making NaN, or if a function that was given throws, while it trains: the model is then
 * in its best state so far.
 *
 * @example
 * ```ts
 * const q = quantizeModel(model, {weights: {numBits: 4}});
 * await distil(q, model, images, {onProgress: ({step, steps, loss}) => console.log(`${step} of ${steps}: ${loss}`)});
 * ```
 */
export async function distil(
  q: LayersModel,
  teacher: LayersModel,
  samples: Samples | SampleFunction,
  options: DistilOptions = {},
): Promise<DistilResult> {
  checkOptions('distil', options, DISTIL);
  quantizingLayers('distil', q);
  checkModel('distil: teacher', teacher);
  const madeAnew = typeof samples === 'function';
  throwProblems('distil', [
    ...modelProblems(q, teacher),
    ...lossProblems(q, options.loss),
    ...(madeAnew ? [] : sampleRule(samples, 'samples')),
  ]);
  if (!madeAnew) checkSamples('distil', q, samples, KEPT);
  options.signal?.throwIfAborted();
  let result: DistilResult | undefined;
  await withModelLock('distil', q, () =>
    withModelLock('distil', teacher, async () => {
      const lessons = await Distillation.over(q, teacher, samples, options);
      try {
        result = await lessons.run();
      } finally {
        lessons.dispose();
      }
    }),
  );
  return result!;
}

/** One run of {@link distil}. */
class Distillation {
  readonly #q: LayersModel;
  readonly #teacher: Teacher;
  readonly #float: LayersModel;
  readonly #pool: SamplePool;
  readonly #makes: SampleFunction | undefined;
  readonly #options: DistilOptions;
  readonly #batchSize: number;
  /** Whether a step may have been done. */
  #isTraining = false;

  private constructor(
    q: LayersModel,
    teacher: LayersModel,
    pool: SamplePool,
    makes: SampleFunction | undefined,
    options: DistilOptions,
  ) {
    this.#q = q;
    this.#float = teacher;
    this.#teacher = new Teacher(teacher);
    this.#pool = pool;
    this.#makes = makes;
    this.#options = options;
    this.#batchSize = Math.min(options.batchSize ?? 64, pool.count);
  }

  static async over(
    q: LayersModel,
    teacher: LayersModel,
    samples: Samples | SampleFunction,
    options: DistilOptions,
  ): Promise<Distillation> {
    const makes = typeof samples === 'function' ? samples : undefined;
    const pool = makes
      ? await SamplePool.of('distil', q, firstOf(q, makes), MEASURED)
      : await SamplePool.of('distil', q, samples as Samples, KEPT);
    if (!makes && pool.count < FEW) {
      console.warn(`distil: there are ${pool.count} samples only, where some hundreds are usual. Give it more.`);
    }
    return new Distillation(q, teacher, pool, makes, options);
  }

  async run(): Promise<DistilResult> {
    const before = rememberValues(variablesIn(this.#q));
    try {
      await this.#prepare();
      return await this.#train();
    } catch (error) {
      if (!this.#isTraining) before.restore();
      throw error;
    } finally {
      before.dispose();
    }
  }

  dispose(): void {
    this.#pool.dispose();
    this.#teacher.dispose();
  }

  /** The first samples, for what measures them. */
  #measured(): Generator<readonly Tensor[]> {
    return this.#pool.batches(this.#batchSize, MEASURED);
  }

  /** The same, as often as asked for, until the signal comes. */
  *[Symbol.iterator](): Generator<Tensor[]> {
    for (const batch of this.#measured()) {
      this.#options.signal?.throwIfAborted();
      yield [...batch];
    }
    this.#options.signal?.throwIfAborted();
  }

  async #prepare(): Promise<void> {
    await this.#checkScale();
    await this.#teacher.prepare(async () => {
      await remeasure('distil', this.#float, this, {...this.#statistics, isCalibrated: () => true});
    });
    const reestimates = statisticsIn(this.#q).length > 0;
    await calibrateAlone('distil', this.#q, this, {method: 'mse', reestimateBatchNorm: reestimates});
  }

  get #statistics() {
    return {batchSize: this.#batchSize, atMost: MEASURED};
  }

  async #checkScale(): Promise<void> {
    for (const batch of this.#pool.batches(FEW, FEW)) throwProblems('distil', await scaleProblems(this.#q, batch));
  }

  async #train(): Promise<DistilResult> {
    const {steps = 240, learningRate = learningRateFor(this.#q), onProgress, signal, loss} = this.#options;
    const inputCount = this.#q.inputs.length;
    const losses = lossesFor(this.#q, loss, ...(await this.#outputs()));
    this.#pool.addColumns(this.#batchSize, batch => this.#teacher.outputs(batch));
    const student = new Student(this.#q, losses);
    const start = student.remember();
    const onStep = (step: number, told: number) => onProgress?.({step, steps, loss: told});
    const training = new Training(student, {steps, learningRate, onStep, signal});
    try {
      const before = await this.#lossOf(student, inputCount);
      onProgress?.({step: 0, steps, loss: undefined});
      let failure: {readonly error: unknown} | undefined;
      this.#isTraining = true;
      await training.run(this.#lessons(inputCount)).catch((error: unknown) => {
        if (student.isGone) throw error;
        failure = {error};
        training.restoreBest();
      });
      const after = await this.#finish(student, inputCount, start, before);
      if (failure) throw failure.error;
      return {loss: {before, after}, undone: training.undone};
    } finally {
      start.dispose();
      training.dispose();
      student.dispose();
    }
  }

  /** Measures the student's statistics anew. If it has become worse, it is what it was. */
  async #finish(student: Student, inputCount: number, start: Memory, before: number): Promise<number> {
    const after = await this.#lossAfter(student, inputCount);
    if (after <= before) return after;
    start.restore();
    const reached = Number.isNaN(after) ? 'none, as the model gave NaN,' : after.toPrecision(3);
    console.warn(
      `distil: the loss over the samples was ${before.toPrecision(3)} before training and ${reached} after, so the model is ` +
        'left as it was before. Try a lower learningRate.',
    );
    return before;
  }

  /** NaN where there are no statistics to have, or no loss. */
  async #lossAfter(student: Student, inputCount: number): Promise<number> {
    try {
      if (statisticsIn(this.#q).length > 0) {
        const isCalibrated = () => false;
        await remeasure('distil', this.#q, this.#measuredInputs(inputCount), {...this.#statistics, isCalibrated});
      }
      return await this.#lossOf(student, inputCount);
    } catch {
      return NaN;
    }
  }

  *#measuredInputs(inputCount: number): Generator<Tensor[]> {
    for (const batch of this.#measured()) yield batch.slice(0, inputCount);
  }

  #lessons(inputCount: number): (step: number) => Lesson | Promise<Lesson> {
    const {seed = 0, batchSize = 64} = this.#options;
    const makes = this.#makes;
    if (makes) {
      return async step => {
        const inputs = await madeBatch(this.#q, makes, step);
        return {inputs, targets: this.#teacher.outputs(inputs)};
      };
    }
    const order = batchesByChance(this.#pool.count, Math.min(batchSize, this.#pool.count), seed);
    return () => {
      const rows = this.#pool.rows(order.next().value);
      return {inputs: rows.slice(0, inputCount), targets: rows.slice(inputCount)};
    };
  }

  /** What the teacher's outputs are, by some samples. */
  async #outputs(): Promise<[kinds: OutputKind[], variances: number[]]> {
    const outputs: Tensor[][] = [];
    for (const batch of this.#measured()) outputs.push(this.#teacher.outputs(batch));
    try {
      const count = outputs[0]!.length;
      const first = await Promise.all(
        outputs[0]!.map(async each => ({values: await each.data(), last: each.shape.at(-1)!})),
      );
      const variances: number[] = [];
      for (let i = 0; i < count; ++i) variances.push(await varianceOf(outputs.map(each => each[i]!)));
      return [outputKinds(this.#float, first), variances];
    } finally {
      dispose(outputs);
    }
  }

  async #lossOf(student: Student, inputCount: number): Promise<number> {
    let [sum, seen] = [0, 0];
    for (const batch of this.#measured()) {
      const loss = student.loss(batch.slice(0, inputCount), batch.slice(inputCount));
      const size = batch[0]!.shape[0];
      sum += (await loss.data())[0]! * size;
      seen += size;
      loss.dispose();
    }
    return sum / seen;
  }
}

/** The samples of the first steps. */
async function* firstOf(q: LayersModel, makes: SampleFunction): AsyncGenerator<readonly Tensor[]> {
  for (let step = 0; ; ++step) {
    const batch = await madeBatch(q, makes, step);
    try {
      yield batch;
    } finally {
      dispose(batch);
    }
  }
}

/** The inputs of a batch that a function makes. All that it gave is disposed of. */
async function madeBatch(q: LayersModel, makes: SampleFunction, step: number): Promise<Tensor[]> {
  const made = await makes(step);
  try {
    const inputs = checkedInputs('distil', q, made);
    if (inputs[0]!.shape[0] > 0) return inputs.map(each => clone(each));
    throw new Error(`distil: samples(${step}) gave a batch of no samples. Give it at least one.`);
  } finally {
    dispose(made as TensorContainer);
  }
}
