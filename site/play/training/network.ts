/** A small convolutional network, and the same of few bits. */
import {calibrate, quantizeModel, type Recipe} from 'tfjs-quantization/qat';
import * as tf from 'tfjs-quantization/tf';

/**
 * Three convolutions, then a dense layer, which gives a score for each of the ten digits. As in MobileNet, those that see
 * neighbours are depthwise and the one that mixes channels is 1x1: the fastest kinds to train.
 */
export function digitNet(seed: number): tf.LayersModel {
  const {conv2d, dense, depthwiseConv2d, flatten, inputLayer} = tf.layers;
  let drawn = seed;
  /** Of a layer each of whose outputs is a sum of so many. */
  const initial = (inputs: number) =>
    tf.initializers.truncatedNormal({mean: 0, stddev: Math.sqrt(2 / inputs), seed: drawn++});
  const same = {padding: 'same', activation: 'relu'} as const;
  const first = {depthMultiplier: 8, depthwiseInitializer: initial(3 * 3)};
  const depthwise = {strides: 2, depthwiseInitializer: initial(3 * 3)};
  return tf.sequential({
    name: 'digits',
    layers: [
      inputLayer({inputShape: [8, 8, 1], name: 'pixels'}),
      depthwiseConv2d({...same, ...first, kernelSize: 3, name: 'first'}),
      depthwiseConv2d({...same, ...depthwise, kernelSize: 3, name: 'depthwise'}),
      conv2d({...same, filters: 32, kernelSize: 1, kernelInitializer: initial(8), name: 'pointwise'}),
      flatten(),
      dense({units: 10, kernelInitializer: initial(4 * 4 * 32), name: 'digits'}),
    ],
  });
}

/** A copy whose weights and activations have few bits; by default of the recipe that is the one for its width. */
export function rounded(net: tf.LayersModel, numBits: number, recipe?: Recipe): tf.LayersModel {
  const width = {numBits};
  const ranges = {pixels: [0, 1]} as const;
  return quantizeModel(net, {weights: width, activations: width, ranges, ...(recipe && {recipe})});
}

/** Such a copy whose ranges are calibrated. */
export async function quantized(
  net: tf.LayersModel,
  numBits: number,
  samples: tf.Tensor,
  recipe?: Recipe,
): Promise<tf.LayersModel> {
  const q = rounded(net, numBits, recipe);
  await calibrate(q, samples, {batchSize: samples.shape[0]});
  return q;
}

/** All numbers of a network, one after the other. */
export async function numbersOf(net: tf.LayersModel): Promise<Float32Array> {
  const all = tf.tidy(() => tf.concat(net.getWeights().map(weight => tf.cast(weight, 'float32').flatten())));
  const numbers = await all.data<'float32'>();
  all.dispose();
  return numbers;
}

/** Gives a network the numbers of another of its kind. */
export function setNumbers(net: tf.LayersModel, numbers: Float32Array): void {
  let from = 0;
  tf.tidy(() =>
    net.setWeights(
      net.getWeights().map(({shape, size, dtype}) => {
        const part = numbers.subarray(from, (from += size));
        return tf.tensor(part, shape, 'float32').cast(dtype);
      }),
    ),
  );
}
