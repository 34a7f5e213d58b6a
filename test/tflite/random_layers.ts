/** Models of a layer alone, of random shapes, strides, paddings, activations and weights: for specs that hold their files to them. */
import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import fc from 'fast-check';
import type {Runtime} from './runtimes';

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
export interface Case {
  readonly shapes: (random: Random) => number[][];
  readonly build: (inputs: Symbolic[], random: Random) => Symbolic;
  /** How many levels it may be off, where a file cannot do better than on two grids, one after the other. */
  readonly tolerance?: number;
  /** The numbers that it is given are whole, and below that. */
  readonly below?: number;
  /** It is computed in float only, or tfjs cannot compute it in a model, or not on the cpu. */
  readonly isFloat?: true;
  /** What it comes to, where tfjs does not say. */
  readonly expected?: (x: tf.Tensor, model: tfl.LayersModel, random: Random) => tf.Tensor;
}

const onImage = (build: (x: Symbolic, random: Random) => Symbolic, tolerance?: number): Case => ({
  shapes: ({height, width, channels}) => [[height, width, channels]],
  build: ([x], random) => build(x!, random),
  ...(tolerance !== undefined && {tolerance}),
});

/** Of images whose channels come first. */
const onChannels = (build: (x: Symbolic, random: Random) => Symbolic, tolerance?: number): Case => ({
  shapes: ({height, width, channels}) => [[channels, height, width]],
  build: ([x], random) => build(x!, random),
  ...(tolerance !== undefined && {tolerance}),
});

/** Of volumes, with their channels first or last. */
const onVolume = (build: (x: Symbolic, random: Random) => Symbolic): Case => ({
  shapes: ({height, width, kernel, channels, useBias}) => [
    useBias ? [kernel + 1, height, width, channels] : [channels, kernel + 1, height, width],
  ],
  build: ([x], random) => build(x!, random),
});

const ofFloats = (given: Case): Case => ({...given, isFloat: true});

const onRow = (build: (x: Symbolic, random: Random) => Symbolic): Case => ({
  shapes: ({width, channels}) => [[width, channels]],
  build: ([x], random) => build(x!, random),
});

const onNumbers = (build: (x: Symbolic, random: Random) => Symbolic): Case => ({
  shapes: ({channels}) => [[channels + 1]],
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

const channelsFirst = {dataFormat: 'channelsFirst'} as const;

/** A convolution behind what only moves values. */
const convolved = (x: Symbolic, {filters}: Random) =>
  apply(layers.conv2d({filters, kernelSize: 1, ...channelsFirst}), x);

/** In some models, of what is in any order; with kernels and steps of a volume's three dimensions. */
function ofVolume({useBias, kernel, strides, padding}: Random, x: Symbolic) {
  const dataFormat = useBias ? ('channelsLast' as const) : ('channelsFirst' as const);
  const sizes = (useBias ? x.shape.slice(1, 4) : x.shape.slice(2)) as [number, number, number];
  const [depth, rows, columns] = sizes.map(size => Math.min(kernel, size)) as [number, number, number];
  const steps: [number, number, number] = [Math.min(strides, 2), strides, 1];
  return {window: [depth, rows, columns] as [number, number, number], steps, padding, dataFormat};
}

/** What makes a larger image for a layer to be called on that tfjs lets change the shape of what it is given. */
const enlarged = () => layers.zeroPadding2d({padding: [[0, 1], [0, 2]]}); // prettier-ignore

/** Behind another layer, for the same reason. */
const encoding = (outputMode: string, lengthOf: (random: Random) => number): Case => ({
  shapes: random => [[lengthOf(random), 1]],
  build: ([x], random) => {
    const row = apply(layers.reshape({targetShape: [lengthOf(random)]}), x!);
    return apply(layers.categoryEncoding({numTokens: 6, outputMode: outputMode as 'count'}), row);
  },
  below: 6,
  isFloat: true,
});

/** tfjs cannot call it in models. */
const resizing = (interpolation: 'bilinear' | 'nearest'): Case => {
  const layerOf = ({kernel, filters, useBias}: Random) =>
    layers.resizing({height: 2 * kernel, width: filters, interpolation, cropToAspectRatio: useBias});
  return {
    ...ofFloats(onImage((x, random) => apply(layerOf(random), x))),
    expected: (x, _, random) => layerOf(random).call(x as tf.Tensor4D, {}) as tf.Tensor,
  };
};

const activation = (name: string) => layers.activation({activation: name as 'relu'});

const smallerOf = (rows: number | null | undefined, columns: number | null | undefined) => Math.min(rows!, columns!);

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
    below: 10,
  },
  'Conv2D, channels first': onChannels((x, random) => {
    const args = convolution(random, smallerOf(x.shape[2], x.shape[3]));
    return apply(layers.conv2d({...args, ...channelsFirst, filters: random.filters}), x);
  }),
  'DepthwiseConv2D, channels first': onChannels((x, random) => {
    const args = {...convolution(random, smallerOf(x.shape[2], x.shape[3])), dilationRate: 1};
    return apply(layers.depthwiseConv2d({...args, ...channelsFirst, depthMultiplier: random.multiplier}), x);
  }),
  'SeparableConv2D, channels first': onChannels((x, random) => {
    const args = {...convolution(random, smallerOf(x.shape[2], x.shape[3])), dilationRate: 1};
    const separable = {
      ...args,
      ...channelsFirst,
      activation: 'linear' as const,
      filters: random.filters,
      useBias: false,
    };
    return apply(layers.separableConv2d(separable), x);
  }, 4),
  'Conv2DTranspose, channels first': onChannels((x, {activation: name, useBias, padding, strides, filters, kernel}) => {
    const args = {kernelSize: Math.max(kernel, strides), strides, padding, activation: name, useBias, filters};
    return apply(layers.conv2dTranspose({...args, ...channelsFirst}), x);
  }),
  'Images, channels first': onChannels((x, {filters, kernel, activation: name}) => {
    const conv = (args: object = {}) =>
      layers.conv2d({filters, kernelSize: kernel, padding: 'same', ...channelsFirst, ...args});
    const y = apply(activation(name), apply(conv(), x));
    const padded = apply(layers.zeroPadding2d({padding: [1, 0], ...channelsFirst}), apply(conv(), y));
    const cropped = apply(layers.cropping2D({cropping: [[1, 1], [0, 0]], ...channelsFirst}), padded); // prettier-ignore
    const sum = layers.add().apply([y, apply(layers.reLU(), cropped)]) as Symbolic;
    const joined = layers.concatenate({axis: 1}).apply([sum, y]) as Symbolic;
    const pooled = apply(layers.globalAveragePooling2d(channelsFirst), joined);
    return apply(layers.dense({units: 3}), pooled);
  }, 8),
  'MaxPooling2D, channels first': onChannels((x, random) => {
    const {kernelSize: poolSize, strides, padding} = convolution(random, smallerOf(x.shape[2], x.shape[3]));
    return convolved(apply(layers.maxPooling2d({poolSize, strides, padding, ...channelsFirst}), x), random);
  }),
  'AveragePooling2D, channels first': onChannels((x, {kernel, strides}) => {
    const poolSize = Math.min(kernel, smallerOf(x.shape[2], x.shape[3]));
    return apply(layers.averagePooling2d({poolSize, strides, ...channelsFirst}), x);
  }),
  'GlobalAveragePooling2D, channels first': onChannels(x => apply(layers.globalAveragePooling2d(channelsFirst), x)),
  'GlobalMaxPooling2D, channels first': onChannels(x =>
    apply(layers.dense({units: 2}), apply(layers.globalMaxPooling2d(channelsFirst), x)),
  ),
  'UpSampling2D, channels first': onChannels((x, random) =>
    convolved(apply(layers.upSampling2d({size: [random.strides, 2], ...channelsFirst}), x), random),
  ),
  'ZeroPadding2D, channels first': onChannels((x, random) =>
    convolved(apply(layers.zeroPadding2d({padding: [random.strides, 1], ...channelsFirst}), x), random),
  ),
  'Flatten, channels first': onChannels(x => apply(layers.dense({units: 2}), apply(layers.flatten(channelsFirst), x))),
  'BatchNormalization, channels first': {
    ...ofFloats(onChannels(x => apply(layers.batchNormalization({axis: 1}), x))),
    // On the cpu, tfjs takes the last dimension for the channels.
    expected: (x, model) => {
      const [gamma, beta, mean, variance] = model.getWeights().map(each => each.reshape([1, -1, 1, 1])) as [
        tf.Tensor,
        tf.Tensor,
        tf.Tensor,
        tf.Tensor,
      ];
      return x.sub(mean).mul(gamma).div(variance.add(1e-3).sqrt()).add(beta);
    },
  },
  'PReLU, channels first': onChannels(x => apply(layers.prelu({sharedAxes: [2, 3]}), x)),
  Conv3D: ofFloats(
    onVolume((x, random) => {
      const {window, steps, ...args} = ofVolume(random, x);
      const {filters, activation: name, useBias} = random;
      return apply(layers.conv3d({kernelSize: window, strides: steps, filters, activation: name, useBias, ...args}), x);
    }),
  ),
  'Conv3D with holes': ofFloats(
    onVolume((x, random) => {
      const {dataFormat} = ofVolume(random, x);
      const {filters, dilation: dilationRate} = random;
      return apply(layers.conv3d({kernelSize: 2, dilationRate, padding: 'same', filters, dataFormat}), x);
    }),
  ),
  Conv3DTranspose: ofFloats(
    onVolume((x, random) => {
      const {window, steps, ...args} = ofVolume(random, x);
      const kernelSize = window.map((size, i) => Math.max(size, steps[i]!)) as [number, number, number];
      return apply(layers.conv3dTranspose({kernelSize, strides: steps, filters: random.filters, ...args}), x);
    }),
  ),
  MaxPooling3D: onVolume((x, random) => {
    const {window: poolSize, steps: strides, ...args} = ofVolume(random, x);
    return apply(layers.dense({units: 2}), apply(layers.maxPooling3d({poolSize, strides, ...args}), x));
  }),
  AveragePooling3D: onVolume((x, random) => {
    const {window: poolSize, steps: strides, ...args} = ofVolume(random, x);
    return apply(layers.averagePooling3d({poolSize, strides, ...args}), x);
  }),
  LayerNormalization: ofFloats(
    onImage((x, {dilation, useBias}) => apply(layers.layerNormalization({center: useBias, scale: dilation > 1}), x)),
  ),
  'LayerNormalization of images': ofFloats(onImage(x => apply(layers.layerNormalization({axis: [1, 3]}), x))),
  Average: onPair(() => layers.average(), 2),
  'Average of three': {...onPair(() => layers.average(), 3), tolerance: 2},
  Dot: {
    shapes: ({height, width, channels}) => [[height, channels], [width, channels]], // prettier-ignore
    build: inputs => layers.dot({axes: 2}).apply(inputs) as Symbolic,
  },
  'Dot of columns': {
    shapes: ({height, width, channels}) => [[channels, height], [channels, width]], // prettier-ignore
    build: inputs => layers.dot({axes: 1}).apply(inputs) as Symbolic,
  },
  'Dot of rows': {
    shapes: ({channels}) => [[channels], [channels]],
    build: inputs => layers.dot({axes: -1}).apply(inputs) as Symbolic,
  },
  'Dot of a row and columns': {
    shapes: ({width, channels}) => [[channels], [channels, width]],
    build: inputs => layers.dot({axes: [1, 1]}).apply(inputs) as Symbolic,
  },
  'Dot of rows and a row': {
    shapes: ({width, channels}) => [[width, channels], [channels]],
    build: inputs => layers.dot({axes: [2, 1]}).apply(inputs) as Symbolic,
  },
  'Dot, normalized': ofFloats({
    shapes: ({height, width, channels}) => [[height, channels], [channels, width]], // prettier-ignore
    build: inputs => layers.dot({axes: [2, 1], normalize: true}).apply(inputs) as Symbolic,
  }),
  RepeatVector: onNumbers((x, {kernel: n, filters: units}) =>
    apply(layers.dense({units}), apply(layers.repeatVector({n}), x)),
  ),
  ThresholdedReLU: ofFloats(onImage((x, {spread}) => apply(layers.thresholdedReLU({theta: spread / 2}), x))),
  Masking: ofFloats({...onRow(x => apply(layers.masking({maskValue: 1}), x)), below: 2}),
  'CategoryEncoding of one': encoding('oneHot', () => 1),
  'CategoryEncoding of several': encoding('multiHot', ({channels}) => channels),
  'CategoryEncoding, counted': encoding('count', ({channels}) => channels),
  'Resizing, bilinear': resizing('bilinear'),
  'Resizing, nearest': resizing('nearest'),
  CenterCrop: onImage((x, {kernel, filters, dilation}) => {
    const crop = layers.centerCrop(
      dilation === 1
        ? {height: Math.min(kernel, x.shape[1]!), width: Math.min(filters, x.shape[2]!)}
        : {height: x.shape[1]!, width: x.shape[2]! + 1},
    );
    return apply(crop, apply(enlarged(), x));
  }),
  RandomWidth: {
    ...ofFloats(onImage(x => apply(layers.reLU(), apply(layers.randomWidth({factor: 0.5}), x)))),
    expected: x => x.relu(),
  },
  AlphaDropout: onNumbers((x, {filters: units}) =>
    apply(layers.dense({units}), apply(layers.alphaDropout({rate: 0.5}), x)),
  ),
  gelu: onImage(x => apply(activation('gelu'), x)),
  gelu_new: onImage(x => apply(activation('gelu_new'), x)),
  selu: ofFloats(onImage(x => apply(activation('selu'), x))),
  softplus: ofFloats(onImage(x => apply(activation('softplus'), x))),
  softsign: ofFloats(onImage(x => apply(activation('softsign'), x))),
  mish: ofFloats(onImage(x => apply(activation('mish'), x))),
  logSoftmax: ofFloats(onImage(x => apply(activation('logSoftmax'), x))),
  'Softmax of images': onImage(x => apply(layers.softmax({axis: [1, 2]}), x)),
  'TimeDistributed convolution': onImage((x, {filters, kernel, activation: name}) => {
    const conv = layers.conv1d({filters, kernelSize: kernel, padding: 'same', activation: name});
    return apply(layers.timeDistributed({layer: conv}), x);
  }),
  'TimeDistributed pool': onImage(x => apply(layers.timeDistributed({layer: layers.globalAveragePooling1d({})}), x)),
  'TimeDistributed model': onImage((x, {filters, kernel}) => {
    const inputShape = x.shape.slice(2) as number[];
    const model = tfl.sequential();
    model.add(layers.conv1d({filters, kernelSize: kernel, padding: 'same', activation: 'relu', inputShape}));
    model.add(layers.batchNormalization());
    model.add(layers.flatten());
    model.add(layers.dense({units: 3}));
    return apply(layers.timeDistributed({layer: model}), x);
  }, 3),
};

/** Runtimes that have no kernel for what a layer is written as. */
export const WITHOUT: Readonly<Record<string, readonly Runtime[]>> = {
  ELU: ['reference'],
  Conv3D: ['micro'],
  'Conv3D with holes': ['micro'],
  Conv3DTranspose: ['micro'],
  gelu: ['micro'],
  gelu_new: ['micro'],
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

export function samplesOf(model: tfl.LayersModel, {seed, spread}: Random, {below}: Case): tf.Tensor[] {
  return model.inputs.map(({shape}, i) => {
    const dims = [SAMPLES, ...shape.slice(1)] as number[];
    if (below !== undefined) return tf.randomUniform(dims, 0, below, 'float32', seed + i).floor();
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
