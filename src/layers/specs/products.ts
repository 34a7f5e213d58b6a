/** Classes that multiply what they are given with weights, or look rows of them up. */
import {attributesOf} from '../tfjs_internals';
import type {LayerSpec} from './layer_spec';

export const PRODUCTS = {
  Conv1D: {kind: 'compute', weights: {kernel: -1}, splits: true, lowered: 'integers'},
  Conv2D: {kind: 'compute', weights: {kernel: -1}, splits: true, tfmot: 'weightsPerChannel', lowered: 'integers'},
  Conv2DTranspose: {
    kind: 'compute',
    weights: {kernel: -2},
    splits: true,
    tfmot: 'weightsTransposed',
    lowered: 'integers',
  },
  Conv3D: {kind: 'compute', weights: {kernel: -1}, lowered: 'float'},
  Conv3DTranspose: {kind: 'compute', weights: {kernel: -2}, lowered: 'float'},
  Dense: {kind: 'compute', weights: {kernel: -1}, splits: true, tfmot: 'weights', lowered: 'integers'},
  DepthwiseConv2D: {
    kind: 'compute',
    weights: {depthwiseKernel: 'depthwise'},
    // tfjs saves the regularizer in the constraint's place.
    missingConfig: layer => {
      const {depthwiseConstraint: constraint} = attributesOf(layer);
      return {
        depthwiseConstraint: constraint ? {className: constraint.getClassName(), config: constraint.getConfig()} : null,
      };
    },
    splits: true,
    tfmot: 'weightsPerChannel',
    lowered: 'integers',
  },
  Embedding: {
    kind: 'embedding',
    weights: {embeddings: 0},
    makesMask: layer => attributesOf(layer).maskZero ?? false,
    lowered: 'integers',
  },
  SeparableConv2D: {
    kind: 'compute',
    weights: {depthwiseKernel: 'depthwise', pointwiseKernel: -1},
    between: true,
    missingConfig: layer => ({depthMultiplier: attributesOf(layer).depthMultiplier}),
    tfmot: 'parts',
    lowered: 'integers',
  },
} as const satisfies Readonly<Record<string, LayerSpec>>;
