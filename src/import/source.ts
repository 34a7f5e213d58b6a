/** What models are loaded from. */
import type {io} from '@tensorflow/tfjs-core';

/** What importModel and mendLayers load: what tf.loadLayersModel and tf.loadGraphModel take, the synchronous ones included. */
export type ModelSource =
  string | io.IOHandler | io.IOHandlerSync | io.ModelArtifacts | [modelJSON: io.ModelJSON, weights: io.WeightData];
