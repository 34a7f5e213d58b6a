/** Networks of the kinds that people train and deploy, small ones, with weights from a seed. */
import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';

type Symbolic = tfl.SymbolicTensor;
const {layers} = tfl;

const apply = (layer: tfl.layers.Layer, ...inputs: Symbolic[]) =>
  layer.apply(inputs.length === 1 ? inputs[0]! : inputs) as Symbolic;
const image = (...shape: number[]) => tfl.input({shape});
const model = (inputs: Symbolic, outputs: Symbolic) => tfl.model({inputs, outputs});
const normalized = (x: Symbolic) => apply(layers.batchNormalization({}), x);
const pooled = (x: Symbolic) => apply(layers.globalAveragePooling2d({dataFormat: 'channelsLast'}), x);
const clamped = (x: Symbolic) => apply(layers.reLU({maxValue: 6}), x);
const relu = (x: Symbolic) => apply(layers.reLU(), x);

function convolved(x: Symbolic, filters: number, kernelSize: number, strides = 1): Symbolic {
  return normalized(apply(layers.conv2d({filters, kernelSize, strides, padding: 'same', useBias: false}), x));
}

function filtered(x: Symbolic, kernelSize: number, strides: number): Symbolic {
  return normalized(apply(layers.depthwiseConv2d({kernelSize, strides, padding: 'same', useBias: false}), x));
}

/** The features of a MobileNet v1 as Keras builds it: padding apart where it strides. */
function features(x: Symbolic): Symbolic {
  let y = clamped(convolved(x, 8, 3, 2));
  for (const [filters, strides] of [
    [16, 1],
    [32, 2],
    [32, 1],
    [64, 2],
  ] as const) {
    const sides: [number, number] = [0, 1];
    const padded = strides === 1 ? y : apply(layers.zeroPadding2d({padding: [sides, sides]}), y);
    const padding = strides === 1 ? 'same' : 'valid';
    const depthwise = layers.depthwiseConv2d({kernelSize: 3, strides, padding, useBias: false});
    y = clamped(convolved(clamped(normalized(apply(depthwise, padded))), filters, 1));
  }
  return y;
}

function mobileNetV1(): tfl.LayersModel {
  const x = image(32, 32, 3);
  const scores = layers.conv2d({filters: 10, kernelSize: 1, padding: 'same'});
  const cell = apply(layers.reshape({targetShape: [1, 1, 64]}), pooled(features(x)));
  const rows = apply(layers.reshape({targetShape: [10]}), apply(scores, apply(layers.dropout({rate: 1e-3}), cell)));
  return model(x, apply(layers.activation({activation: 'softmax'}), rows));
}

/** Keras's: x * relu6(x + 3) / 6. */
function hardSwish(x: Symbolic): Symbolic {
  return apply(layers.multiply(), x, hardSigmoid(x));
}

function hardSigmoid(x: Symbolic): Symbolic {
  return apply(layers.rescaling({scale: 1 / 6}), clamped(apply(layers.rescaling({scale: 1, offset: 3}), x)));
}

function squeezed(x: Symbolic): Symbolic {
  const channels = x.shape[3]!;
  const cell = apply(layers.reshape({targetShape: [1, 1, channels]}), pooled(x));
  const narrow = apply(layers.conv2d({filters: 4, kernelSize: 1, activation: 'relu'}), cell);
  const gates = hardSigmoid(apply(layers.conv2d({filters: channels, kernelSize: 1}), narrow));
  return apply(layers.multiply(), x, gates);
}

function mobileNetV3(): tfl.LayersModel {
  const x = image(32, 32, 3);
  let y = hardSwish(convolved(x, 8, 3, 2));
  for (const strides of [2, 1]) {
    const wide = hardSwish(convolved(y, 24, 1));
    const narrow = convolved(squeezed(hardSwish(filtered(wide, 5, strides))), 8, 1);
    y = strides === 1 ? apply(layers.add(), y, narrow) : narrow;
  }
  return model(x, apply(layers.dense({units: 10}), pooled(hardSwish(convolved(y, 32, 1)))));
}

/** A truncated MobileNet as a layer, and a head as another: as Teachable Machine has it. */
function teachableImage(): tfl.LayersModel {
  const x = image(32, 32, 3);
  const truncated = model(x, pooled(features(x)));
  const head = tfl.sequential({
    layers: [
      layers.dense({units: 20, activation: 'relu', inputShape: [64]}),
      layers.dense({units: 3, activation: 'softmax', useBias: false}),
    ],
  });
  return tfl.sequential({layers: [truncated, head]});
}

function teachableSound(): tfl.LayersModel {
  const pool = () => layers.maxPooling2d({poolSize: 2, strides: 2});
  const convolution = (filters: number, kernelSize: [number, number]) =>
    layers.conv2d({filters, kernelSize, activation: 'relu'});
  return tfl.sequential({
    layers: [
      layers.inputLayer({inputShape: [43, 60, 1]}),
      convolution(8, [2, 8]),
      pool(),
      convolution(16, [2, 4]),
      pool(),
      convolution(16, [2, 4]),
      pool(),
      layers.flatten(),
      layers.dense({units: 32, activation: 'relu'}),
      layers.dropout({rate: 0.5}),
      layers.dense({units: 4, activation: 'softmax'}),
    ],
  });
}

/** What Teachable Machine trains on the keypoints of a pose. */
function teachablePose(): tfl.LayersModel {
  return tfl.sequential({
    layers: [
      layers.dense({units: 100, activation: 'relu', inputShape: [300]}),
      layers.dropout({rate: 0.5}),
      layers.dense({units: 3, activation: 'softmax', useBias: false}),
    ],
  });
}

function resNet(): tfl.LayersModel {
  const x = image(32, 32, 3);
  let y = relu(convolved(x, 8, 3));
  for (const [filters, strides] of [
    [8, 1],
    [16, 2],
    [32, 2],
  ] as const) {
    const shortcut = strides === 1 ? y : convolved(y, filters, 1, strides);
    const residual = convolved(relu(convolved(y, filters, 3, strides)), filters, 3);
    y = relu(apply(layers.add(), shortcut, residual));
  }
  return model(x, apply(layers.dense({units: 10}), pooled(y)));
}

function uNet(): tfl.LayersModel {
  const x = image(16, 16, 3);
  const twice = (y: Symbolic, filters: number) => relu(convolved(relu(convolved(y, filters, 3)), filters, 3));
  const half = (y: Symbolic) => apply(layers.maxPooling2d({poolSize: 2}), y);
  const wide = twice(x, 8);
  const middle = twice(half(wide), 16);
  const deep = twice(half(middle), 32);
  const risen = apply(layers.upSampling2d({size: [2, 2]}), deep);
  const joined = twice(apply(layers.concatenate(), risen, middle), 16);
  const transposed = layers.conv2dTranspose({filters: 8, kernelSize: 2, strides: 2, activation: 'relu'});
  const last = twice(apply(layers.concatenate(), apply(transposed, joined), wide), 8);
  return model(x, apply(layers.conv2d({filters: 1, kernelSize: 1, activation: 'sigmoid'}), last));
}

/** What makes each of the networks. */
export const NETWORKS: Readonly<Record<string, () => tfl.LayersModel>> = {
  'MobileNet v1': mobileNetV1,
  'MobileNet v3': mobileNetV3,
  "Teachable Machine's images": teachableImage,
  "Teachable Machine's sounds": teachableSound,
  "Teachable Machine's poses": teachablePose,
  ResNet: resNet,
  'U-Net': uNet,
};

/** Gives a network weights such that signals neither die nor explode. */
export function seedNetwork(network: tfl.LayersModel): void {
  tf.tidy(() =>
    network.setWeights(
      network.weights.map(({shape, name}, i) => {
        const dims = shape as number[];
        const values = tf.randomNormal(dims, 0, 1, 'float32', i + 1);
        if (name.includes('variance') || name.includes('gamma')) return values.mul(0.2).abs().add(0.8);
        if (dims.length < 2) return values.mul(0.1);
        const isDepthwise = name.includes('depthwise');
        const fanIn = dims.slice(0, -1).reduce((product, dim) => product * dim, 1) / (isDepthwise ? dims[2]! : 1);
        return values.mul(Math.sqrt(2 / fanIn));
      }),
    ),
  );
}
