/** Layers that move values, or look them up. */
import {channelOf} from '../../quantizer/levels';
import {weightOf} from '../../layers/tfjs_internals';
import {refined} from '../grids';
import type {Pair} from '../window';
import type {LayerCall, Lowering} from './layer_call';

export const unchanged: Lowering = (_call, x) => x;

export const reshape: Lowering = ({graph, shape}, x) => graph.reshape(x, shape);

export const permute: Lowering = (call, x) =>
  call.graph.move('transpose', {permutation: [0, ...call.get('dims')]}, x, call.shape);

/** What a layer of images does to each of the four dimensions, of what it does to rows and columns. */
function ofAll<T>(call: LayerCall, [rows, columns]: readonly [T, T], others: T): T[] {
  const channelsFirst = call.get('dataFormat') === 'channelsFirst';
  return channelsFirst ? [others, others, rows, columns] : [others, rows, columns, others];
}

export const zeroPadding2d: Lowering = (call, x) => {
  const amounts = ofAll<Pair>(call, call.get('padding') as [Pair, Pair], [0, 0]);
  return call.graph.move('pad', {amounts}, x, call.shape);
};

export const cropping2d: Lowering = (call, x) => {
  const [[top], [left]] = call.get('cropping');
  return call.graph.move('slice', {begin: ofAll(call, [top, left], 0)}, x, call.shape);
};

export const embedding: Lowering = (call, x) => {
  const rounded = call.numbers.weights.get('embeddings');
  if (!rounded) {
    const table = {
      values: call.numbers.floats.get('embeddings')!,
      shape: weightOf(call.layer, 'embeddings')!.shape as number[],
    };
    return call.graph.add('lookup', {table}, {inputs: [x], shape: call.shape, rule: 'float32'});
  }
  const {levels, grid, shape} = rounded;
  const channel = channelOf(shape, grid.axis);
  const values = Float32Array.from(levels, (level, i) => level * grid.scale[channel(i)]!);
  const [scale, lowest, highest] = [grid.scale[0]!, grid.lowest[0]!, grid.highest[0]!];
  const all = {scale: scale || 1, lowest: Math.max(lowest, -128), highest: Math.max(highest, lowest + 1)};
  // Rows with steps of their own are on those that the output is rounded to; others on theirs, as fine as there is room for:
  // biases count in steps of what they are added to.
  const rule = grid.axis === undefined ? refined(all, false) : 'own';
  return call.graph.add('lookup', {table: {values, shape}}, {inputs: [x], shape: call.shape, rule});
};
