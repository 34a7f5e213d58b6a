/** Batch normalization with statistics that are constants. */
import {layers} from '@tensorflow/tfjs-layers';
import type {Constant} from '../../../graph_model/node_run';
import type {Shape} from '../graph_reader';
import type {LayerPlan, NoLayer, Pattern} from '../pattern';
import {layoutOf, noLayer, oneLayer, onFloats} from './parts';

interface Norm {
  readonly scale: Constant | undefined;
  readonly offset: Constant | undefined;
  readonly mean: Constant | undefined;
  readonly variance: Constant | undefined;
  readonly epsilon: number;
}

/** A BatchNormalization along an axis. */
export function normalized(
  {scale, offset, mean, variance, epsilon}: Norm,
  shape: Shape,
  axis: number,
): Pick<LayerPlan, 'make' | 'weights'> | NoLayer {
  if (!scale || !offset || !mean || !variance) return noLayer('computes its statistics');
  // tfjs normalizes along the last axis alone.
  if (axis !== shape.length - 1) return noLayer('normalizes channels that come first');
  if (shape.length > 4) return noLayer('normalizes more than 4 dimensions');
  const weights = [scale, offset, mean, variance];
  const channels = shape[axis];
  if (weights.some(({values}) => values.length !== channels)) return noLayer('has statistics of other channels');
  return {
    make: name => layers.batchNormalization({...name, axis, epsilon}),
    weights: weights.map(each => ({...each, shape: [channels!]})),
  };
}

export const fusedBatchNorm: Pattern = /*#__PURE__*/ onFloats((node, known, shape, x) => {
  const layout = layoutOf(node, shape.length);
  if (!layout) return noLayer('has its channels in blocks');
  const [scale, offset, mean, variance] = node.inputs.slice(1).map(each => known.constant(each));
  const epsilon = node.attrs.float('epsilon', 1e-4);
  const plan = normalized({scale, offset, mean, variance, epsilon}, shape, layout.channelAxis);
  return 'reason' in plan ? plan : oneLayer(node, [x], plan.make, plan.weights);
});
