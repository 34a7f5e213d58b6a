/** The pretrained network, and the photos that it is given. The same in Node and in a page. */
import * as tf from '@tensorflow/tfjs-core';
import {type LayersModel, loadLayersModel} from '@tensorflow/tfjs-layers';
import {decode} from '../../lab/base64';

export const SIZE = 224;

/** A model as tfjs saves it, its weights as base64, so that both can be handed to a page. */
export interface Pretrained {
  readonly manifest: {
    readonly modelTopology: object;
    readonly weightsManifest: readonly {readonly weights: tf.io.WeightsManifestEntry[]}[];
  };
  readonly weights: string;
}

export function load({manifest: {modelTopology, weightsManifest}, weights}: Pretrained): Promise<LayersModel> {
  const weightSpecs = weightsManifest.flatMap(group => group.weights);
  const weightData = decode(weights).buffer;
  return loadLayersModel({load: () => Promise.resolve({modelTopology, weightSpecs, weightData})});
}

/** Pixels as the network wants them, from 0 to 1. */
export function imagesOf(pixels: Uint8Array): tf.Tensor4D {
  const floats = Float32Array.from(pixels, level => level / 255);
  return tf.tensor4d(floats, [pixels.length / (SIZE * SIZE * 3), SIZE, SIZE, 3]);
}

/** What has to be the same before and after. */
export function held(): {tensors: number; bytes: number} {
  const {numTensors, numBytes} = tf.memory();
  return {tensors: numTensors, bytes: numBytes};
}
