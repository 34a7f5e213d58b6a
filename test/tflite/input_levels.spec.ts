/** Pixels come to the same levels in the model and in every kernel that LiteRT has for it. */
import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import {calibrate, quantizeModel, type QuantizeOptions} from '../../src/entries/qat';
import {toTFLite} from '../../src/entries/tflite';
import {scoped} from '../support/scoped';
import {parse, run, type Runtime, stopRuntimes} from './runtimes';

afterAll(stopRuntimes);

const RUNTIMES: readonly Runtime[] = ['reference', 'builtin', 'xnnpack'];

/** How a pixel is scaled in each channel. */
type Scaling = readonly ((pixel: number) => number)[];

const all = (scale: (pixel: number) => number): Scaling => [scale, scale, scale];

const SCALINGS: Readonly<Record<string, Scaling>> = {
  '[0, 1]': all(pixel => pixel / 255),
  '[-1, 1]': all(pixel => pixel / 127.5 - 1),
  '[-1, 1) in steps of 1/128': all(pixel => (pixel - 128) / 128),
  '[-0.5, 0.5]': all(pixel => pixel / 255 - 0.5),
  "ImageNet's mean and deviation": [
    pixel => (pixel / 255 - 0.485) / 0.229,
    pixel => (pixel / 255 - 0.456) / 0.224,
    pixel => (pixel / 255 - 0.406) / 0.225,
  ],
  'its mean alone, as Caffe does': [pixel => pixel - 103.939, pixel => pixel - 116.779, pixel => pixel - 123.68],
  '[0, 255]': all(pixel => pixel),
};

/** One sample of all pixels from `first` to `last`, in all channels. */
function pixels(scaling: Scaling, first = 0, last = 255): tf.Tensor {
  const values = Array.from({length: 256}, (_, i) => scaling.map(scale => scale(Math.min(Math.max(i, first), last))));
  return tf.tensor([values]);
}

/** A model that gives its rounded input, beside something to compute. */
function quantizedPixels(options: QuantizeOptions, ...before: tfl.layers.Layer[]): tfl.LayersModel {
  const input = tfl.input({shape: [256, 3], name: 'pixels'});
  const given = before.reduce((x, layer) => layer.apply(x) as tfl.SymbolicTensor, input);
  const levels = tfl.layers.flatten().apply(given) as tfl.SymbolicTensor;
  const other = tfl.layers.dense({units: 1}).apply(levels) as tfl.SymbolicTensor;
  return quantizeModel(tfl.model({inputs: input, outputs: [levels, other]}), options);
}

/** Expects as many of all pixels' levels to be the model's in every runtime; gives the step of the grid. */
async function expectAgreement(q: tfl.LayersModel, x: tf.Tensor, least = 0.999): Promise<number> {
  const expected = tf.tidy(() => (q.predict(x) as tf.Tensor[])[0]!.dataSync());
  const bytes = await toTFLite(q);
  const {tensors, operators} = await parse(bytes);
  const step = tensors[operators.find(({name}) => name === 'DEQUANTIZE')!.inputs[0]!]!.scale[0]!;
  for (const runtime of RUNTIMES) {
    const [[levels]] = (await run(bytes, runtime, [[x.dataSync<'float32'>()]])) as [[Float32Array]];
    expect(levels.length).toBe(expected.length);
    const same = levels.filter((value, i) => Math.abs(value - expected[i]!) < step / 2).length;
    expect(same / levels.length)
      .withContext(runtime)
      .toBeGreaterThanOrEqual(least);
  }
  return step;
}

describe('the levels of pixels are the same in the model and in all kernels', () => {
  scoped();

  const WIDTHS: readonly QuantizeOptions[] = [
    {activations: {numBits: 8}},
    {activations: {numBits: 4}},
    {activations: {numBits: 12}},
    {activations: {numBits: 16, symmetric: true}},
  ];

  for (const [name, scaling] of Object.entries(SCALINGS)) {
    it(`in ${name}, calibrated with all of them or with most`, async () => {
      for (const options of WIDTHS) {
        for (const [first, last] of [
          [0, 255],
          [3, 250],
        ]) {
          const q = quantizedPixels(options);
          await calibrate(q, pixels(scaling, first, last));
          await expectAgreement(q, pixels(scaling));
        }
      }
    });
  }

  it('in [0, 1] each on a level of its own', async () => {
    const q = quantizedPixels({});
    await calibrate(q, pixels(SCALINGS['[0, 1]']!));
    expect(await expectAgreement(q, pixels(SCALINGS['[0, 1]']!), 1)).toBeCloseTo(1 / 255, 9);
  });

  for (const [name, options] of Object.entries<QuantizeOptions>({
    'a moving average': {},
    'of the last batch': {activations: {observer: 'lastValue'}},
    'of all batches': {activations: {observer: 'allValues'}},
    learned: {recipe: 'learned'},
    '12 bits': {activations: {numBits: 12}},
    '4 bits': {activations: {numBits: 4}},
  })) {
    it(`in [-1, 1], after training alone: ${name}`, async () => {
      const x = pixels(SCALINGS['[-1, 1]']!);
      const q = quantizedPixels(options);
      for (let i = 0; i < 2; ++i) tf.tidy(() => void q.apply(x, {training: true}));
      await expectAgreement(q, x);
    });
  }

  it('in [-1, 1], after training that follows a calibration', async () => {
    const x = pixels(SCALINGS['[-1, 1]']!);
    const q = quantizedPixels({});
    await calibrate(q, x);
    for (let i = 0; i < 50; ++i) tf.tidy(() => void q.apply(x, {training: true}));
    await expectAgreement(q, x);
  });

  // The file's bias is a whole number of the steps of its products: some levels are off by that.
  it('made of [0, 255] by a layer of the model, but for one in a hundred', async () => {
    const x = pixels(SCALINGS['[0, 255]']!);
    const q = quantizedPixels({}, tfl.layers.rescaling({scale: 1 / 127.5, offset: -1}));
    await calibrate(q, x);
    await expectAgreement(q, x, 0.99);
  });
});
