/** Weights of 2 bits without a level at 0, in files: Google's runtimes compute what the model computes. */
import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import {calibrate, quantizedWeights, quantizeModel} from '../../src/entries/qat';
import {toTFLite} from '../../src/entries/tflite';
import {weightOf} from '../../src/layers/tfjs_internals';
import {scoped} from '../support/scoped';
import {distances, EACH_LAYER, quantizedSmall} from './each_layer';
import {parse, type Runtime, stopRuntimes} from './runtimes';

afterAll(stopRuntimes);

const {layers} = tfl;

/** What a model gives unrounded is half a level off on any grid. */
const UNROUNDED = 0.5;

const WITH_WEIGHTS = [
  'Conv1D',
  'Conv2D',
  'Conv2D, BatchNormalization and ReLU',
  'Conv2DTranspose',
  'Dense',
  'Dense on rows',
  'DepthwiseConv2D',
  'Embedding',
  'Embedding and positions',
  'SeparableConv2D',
  'TimeDistributed',
];

function runtimesFor(int4: boolean): readonly Runtime[] {
  return int4 ? ['reference', 'xnnpack'] : ['reference', 'xnnpack', 'micro'];
}

describe('toTFLite of zero-free weights', () => {
  scoped();

  for (const name of WITH_WEIGHTS) {
    for (const perChannel of [true, false]) {
      it(`in a model of ${name}, ${perChannel ? 'per channel' : 'per tensor'}, as int8 and as int4`, async () => {
        const small = EACH_LAYER[name]!;
        const model = await quantizedSmall(small, () => ({weights: {numBits: 2, perChannel}}));
        const {weights} = await quantizedWeights(model.q);
        const levels = new Set(weights.flatMap(each => [...each.levels]));
        expect([...levels].every(level => [-3, -1, 1, 3].includes(level))).toBeTrue();
        expect(levels.size).toBe(4);
        for (const int4 of [false, true]) {
          const bytes = await toTFLite(model.q, {int4});
          for (const [runtime, off] of await distances(model, bytes, runtimesFor(int4))) {
            expect(off)
              .withContext(`${runtime}, ${int4 ? 'int4' : 'int8'}`)
              .toBeLessThanOrEqual((small.tolerance ?? 1) + UNROUNDED);
          }
        }
      });
    }
  }

  it('has their levels as they are in int4, on half of their steps', async () => {
    const model = tfl.sequential({layers: [layers.dense({units: 2, inputShape: [4], name: 'd', useBias: false})]});
    const kernel = [-3, 1, -1, 3, 1, -1, 3, -3].map(level => level / 8);
    tf.tidy(() => model.setWeights([tf.tensor2d(kernel, [4, 2])]));
    const q = quantizeModel(model, {weights: {numBits: 2}});
    await calibrate(q, tf.randomNormal([8, 4], 0, 1, 'float32', 1));
    const {tensors} = await parse(await toTFLite(q, {int4: true}));
    const weights = tensors.find(({type}) => type === 'INT4')!;
    expect(weights.shape).toEqual([2, 4]);
    // The largest weight is three of them, each.
    weights.scale.forEach(step => expect(step).toBeCloseTo(1 / 8, 6));
    expect(weights.zeroPoint.every(each => each === 0)).toBeTrue();
  });

  for (const activation of ['linear', 'relu'] as const) {
    it(`computes with a channel of zeros, and with nothing but zeros, as with 0: ${activation}`, async () => {
      const isZero = (name: string) => ['some', 'none'].includes(name);
      const build = (x: tfl.SymbolicTensor) => {
        const conv = layers.conv2d({filters: 3, kernelSize: 2, name: 'some', activation});
        const norm = layers.batchNormalization({name: 'norm'});
        const depthwise = layers.depthwiseConv2d({kernelSize: 1, name: 'none', useBias: true});
        const last = layers.conv2d({filters: 2, kernelSize: 1, name: 'last'});
        return [conv, norm, depthwise, last].reduce((y, layer) => layer.apply(y) as tfl.SymbolicTensor, x);
      };
      const input = tfl.input({shape: [4, 4, 2], name: 'x'});
      const model = tfl.model({inputs: input, outputs: build(input)});
      tf.tidy(() => {
        model.setWeights(
          model.weights.map(({shape}, i) => tf.randomUniform(shape as number[], 0.1, 1, 'float32', i + 1)),
        );
        for (const layer of model.layers.filter(({name}) => isZero(name))) {
          const kernel = weightOf(layer, layer.name === 'some' ? 'kernel' : 'depthwiseKernel')!;
          // The second channel, or all of them.
          const mask = layer.name === 'some' ? tf.tensor1d([1, 0, 1]) : tf.zeros([1]);
          kernel.write(tf.mul(kernel.read(), mask));
        }
      });
      const q = quantizeModel(model, {weights: {numBits: 2}});
      const x = tf.randomNormal([12, 4, 4, 2], 0.3, 1, 'float32', 9);
      await calibrate(q, x);
      for (const int4 of [false, true]) {
        const bytes = await toTFLite(q, {int4});
        for (const [runtime, off] of await distances({q, x: [x]}, bytes, runtimesFor(int4))) {
          expect(off)
            .withContext(`${runtime}, ${int4 ? 'int4' : 'int8'}`)
            .toBeLessThanOrEqual(1 + UNROUNDED);
        }
      }
    });
  }
});
