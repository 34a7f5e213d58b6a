/** Classes that move values around, drop some or choose among them, and those that do so unless they are told to interpolate. */
import type {Layer} from '../graph';
import {attributesOf} from '../tfjs_internals';
import type {LayerSpec} from './layer_spec';

/** New pixels are computed, or those that there are repeated. */
function kindOfResizing(layer: Layer): 'elementwise' | 'passing' {
  return attributesOf(layer).interpolation === 'bilinear' ? 'elementwise' : 'passing';
}

export const PASSING = {
  AlphaDropout: {
    kind: 'passing',
    addsNoise: true,
    missingConfig: layer => ({noiseShape: attributesOf(layer).noiseShape}),
    lowered: 'integers',
  },
  Concatenate: {kind: 'concat', tfmot: 'output', lowered: 'integers'},
  Cropping2D: {kind: 'passing', tfmot: 'nothing', lowered: 'integers'},
  Dropout: {kind: 'passing', addsNoise: true, tfmot: 'nothing', lowered: 'integers'},
  Flatten: {kind: 'passing', tfmot: 'nothing', lowered: 'integers'},
  GaussianDropout: {kind: 'passing', addsNoise: true, lowered: 'integers'},
  GaussianNoise: {kind: 'passing', addsNoise: true, lowered: 'integers'},
  GlobalMaxPooling1D: {kind: 'passing', tfmot: 'nothing', lowered: 'integers'},
  GlobalMaxPooling2D: {kind: 'passing', tfmot: 'nothing', lowered: 'integers'},
  InputLayer: {kind: 'passing', lowered: 'integers'},
  MaxPooling1D: {kind: 'passing', lowered: 'integers'},
  MaxPooling2D: {kind: 'passing', tfmot: 'nothing', lowered: 'integers'},
  MaxPooling3D: {kind: 'passing', lowered: 'integers'},
  Permute: {kind: 'passing', tfmot: 'nothing', lowered: 'integers'},
  RandomWidth: {kind: kindOfResizing, addsNoise: true, lowered: 'float'},
  RepeatVector: {kind: 'passing', lowered: 'integers'},
  Reshape: {kind: 'passing', tfmot: 'nothing', lowered: 'integers'},
  // In models, tfjs cannot call either of those that are in float.
  Resizing: {kind: kindOfResizing, lowered: 'float'},
  SpatialDropout1D: {kind: 'passing', addsNoise: true, tfmot: 'nothing', lowered: 'integers'},
  UpSampling2D: {kind: kindOfResizing, tfmot: 'output', lowered: 'integers'},
  ZeroPadding2D: {kind: 'passing', tfmot: 'nothing', lowered: 'integers'},
} as const satisfies Readonly<Record<string, LayerSpec>>;
