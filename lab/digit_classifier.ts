/** A small network of every common kind of layer, for images of 8x8 pixels. */
import {type initializers, layers, type LayersModel, sequential} from '@tensorflow/tfjs-layers';

type Initializer = ReturnType<typeof initializers.glorotUniform>;

/**
 * @param initializer - gives the initializer of each weight, of the depthwise kernel first, in whose order seeds were drawn
 * for what accuracy/results holds.
 * @param activation - of the scores.
 */
export function digitClassifier(
  initializer: () => Initializer,
  activation: 'softmax' | 'linear' = 'softmax',
): LayersModel {
  const depthwiseInitializer = initializer();
  const init = () => ({kernelInitializer: initializer()});
  const same = {kernelSize: 3, padding: 'same'} as const;
  return sequential({
    name: 'digits',
    layers: [
      layers.conv2d({...same, ...init(), filters: 8, activation: 'relu', inputShape: [8, 8, 1], name: 'conv'}),
      layers.depthwiseConv2d({...same, depthwiseInitializer, name: 'depthwise'}),
      layers.batchNormalization({name: 'norm'}),
      layers.reLU({name: 'relu'}),
      layers.conv2d({...same, ...init(), filters: 16, strides: 2, activation: 'relu', name: 'down'}),
      layers.maxPooling2d({poolSize: 2, name: 'pool'}),
      layers.flatten({name: 'flat'}),
      layers.dense({units: 32, activation: 'relu', ...init(), name: 'hidden'}),
      layers.dense({units: 10, activation, ...init(), name: 'classes'}),
    ],
  });
}
