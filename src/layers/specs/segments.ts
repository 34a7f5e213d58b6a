/** Classes of this package that stand in models which are not quantized. */
import type {LayerSpec} from './layer_spec';

export const SEGMENTS = {
  'tfjs-quantization>GraphSegment': {kind: 'segment', lowered: 'integers'},
} as const satisfies Readonly<Record<string, LayerSpec>>;
