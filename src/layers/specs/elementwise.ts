/** Classes that compute new values of those that they are given, without multiplying them with a kernel. */
import {attributesOf} from '../tfjs_internals';
import type {LayerSpec} from './layer_spec';

export const ELEMENTWISE = {
  Activation: {kind: 'activation', tfmot: 'activation', lowered: 'integers'},
  Add: {kind: 'merge', tfmot: 'output', lowered: 'integers'},
  Average: {kind: 'merge', lowered: 'integers'},
  AveragePooling1D: {kind: 'elementwise', tfmot: 'output', lowered: 'integers'},
  AveragePooling2D: {kind: 'elementwise', tfmot: 'output', lowered: 'integers'},
  AveragePooling3D: {kind: 'elementwise', lowered: 'integers'},
  BatchNormalization: {kind: 'batchNorm', lowered: 'integers'},
  CategoryEncoding: {kind: 'encoding', lowered: 'float'},
  // Images that are too small are not cropped, but scaled up.
  CenterCrop: {kind: 'elementwise', lowered: 'integers'},
  Dot: {kind: 'merge', lowered: 'integers'},
  ELU: {kind: 'activation', activation: 'ELU', lowered: 'integers'},
  GlobalAveragePooling1D: {kind: 'elementwise', tfmot: 'output', lowered: 'integers'},
  GlobalAveragePooling2D: {kind: 'elementwise', tfmot: 'output', lowered: 'integers'},
  LayerNormalization: {kind: 'elementwise', lowered: 'float'},
  LeakyReLU: {kind: 'activation', activation: 'LeakyReLU', tfmot: 'output', lowered: 'integers'},
  Masking: {kind: 'masking', makesMask: true, lowered: 'float'},
  Maximum: {kind: 'merge', lowered: 'integers'},
  Minimum: {kind: 'merge', lowered: 'integers'},
  Multiply: {kind: 'merge', lowered: 'integers'},
  PReLU: {kind: 'activation', activation: 'PReLU', lowered: 'integers'},
  ReLU: {
    kind: 'activation',
    activation: layer => (attributesOf(layer).maxValue === undefined ? 'relu' : 'relu6'),
    tfmot: 'output',
    lowered: 'integers',
  },
  Rescaling: {kind: 'elementwise', keepsSpacing: true, lowered: 'integers'},
  Softmax: {kind: 'activation', activation: 'softmax', tfmot: 'nothing', lowered: 'integers'},
  ThresholdedReLU: {kind: 'activation', activation: 'ThresholdedReLU', lowered: 'float'},
} as const satisfies Readonly<Record<string, LayerSpec>>;
