/** Models that distil has trained, in files: Google's runtimes compute what the model computes, at all widths. */
import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import {distil, quantizeModel} from '../../src/entries/qat';
import {toTFLite} from '../../src/entries/tflite';
import {scoped} from '../support/scoped';
import {distances, SAMPLES} from './each_layer';
import {type Runtime, stopRuntimes} from './runtimes';

afterAll(stopRuntimes);

const {layers} = tfl;

/** In each of four layers integers may round a value the other way. The same model that is merely calibrated is 1 to 3 levels off. */
const LEVELS = 2.5;

/** As MobileNet has it: a convolution with its statistics, a depthwise one, a pooling, and scores. */
function network(): tfl.LayersModel {
  let seed = 0;
  const kernel = () => tfl.initializers.heNormal({seed: ++seed});
  return tfl.sequential({
    layers: [
      layers.conv2d({inputShape: [6, 6, 2], filters: 4, kernelSize: 3, useBias: false, kernelInitializer: kernel()}),
      layers.batchNormalization(),
      layers.reLU(),
      layers.depthwiseConv2d({kernelSize: 3, depthwiseInitializer: kernel()}),
      layers.reLU({maxValue: 6}),
      layers.globalAveragePooling2d({}),
      layers.dense({units: 3, kernelInitializer: kernel()}),
    ],
  });
}

describe('toTFLite of a model that distil has trained', () => {
  scoped();

  for (const [weights, activations] of [
    [8, 8],
    [4, 8],
    [4, 4],
    [3, 8],
    [2, 8],
    [3, 3],
    [2, 2],
  ] as const) {
    it(`at w${weights}a${activations}, in int8 and, of few bits, int4`, async () => {
      const model = network();
      const q = quantizeModel(model, {weights: {numBits: weights}, activations: {numBits: activations}});
      const x = tf.randomNormal([64, 6, 6, 2], 0.3, 1, 'float32', 5);
      const {loss} = await distil(q, model, x, {steps: 10, batchSize: 16, learningRate: 3e-3});
      expect(loss.after).toBeLessThanOrEqual(loss.before);
      const first = x.slice(0, SAMPLES);
      for (const int4 of weights <= 4 ? [false, true] : [false]) {
        const runtimes: Runtime[] = int4 ? ['reference', 'xnnpack'] : ['reference', 'xnnpack', 'micro'];
        for (const [runtime, off] of await distances({q, x: [first]}, await toTFLite(q, {int4}), runtimes)) {
          expect(off)
            .withContext(`${runtime}, ${int4 ? 'int4' : 'int8'}`)
            .toBeLessThanOrEqual(LEVELS);
        }
      }
      model.dispose();
      q.dispose();
      tf.dispose([x, first]);
    });
  }
});
