/** Layers of volumes: images piled upon each other. */
import {channelOf} from '../../quantizer/levels';
import {sizeOf, type Value} from '../graph';
import {refined} from '../grids';
import {constantOf, ints} from '../operation_view';
import {type Constant, floatsFrom, type Pool} from '../operators';
import {type Pair, paddingOf} from '../window';
import {activated} from './activation';
import {ofImages} from './images';
import type {LayerCall} from './layer_call';
import {filterOf, kernel, shapeOf} from './product';

/** In a volume's three dimensions: depth, rows and columns. */
type Triple = readonly [depth: number, rows: number, columns: number];

const triple = (each: (axis: 0 | 1 | 2) => number): Triple => [each(0), each(1), each(2)];

function tripleOf(call: LayerCall, name: 'dilationRate' | 'poolSize' | 'strides'): Triple {
  const value = call.get(name);
  return triple(axis => (typeof value === 'number' ? value : value[axis]!));
}

/** The three dimensions of a shape, between its batch and its channels. */
const spaceOf = (shape: readonly number[]): Triple => triple(axis => shape[axis + 1]!);

/** What tfjs pads in front of windows smaller than their steps: less than nothing, so that it begins further behind. */
function leftOut(call: LayerCall, size: Triple, window: Triple, strides: Triple): Triple {
  if (call.paddingRule === 'valid') return [0, 0, 0];
  return triple(axis => {
    const count = Math.ceil(size[axis] / strides[axis]);
    return Math.max(0, -Math.floor(((count - 1) * strides[axis] + window[axis] - size[axis]) / 2));
  });
}

/** What tfjs looks at of a volume, through windows of a size. */
function seen(call: LayerCall, x: Value, window: Triple, strides: Triple): Value {
  const size = spaceOf(x.shape);
  const begin = leftOut(call, size, window, strides);
  if (begin.every(each => each === 0)) return x;
  const most = (axis: 0 | 1 | 2) => (Math.ceil(size[axis] / strides[axis]) - 1) * strides[axis] + window[axis];
  const kept = triple(axis => (begin[axis] === 0 ? size[axis] : most(axis)));
  return call.graph.move('slice', {begin: [0, ...begin, 0]}, x, [x.shape[0]!, ...kept, x.shape[4]!]);
}

/**
 * Pools volumes: the images that they are piled of, then the pile, as columns of an image. An average of averages is one of
 * all, as all of either are of as many numbers.
 */
export function pool3d(kind: 'average' | 'max') {
  return ofImages((call, given) => {
    const {graph, shape} = call;
    const [size, strides] = [tripleOf(call, 'poolSize'), tripleOf(call, 'strides')];
    const volume = seen(call, given, size, strides);
    // Nobody measured the averages of images, which are on the volume's grid, in steps small enough to be averaged again.
    const x = kind === 'average' && volume.grid ? graph.round(volume, refined(volume.grid, true)) : volume;
    const [batch, depth, ...image] = x.shape as [number, number, number, number, number];
    const [height, width, channels] = image;
    const [, , rows, columns] = shape as [number, number, number, number];
    const [flat, deep]: [Pair, Pair] = [
      [size[1], size[2]],
      [size[0], 1],
    ];
    const [across, along]: [Pair, Pair] = [
      [strides[1], strides[2]],
      [strides[0], 1],
    ];
    const windowOf = (whole: Pair, window: Pair, steps: Pair): Pool => {
      return {size: window, strides: steps, padding: paddingOf(call.paddingRule, whole, window, steps, [1, 1])};
    };
    const images = graph.reshape(x, [batch * depth, ...image]);
    const pooled = (window: Pool, value: Value, to: readonly number[]) =>
      graph.move(kind === 'max' ? 'maxPool' : 'averagePool', window, value, to);
    const small = pooled(windowOf([height, width], flat, across), images, [batch * depth, rows, columns, channels]);
    const piles = graph.reshape(small, [batch, depth, rows * columns, channels]);
    const piled = windowOf([depth, rows * columns], deep, along);
    return graph.reshape(pooled(piled, piles, [batch, shape[1]!, rows * columns, channels]), shape);
  });
}

/** Weights in float, whether they are rounded or not. */
function floatsOf(call: LayerCall, attribute: string, axis: number): Constant {
  const {levels, scale, shape} = filterOf(call, attribute, kernel(shapeOf(call, attribute), axis), false);
  const channel = channelOf(shape, axis);
  const values = floatsFrom(levels, (level, i) => level * scale[channel(i)]!);
  return constantOf('float32', values, shape);
}

const ofAll = (each: Triple) => [1, ...each, 1];

function withBias(call: LayerCall, y: Value): Value {
  const bias = call.numbers.values.get('bias');
  return activated(call, bias ? call.operation('BiasAdd', [y, constantOf('float32', bias, [bias.length])]) : y);
}

export const conv3d = ofImages((call, given) => {
  const weights = floatsOf(call, 'kernel', 4);
  const [strides, dilations] = [tripleOf(call, 'strides'), tripleOf(call, 'dilationRate')];
  const window = triple(axis => (weights.shape[axis]! - 1) * dilations[axis] + 1);
  const x = seen(call, call.graph.float32(given), window, strides);
  const attrs = {padding: call.paddingRule.toUpperCase(), strides: ofAll(strides), dilations: ofAll(dilations)};
  return withBias(call, call.operation('Conv3D', [x, weights], {shape: call.shape}, attrs));
});

/** What tfjs leaves out of the convolution that would give x from the output is zeros here. */
export const conv3dTranspose = ofImages((call, given) => {
  const {graph, shape} = call;
  const x = graph.float32(given);
  const weights = floatsOf(call, 'kernel', 3);
  const [strides, window, whole, size] = [
    tripleOf(call, 'strides'),
    spaceOf([1, ...weights.shape]),
    spaceOf(shape),
    spaceOf(x.shape),
  ];
  const before = leftOut(call, whole, window, strides);
  const made = triple(axis => (before[axis] === 0 ? whole[axis] : (size[axis] - 1) * strides[axis] + window[axis]));
  const output = [shape[0]!, ...made, shape[4]!];
  const attrs = {padding: call.paddingRule.toUpperCase(), strides: ofAll(strides)};
  const y = call.operation('Conv3DBackpropInputV2', [ints(output), weights, x], {shape: output}, attrs);
  if (sizeOf(made) === sizeOf(whole)) return withBias(call, y);
  const around = triple(axis => whole[axis] - made[axis] - before[axis]);
  const amounts = [[0, 0], ...before.map((each, axis): Pair => [each, around[axis as 0]]), [0, 0]] as Pair[];
  return withBias(call, graph.move('pad', {amounts}, y, shape));
});
