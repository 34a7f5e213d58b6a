/** What a report tells of channels that are lost among larger ones on one range, though outputs hang on them. */
import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import {
  analyzeQuantization,
  type AnalyzeOptions,
  calibrate,
  quantizeModel,
  type QuantizeOptions,
} from '../../src/entries/qat';
import {scoped} from '../support/scoped';

const {layers} = tfl;
type Symbolic = tfl.SymbolicTensor;

const init = (seed: number) => tfl.initializers.heNormal({seed});

/** Multiplies a kernel, of each channel of one of its axes. */
function scaleKernel(model: tfl.LayersModel, name: string, axis: number, factors: readonly number[]): void {
  const layer = model.getLayer(name);
  const [kernel, ...others] = layer.getWeights();
  const shape = kernel!.shape.map((_, i) => (i === axis ? factors.length : 1));
  layer.setWeights([tf.mul(kernel!, tf.reshape(factors, shape)), ...others]);
}

/**
 * Two branches of four channels, the second `apart` times smaller, and what reads both. It makes up for that, unless the second
 * branch is to count as little as it is.
 */
function branches(merged: 'concatenate' | 'add', apart: number, makesUp: boolean): tfl.LayersModel {
  const input = tfl.input({shape: [6, 6, 2]});
  const conv = (filters: number, name: string, seed: number) =>
    layers.conv2d({filters, kernelSize: 3, activation: 'relu', name, kernelInitializer: init(seed)});
  const both = [conv(4, 'a', 1).apply(input), conv(4, 'b', 2).apply(input)] as Symbolic[];
  const read = conv(6, 'c', 3).apply(layers[merged]({name: 'both'}).apply(both)) as Symbolic;
  const head = layers.dense({units: 4, activation: 'softmax', name: 'd', kernelInitializer: init(4)});
  const model = tfl.model({inputs: input, outputs: head.apply(layers.flatten().apply(read)) as Symbolic});
  scaleKernel(model, 'b', 3, [1 / apart]);
  if (makesUp) scaleKernel(model, 'c', 2, [1, 1, 1, 1, apart, apart, apart, apart]);
  return model;
}

/** What is advised on small channels, with the tensors, and the whole's divergence. */
async function analyzed(
  model: tfl.LayersModel,
  x: tf.Tensor,
  options: QuantizeOptions = {},
  how: AnalyzeOptions = {sensitivity: 'only'},
) {
  const q = quantizeModel(model, options);
  await calibrate(q, x);
  const {rows, agreement} = await analyzeQuantization(q, model, x, how);
  const advice = rows.flatMap(({layer, tensors}) =>
    tensors.flatMap(({what, advice}) => advice.map(each => `${layer}, ${what}: ${each}`)),
  );
  return {advice: advice.filter(each => each.includes('outputs hang on them')), divergence: agreement.divergence};
}

const images = () => tf.randomNormal([64, 6, 6, 2], 0, 1, 'float32', 5);

describe('analyzeQuantization of channels that are much smaller than others', () => {
  scoped();

  it('tells the branch that is lost in a Concatenate, and what gains the loss back', async () => {
    const x = images();
    const small = await analyzed(branches('concatenate', 60, true), x);
    expect(small.advice.length).toBe(1);
    expect(small.advice[0]).toMatch(/^both, output: 4 of 8 channels \(4, 5, 6, 7\) are \d\d(\.\d)? times smaller/);
    expect(small.advice[0]).toMatch(/reach over \d\.\d+ of the 255 steps .* costs \d+ times what/);
    // What it says: the branch scaled up, and the weights that read it scaled down. The function is the same.
    const mended = await analyzed(branches('concatenate', 1, true), x);
    expect(mended.advice).toEqual([]);
    expect(mended.divergence).toBeLessThan(small.divergence / 20);
  });

  it('is silent where nothing hangs on them', async () => {
    const x = images();
    expect((await analyzed(branches('concatenate', 60, false), x)).advice).toEqual([]);
    expect((await analyzed(branches('add', 60, false), x)).advice).toEqual([]);
  });

  it('tells it beside weights of few bits, which cost more, and by what layers cost alone', async () => {
    const [model, x] = [branches('concatenate', 60, true), images()];
    expect((await analyzed(model, x, {weights: {numBits: 4}})).advice.length).toBe(1);
    expect((await analyzed(model, x, {}, {sensitivity: 'without'})).advice).toEqual([]);
  });

  it('tells inputs of different scales', async () => {
    const dense = (units: number, name: string, seed: number) =>
      layers.dense({units, activation: 'tanh', name, kernelInitializer: init(seed)});
    const model = tfl.sequential({layers: [layers.inputLayer({inputShape: [6], name: 'x'}), dense(12, 'a', 1), dense(8, 'b', 2), dense(3, 'c', 3)]}); // prettier-ignore
    const scales = [1, 1, 1 / 80, 1, 1, 1];
    scaleKernel(model, 'a', 0, scales.map(each => 1 / each)); // prettier-ignore
    const x = tf.mul(tf.randomNormal([256, 6], 0, 1, 'float32', 6), [scales]);
    const inputs = await analyzed(model, x);
    expect(inputs.advice.length).toBe(1);
    expect(inputs.advice[0]).toMatch(/^x_quantized, output: 1 of 6 channels \(2\)/);
  });

  it('tells weights with one range for all channels', async () => {
    const [model, x] = [branches('concatenate', 1, true), images()];
    // A channel that is small, and read as if it were not: by a range of its own it loses nothing.
    scaleKernel(model, 'a', 3, [1, 1 / 80, 1, 1]);
    scaleKernel(model, 'c', 2, [1, 80, 1, 1, 1, 1, 1, 1]);
    const shared = await analyzed(model, x, {weights: {perChannel: false}, layers: {both: {activations: false}}});
    expect(shared.advice.length).toBe(1);
    expect(shared.advice[0]).toMatch(/^a, kernel: 1 of 4 channels \(1\) .*perChannel: true/);
    const own = await analyzed(model, x, {layers: {both: {activations: false}}});
    expect(own.advice).toEqual([]);
    expect(own.divergence).toBeLessThan(shared.divergence / 2);
  });
});
