/** A layer that runs nodes of a graph as they are. */
import {layers as tfLayers} from '@tensorflow/tfjs-layers';

export class GraphSegment extends tfLayers.Layer {
  static readonly className = 'tfjs-quantization>GraphSegment';
}
