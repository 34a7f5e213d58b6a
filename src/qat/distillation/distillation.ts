/** One run of distil. */
import {dispose, type Tensor, tidy} from '@tensorflow/tfjs-core';
import type {LayersModel} from '@tensorflow/tfjs-layers';
import {throwProblems} from '../../check/rules';
import {AgreementCounter} from '../outputs/agreement';
import {type OutputKind, outputKinds} from '../outputs/kinds';
import type {OutputLoss} from '../outputs/losses';
import {NotFiniteError, remeasure} from '../tools/batch_norm';
import {calibrateAlone} from '../tools/calibrate';
import {scaleProblems} from '../tools/sample_scale';
import type {Samples} from '../tools/samples';
import {ratesFor, type RateKind, sharesOf} from './learning_rate';
import {Lessons} from './lessons';
import {lossesFor} from './loss_option';
import {type DistilOptions, type DistilResult, type SampleFunction, STEPS} from './options';
import {type Memory, outputsOf, rememberValues, Student, variablesIn} from './student';
import {statisticsIn, Teacher} from './teacher';
import {DivergedError, Training, type TrainingOptions} from './training';
import {Variance} from './variance';

/** Of fewer steps, so few are a tenth that they tell nothing. */
const FEW_STEPS = 40;

/**
 * A short training flatters the smaller steps: networks that end better with those of the full rate had up to 1.1 times the loss
 * with them so far; networks whose statistics are folded into their weights had 1.3 to 4 times.
 */
const CLEARLY = 1.25;

/** Where the teacher's own statistics and those of the samples agree less than this, one of them is wrong. */
const MOVED = {top1: 0.9, divergence: 0.1} as const;

/** Teaches a quantized model, for a caller that is alone with both. */
export class Distillation {
  readonly #q: LayersModel;
  readonly #float: LayersModel;
  readonly #teacher: Teacher;
  readonly #lessons: Lessons;
  readonly #options: DistilOptions;

  private constructor(q: LayersModel, float: LayersModel, teacher: Teacher, lessons: Lessons, options: DistilOptions) {
    this.#q = q;
    this.#float = float;
    this.#teacher = teacher;
    this.#lessons = lessons;
    this.#options = options;
  }

  static async of(
    q: LayersModel,
    float: LayersModel,
    samples: Samples | SampleFunction,
    options: DistilOptions,
  ): Promise<Distillation> {
    const teacher = new Teacher(float);
    return new Distillation(q, float, teacher, await Lessons.of(q, teacher, samples, options), options);
  }

  async run(): Promise<DistilResult> {
    const before = rememberValues(variablesIn(this.#q));
    try {
      await this.#prepare();
    } catch (error) {
      before.restore();
      throw error;
    } finally {
      before.dispose();
    }
    return this.#train();
  }

  dispose(): void {
    this.#lessons.dispose();
    this.#teacher.dispose();
  }

  /** All that comes before the first step: the statistics of both, ranges, and what the teacher says. */
  async #prepare(): Promise<void> {
    const inputs = this.#lessons.inputs(this.#options.signal);
    for (const batch of inputs) {
      throwProblems('distil', await scaleProblems(this.#q, batch));
      break;
    }
    if (this.#remeasures) {
      await this.#teacher.prepare(() => this.#remeasure(this.#float, inputs));
      for (const batch of inputs) {
        await this.#tellOfOthers(batch);
        break;
      }
    }
    await calibrateAlone('distil', this.#q, inputs, {reestimateBatchNorm: this.#normalizes});
    await this.#lessons.ask();
  }

  get #remeasures(): boolean {
    return this.#options.reestimateBatchNorm ?? true;
  }

  /** Whether batches are normalized while the model learns. */
  get #normalizes(): boolean {
    return this.#remeasures && statisticsIn(this.#q).length > 0;
  }

  /** Tells where the teacher decides otherwise by statistics of the samples than by its own: either these lag, or those are of too little. */
  async #tellOfOthers(batch: readonly Tensor[]): Promise<void> {
    if (statisticsIn(this.#float).length === 0) return;
    const given = [tidy(() => outputsOf(this.#float, batch)), this.#teacher.outputs(batch)] as const;
    try {
      const values = await Promise.all(given.map(each => Promise.all(each.map(output => output.data()))));
      const lasts = given[0].map(({shape}) => shape.at(-1)!);
      const counter = new AgreementCounter(
        outputKinds(
          this.#float,
          values[1]!.map((each, i) => ({values: each, last: lasts[i]!})),
        ),
      );
      counter.add(values[0]!, values[1]!, lasts);
      const {top1, divergence} = counter.agreement;
      if (top1 === undefined ? divergence <= MOVED.divergence : top1 >= MOVED.top1) return;
      const found =
        top1 === undefined
          ? `by a divergence of ${divergence.toPrecision(2)}`
          : `for ${Math.round(100 * (1 - top1))} % of them`;
      console.warn(
        `distil: with BatchNormalization's statistics measured on the samples, the float model decides otherwise than with its own ${found}. ` +
          'After a short training that is right, as its own lag behind. If it was trained long, give samples like those, or ' +
          'keep its statistics: reestimateBatchNorm: false.',
      );
    } finally {
      dispose([...given]);
    }
  }

  async #remeasure(model: LayersModel, inputs: Samples): Promise<void> {
    await remeasure('distil', model, inputs, {batchSize: 1, atMost: Infinity});
  }

  async #train(): Promise<DistilResult> {
    const {steps = STEPS, onProgress, loss} = this.#options;
    const losses = lossesFor(this.#q, loss, ...(await this.#outputs()));
    onProgress?.({step: 0, steps, loss: undefined});
    const rate = await this.#rateFor(losses);
    const onStep = (step: number, told: number) => onProgress?.({step, steps, loss: told});
    const learningRate = this.#options.learningRate ?? ratesFor(this.#q)[rate];
    return this.#training(
      losses,
      rate,
      {steps, learningRate, onStep, onUndone: warnOfUndone},
      async (training, student) => {
        const start = student.remember();
        try {
          const before = await this.#lossOf(student);
          let failure: {readonly error: unknown} | undefined;
          await training.run(this.#lessons.ofSteps()).catch((error: unknown) => {
            if (student.isGone) throw error;
            failure = {error};
            training.restoreBest();
          });
          const after = await this.#finish(student, start, before);
          if (failure) throw failure.error;
          return {loss: {before, after}, rate, undone: training.undone};
        } finally {
          start.dispose();
        }
      },
    );
  }

  /** Gives a training from where the model is now to `use`. */
  async #training<T>(
    losses: readonly OutputLoss[],
    rate: RateKind,
    options: Omit<TrainingOptions, 'signal'>,
    use: (training: Training, student: Student) => Promise<T>,
  ): Promise<T> {
    const {signal} = this.#options;
    const student = new Student(this.#q, losses, sharesOf(this.#q, rate), !this.#remeasures);
    const training = new Training(student, {...options, signal});
    try {
      return await use(training, student);
    } finally {
      training.dispose();
      student.dispose();
    }
  }

  /**
   * What the learning rate is of: as given; absolute where batches are normalized (of 10 seeds of a small network, a trial chose
   * relative steps for 7, which ended up to 3 points lower); else what a short training with each says.
   */
  async #rateFor(losses: readonly OutputLoss[]): Promise<RateKind> {
    const {steps = STEPS, learningRate} = this.#options;
    if (learningRate !== undefined || this.#normalizes) return 'absolute';
    if (steps < FEW_STEPS) return 'relative';
    const [absolute, relative] = [await this.#tried(losses, 'absolute'), await this.#tried(losses, 'relative')];
    return absolute <= CLEARLY * relative ? 'absolute' : 'relative';
  }

  /** The mean loss in the last third of a short training, which is undone; without end if it fails. */
  async #tried(losses: readonly OutputLoss[], rate: RateKind): Promise<number> {
    const {steps = STEPS, onProgress} = this.#options;
    const short = Math.round(steps / 10);
    let [sum, count] = [0, 0];
    const onStep = (step: number, told: number) => {
      if (3 * step > 2 * short) [sum, count] = [sum + told, count + 1];
      onProgress?.({step: 0, steps, loss: undefined});
    };
    return this.#training(
      losses,
      rate,
      {steps: short, learningRate: ratesFor(this.#q).absolute, onStep, onUndone: () => undefined},
      async (training, student) => {
        const start = student.remember();
        try {
          await training.run(this.#lessons.ofSteps());
          return count > 0 ? sum / count : Infinity;
        } catch (error) {
          if (error instanceof DivergedError) return Infinity;
          throw error;
        } finally {
          start.restore();
          start.dispose();
        }
      },
    );
  }

  /** Measures the student's statistics anew. If it has become worse, it is what it was. */
  async #finish(student: Student, start: Memory, before: number): Promise<number> {
    const after = await this.#lossAfter(student);
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
  async #lossAfter(student: Student): Promise<number> {
    try {
      if (this.#normalizes) await this.#remeasure(this.#q, this.#lessons.inputs());
    } catch (error) {
      if (error instanceof NotFiniteError) return NaN;
      throw error;
    }
    return this.#lossOf(student);
  }

  /** What the teacher's outputs are, by some samples. */
  async #outputs(): Promise<[kinds: OutputKind[], variances: number[]]> {
    const variances = this.#float.outputs.map(() => new Variance());
    let kinds: OutputKind[] | undefined;
    try {
      for (const {targets} of this.#lessons.measured()) {
        variances.forEach((each, i) => each.add(targets[i]!));
        const read = async () =>
          Promise.all(targets.map(async each => ({values: await each.data(), last: each.shape.at(-1)!})));
        kinds ??= outputKinds(this.#float, await read());
      }
      return [kinds!, await Promise.all(variances.map(each => each.value()))];
    } finally {
      for (const each of variances) each.dispose();
    }
  }

  async #lossOf(student: Student): Promise<number> {
    let [sum, seen] = [0, 0];
    for (const {inputs, targets} of this.#lessons.measured()) {
      const loss = student.loss(inputs, targets);
      const size = inputs[0]!.shape[0];
      sum += (await loss.data())[0]! * size;
      seen += size;
      loss.dispose();
    }
    return sum / seen;
  }
}

function warnOfUndone(step: number): void {
  console.warn(
    `distil: step ${step} would have made the loss or weights NaN, so it is undone, as are others like it. ` +
      'Look for NaN in the samples, or try a lower learningRate.',
  );
}
