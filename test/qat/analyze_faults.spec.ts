/** A fault that was planted in one layer of networks that nobody has seen: an analysis has to rank that layer first. */
import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import fc from 'fast-check';
import {analyzeQuantization, calibrate, quantizeModel} from '../../src/entries/qat';
import {quantizingLayers} from '../../src/qat/quantized_layers/quantizing';
import {scoped} from '../support/scoped';

const {layers} = tfl;
type Symbolic = tfl.SymbolicTensor;

/** What a network is made of, and what is spoiled in it. */
const NETWORK = fc.record({
  seed: fc.nat(1000),
  isImage: fc.boolean(),
  blocks: fc.array(
    fc.record({
      isDepthwise: fc.boolean(),
      units: fc.constantFrom(4, 8, 12),
      hasNorm: fc.boolean(),
      activation: fc.constantFrom('relu', 'tanh', 'linear'),
    }),
    {minLength: 2, maxLength: 4},
  ),
  head: fc.constantFrom('softmax', 'sigmoid', 'linear'),
  numBits: fc.constantFrom(4, 8),
  isClipped: fc.boolean(),
  where: fc.nat(1000),
});

type Network = typeof NETWORK extends fc.Arbitrary<infer T> ? T : never;

function modelOf({seed, isImage, blocks, head}: Network): tfl.LayersModel {
  let drawn = 100 * seed;
  const init = () => tfl.initializers.heNormal({seed: ++drawn});
  const input = tfl.input({shape: isImage ? [6, 6, 2] : [10]});
  let x = input;
  const add = (layer: tfl.layers.Layer) => {
    x = layer.apply(x) as Symbolic;
  };
  for (const {isDepthwise, units, hasNorm, activation} of blocks) {
    if (!isImage) add(layers.dense({units, kernelInitializer: init()}));
    else if (isDepthwise) add(layers.depthwiseConv2d({kernelSize: 3, padding: 'same', depthwiseInitializer: init()}));
    else add(layers.conv2d({filters: units, kernelSize: 3, padding: 'same', kernelInitializer: init()}));
    if (hasNorm) add(layers.batchNormalization());
    if (activation !== 'linear') add(layers.activation({activation: activation}));
  }
  if (isImage) add(layers.flatten());
  add(layers.dense({units: 4, activation: head, kernelInitializer: init()}));
  return tfl.model({inputs: input, outputs: x});
}

/** Clips a range at a tenth of its width, or has that of one channel 50 times as wide. Gives the name of the layer. */
async function spoil(q: tfl.LayersModel, {isClipped, where}: Network): Promise<string> {
  const all = quantizingLayers('spec', q).flatMap(({name, roundings}) =>
    roundings
      .filter(({of, fixed}) => !fixed && (isClipped || of === 'weights'))
      .map(({quantizer}) => ({name, quantizer})),
  );
  const {name, quantizer} = all[where % all.length]!;
  const {min, max} = (await quantizer.snapshot()).values!;
  // The widest: of a channel of next to nothing, or one that a ReLU cuts off, no output would tell.
  const widest = max.indexOf(Math.max(...max));
  const factor = (i: number) => (isClipped ? 0.1 : i === widest ? 50 : 1);
  quantizer.observing = false;
  quantizer.setRange(
    min.map((end, i) => end * factor(i)),
    max.map((end, i) => end * factor(i)),
  );
  return name;
}

async function calibrated(network: Network) {
  const model = modelOf(network);
  const q = quantizeModel(model, {weights: {numBits: network.numBits}});
  const x = tf.randomNormal([32, ...(model.inputs[0]!.shape.slice(1) as number[])], 0, 1, 'float32', network.seed);
  await calibrate(q, x);
  return {model, q, x};
}

describe('an analysis of random networks', () => {
  scoped();

  it('ranks a spoiled layer first in 10 of 10 random networks', async () => {
    for (const network of fc.sample(NETWORK, {numRuns: 10, seed: 15})) {
      const {model, q, x} = await calibrated(network);
      tf.dispose(q.predict(x));
      const spoiled = await spoil(q, network);
      const report = await analyzeQuantization(q, model, x, {samples: 32, sensitivity: 'only'});
      expect(report.rows[0]!.layer).withContext(JSON.stringify(network)).toBe(spoiled);
      const advice = report.rows[0]!.tensors.flatMap(tensor => tensor.advice).join(' ');
      expect(advice)
        .withContext(JSON.stringify(network))
        .toMatch(network.isClipped ? /outside of/ : /times as wide|channels/);
    }
  });

  it('speaks of no small channels in 10 random networks, in which none count for more than they are', async () => {
    for (const network of fc.sample(NETWORK, {numRuns: 10, seed: 16})) {
      const {model, q, x} = await calibrated(network);
      const {rows} = await analyzeQuantization(q, model, x, {samples: 32, sensitivity: 'only'});
      const advice = rows.flatMap(({tensors}) => tensors.flatMap(tensor => tensor.advice)).join(' ');
      expect(advice).withContext(JSON.stringify(network)).not.toContain('outputs hang on them');
    }
  });
});
