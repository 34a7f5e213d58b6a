/** Classes that compute new values of those that they are given, without multiplying them with a kernel. */
import {attributesOf} from '../tfjs_internals';
import type {LayerSpec} from './layer_spec';

export const ELEMENTWISE = {
  Activation: {kind: 'activation', tfmot: 'activation', lowered: true},
  Add: {kind: 'merge', tfmot: 'output', lowered: true},
  Average: {kind: 'merge'},
  AveragePooling1D: {kind: 'elementwise', tfmot: 'output', lowered: true},
  AveragePooling2D: {kind: 'elementwise', tfmot: 'output', lowered: true},
  AveragePooling3D: {kind: 'elementwise'},
  BatchNormalization: {kind: 'batchNorm', lowered: true},
  CategoryEncoding: {kind: 'encoding'},
  // Images that are too small are not cropped, but scaled up.
  CenterCrop: {kind: 'elementwise'},
  Dot: {kind: 'merge'},
  ELU: {kind: 'activation', activation: 'ELU', lowered: true},
  GlobalAveragePooling1D: {kind: 'elementwise', tfmot: 'output', lowered: true},
  GlobalAveragePooling2D: {kind: 'elementwise', tfmot: 'output', lowered: true},
  LayerNormalization: {kind: 'elementwise'},
  LeakyReLU: {kind: 'activation', activation: 'LeakyReLU', tfmot: 'output', lowered: true},
  Masking: {kind: 'masking', makesMask: true},
  Maximum: {kind: 'merge', lowered: true},
  Minimum: {kind: 'merge', lowered: true},
  Multiply: {kind: 'merge', lowered: true},
  PReLU: {kind: 'activation', activation: 'PReLU', lowered: true},
  ReLU: {
    kind: 'activation',
    activation: layer => (attributesOf(layer).maxValue === undefined ? 'relu' : 'relu6'),
    tfmot: 'output',
    lowered: true,
  },
  Rescaling: {kind: 'elementwise', keepsSpacing: true, lowered: true},
  Softmax: {kind: 'activation', activation: 'softmax', tfmot: 'nothing', lowered: true},
  ThresholdedReLU: {kind: 'activation', activation: 'ThresholdedReLU'},
} as const satisfies Readonly<Record<string, LayerSpec>>;
