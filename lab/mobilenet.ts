/** MobileNet v2 as Keras builds it, with weights from a seed and BatchNormalization's statistics from images. */
import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import {reestimateBatchNorm} from '../src/entries/qat';

type Symbolic = tfl.SymbolicTensor;
const {layers} = tfl;

/** Expansion, channels, repetitions and stride of the blocks. */
const BLOCKS: readonly (readonly [number, number, number, number])[] = [
  [1, 16, 1, 1],
  [6, 24, 2, 2],
  [6, 32, 3, 2],
  [6, 64, 4, 2],
  [6, 96, 3, 1],
  [6, 160, 3, 2],
  [6, 320, 1, 1],
];

let seed = 0;
const apply = (layer: tfl.layers.Layer, x: Symbolic) => layer.apply(x) as Symbolic;
const initializer = () => tfl.initializers.heNormal({seed: ++seed});
const pointwise = (filters: number) =>
  layers.conv2d({filters, kernelSize: 1, useBias: false, kernelInitializer: initializer()});
const normalized = (x: Symbolic) => apply(layers.batchNormalization({}), x);
const clamped = (x: Symbolic) => apply(layers.reLU({maxValue: 6}), normalized(x));

/** Images of even sizes get their padding in front of a stride apart, as in Keras. */
function strided(x: Symbolic, make: (padding: 'same' | 'valid') => tfl.layers.Layer, strides: number): Symbolic {
  if (strides === 1) return apply(make('same'), x);
  const odd = x.shape[1]! % 2;
  const padded = apply(
    layers.zeroPadding2d({
      padding: [
        [odd, 1],
        [odd, 1],
      ],
    }),
    x,
  );
  return apply(make('valid'), padded);
}

function block(x: Symbolic, expansion: number, filters: number, strides: number): Symbolic {
  const channels = x.shape[3]!;
  const wide = expansion === 1 ? x : clamped(apply(pointwise(expansion * channels), x));
  const depthwise = (padding: 'same' | 'valid') =>
    layers.depthwiseConv2d({kernelSize: 3, strides, padding, useBias: false, depthwiseInitializer: initializer()});
  const filtered = clamped(strided(wide, depthwise, strides));
  const narrow = normalized(apply(pointwise(filters), filtered));
  return strides === 1 && channels === filters ? (layers.add().apply([x, narrow]) as Symbolic) : narrow;
}

/** How much of the network there is: the share of its channels, and how often each block is there at most. */
export interface Extent {
  readonly width?: number;
  readonly repeats?: number;
}

/** Of all kinds of blocks, each there once or, where it adds to what it is given, twice. */
export const SMALL: Extent = {width: 1 / 8, repeats: 2};

/** For images of `size` by `size` of three channels: 3.5 million weights, or what `extent` leaves of them. */
export function mobileNetV2(size: number, {width = 1, repeats = Infinity}: Extent = {}): tfl.LayersModel {
  const wide = (channels: number) => channels * width;
  seed = 0;
  const image = tfl.input({shape: [size, size, 3], name: 'image'});
  const first = (padding: 'same' | 'valid') =>
    layers.conv2d({
      filters: wide(32),
      kernelSize: 3,
      strides: 2,
      padding,
      useBias: false,
      kernelInitializer: initializer(),
    });
  let x = clamped(strided(image, first, 2));
  for (const [expansion, filters, count, strides] of BLOCKS) {
    for (let i = 0; i < Math.min(count, repeats); ++i) x = block(x, expansion, wide(filters), i === 0 ? strides : 1);
  }
  const features = clamped(apply(pointwise(wide(1280)), x));
  const pooled = apply(layers.globalAveragePooling2d({dataFormat: 'channelsLast'}), features);
  const classes = layers.dense({
    units: wide(1000),
    activation: 'softmax',
    kernelInitializer: initializer(),
    name: 'classes',
  });
  return tfl.model({inputs: image, outputs: apply(classes, pooled), name: 'mobilenet_v2'});
}

/** Images of large and small waves in all colours, between -0.99 and 0.99: -1 would lie just between two levels. */
export function waves(count: number, size: number, from = 0): tf.Tensor4D {
  return tf.tidy(() => {
    const images = Array.from({length: count}, (_, i) => {
      const coarse = tf.randomUniform<tf.Rank.R4>([1, 4, 4, 3], -1, 1, 'float32', 10 * (from + i) + 1);
      const fine = tf.randomUniform<tf.Rank.R4>([1, 16, 16, 3], -0.4, 0.4, 'float32', 10 * (from + i) + 2);
      const [a, b] = [coarse, fine].map(each => tf.image.resizeBilinear(each, [size, size])) as [
        tf.Tensor4D,
        tf.Tensor4D,
      ];
      return tf.clipByValue(tf.add(a, b), -0.99, 0.99);
    });
    return tf.concat(images) as tf.Tensor4D;
  });
}

/** Takes BatchNormalization's statistics from images. */
export function settleNorms(model: tfl.LayersModel, images: tf.Tensor4D): Promise<void> {
  return reestimateBatchNorm(model, images, {samples: images.shape[0]});
}
