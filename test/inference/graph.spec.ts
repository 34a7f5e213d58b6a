/** The graph of integers that a quantized model becomes, against what a model of a few numbers comes to by hand. */
import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import {calibrate, quantizeModel, type QuantizeOptions} from '../../src/entries/qat';
import {inferenceGraph} from '../../src/inference/from_layers';
import {filterOf, type InferenceGraph, type Node} from '../../src/inference/graph';
import type {Operator} from '../../src/inference/operators';
import {isQuantizing, type Rounding} from '../../src/qat/quantized_layers/quantizing';
import {scoped} from '../support/scoped';

const {layers} = tfl;
type Layer = tfl.layers.Layer;

const graphOf = (q: tfl.LayersModel) =>
  inferenceGraph('spec', q, {
    batch: 1,
    problems: () => [],
    hasLSTM: true,
    hasOperation: () => true,
    graphProblems: () => [],
    floatFallback: false,
    onProgress: undefined,
  });

function roundingsOf(q: tfl.LayersModel): Rounding[] {
  return q.layers.filter(isQuantizing).flatMap(({roundings}) => roundings);
}

/** A quantized model whose activations have steps of 1/64: from -2 on in, from 0 on out. */
function withRanges(q: tfl.LayersModel): tfl.LayersModel {
  for (const layer of q.layers.filter(isQuantizing)) {
    const low = layer.name.startsWith('x') ? -2 : 0;
    for (const {of, quantizer} of layer.roundings) if (of === 'activations') quantizer.setRange(low, low + 255 / 64);
  }
  return q;
}

/** One of layers in a row. */
function quantizedOf(shape: number[], stack: Layer[], weights?: tf.Tensor[], options: QuantizeOptions = {}) {
  const x = tfl.input({shape, name: 'x'});
  const model = tfl.model({inputs: x, outputs: stack.reduce((y, layer) => layer.apply(y) as tfl.SymbolicTensor, x)});
  if (weights) model.setWeights(weights);
  return withRanges(quantizeModel(model, {recipe: 'minMax', ...options}));
}

const IN = {scale: 1 / 64, lowest: -128, highest: 127};
const OUT = {scale: 1 / 64, lowest: 0, highest: 255};
const UNIT = {scale: 1 / 256, lowest: 0, highest: 255};

const operatorsOf = ({nodes}: InferenceGraph) => nodes.map(({operator}) => operator);
const gridsOf = ({nodes}: InferenceGraph) => nodes.map(({output}) => output.grid);

describe('The graph of integers', () => {
  scoped();

  it('has a convolution with the BatchNormalization and the ReLU after it, then a dense layer and a softmax', async () => {
    const q = quantizedOf(
      [4, 4, 1],
      [
        layers.conv2d({filters: 2, kernelSize: 3, strides: 2, padding: 'same', name: 'c'}),
        layers.batchNormalization({epsilon: 0, name: 'n'}),
        layers.reLU({name: 'r'}),
        layers.flatten({name: 'f'}),
        layers.dense({units: 3, activation: 'softmax', name: 'd'}),
      ],
      [
        // The kernel counts in steps of 1/128 and 1/64, as its largest weights are 127 of them.
        tf.tensor4d([127, 64, -1, -127, ...new Array<number>(14).fill(0)], [3, 3, 1, 2]).div([128, 64]),
        tf.tensor1d([1, 2]),
        tf.tensor1d([-3, 1]), // gamma
        tf.tensor1d([0.5, 0.25]), // beta
        tf.tensor2d(new Array<number>(24).fill(1), [8, 3]),
        tf.tensor1d([0, 1, 2]),
        tf.tensor1d([2, 4]), // mean
        tf.tensor1d([9, 4]), // variance
      ],
    );
    const graph = await graphOf(q);
    expect(graph.problems).toEqual([]);
    expect(operatorsOf(graph)).toEqual(['conv2d', 'reshape', 'dense', 'softmax']);
    expect(graph.inputs.map(({name, value}) => [name, value.shape, value.grid])).toEqual([['x', [1, 4, 4, 1], IN]]);
    expect(gridsOf(graph)).toEqual([OUT, OUT, OUT, UNIT]);
    const [conv, , dense] = graph.nodes as [Node<'conv2d'>, Node, Node<'dense'>];
    const {filter, ...window} = conv.attributes;
    expect(window).toEqual({
      strides: [2, 2],
      dilations: [1, 1],
      // Two windows of three, two apart, see five pixels, and four there are.
      padding: {
        amounts: [
          [0, 1],
          [0, 1],
        ],
        rule: 'same',
      },
    });
    expect(conv.output.shape).toEqual([1, 2, 2, 2]);
    expect(conv.clamp).toEqual([0, Infinity]);
    // gamma / sqrt(variance) = -1 and 1/2; a negative gain turns the levels over.
    expect(filter.shape).toEqual([3, 3, 1, 2]);
    expect([...filter.levels].slice(0, 4)).toEqual([-127, 64, 1, -127]);
    expect([...filter.scale]).toEqual([1 / 128, 1 / 128]);
    expect([...filter.bias]).toEqual([(1 - 2) * -1 + 0.5, (2 - 4) / 2 + 0.25]);
    expect(dense.attributes.filter.shape).toEqual([8, 3]);
    expect([...dense.attributes.filter.levels]).toEqual(new Array<number>(24).fill(127));
    expect([...dense.attributes.filter.bias]).toEqual([0, 1, 2]);
    expect(graph.outputs.map(({name, value}) => [name, value.shape])).toEqual([[q.outputNames[0]!, [1, 3]]]);
  });

  it('pads, means and crops in numbers', async () => {
    const q = quantizedOf(
      [5, 4, 2],
      [
        layers.zeroPadding2d({padding: [[0, 1], [1, 1]], name: 'p'}), // prettier-ignore
        layers.depthwiseConv2d({kernelSize: [3, 2], depthMultiplier: 2, useBias: false, name: 'c'}),
        layers.averagePooling2d({poolSize: 2, name: 'a'}),
        layers.averagePooling2d({poolSize: 2, strides: 1, padding: 'same', name: 's'}),
        layers.cropping2D({cropping: [[1, 0], [0, 1]], name: 'k'}), // prettier-ignore
        layers.permute({dims: [3, 1, 2], name: 't'}),
      ],
      [tf.ones([3, 2, 2, 2])],
    );
    const graph = await graphOf(q);
    expect(operatorsOf(graph)).toEqual([
      'pad',
      'depthwiseConv2d',
      'depthwiseConv2d',
      'averagePool',
      'slice',
      'transpose',
    ]);
    const [pad, conv, mean, pool, slice, transpose] = graph.nodes;
    const none = [
      [0, 0],
      [0, 0],
    ];
    expect(pad!.attributes).toEqual({amounts: [[0, 0], [0, 1], [1, 1], [0, 0]] }); // prettier-ignore
    expect(pad!.output.shape).toEqual([1, 6, 6, 2]);
    expect(conv!.attributes).toEqual(
      jasmine.objectContaining({strides: [1, 1], padding: {amounts: none, rule: 'valid'}}) as never,
    );
    // Its 24 weights have the output channels last, as tfjs counts them.
    expect(filterOf(conv!)).toEqual(jasmine.objectContaining({shape: [3, 2, 2, 2], view: [6, 4], axis: 1}) as never);
    expect(conv!.output.shape).toEqual([1, 4, 5, 4]);
    // An average of four: four times the weight 1 in steps of a quarter.
    expect(mean!.attributes).toEqual(jasmine.objectContaining({strides: [2, 2], padding: {amounts: none}}) as never);
    expect(filterOf(mean!)!.levels).toEqual(new Int8Array(16).fill(1));
    expect(filterOf(mean!)!.scale).toEqual(new Float64Array(4).fill(1 / 4));
    expect(mean!.output.shape).toEqual([1, 2, 2, 4]);
    expect(pool!.attributes).toEqual({
      size: [2, 2],
      strides: [1, 1],
      padding: {amounts: [[0, 1], [0, 1]], rule: 'same'}, // prettier-ignore
    });
    expect(slice!.attributes).toEqual({begin: [0, 1, 0, 0]});
    expect(slice!.output.shape).toEqual([1, 1, 1, 4]);
    expect(transpose!.attributes).toEqual({permutation: [0, 3, 1, 2]});
    expect(transpose!.output.shape).toEqual([1, 4, 1, 1]);
  });

  it('adds two at a time, and gives the sums between grids that hold them', async () => {
    const inputs = ['x', 'x2', 'x3'].map(name => tfl.input({shape: [4], name}));
    const q = withRanges(
      quantizeModel(
        tfl.model({inputs, outputs: layers.add({name: 'sum'}).apply(inputs) as tfl.SymbolicTensor}),
        {recipe: 'minMax'}, // prettier-ignore
      ),
    );
    const graph = await graphOf(q);
    expect(graph.inputs.map(({value}) => value.grid)).toEqual([IN, IN, IN]);
    expect(operatorsOf(graph)).toEqual(['add', 'add']);
    // Two numbers from -2 to 127/64 come to what lies between -4 and 254/64, 510 steps of 1/64, which are 255 of 1/32.
    expect(gridsOf(graph)).toEqual([{scale: 1 / 32, lowest: -128, highest: 127}, OUT]);
    expect(graph.nodes[1]!.inputs).toEqual([graph.nodes[0]!.output, graph.inputs[2]!.value]);
  });

  const dense = () => layers.dense({units: 2});
  const OPERATORS: Readonly<Record<string, readonly [shape: number[], stack: () => Layer[], operators: Operator[]]>> = {
    Conv1D: [[5, 2], () => [layers.conv1d({filters: 2, kernelSize: 2})], ['reshape', 'conv2d', 'reshape']],
    SeparableConv2D: [
      [4, 4, 2],
      () => [layers.separableConv2d({filters: 3, kernelSize: 2})],
      ['depthwiseConv2d', 'conv2d'],
    ],
    Conv2DTranspose: [[3, 3, 2], () => [layers.conv2dTranspose({filters: 2, kernelSize: 3})], ['transposedConv2d']],
    MaxPooling1D: [
      [6, 2],
      () => [layers.maxPooling1d({poolSize: 2}), dense()],
      ['reshape', 'maxPool', 'reshape', 'dense'],
    ],
    GlobalMaxPooling1D: [[6, 2], () => [layers.globalMaxPooling1d({}), dense()], ['max', 'dense']],
    GlobalAveragePooling1D: [[6, 2], () => [layers.globalAveragePooling1d({})], ['mean']],
    BatchNormalization: [[4], () => [layers.batchNormalization()], ['reshape', 'depthwiseConv2d', 'reshape']],
    ReLU: [[4], () => [layers.reLU({maxValue: 3})], ['clamp']],
    'Dense with ReLU6': [[4], () => [layers.dense({units: 2, activation: 'relu6'})], ['dense']],
    swish: [[4], () => [layers.activation({activation: 'swish'})], ['sigmoid', 'multiply']],
    Dropout: [[4], () => [layers.dropout({rate: 0.5}), dense()], ['dense']],
  };
  for (const [name, [shape, stack, operators]] of Object.entries(OPERATORS)) {
    it(`has for ${name}: ${operators.join(', ')}`, async () => {
      expect(operatorsOf(await graphOf(quantizedOf(shape, stack())))).toEqual(operators);
    });
  }

  it('refuses what has no range', async () => {
    const q = quantizedOf([4], [layers.dense({units: 2, name: 'd'}), layers.dense({units: 2, name: 'e'})], [
      tf.ones([4, 2]),
      tf.zeros([2]),
      tf.ones([2, 2]),
      tf.zeros([2]),
    ], {layers: {e: {activations: false}}}); // prettier-ignore
    await expectAsync(graphOf(q)).toBeRejectedWithError(/^spec: layer e: its output has no range/);
  });

  /** A convolution whose kernel is rounded with the gain of the BatchNormalization, and a layer in steps. */
  function readable(): tfl.LayersModel {
    const x = tfl.input({shape: [6, 6, 2], name: 'x'});
    const stack = [
      layers.conv2d({filters: 2, kernelSize: 3, name: 'c'}),
      layers.batchNormalization({name: 'n'}),
      layers.prelu({name: 'p'}),
      layers.reshape({targetShape: [16, 2]}),
      layers.timeDistributed({layer: layers.dense({units: 3, name: 'inner'}), name: 't'}),
    ];
    const y = stack.reduce((value, layer) => layer.apply(value) as tfl.SymbolicTensor, x);
    return quantizeModel(tfl.model({inputs: x, outputs: y}), {weights: {perChannel: false}});
  }

  it('is made of what is read once: each variable, each range, each rounded weight', async () => {
    const q = readable();
    await calibrate(q, tf.randomNormal([4, 6, 6, 2], 0, 1, 'float32', 1));
    const snapshots = roundingsOf(q).map(({quantizer}) => spyOn(quantizer, 'snapshot').and.callThrough());
    const isRange = /_range|_grid|log_/;
    const variables = q.weights.filter(({originalName}) => !isRange.test(originalName));
    const reads = variables.map(variable => spyOn(variable.read(), 'data').and.callThrough());
    const rounded = roundingsOf(q)
      .filter(({of}) => of === 'weights')
      .map(({quantizer}) => spyOn(quantizer, 'apply').and.callThrough());
    expect([snapshots.length, reads.length, rounded.length]).toEqual([6, 9, 2]);
    await graphOf(q);
    for (const each of [...snapshots, ...reads, ...rounded]) expect(each).toHaveBeenCalledTimes(1);
  });

  it('moves no range of a model that it cannot be made of', async () => {
    const q = readable();
    const weights = roundingsOf(q).filter(({of}) => of === 'weights');
    await expectAsync(graphOf(q)).toBeRejectedWithError(/^spec: these ranges were never set: /);
    expect(weights.map(({quantizer}) => quantizer.isSet())).toEqual([false, false]);
  });
});
