/** What tfjs cannot read of the models of layers that Keras writes. */
import type {io} from '@tensorflow/tfjs-core';
import type {ModelSource} from '../import_model';

export function mendLayers(source: ModelSource, options?: io.LoadOptions): io.IOHandler {
  throw new Error(`mendLayers: to be written for ${JSON.stringify([source, options])}`);
}
