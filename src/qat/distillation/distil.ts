/** Training without labels: the float model teaches its quantized copy. */
import type {LayersModel} from '@tensorflow/tfjs-layers';
import type {Inputs, Samples} from '../tools/samples';

/** Samples that a function makes anew for each step: augmented images. */
export type SampleFunction = (step: number) => Inputs | Promise<Inputs>;

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
  /** The loss of each output; by default as the outputs are. */
  readonly loss?: unknown;
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

export async function distil(
  _q: LayersModel,
  _teacher: LayersModel,
  _samples: Samples | SampleFunction,
  _options: DistilOptions = {},
): Promise<DistilResult> {
  return Promise.reject(new Error('not yet'));
}
