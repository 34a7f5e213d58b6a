/** What is learnt: samples, and what the teacher says to them. */
import {clone, dispose, type Tensor, type TensorContainer} from '@tensorflow/tfjs-core';
import type {LayersModel} from '@tensorflow/tfjs-layers';
import {checkCount, checkedInputs, checkStates, type Inputs, type Samples, warnOfFew} from '../tools/samples';
import {BATCH_SIZE, type DistilOptions, type SampleFunction, STEPS} from './options';
import {batchesByChance} from './order';
import {Rest} from '../tools/rest';
import {SamplePool} from './sample_pool';
import type {Teacher} from './teacher';

/** So many samples are measured and calibrated with, and more are not looked at for the loss. */
const MEASURED = 512;
/** So many samples are kept of what comes batch by batch; more gained nothing. */
export const KEPT = 1024;
/** No more bytes are kept of what the teacher says. */
const MOST_BYTES = 2 ** 28;

/** What a step learns from. */
export interface Lesson {
  readonly inputs: readonly Tensor[];
  readonly targets: readonly Tensor[];
}

/** Samples, and what was kept of what the teacher says to them. */
interface Columns {
  readonly inputs: readonly Tensor[];
  readonly kept: readonly Tensor[] | undefined;
}

/** Samples to measure with and to learn from. */
export class Lessons {
  readonly #q: LayersModel;
  readonly #teacher: Teacher;
  readonly #pool: SamplePool;
  readonly #makes: SampleFunction | undefined;
  readonly #options: DistilOptions;
  readonly #batchSize: number;
  #isKept = false;

  private constructor(q: LayersModel, teacher: Teacher, pool: SamplePool, samples: unknown, options: DistilOptions) {
    this.#q = q;
    this.#teacher = teacher;
    this.#pool = pool;
    this.#makes = typeof samples === 'function' ? (samples as SampleFunction) : undefined;
    this.#options = options;
    this.#batchSize = Math.min(options.batchSize ?? BATCH_SIZE, pool.count);
  }

  static async of(
    q: LayersModel,
    teacher: Teacher,
    samples: Samples | SampleFunction,
    options: DistilOptions,
  ): Promise<Lessons> {
    const pool = await (typeof samples === 'function'
      ? SamplePool.of('distil', q, firstOf(q, samples, options.signal), MEASURED)
      : SamplePool.of('distil', q, samples, KEPT));
    if (typeof samples !== 'function') warnOfFew('distil', pool.count);
    return new Lessons(q, teacher, pool, samples, options);
  }

  /** Some samples, to measure with: as often as they are asked for, until the signal if there is one. */
  inputs(signal?: AbortSignal): Iterable<readonly Tensor[]> {
    checkStates('distil', this.#q, this.#pool.count, this.#batchSize);
    const batches = () => this.#batches();
    return {
      *[Symbol.iterator]() {
        for (const {inputs} of batches()) {
          signal?.throwIfAborted();
          yield inputs;
        }
      },
    };
  }

  /** The same, with what the teacher says to them. */
  *measured(): Generator<Lesson> {
    for (const {inputs, kept} of this.#batches()) {
      const targets = kept ?? this.#teacher.outputs(inputs);
      try {
        yield {inputs, targets};
      } finally {
        dispose([...targets]);
      }
    }
  }

  /** Asks the teacher about all samples, and keeps what it says; unless that is too much, or more than the steps take. */
  async ask(): Promise<void> {
    const {steps = STEPS, signal} = this.#options;
    const passed = steps * this.#batchSize + 2 * MEASURED;
    if (this.#pool.count > passed || this.#bytesOfAll() > MOST_BYTES) return;
    const rest = new Rest();
    const onBatch = async () => {
      signal?.throwIfAborted();
      await rest.take();
    };
    await this.#pool.addColumns(this.#batchSize, inputs => this.#teacher.outputs(inputs), onBatch);
    this.#isKept = true;
  }

  /** What gives the lesson of each step, which is the step's own. */
  ofSteps(): (step: number) => Promise<Lesson> {
    const makes = this.#makes;
    if (makes) return async step => this.#asked(await made(this.#q, makes, step));
    const order = batchesByChance(this.#pool.count, this.#batchSize, this.#options.seed ?? 0);
    return () => {
      const {inputs, kept} = this.#split(this.#pool.rows(order.next().value));
      return Promise.resolve(kept ? {inputs, targets: kept} : this.#asked(inputs));
    };
  }

  dispose(): void {
    this.#pool.dispose();
  }

  *#batches(): Generator<Columns> {
    for (const columns of this.#pool.batches(this.#batchSize, MEASURED)) yield this.#split(columns);
  }

  #split(columns: readonly Tensor[]): Columns {
    const {length} = this.#q.inputs;
    return {inputs: columns.slice(0, length), kept: this.#isKept ? columns.slice(length) : undefined};
  }

  #asked(inputs: readonly Tensor[]): Lesson {
    try {
      return {inputs, targets: this.#teacher.outputs(inputs)};
    } catch (error) {
      dispose([...inputs]);
      throw error;
    }
  }

  /** Of what the teacher says to all samples, by the first of them. */
  #bytesOfAll(): number {
    for (const {targets} of this.measured()) {
      const numbers = targets.reduce((sum, {size}) => sum + size, 0);
      return (4 * numbers * this.#pool.count) / targets[0]!.shape[0];
    }
    return 0;
  }
}

/** What a function makes for a step: copies, as all that it gave, targets too, is disposed of. */
async function made(q: LayersModel, makes: SampleFunction, step: number): Promise<readonly Tensor[]> {
  const batch: Inputs = await makes(step);
  try {
    const inputs = checkedInputs('distil', q, batch);
    checkCount('distil', inputs[0]!.shape[0]);
    return inputs.map(each => clone(each));
  } finally {
    dispose(batch as TensorContainer);
  }
}

/** The samples of the first steps. */
async function* firstOf(
  q: LayersModel,
  makes: SampleFunction,
  signal: AbortSignal | undefined,
): AsyncGenerator<readonly Tensor[]> {
  for (let step = 0; ; ++step) {
    signal?.throwIfAborted();
    const batch = await made(q, makes, step);
    try {
      yield batch;
    } finally {
      dispose([...batch]);
    }
  }
}
