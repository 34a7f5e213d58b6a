/** The models that are trained, and that calls are measured on. */
import * as tf from '@tensorflow/tfjs-core';
import {initializers, input, type LayersModel, layers, model, type SymbolicTensor} from '@tensorflow/tfjs-layers';
import {digitClassifier} from '../lab/digit_classifier';
import type {QuantizeOptions} from '../src/entries/qat';
import type {ModelRowName, NetworkCallName} from './catalogue';
import {values} from './data';

/** MobileNetV2's block: expands the channels six times, filters each, shrinks back, and adds what it was given. */
function invertedResidual(inputShape: readonly number[]): LayersModel {
  const channels = inputShape.at(-1)!;
  const pointwise = (filters: number) => layers.conv2d({filters, kernelSize: 1, useBias: false});
  const depthwise = layers.depthwiseConv2d({kernelSize: 3, padding: 'same', useBias: false});
  const clamped = () => layers.reLU({maxValue: 6});
  const block = [
    pointwise(6 * channels),
    layers.batchNormalization(),
    clamped(),
    depthwise,
    layers.batchNormalization(),
    clamped(),
    pointwise(channels),
    layers.batchNormalization(),
  ];
  const image = input({shape: [...inputShape]});
  const filtered = block.reduce((x, layer) => layer.apply(x) as SymbolicTensor, image);
  return model({inputs: image, outputs: layers.add().apply([image, filtered]) as SymbolicTensor});
}

/** A model, and what it is trained to give. */
export interface Model {
  readonly make: (inputShape: readonly number[]) => LayersModel;
  readonly loss: string;
  /** How it is quantized. */
  readonly options?: QuantizeOptions;
  /** For a batch of inputs of this shape. */
  readonly targets: (batch: readonly number[]) => tf.Tensor;
}

function oneHotDigits(count: number): tf.Tensor {
  return tf.tidy(() =>
    tf
      .oneHot(
        tf.tensor1d(
          Array.from({length: count}, (_, i) => i % 10),
          'int32',
        ),
        10,
      )
      .toFloat(),
  );
}

const DIGITS: Model = {
  make: () => digitClassifier(() => initializers.glorotNormal({})),
  loss: 'categoricalCrossentropy',
  targets: ([count]) => oneHotDigits(count!),
};

const FEW_BITS: Model = {...DIGITS, options: {weights: {numBits: 4}, activations: {numBits: 4}}};

export const MODELS: Readonly<Record<Exclude<ModelRowName, NetworkCallName>, Model>> = {
  'step-block': {
    make: invertedResidual,
    loss: 'meanSquaredError',
    targets: batch => tf.tensor(values(tf.util.sizeFromShape([...batch]), 2), [...batch]),
  },
  'step-digits': DIGITS,
  'step-learned': FEW_BITS,
  'step-distil': FEW_BITS,
  calibrate: FEW_BITS,
  'calibrate-statistics': FEW_BITS,
  analyze: FEW_BITS,
  'choose-bits': FEW_BITS,
};
