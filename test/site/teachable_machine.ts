/**
 * What Teachable Machine's "Download my model" gives of an image project, in its layout: a Sequential of two, the first of which
 * holds a cut MobileNet v2 with a pooling behind it, the second the two layers that were trained. Smaller than theirs.
 */
import {zipSync} from 'fflate';
import {reestimateBatchNorm} from '../../src/entries/qat';
import * as tf from '../../src/entries/tf';
import {disposeModel} from '../../site/quantize/worker/disposal';
import {pngOf} from './png';

const SIDE = 224;

type Chain = (x: tf.SymbolicTensor) => tf.SymbolicTensor;

const through =
  (layer: tf.layers.Layer): Chain =>
  x =>
    layer.apply(x) as tf.SymbolicTensor;

/** A convolution as Keras's MobileNet v2 has them: without a bias, normalized, mostly with a ReLU6 behind it. */
function normalized(layer: tf.layers.Layer, norm: string, relu?: string): Chain {
  const steps = [layer, tf.layers.batchNormalization({name: norm, epsilon: 1e-3, momentum: 0.999})];
  if (relu !== undefined) steps.push(tf.layers.reLU({maxValue: 6, name: relu}));
  return x => steps.reduce((y, step) => through(step)(y), x);
}

let seed = 0;
const initial = () => tf.initializers.heNormal({seed: ++seed});

const pointwise = (filters: number, name: string) =>
  tf.layers.conv2d({filters, kernelSize: 1, padding: 'same', useBias: false, kernelInitializer: initial(), name});

const depthwise = (strides: 1 | 2, name: string) =>
  tf.layers.depthwiseConv2d({
    kernelSize: 3,
    strides,
    padding: strides === 2 ? 'valid' : 'same',
    useBias: false,
    depthwiseInitializer: initial(),
    name,
  });

const padded = (name: string) =>
  through(
    tf.layers.zeroPadding2d({
      padding: [
        [0, 1],
        [0, 1],
      ],
      name,
    }),
  );

/** An inverted residual. */
function block(x: tf.SymbolicTensor, number: number, filters: number, strides: 1 | 2): tf.SymbolicTensor {
  const name = `block_${number}`;
  const channels = x.shape.at(-1)!;
  let y = normalized(pointwise(2 * channels, `${name}_expand`), `${name}_expand_BN`, `${name}_expand_relu`)(x);
  if (strides === 2) y = padded(`${name}_pad`)(y);
  y = normalized(depthwise(strides, `${name}_depthwise`), `${name}_depthwise_BN`, `${name}_depthwise_relu`)(y);
  y = normalized(pointwise(filters, `${name}_project`), `${name}_project_BN`)(y);
  if (strides === 2 || channels !== filters) return y;
  return tf.layers.add({name: `${name}_add`}).apply([x, y]) as tf.SymbolicTensor;
}

function mobileNet(side: number): tf.LayersModel {
  const input = tf.input({shape: [side, side, 3], name: 'input_1'});
  const first = tf.layers.conv2d({
    filters: 8,
    kernelSize: 3,
    strides: 2,
    padding: 'valid',
    useBias: false,
    kernelInitializer: initial(),
    name: 'Conv1',
  });
  let x = normalized(first, 'bn_Conv1', 'Conv1_relu')(padded('Conv1_pad')(input));
  x = block(x, 1, 8, 2);
  x = block(x, 2, 8, 1);
  x = block(x, 3, 16, 2);
  x = block(x, 4, 16, 2);
  x = normalized(pointwise(64, 'Conv_1'), 'Conv_1_bn', 'out_relu')(x);
  return tf.model({inputs: input, outputs: x, name: 'model1'});
}

/** An image of a class: its color, in a pattern of its own. */
function pixelsOf(label: number, number: number, side: number): Uint8Array {
  const pixels = new Uint8Array(3 * side ** 2);
  let state = (7919 * (1000 * label + number + 1)) % 0x7fffffff;
  const random = () => (state = (state * 48271) % 0x7fffffff) / 0x7fffffff;
  random();
  const [base, period] = [60 + 80 * random(), 6 + Math.floor(20 * random())];
  for (let i = 0; i < side ** 2; ++i) {
    const isBright = Math.floor((i % side) / period + Math.floor(i / side) / period) % 2 === 0;
    for (let c = 0; c < 3; ++c) {
      pixels[3 * i + c] = Math.min(255, base * (c === label % 3 ? 1.6 : 0.6) + (isBright ? 50 : 0) + 30 * random());
    }
  }
  return pixels;
}

const scaled = (images: readonly Uint8Array[], side: number) =>
  tf.tidy(() =>
    tf
      .stack(images.map(each => tf.tensor(each, [side, side, 3], 'float32')))
      .div(127.5)
      .sub(1),
  );

export interface TeachableMachineProject {
  /** The download: model.json, weights.bin, metadata.json. */
  readonly zip: Uint8Array<ArrayBuffer>;
  /** Its images by path, a folder for each class. */
  readonly images: ReadonlyMap<string, Uint8Array<ArrayBuffer>>;
}

/** Trains a head as they do, on images of one color for each class, and packs it as they do. */
export async function teachableMachineProject({
  labels = ['Red things', 'Green things', 'Blue things'],
  perClass = 12,
  side = SIDE,
} = {}): Promise<TeachableMachineProject> {
  seed = 0;
  const base = tf.sequential({
    name: 'sequential_1',
    layers: [
      mobileNet(side),
      tf.layers.globalAveragePooling2d({
        name: 'global_average_pooling2d_GlobalAveragePooling2D1',
        dataFormat: 'channelsLast',
      }),
    ],
  });
  const head = tf.sequential({
    name: 'sequential_3',
    layers: [
      tf.layers.dense({
        inputShape: [64],
        units: 100,
        activation: 'relu',
        kernelInitializer: initial(),
        name: 'dense_Dense1',
      }),
      tf.layers.dense({
        units: labels.length,
        activation: 'softmax',
        useBias: false,
        kernelInitializer: initial(),
        name: 'dense_Dense2',
      }),
    ],
  });
  const model = tf.sequential({name: 'sequential_4', layers: [base, head] as unknown as tf.layers.Layer[]});
  const images = labels.flatMap((_, label) =>
    Array.from({length: perClass}, (_, i) => ({label, pixels: pixelsOf(label, i, side)})),
  );
  await train(base, head, images, labels.length, side);
  const zip = zipSync(await filesOf(model, labels, side));
  disposeModel(model);
  const files = images.map(
    ({label, pixels}, i) => [`${labels[label]!}/${i % perClass}.png`, pngOf(pixels, side, side)] as const,
  );
  return {zip, images: new Map(files)};
}

async function train(
  base: tf.LayersModel,
  head: tf.LayersModel,
  images: readonly {readonly label: number; readonly pixels: Uint8Array}[],
  classes: number,
  side: number,
): Promise<void> {
  const optimizer = tf.train.adam(1e-2);
  head.compile({optimizer, loss: 'categoricalCrossentropy'});
  const given = scaled(
    images.map(({pixels}) => pixels),
    side,
  );
  await reestimateBatchNorm(base, given, {samples: images.length, batchSize: 12});
  const x = base.predict(given, {batchSize: 12}) as tf.Tensor;
  const y = tf.tidy(() =>
    tf.cast(
      tf.oneHot(
        tf.tensor1d(
          images.map(({label}) => label),
          'int32',
        ),
        classes,
      ),
      'float32',
    ),
  );
  await head.fit(x, y, {epochs: 40, batchSize: 16, shuffle: false});
  tf.dispose([given, x, y]);
  optimizer.dispose();
}

async function filesOf(
  model: tf.LayersModel,
  labels: readonly string[],
  side: number,
): Promise<Record<string, Uint8Array>> {
  let artifacts: tf.io.ModelArtifacts | undefined;
  await model.save(
    tf.io.withSaveHandler(saved => {
      artifacts = saved;
      return Promise.resolve({modelArtifactsInfo: {dateSaved: new Date(0), modelTopologyType: 'JSON'}});
    }),
  );
  const {modelTopology, weightSpecs = [], weightData} = artifacts!;
  const text = (value: unknown) => new TextEncoder().encode(JSON.stringify(value));
  const metadata = {
    tfjsVersion: '1.7.4',
    tmVersion: '2.4.10',
    packageVersion: '0.8.4-alpha2',
    packageName: '@teachablemachine/image',
    timeStamp: '2026-01-01T12:00:00.000Z',
    userMetadata: {},
    modelName: 'tm-my-image-model',
    labels,
    imageSize: side,
  };
  return {
    'metadata.json': text(metadata),
    'model.json': text({modelTopology, weightsManifest: [{paths: ['weights.bin'], weights: weightSpecs}]}),
    'weights.bin': new Uint8Array(weightData as ArrayBuffer),
  };
}
