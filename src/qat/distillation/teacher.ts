/** The float model while it teaches. */
import {type Tensor, tidy, type Variable} from '@tensorflow/tfjs-core';
import type {LayersModel} from '@tensorflow/tfjs-layers';
import {normsOf} from './noise';
import {type Memory, outputsOf, rememberValues} from './student';

/** The variables of a model that hold statistics of batches. */
export function statisticsIn(model: LayersModel): Variable[] {
  return normsOf(model).flatMap(({movingMean, movingVariance}) =>
    [movingMean, movingVariance].map(each => each.read() as Variable),
  );
}

/** A model that tells what it makes of samples, by statistics of its own that it has while it is asked. */
export class Teacher {
  readonly #model: LayersModel;
  readonly #statistics: readonly Variable[];
  #measured: Memory | undefined;

  constructor(model: LayersModel) {
    this.#model = model;
    this.#statistics = statisticsIn(model);
  }

  /** Has `measure` change the model's statistics, which are put back. */
  async prepare(measure: () => Promise<void>): Promise<void> {
    if (this.#statistics.length === 0) return;
    const before = rememberValues(this.#statistics);
    try {
      await measure();
      this.#measured = rememberValues(this.#statistics);
    } finally {
      before.restore();
      before.dispose();
    }
  }

  /** What it says to samples. */
  outputs(inputs: readonly Tensor[]): Tensor[] {
    const before = rememberValues(this.#statistics);
    try {
      this.#measured?.restore();
      return tidy(() => outputsOf(this.#model, inputs));
    } finally {
      before.restore();
      before.dispose();
    }
  }

  dispose(): void {
    this.#measured?.dispose();
  }
}
