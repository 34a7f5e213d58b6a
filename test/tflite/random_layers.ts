/** Every layer alone, in models of random shapes, strides, paddings, activations and weights. */
import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import fc from 'fast-check';

type Symbolic = tfl.SymbolicTensor;
const {layers} = tfl;

/** What a random model is made from. */
export const RANDOM = fc.record({
  height: fc.integer({min: 1, max: 9}),
  width: fc.integer({min: 1, max: 9}),
  channels: fc.integer({min: 1, max: 5}),
  filters: fc.integer({min: 1, max: 5}),
  kernel: fc.integer({min: 1, max: 4}),
  strides: fc.integer({min: 1, max: 3}),
  dilation: fc.integer({min: 1, max: 2}),
  multiplier: fc.integer({min: 1, max: 3}),
  padding: fc.constantFrom('same' as const, 'valid' as const),
  // Clamps only: another activation is an operator of its own, which makes more of a level than a level.
  activation: fc.constantFrom('linear' as const, 'relu' as const, 'relu6' as const),
  useBias: fc.boolean(),
  // Not so large that a sigmoid is given steps of 8 and more, for which microcontrollers have no table.
  spread: fc.constantFrom(0.01, 1, 3),
  seed: fc.integer({min: 1, max: 1e6}),
});

export type Random = typeof RANDOM extends fc.Arbitrary<infer T> ? T : never;

/** One layer on inputs of given shapes, without the batch. */
interface Case {
  readonly shapes: (random: Random) => number[][];
  readonly build: (inputs: Symbolic[], random: Random) => Symbolic;
  /** How many levels it may be off, where a file cannot do better than on two grids, one after the other. */
  readonly tolerance?: number;
}

const onImage = (build: (x: Symbolic, random: Random) => Symbolic, tolerance?: number): Case => ({
  shapes: ({height, width, channels}) => [[height, width, channels]],
  build: ([x], random) => build(x!, random),
  ...(tolerance !== undefined && {tolerance}),
});

const onRow = (build: (x: Symbolic, random: Random) => Symbolic): Case => ({
  shapes: ({width, channels}) => [[width, channels]],
  build: ([x], random) => build(x!, random),
});

const onPair = (layer: () => tfl.layers.Layer, count = 2): Case => ({
  shapes: ({height, width, channels}) => Array.from({length: count}, () => [height, width, channels]),
  build: inputs => layer().apply(inputs) as Symbolic,
});

const apply = (layer: tfl.layers.Layer, x: Symbolic) => layer.apply(x) as Symbolic;

/** What of a random model a convolution can be. */
function convolution({kernel, strides, dilation, padding, activation, useBias}: Random, size: number) {
  const reach = padding === 'same' ? kernel : Math.min(kernel, size);
  const dilationRate = reach * dilation <= size && strides === 1 ? dilation : 1;
  return {kernelSize: reach, strides, padding, dilationRate, activation, useBias};
}

const smaller = ([, height, width]: Symbolic['shape']) => Math.min(height!, width!);

export const CASES: Readonly<Record<string, Case>> = {
  Conv2D: onImage((x, random) =>
    apply(layers.conv2d({...convolution(random, smaller(x.shape)), filters: random.filters}), x),
  ),
  DepthwiseConv2D: onImage((x, random) => {
    const args = {...convolution(random, smaller(x.shape)), dilationRate: 1, depthMultiplier: random.multiplier};
    return apply(layers.depthwiseConv2d(args), x);
  }),
  SeparableConv2D: onImage((x, random) => {
    const args = {...convolution(random, smaller(x.shape)), dilationRate: 1, activation: 'linear' as const};
    return apply(layers.separableConv2d({...args, filters: random.filters}), x);
  }, 4),
  Conv2DTranspose: onImage((x, random) => {
    const {activation, useBias, padding, strides, filters, kernel} = random;
    const kernelSize = Math.max(kernel, strides);
    return apply(layers.conv2dTranspose({kernelSize, strides, padding, activation, useBias, filters}), x);
  }),
  Conv1D: onRow((x, random) => {
    const args = convolution(random, x.shape[1]!);
    return apply(layers.conv1d({...args, filters: random.filters}), x);
  }),
  Dense: {
    shapes: ({channels}) => [[channels]],
    build: ([x], {filters: units, activation, useBias}) => apply(layers.dense({units, activation, useBias}), x!),
  },
  'Dense on rows': onRow((x, {filters: units, activation}) => apply(layers.dense({units, activation}), x)),
  'TimeDistributed Dense': onRow((x, {filters: units, activation}) =>
    apply(layers.timeDistributed({layer: layers.dense({units, activation})}), x),
  ),
  'Conv2D and BatchNormalization': onImage((x, random) => {
    const {activation, ...args} = convolution(random, smaller(x.shape));
    const y = apply(layers.conv2d({...args, filters: random.filters}), x);
    return apply(layers.activation({activation}), apply(layers.batchNormalization({}), y));
  }),
  'DepthwiseConv2D and BatchNormalization': onImage((x, random) => {
    const {activation, ...args} = convolution(random, smaller(x.shape));
    const y = apply(layers.depthwiseConv2d({...args, dilationRate: 1, depthMultiplier: random.multiplier}), x);
    return apply(layers.activation({activation}), apply(layers.batchNormalization({}), y));
  }),
  'Conv1D and BatchNormalization': onRow((x, random) => {
    const {activation, ...args} = convolution(random, x.shape[1]!);
    const y = apply(layers.conv1d({...args, filters: random.filters}), x);
    return apply(layers.activation({activation}), apply(layers.batchNormalization({}), y));
  }),
  BatchNormalization: onImage(x => apply(layers.batchNormalization({}), x)),
  'BatchNormalization of rows': onRow(x => apply(layers.batchNormalization({}), x)),
  Rescaling: onImage((x, {strides, spread}) => apply(layers.rescaling({scale: spread / 2, offset: strides - 2}), x)),
  ReLU: onImage((x, {spread}) => apply(layers.reLU(spread === 1 ? {maxValue: 6} : {}), x)),
  'ReLU with another maximum': onImage((x, {spread}) => apply(layers.reLU({maxValue: spread}), x)),
  LeakyReLU: onImage((x, {strides}) => apply(layers.leakyReLU({alpha: strides / 10}), x)),
  PReLU: onImage(x => apply(layers.prelu({sharedAxes: [1, 2]}), x)),
  ELU: onImage(x => apply(layers.elu({}), x)),
  sigmoid: onImage(x => apply(layers.activation({activation: 'sigmoid'}), x)),
  hardSigmoid: onImage(x => apply(layers.activation({activation: 'hardSigmoid'}), x)),
  tanh: onImage(x => apply(layers.activation({activation: 'tanh'}), x)),
  swish: onImage(x => apply(layers.activation({activation: 'swish'}), x), 2),
  Softmax: {shapes: ({filters}) => [[filters]], build: ([x]) => apply(layers.softmax({}), x!)},
  MaxPooling2D: onImage((x, random) => {
    const {kernelSize: poolSize, strides, padding} = convolution(random, smaller(x.shape));
    return apply(layers.dense({units: 2}), apply(layers.maxPooling2d({poolSize, strides, padding}), x));
  }),
  AveragePooling2D: onImage((x, {kernel, strides}) => {
    const poolSize = Math.min(kernel, smaller(x.shape));
    return apply(layers.averagePooling2d({poolSize, strides, padding: 'valid'}), x);
  }),
  'AveragePooling2D that pads': onImage(
    (x, {kernel, strides}) => apply(layers.averagePooling2d({poolSize: kernel, strides, padding: 'same'}), x),
    2,
  ),
  MaxPooling1D: onRow((x, {kernel, strides}) =>
    apply(layers.dense({units: 2}), apply(layers.maxPooling1d({poolSize: Math.min(kernel, x.shape[1]!), strides}), x)),
  ),
  AveragePooling1D: onRow((x, {kernel, strides}) =>
    apply(layers.averagePooling1d({poolSize: Math.min(kernel, x.shape[1]!), strides}), x),
  ),
  GlobalAveragePooling2D: onImage(x => apply(layers.globalAveragePooling2d({dataFormat: 'channelsLast'}), x)),
  GlobalMaxPooling2D: onImage(x =>
    apply(layers.dense({units: 2}), apply(layers.globalMaxPooling2d({dataFormat: 'channelsLast'}), x)),
  ),
  GlobalAveragePooling1D: onRow(x => apply(layers.globalAveragePooling1d({}), x)),
  GlobalMaxPooling1D: onRow(x => apply(layers.dense({units: 2}), apply(layers.globalMaxPooling1d({}), x))),
  Add: onPair(() => layers.add()),
  'Add of three': onPair(() => layers.add(), 3),
  Multiply: onPair(() => layers.multiply()),
  Maximum: onPair(() => layers.maximum()),
  Minimum: onPair(() => layers.minimum()),
  Concatenate: onPair(() => layers.concatenate(), 3),
  'Multiply by channel': {
    shapes: ({height, width, channels}) => [[height, width, channels], [channels]],
    build: inputs => layers.multiply().apply(inputs) as Symbolic,
  },
  Flatten: onImage(x => apply(layers.dense({units: 2}), apply(layers.flatten(), x))),
  Reshape: onImage((x, {channels}) => {
    const rows = apply(layers.reshape({targetShape: [x.shape[1]! * x.shape[2]!, channels]}), x);
    return apply(layers.dense({units: 2}), rows);
  }),
  Permute: onImage((x, {filters}) =>
    apply(layers.conv2d({filters, kernelSize: 1}), apply(layers.permute({dims: [2, 1, 3]}), x)),
  ),
  'ZeroPadding2D, and a convolution': onImage((x, {filters, strides, kernel}) => {
    const padded = apply(
      layers.zeroPadding2d({
        padding: [
          [0, kernel - 1],
          [1, 1],
        ],
      }),
      x,
    );
    return apply(layers.conv2d({filters, kernelSize: [kernel, 3], strides}), padded);
  }),
  Cropping2D: onImage((x, {filters}) => {
    const [top, left] = [x.shape[1]! > 2 ? 1 : 0, x.shape[2]! > 3 ? 2 : 0];
    const cropped = apply(
      layers.cropping2D({
        cropping: [
          [top, top],
          [left, 0],
        ],
      }),
      x,
    );
    return apply(layers.conv2d({filters, kernelSize: 1}), cropped);
  }),
  'UpSampling2D, nearest': onImage((x, {filters, strides}) => {
    const large = apply(layers.upSampling2d({size: [strides, 2]}), x);
    return apply(layers.conv2d({filters, kernelSize: 1}), large);
  }),
  'UpSampling2D, bilinear': onImage(
    (x, {strides}) => apply(layers.upSampling2d({size: [strides, 2], interpolation: 'bilinear'}), x),
    2,
  ),
  'Dropout and noise': onRow((x, {filters: units}) =>
    apply(layers.dense({units}), apply(layers.gaussianNoise({stddev: 1}), apply(layers.dropout({rate: 0.5}), x))),
  ),
  Embedding: {
    shapes: ({width}) => [[width]],
    build: ([x], {filters}) => {
      const rows = apply(layers.embedding({inputDim: 10, outputDim: filters, inputLength: x!.shape[1]!}), x!);
      return apply(layers.dense({units: 3}), rows);
    },
  },
};

/** Weights from a seed; BatchNormalization's variances are positive, and some of its gains negative or 0. */
function seedWeights(model: tfl.LayersModel, {seed, spread}: Random): void {
  tf.tidy(() =>
    model.setWeights(
      model.weights.map(({shape, name}, i) => {
        const values = tf.randomNormal(shape as number[], 0, 1, 'float32', seed + i);
        if (name.includes('variance')) return values.abs().add(0.01);
        return name.includes('gamma') ? values.step(-0.2).sub(0.5).mul(values) : values.mul(spread);
      }),
    ),
  );
}

export const SAMPLES = 12;

export function samplesOf(model: tfl.LayersModel, {seed, spread}: Random, ofTokens: boolean): tf.Tensor[] {
  return model.inputs.map(({shape}, i) => {
    const dims = [SAMPLES, ...shape.slice(1)] as number[];
    if (ofTokens) return tf.randomUniform(dims, 0, 10, 'float32', seed + i).floor();
    return tf.randomNormal(dims, 0.3, spread, 'float32', seed + 100 + i);
  });
}

/** A model of a case, with weights. */
export function randomModel({shapes, build}: Case, random: Random): tfl.LayersModel {
  const inputs = shapes(random).map(shape => tfl.input({shape}));
  const model = tfl.model({inputs, outputs: build(inputs, random)});
  seedWeights(model, random);
  return model;
}
