/** The steps of training: what is told of each, and what becomes of those that go wrong. */
import {dispose, type Tensor} from '@tensorflow/tfjs-core';
import {cosine} from './learning_rate';
import type {Lesson} from './lessons';
import {Rest} from '../tools/rest';
import type {Memory, Student} from './student';

export interface TrainingOptions {
  readonly steps: number;
  readonly learningRate: number;
  readonly onStep: (step: number, loss: number) => void;
  /** Called at the first step that is undone. */
  readonly onUndone: (step: number) => void;
  readonly signal: AbortSignal | undefined;
}

/** Steps that go on making NaN. */
export class DivergedError extends Error {}

/** A step that the device is still at. */
interface Pending {
  readonly step: number;
  readonly before: Memory;
  readonly told: Tensor;
  readonly values: Promise<Float32Array>;
}

/** How much of a moving mean of the loss stays from one step to the next. */
const STAYS = 0.9;

/** So many of so many last steps undone are no accident any more. */
const TOO_MANY = {undone: 8, of: 12} as const;

/** Trains a student. What it has learnt best so far is kept. */
export class Training {
  readonly #student: Student;
  readonly #options: TrainingOptions;
  /** The state of the lowest loss, as a moving mean over steps. */
  #best: Memory;
  #lowest = Infinity;
  #mean = 0;
  #weight = 0;
  /** Of the last steps, whether they were undone. */
  #recent: boolean[] = [];
  #undone = 0;

  constructor(student: Student, options: TrainingOptions) {
    this.#student = student;
    this.#options = options;
    this.#best = student.remember();
  }

  /** Steps that were undone. */
  get undone(): number {
    return this.#undone;
  }

  /** Trains to the end. */
  async run(lessonFor: (step: number) => Promise<Lesson>): Promise<void> {
    const {steps, signal} = this.#options;
    const rest = new Rest();
    let pending: Pending | undefined;
    try {
      for (let step = 0; step < steps; ++step) {
        signal?.throwIfAborted();
        const next = this.#begin(step, await lessonFor(step));
        const last = pending;
        pending = next;
        // The device is at the next step while the last one is read.
        if (!(await this.#settle(last))) {
          // What came of a state that was undone.
          await next.values;
          pending = undefined;
          forget(next);
        }
        await rest.take();
      }
      const last = pending;
      pending = undefined;
      await this.#settle(last);
    } finally {
      if (pending) forget(pending);
    }
  }

  /** Goes back to the best state so far. */
  restoreBest(): void {
    this.#best.restore();
  }

  dispose(): void {
    this.#best.dispose();
  }

  #begin(step: number, {inputs, targets}: Lesson): Pending {
    const {steps, learningRate} = this.#options;
    let before: Memory | undefined;
    try {
      before = this.#student.remember();
      const told = this.#student.step(inputs, targets, learningRate * cosine(step / steps));
      return {step, before, told, values: told.data<'float32'>()};
    } catch (error) {
      before?.dispose();
      throw error;
    } finally {
      dispose([...inputs, ...targets]);
    }
  }

  /** Reads what came of a step, and undoes it if that was NaN. Whether it stays. */
  async #settle(pending: Pending | undefined): Promise<boolean> {
    if (!pending) return true;
    const {step, before, told, values} = pending;
    try {
      const [loss, weights] = await values;
      const isGood = Number.isFinite(loss) && Number.isFinite(weights);
      this.#recent = [...this.#recent, !isGood].slice(-TOO_MANY.of);
      if (!isGood) {
        this.#undo(step, before);
        return false;
      }
      this.#note(loss!, before);
      this.#options.onStep(step + 1, loss!);
      return true;
    } finally {
      if (before !== this.#best) before.dispose();
      told.dispose();
    }
  }

  /** The loss of a step is that of the state before it. */
  #note(loss: number, before: Memory): void {
    this.#mean = STAYS * this.#mean + (1 - STAYS) * loss;
    this.#weight = STAYS * this.#weight + (1 - STAYS);
    const mean = this.#mean / this.#weight;
    if (mean > this.#lowest) return;
    this.#lowest = mean;
    this.#best.dispose();
    this.#best = before;
  }

  #undo(step: number, before: Memory): void {
    const {length} = this.#recent;
    const isSecond = this.#recent[length - 2] === true;
    if (isSecond) this.#best.restore();
    else before.restore();
    ++this.#undone;
    if (this.#undone === 1) this.#options.onUndone(step + 1);
    if (this.#recent.filter(Boolean).length < TOO_MANY.undone) return;
    throw new DivergedError(
      `distil: the loss or weights went on being NaN: ${this.#undone} of ${step + 1} steps were undone. The model is left in ` +
        'its best state so far. Look for NaN in the samples, or try a lower learningRate.',
    );
  }
}

/** Has a step go that nobody reads. */
function forget({before, told, values}: Pending): void {
  before.dispose();
  told.dispose();
  // Nobody waits for it any more, so that nobody would see an error.
  values.catch(() => undefined);
}
