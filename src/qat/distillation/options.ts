/** What distil is told. */
import {callback, count, flag, integer, isFinite32, must, type Rules, signal} from '../../check/rules';
import type {Inputs} from '../tools/samples';
import type {RateKind} from './learning_rate';
import {type DistilLosses, lossRule} from './loss_option';

/**
 * Samples that a function makes anew for each step: augmented images. They are disposed of after use.
 *
 * @example
 * ```js
 * import * as tf from '@tensorflow/tfjs';
 * import {distil} from 'tfjs-quantization/qat';
 *
 * const noisy = x => tf.tidy(() => x.add(tf.randomNormal(x.shape, 0, 0.1)));
 * const augmented = step => noisy(images.slice(32 * (step % 4), 32));
 * await distil(q, model, augmented, {steps: 20});
 * ```
 */
export type SampleFunction = (step: number) => Inputs | Promise<Inputs>;

/**
 * How far {@link distil} is.
 *
 * @example
 * ```js
 * import {distil} from 'tfjs-quantization/qat';
 *
 * const onProgress = ({step, steps, loss}) => {
 *   console.log(`${step} of ${steps}: ${loss ?? 'trying rates'}`);
 * };
 * await distil(q, model, images, {steps: 20, onProgress});
 * ```
 */
export interface DistilProgress {
  /** Steps done. */
  readonly step: number;
  /** Steps in all. */
  readonly steps: number;
  /** The loss of the step; undefined before the first, while learning rates are tried. */
  readonly loss: number | undefined;
}

/**
 * How {@link distil} trains.
 *
 * @example
 * ```js
 * import {distil} from 'tfjs-quantization/qat';
 *
 * const {signal} = new AbortController(); // whose abort() stops it
 * const options = {steps: 30, batchSize: 32, learningRate: 1e-3, seed: 1, signal};
 * await distil(q, model, images, options);
 * ```
 */
export interface DistilOptions {
  /** Steps of training; 240 by default. */
  readonly steps?: number;
  /** Samples in a step; 64 by default. */
  readonly batchSize?: number;
  /**
   * Of Adam, at the start; it falls to 0 along a cosine. By default as the width asks for, 3e-3 or, where there are 3 bits or
   * fewer, 6e-3; or, without a BatchNormalization and if a trial says so, 1e-3 or 6e-3 relative to the root mean square of each
   * output channel's weights.
   */
  readonly learningRate?: number;
  /**
   * The loss of each output, for all, in their order or by their names: 'categoricalCrossentropy' or 'binaryCrossentropy', less
   * that of the teacher with itself, 'meanSquaredError', or a function of the teacher's outputs and the model's. By default
   * as the outputs are: classes, probabilities, or other numbers.
   */
  readonly loss?: DistilLosses;
  /**
   * Whether the statistics of BatchNormalization are measured anew: of the teacher while it teaches, and of the model before and
   * after. True by default, which a network that was trained for some epochs needs. False keeps those of both, in training too:
   * for a network whose statistics are of far more, or of other, data than the samples.
   */
  readonly reestimateBatchNorm?: boolean;
  /** Of the order of the samples; 0 by default. */
  readonly seed?: number;
  /** Called before the first step, after each of a trial, and after each. Nobody by default. */
  readonly onProgress?: (progress: DistilProgress) => void;
  /** Stops the training, which leaves the best state so far, and rejects with its reason. None by default. */
  readonly signal?: AbortSignal;
}

/**
 * What {@link distil} reached.
 *
 * @example
 * ```js
 * import {distil} from 'tfjs-quantization/qat';
 *
 * const {loss, rate, undone} = await distil(q, model, images, {steps: 20});
 * console.log(loss.before, loss.after, rate, undone);
 * ```
 */
export interface DistilResult {
  /** The loss over the samples, in inference, before the first step and after the last. */
  readonly loss: {readonly before: number; readonly after: number};
  /** What the learning rate was of: of Adam as it is, or of the size of each channel's weights. */
  readonly rate: RateKind;
  /** Steps that would have made weights NaN and were undone. */
  readonly undone: number;
}

export const DISTIL: Rules<DistilOptions> = {
  steps: count,
  batchSize: count,
  learningRate: must('a number above 0', (value: number) => isFinite32(value) && value > 0),
  loss: lossRule,
  reestimateBatchNorm: flag,
  seed: integer,
  onProgress: callback,
  signal,
};

/** The defaults. */
export const STEPS = 240;
export const BATCH_SIZE = 64;
