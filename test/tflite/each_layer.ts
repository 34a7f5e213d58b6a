/** A small model of each layer that can be written, for specs that hold the files of all of them to the models. */
import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import {calibrate, quantizeModel, type QuantizeOptions} from '../../src/entries/qat';
import {parse, run, type Runtime} from './runtimes';

type Symbolic = tfl.SymbolicTensor;
type Layer = tfl.layers.Layer;
const {layers} = tfl;

/** Layers between inputs of given shapes (without the batch) and an output. */
export interface Small {
  readonly inputs: readonly number[][];
  readonly build: (...inputs: Symbolic[]) => Symbolic;
  /** How many levels it may be off, where a file cannot do better than on two grids, one after the other. */
  readonly tolerance?: number;
  /** The first input holds tokens. */
  readonly tokens?: boolean;
  /** There is no int16 kernel for it. */
  readonly isNarrow?: boolean;
}

const through = (x: Symbolic | Symbolic[], ...stack: Layer[]) =>
  stack.reduce<Symbolic | Symbolic[]>((y, layer) => layer.apply(y) as Symbolic, x) as Symbolic;

const onImage = (stack: () => Layer[], tolerance = 1): Small => ({
  inputs: [[4, 4, 3]],
  build: x => through(x, ...stack()),
  tolerance,
});
const onRows = (...stack: (() => Layer)[]): Small => ({
  inputs: [[5, 3]],
  build: x => through(x, ...stack.map(make => make())),
});
const onNumbers = (...stack: (() => Layer)[]): Small => ({
  inputs: [[6]],
  build: x => through(x, ...stack.map(make => make())),
});
const onSeveral = (count: number, layer: () => Layer, tolerance = 1): Small => ({
  inputs: Array.from({length: count}, () => [3, 3, 2]),
  build: (...inputs) => through(inputs, layer()),
  tolerance,
});

const onVolume = (stack: () => Layer[], tolerance = 1): Small => ({
  ...onImage(stack, tolerance),
  inputs: [[3, 4, 4, 2]],
});

const conv = () => layers.conv2d({filters: 2, kernelSize: 1});
const dense = () => layers.dense({units: 2});
const channelsLast = {dataFormat: 'channelsLast'} as const;
const channelsFirst = {dataFormat: 'channelsFirst'} as const;
const activation = (name: string) => layers.activation({activation: name as 'relu'});

export const EACH_LAYER: Readonly<Record<string, Small>> = {
  Add: onSeveral(2, () => layers.add()),
  'Add of four': onSeveral(4, () => layers.add(), 2),
  AlphaDropout: onRows(() => layers.alphaDropout({rate: 0.5}), dense),
  Average: onSeveral(2, () => layers.average(), 2),
  'Average of three': onSeveral(3, () => layers.average(), 3),
  AveragePooling1D: onRows(() => layers.averagePooling1d({poolSize: 2})),
  AveragePooling2D: onImage(() => [layers.averagePooling2d({poolSize: 2})]),
  'AveragePooling2D that pads': onImage(() => [layers.averagePooling2d({poolSize: 3, strides: 2, padding: 'same'})], 3),
  // Of int16, averages are averaged in steps of what they are of, which is wider.
  AveragePooling3D: onVolume(() => [layers.averagePooling3d({poolSize: 2, strides: 1})], 10),
  BatchNormalization: onImage(() => [layers.batchNormalization()]),
  // Behind another layer, as tfjs changes the shape of what the layer is called on.
  CenterCrop: onImage(() => [layers.permute({dims: [1, 2, 3]}), layers.centerCrop({height: 3, width: 2}), conv()]),
  Concatenate: onSeveral(3, () => layers.concatenate()),
  Conv1D: onRows(() => layers.conv1d({filters: 2, kernelSize: 2})),
  Conv2D: onImage(() => [layers.conv2d({filters: 2, kernelSize: 3, activation: 'relu'})]),
  'Conv2D, channels first': onImage(() => [
    layers.conv2d({filters: 2, kernelSize: 3, activation: 'relu', ...channelsFirst}),
    layers.flatten(channelsFirst),
  ]),
  'Conv2D, BatchNormalization and ReLU': onImage(() => [conv(), layers.batchNormalization(), layers.reLU()]),
  Conv2DTranspose: onImage(() => [layers.conv2dTranspose({filters: 2, kernelSize: 3, strides: 2})]),
  'Conv2DTranspose twice': onImage(() => [
    layers.conv2dTranspose({filters: 2, kernelSize: 3, strides: 2, padding: 'same', activation: 'relu'}),
    layers.maxPooling2d({poolSize: 2}),
  ]),
  Cropping2D: onImage(() => [layers.cropping2D({cropping: [[1, 0], [0, 1]]}), conv()]), // prettier-ignore
  'Cropping2D of channels': onImage(() => [
    layers.cropping2D({cropping: [[1, 0], [0, 1]], dataFormat: 'channelsFirst'}), // prettier-ignore
    conv(),
  ]),
  Dense: onNumbers(() => layers.dense({units: 3, activation: 'relu6'})),
  'Dense on rows': onRows(dense),
  DepthwiseConv2D: onImage(() => [layers.depthwiseConv2d({kernelSize: 2, depthMultiplier: 2})]),
  Dot: {inputs: [[3, 4], [2, 4]], build: (...inputs) => through(inputs, layers.dot({axes: 2}))}, // prettier-ignore
  Dropout: onRows(() => layers.dropout({rate: 0.5}), dense),
  ELU: {...onImage(() => [layers.elu()]), isNarrow: true},
  Embedding: {
    inputs: [[4]],
    build: x => through(x, layers.embedding({inputDim: 10, outputDim: 3, inputLength: 4}), dense()),
    tokens: true,
  },
  'Embedding and positions': {
    inputs: [[4], [4, 3]],
    build: (x, y) =>
      through([through(x, layers.embedding({inputDim: 10, outputDim: 3, inputLength: 4})), y], layers.add()),
    tokens: true,
  },
  Flatten: onImage(() => [layers.flatten(), dense()]),
  GaussianDropout: onRows(() => layers.gaussianDropout({rate: 0.5}), dense),
  GaussianNoise: onRows(() => layers.gaussianNoise({stddev: 1}), dense),
  GlobalAveragePooling1D: onRows(() => layers.globalAveragePooling1d({})),
  GlobalAveragePooling2D: onImage(() => [layers.globalAveragePooling2d(channelsLast)]),
  GlobalMaxPooling1D: onRows(() => layers.globalMaxPooling1d({}), dense),
  GlobalMaxPooling2D: onImage(() => [layers.globalMaxPooling2d(channelsLast), dense()]),
  LeakyReLU: onImage(() => [layers.leakyReLU({alpha: 0.2})]),
  MaxPooling1D: onRows(() => layers.maxPooling1d({poolSize: 2}), dense),
  MaxPooling3D: onVolume(() => [layers.maxPooling3d({poolSize: 2, strides: 1}), dense()]),
  MaxPooling2D: onImage(() => [layers.maxPooling2d({poolSize: 2}), conv()]),
  Maximum: onSeveral(2, () => layers.maximum()),
  Minimum: onSeveral(3, () => layers.minimum()),
  Multiply: onSeveral(2, () => layers.multiply()),
  'Multiply of three': onSeveral(3, () => layers.multiply(), 3),
  'Multiply by channel': {
    inputs: [[3, 3, 2], [2]],
    build: (x, y) => through([x, y], layers.multiply()),
  },
  PReLU: onImage(() => [layers.prelu({sharedAxes: [1, 2]})]),
  // With 16 bits, slopes of as many bits are another level off.
  'PReLU of each number': {...onImage(() => [layers.prelu()]), tolerance: 2},
  Permute: onImage(() => [layers.permute({dims: [2, 1, 3]}), conv()]),
  ReLU: onImage(() => [layers.reLU()]),
  'ReLU with another maximum': onImage(() => [layers.reLU({maxValue: 0.9})]),
  Rescaling: onImage(() => [layers.rescaling({scale: 0.7, offset: -0.3})]),
  RepeatVector: onNumbers(() => layers.repeatVector({n: 3}), dense),
  Reshape: onImage(() => [layers.reshape({targetShape: [8, 6]}), dense()]),
  SeparableConv2D: onImage(() => [layers.separableConv2d({filters: 2, kernelSize: 2})], 4),
  Softmax: {...onNumbers(() => layers.softmax()), tolerance: 3},
  'Softmax, and Dense': {...onNumbers(() => layers.softmax(), dense), tolerance: 3},
  SpatialDropout1D: onRows(() => layers.spatialDropout1d({rate: 0.5}), dense),
  TimeDistributed: onRows(() => layers.timeDistributed({layer: dense()})),
  'TimeDistributed pool': onImage(() => [layers.timeDistributed({layer: layers.averagePooling1d({poolSize: 2})})]),
  'UpSampling2D, nearest': onImage(() => [layers.upSampling2d({size: [2, 2]}), conv()]),
  'UpSampling2D, bilinear': onImage(() => [layers.upSampling2d({size: [2, 2], interpolation: 'bilinear'})], 2),
  'ZeroPadding2D of channels': onImage(() => [
    layers.zeroPadding2d({padding: [[0, 0], [1, 2]], dataFormat: 'channelsFirst'}), // prettier-ignore
    conv(),
  ]),
  ZeroPadding2D: onImage(() => [layers.zeroPadding2d({padding: [[0, 1], [1, 0]]}), conv()]), // prettier-ignore
  gelu: {...onImage(() => [activation('gelu')]), isNarrow: true},
  gelu_new: {...onImage(() => [activation('gelu_new')]), isNarrow: true},
  hardSigmoid: onImage(() => [activation('hardSigmoid')], 2),
  relu6: onImage(() => [activation('relu6')]),
  sigmoid: onImage(() => [activation('sigmoid')], 2),
  'sigmoid, and a convolution': onImage(() => [activation('sigmoid'), conv()], 2),
  swish: onImage(() => [activation('swish')], 2),
  tanh: onImage(() => [activation('tanh')], 3),
  'tanh, and a convolution': onImage(() => [activation('tanh'), conv()], 2),
  'gate of channels': {
    inputs: [[3, 3, 2], [2]],
    build: (x, y) => through([x, through(y, activation('sigmoid'))], layers.multiply()),
    tolerance: 2,
  },
};

/** Those that are computed in float only. */
export const IN_FLOAT: Readonly<Record<string, Small>> = {
  CategoryEncoding: {
    inputs: [[4, 1]],
    build: x => through(x, layers.flatten(), layers.categoryEncoding({numTokens: 10, outputMode: 'count'})),
    tokens: true,
  },
  Conv3D: onVolume(() => [layers.conv3d({filters: 2, kernelSize: 2, activation: 'relu'})]),
  'Dot, normalized': {
    inputs: [[3, 4], [2, 4]], // prettier-ignore
    build: (...inputs) => through(inputs, layers.dot({axes: 2, normalize: true})),
  },
  LayerNormalization: onImage(() => [layers.layerNormalization()]),
  Masking: onRows(() => layers.masking()),
  ThresholdedReLU: onImage(() => [layers.thresholdedReLU({theta: 0.5})]),
  mish: onImage(() => [activation('mish')]),
  logSoftmax: onNumbers(() => activation('logSoftmax')),
  selu: onImage(() => [activation('selu')]),
  softplus: onImage(() => [activation('softplus')]),
  softsign: onImage(() => [activation('softsign')]),
};

export const SAMPLES = 12;

/** A model of `small`, and numbers for it. */
export function floatSmall(small: Small): {model: tfl.LayersModel; x: tf.Tensor[]} {
  const inputs = small.inputs.map((shape, i) => tfl.input({shape: [...shape], name: `x${i}`}));
  const model = tfl.model({inputs, outputs: small.build(...inputs)});
  tf.tidy(() =>
    model.setWeights(
      model.weights.map(({shape, name}, i) => {
        const values = tf.randomNormal(shape as number[], 0, 1, 'float32', 7 + i);
        return name.includes('variance') ? values.abs().add(0.01) : values;
      }),
    ),
  );
  const x = small.inputs.map((shape, i) =>
    small.tokens && i === 0
      ? tf.randomUniform([SAMPLES, ...shape], 0, 10, 'float32', 1).floor()
      : tf.randomNormal([SAMPLES, ...shape], 0.3, 1, 'float32', 100 + i),
  );
  return {model, x};
}

/** A quantized model of `small`, calibrated; and numbers for it that also go beyond what it was calibrated with. */
export async function quantizedSmall(
  small: Small,
  options: (model: tfl.LayersModel) => QuantizeOptions,
): Promise<{q: tfl.LayersModel; x: tf.Tensor[]}> {
  const {model, x} = floatSmall(small);
  const q = quantizeModel(model, options(model));
  await calibrate(q, x.length === 1 ? x[0]! : x);
  return {q, x: x.map((each, i) => (small.tokens && i === 0 ? each : each.mul(1.3)))};
}

/** The largest distance, in levels, between what a file and what the model give: for each runtime. */
export async function distances(
  {q, x}: {q: tfl.LayersModel; x: tf.Tensor[]},
  bytes: Uint8Array,
  runtimes: readonly Runtime[],
  {batch = 1, resize = false} = {},
): Promise<[Runtime, number][]> {
  const {tensors, operators} = await parse(bytes);
  const [scale] = tensors[operators[operators.length - 1]!.inputs[0]!]!.scale as [number];
  const hasTokens = operators.some(({name}) => name === 'GATHER');
  const part = (each: tf.Tensor, i: number) => tf.tidy(() => each.slice(i * batch, batch).dataSync<'float32'>());
  const runs = Array.from({length: SAMPLES / batch}, (_, i) =>
    x.map((each, input) => (hasTokens && input === 0 ? Int32Array.from(part(each, i)) : part(each, i))),
  );
  const expected = tf.tidy(() => (q.predict(x.length === 1 ? x[0]! : x) as tf.Tensor).dataSync());
  const found: [Runtime, number][] = [];
  for (const runtime of runtimes) {
    const got = (await run(bytes, runtime, runs, resize ? batch : undefined)).flatMap(([y]) => [...y!]);
    if (got.length !== expected.length) throw new Error(`${got.length} numbers instead of ${expected.length}`);
    found.push([runtime, got.reduce((most, each, i) => Math.max(most, Math.abs(each - expected[i]!) / scale), 0)]);
  }
  return found;
}
