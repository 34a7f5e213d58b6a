/** Layers that move values, or look them up. */
import {channelOf} from '../../quantizer/levels';
import {weightOf} from '../../layers/tfjs_internals';
import type {Value} from '../graph';
import {inverseOf} from '../graph_builder';
import {refined} from '../grids';
import {floatsFrom} from '../operators';
import type {Pair} from '../window';
import {ofBatches, toLast} from './images';
import type {LayerCall, Lowering} from './layer_call';
import {scaled} from './pooling';

export const unchanged: Lowering = (_call, x) => x;

export const reshape: Lowering = ({graph, shape}, x) => graph.reshape(x, shape);

/** Channel by channel, or with the channels of each pixel together. */
export const flatten: Lowering = (call, x) => {
  const pixels = call.get('dataFormat') === 'channelsFirst' ? call.graph.transpose(x, toLast(x.shape.length)) : x;
  return call.graph.reshape(pixels, call.shape);
};

export const permute: Lowering = (call, x) => call.graph.transpose(x, [0, ...call.get('dims')]);

/** As an image of one pixel that becomes a column of them. */
export const repeatVector: Lowering = ({graph, shape}, x) => {
  const [batch, count, length] = shape as [number, number, number];
  const pixel = graph.reshape(x, [batch, 1, 1, length]);
  const column = graph.move('resizeNearest', {alignCorners: false}, pixel, [batch, count, 1, length]);
  return graph.reshape(column, shape);
};

/** What a layer of images does to each of the four dimensions, of what it does to rows and columns. */
function ofAll<T>(call: LayerCall, [rows, columns]: readonly [T, T], others: T): T[] {
  const channelsFirst = call.get('dataFormat') === 'channelsFirst';
  return channelsFirst ? [others, others, rows, columns] : [others, rows, columns, others];
}

/** What cuts an image, or pads it: in the order in which its dimensions were before. */
function resized<T>(
  call: LayerCall,
  x: Value,
  all: readonly T[],
  write: (all: readonly T[], value: Value, shape: readonly number[]) => Value,
): Value {
  const {values, permutation} = call.graph.untransposed([x]);
  const before = <U>(each: readonly U[]) => inverseOf(permutation).map(axis => each[axis]!);
  return call.graph.transpose(write(before(all), values[0]!, before(call.shape)), permutation);
}

export const zeroPadding2d: Lowering = (call, x) => {
  const all = ofAll<Pair>(call, call.get('padding') as [Pair, Pair], [0, 0]);
  return resized(call, x, all, (amounts, value, shape) => call.graph.move('pad', {amounts}, value, shape));
};

export const cropping2d: Lowering = (call, x) => {
  const [[top], [left]] = call.get('cropping');
  return cropped(call, x, ofAll(call, [top, left], 0));
};

function cropped(call: LayerCall, x: Value, all: readonly number[]): Value {
  return resized(call, x, all, (begin, value, shape) => call.graph.move('slice', {begin}, value, shape));
}

/** What tfjs leaves out in front of one dimension, to crop it in its center. */
const before = (size: number, cropped: number) => Math.floor((size - cropped) / 2);

/** The center of an image; all of it, scaled up, where it is too small. */
export const centerCrop = ofBatches((call, x) => {
  const [, height, width] = x.shape as [number, number, number];
  const top = before(height, call.get('height'));
  // tfjs takes the columns on the right of two halves.
  const left = width === call.get('width') ? 0 : before(width, call.get('width')) || 1;
  return top < 0 || left < 0 ? scaled(call, x, 'bilinear', false) : cropped(call, x, [0, top, left, 0]);
});

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
  const values = floatsFrom(levels, (level, i) => level * grid.scale[channel(i)]!);
  const [scale, lowest, highest] = [grid.scale[0]!, grid.lowest[0]!, grid.highest[0]!];
  const all = {scale: scale || 1, lowest: Math.max(lowest, -128), highest: Math.max(highest, lowest + 1)};
  // Rows with steps of their own are on those that the output is rounded to; others on theirs, as fine as there is room for:
  // biases count in steps of what they are added to.
  const rule = grid.axis === undefined ? refined(all, false) : 'own';
  return call.graph.add('lookup', {table: {values, shape}}, {inputs: [x], shape: call.shape, rule});
};
