/** Layers that move values, or look them up. */
import {channelOf} from '../../quantizer/levels';
import {attributesOf} from '../../layers/tfjs_internals';
import type {Pair} from '../window';
import type {Lowering} from './layer_call';

export const unchanged: Lowering = (_call, x) => x;

export const reshape: Lowering = ({graph, shape}, x) => graph.reshape(x, shape);

export const permute: Lowering = (call, x) =>
  call.graph.move('transpose', {permutation: [0, ...call.get('dims')]}, x, call.shape);

export const zeroPadding2d: Lowering = (call, x) => {
  const padding = call.get('padding') as [Pair, Pair];
  // With its channels in front, it pads columns and channels of images that have them last.
  const amounts: Pair[] =
    attributesOf(call.layer).dataFormat === 'channelsFirst'
      ? [[0, 0], [0, 0], ...padding]
      : [[0, 0], ...padding, [0, 0]];
  return call.graph.move('pad', {amounts}, x, call.shape);
};

export const cropping2d: Lowering = (call, x) => {
  const [[top], [left]] = call.get('cropping');
  return call.graph.move('slice', {begin: [0, top, left, 0]}, x, call.shape);
};

export const embedding: Lowering = (call, x) => {
  const {levels, grid, shape} = call.numbers.weights.get('embeddings')!;
  const channel = channelOf(shape, grid.axis);
  const values = Float32Array.from(levels, (level, i) => level * grid.scale[channel(i)]!);
  const [scale, lowest, highest] = [grid.scale[0]!, grid.lowest[0]!, grid.highest[0]!];
  // Rows with steps of their own are on those that the output is rounded to.
  const rule =
    grid.axis === undefined
      ? {scale: scale || 1, lowest: Math.max(lowest, -128), highest: Math.max(highest, lowest + 1)}
      : 'own';
  return call.graph.add('lookup', {table: {values, shape}}, {inputs: [x], shape: call.shape, rule});
};
