/** The quantized model while it learns. */
import {
  add,
  clone,
  dispose,
  keep,
  mul,
  type Scalar,
  stack,
  sum,
  type Tensor,
  tidy,
  type Variable,
  variableGrads,
} from '@tensorflow/tfjs-core';
import type {LayersModel} from '@tensorflow/tfjs-layers';
import type {Layer} from '../../layers/graph';
import type {OutputLoss} from '../outputs/losses';
import {Adam} from './adam';
import type {ShareOfRate} from './learning_rate';
import {noisyLayers, normsOf, withoutNoise} from './noise';

/** What a model gives. */
export function outputsOf(model: LayersModel, inputs: readonly Tensor[], training = false): Tensor[] {
  const given = inputs.length === 1 ? inputs[0]! : [...inputs];
  return [model.apply(given, {training})].flat() as Tensor[];
}

/** A state to come back to. */
export interface Memory {
  restore(): void;
  dispose(): void;
}

/** Keeps the values of variables. */
export function rememberValues(variables: readonly Variable[]): Memory {
  // tfjs would make copies of nothing.
  if (variables.some(each => each.isDisposed)) throw new Error('variables are disposed of.');
  const kept = variables.map(each => keep(clone(each)));
  return {
    // A variable that somebody disposed of would come back to life.
    restore: () => variables.forEach((each, i) => each.isDisposed || each.assign(kept[i]!)),
    dispose: () => dispose(kept),
  };
}

/** All variables of a model, each once. */
export function variablesIn(model: LayersModel): Variable[] {
  return [...new Set(model.weights.map(each => each.read() as Variable))];
}

/** Trains all that may be trained in a model, without what is there by chance and without regularizers. */
export class Student {
  readonly #model: LayersModel;
  readonly #losses: readonly OutputLoss[];
  readonly #noisy: readonly Layer[];
  readonly #trained: readonly Variable[];
  readonly #others: readonly Variable[];
  readonly #adam: Adam;

  /** `keepsStatistics`: whether BatchNormalization normalizes by its own statistics, not by each batch's, and keeps them. */
  constructor(model: LayersModel, losses: readonly OutputLoss[], shareOfRate: ShareOfRate, keepsStatistics: boolean) {
    this.#model = model;
    this.#losses = losses;
    this.#noisy = [...noisyLayers(model), ...(keepsStatistics ? normsOf(model) : [])];
    const trained = new Set(trainedIn(model));
    this.#trained = [...trained];
    this.#others = variablesIn(model).filter(each => !trained.has(each));
    this.#adam = new Adam(this.#trained, shareOfRate);
  }

  /** A step, which gives its loss and a number that is finite if the weights are. */
  step(inputs: readonly Tensor[], targets: readonly Tensor[], rate: number): Tensor {
    return tidy(() => {
      const lesson = () => withoutNoise(this.#noisy, () => this.loss(inputs, targets, true));
      let failure: {readonly error: unknown} | undefined;
      const {value, grads} = variableGrads(() => {
        try {
          return lesson();
        } catch (error) {
          failure = {error};
          // What tfjs keeps for a gradient it would leave if an error passed through it.
          return mul<Scalar>(sum(this.#trained[0]!), 0);
        }
      }, [...this.#trained]);
      if (failure) throw failure.error;
      return stack([value, this.#adam.step(grads, rate)]);
    });
  }

  /** The mean of the losses of all outputs. */
  loss(inputs: readonly Tensor[], targets: readonly Tensor[], training = false): Scalar {
    return tidy(() => {
      const outputs = outputsOf(this.#model, inputs, training);
      const losses = outputs.map((output, i) => this.#losses[i]!(targets[i]!, output));
      return mul<Scalar>(
        losses.reduce((total, each) => add<Scalar>(total, each)),
        1 / losses.length,
      );
    });
  }

  /** Whether somebody disposed of the model. */
  get isGone(): boolean {
    return this.#trained.some(each => each.isDisposed);
  }

  remember(): Memory {
    const [others, adam] = [rememberValues(this.#others), this.#adam.remember()];
    return {
      restore: () => [adam, others].forEach(each => each.restore()),
      dispose: () => [adam, others].forEach(each => each.dispose()),
    };
  }

  dispose(): void {
    this.#adam.dispose();
  }
}

/** The variables of a model that may be trained. */
export function trainedIn(model: LayersModel): Variable[] {
  return [...new Set(model.trainableWeights.map(each => each.read() as Variable))].filter(each => each.trainable);
}
