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
  },
  Concatenate: {kind: 'concat', tfmot: 'output', lowered: true},
  Cropping2D: {kind: 'passing', tfmot: 'nothing', lowered: true},
  Dropout: {kind: 'passing', addsNoise: true, tfmot: 'nothing', lowered: true},
  Flatten: {kind: 'passing', tfmot: 'nothing', lowered: true},
  GaussianDropout: {kind: 'passing', addsNoise: true, lowered: true},
  GaussianNoise: {kind: 'passing', addsNoise: true, lowered: true},
  GlobalMaxPooling1D: {kind: 'passing', tfmot: 'nothing', lowered: true},
  GlobalMaxPooling2D: {kind: 'passing', tfmot: 'nothing', lowered: true},
  InputLayer: {kind: 'passing'},
  MaxPooling1D: {kind: 'passing', lowered: true},
  MaxPooling2D: {kind: 'passing', tfmot: 'nothing', lowered: true},
  MaxPooling3D: {kind: 'passing'},
  Permute: {kind: 'passing', tfmot: 'nothing', lowered: true},
  RandomWidth: {kind: kindOfResizing, addsNoise: true},
  RepeatVector: {kind: 'passing'},
  Reshape: {kind: 'passing', tfmot: 'nothing', lowered: true},
  Resizing: {kind: kindOfResizing},
  SpatialDropout1D: {kind: 'passing', addsNoise: true, tfmot: 'nothing', lowered: true},
  UpSampling2D: {kind: kindOfResizing, tfmot: 'output', lowered: true},
  ZeroPadding2D: {kind: 'passing', tfmot: 'nothing', lowered: true},
} as const satisfies Readonly<Record<string, LayerSpec>>;
