/** Parts of models. */
import type {LayersModel} from '@tensorflow/tfjs-layers';

/** Where a model is cut. */
export interface CutOptions {
  /** Layers whose outputs become the model's. */
  readonly outputs: readonly string[];
}

export function cutModel(model: LayersModel, options: CutOptions): LayersModel {
  throw new Error(`cutModel: to be written for ${model.name} ${options.outputs.join()}`);
}
