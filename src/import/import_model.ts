/** Models of any kind as LayersModels. */
import type {io} from '@tensorflow/tfjs-core';
import type {LayersModel} from '@tensorflow/tfjs-layers';

/** How far {@link importModel} is. */
export interface ImportProgress {
  /** 'load' while files arrive (done is of 1), 'convert' while nodes become layers (done of so many nodes). */
  readonly stage: 'load' | 'convert';
  readonly done: number;
  readonly total: number;
}

/** How a model is loaded: tf.io.LoadOptions, less its own onProgress. */
export interface ImportOptions extends Omit<io.LoadOptions, 'onProgress' | 'strict' | 'streamWeights'> {
  readonly onProgress?: (progress: ImportProgress) => void;
}

/** What importModel and mendLayers load: what tf.loadLayersModel and tf.loadGraphModel take, the synchronous ones included. */
export type ModelSource =
  string | io.IOHandler | io.IOHandlerSync | io.ModelArtifacts | [modelJSON: io.ModelJSON, weights: io.WeightData];

export function importModel(source: ModelSource, options: ImportOptions = {}): Promise<LayersModel> {
  throw new Error(`importModel: to be written for ${JSON.stringify([source, options])}`);
}
