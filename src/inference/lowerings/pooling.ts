/** Layers that look at images through windows without weights, and those that resize images. */
import {typeOf, type Value} from '../graph';
import {needsInt16, refined, type ValueGrid} from '../grids';
import type {Filter, Pool} from '../operators';
import {NO_PADDING, padsNothing, type Pair, paddingOf} from '../window';
import {ofBatches, ofImages} from './images';
import type {LayerCall, Lowering} from './layer_call';

/** Pools images; rows of the same as images of one line. */
export function pool(kind: 'average' | 'max', dims: 1 | 2): Lowering {
  return ofImages((call, x) => {
    const pair = (name: 'poolSize' | 'strides'): Pair => (dims === 2 ? call.pair(name) : [1, call.pair(name)[0]]);
    const line = (shape: readonly number[]) => (dims === 2 ? shape : [shape[0]!, 1, ...shape.slice(1)]);
    const image = call.graph.reshape(x, line(x.shape));
    const [size, strides, [, rows, columns]] = [pair('poolSize'), pair('strides'), image.shape];
    const padding = paddingOf(call.paddingRule, [rows!, columns!], size, strides, [1, 1]);
    const y = pooled(call, kind, {size, strides, padding}, image, line(call.shape));
    return call.graph.reshape(y, call.shape);
  });
}

function pooled(call: LayerCall, kind: 'average' | 'max', window: Pool, x: Value, shape: readonly number[]): Value {
  if (kind === 'max') return call.graph.move('maxPool', window, x, shape);
  if (padsNothing(window.padding) && !typeOf(x)) return meanOfWindow(call, window, x, shape);
  return call.graph.move('averagePool', window, inSmallerSteps(call, x), shape);
}

/** x in smaller steps, where the layer's output has more levels: averages and pixels between others stay on x's grid. */
function inSmallerSteps(call: LayerCall, x: Value): Value {
  const [from, to] = [x.grid, call.grid('output')];
  return from && to && levelsIn(from) < levelsIn(to) ? call.graph.round(x, refined(from, needsInt16(to))) : x;
}

const levelsIn = ({lowest, highest}: ValueGrid) => highest - lowest;

/** As a product, an average is on a grid of its own, and takes what follows into itself. */
function meanOfWindow(call: LayerCall, {size, strides}: Pool, x: Value, shape: readonly number[]): Value {
  const channels = x.shape[3]!;
  const positions = size[0] * size[1];
  const filter: Filter = {
    levels: new Int8Array(positions * channels).fill(1),
    shape: [...size, channels, 1],
    view: [positions, channels],
    axis: 1,
    bits: 8,
    scale: new Float64Array(channels).fill(1 / positions),
    bias: new Float64Array(channels),
  };
  const convolution = {filter, strides, dilations: [1, 1], padding: NO_PADDING} as const;
  return call.graph.add('depthwiseConv2d', convolution, {inputs: [x], shape, rule: 'own'});
}

export function globalAverage(axes: readonly number[]): Lowering {
  return ofImages(({graph, shape}, x) => graph.add('mean', {axes}, {inputs: [x], shape, rule: 'own'}));
}

export function globalMax(axes: readonly number[]): Lowering {
  return ofImages(({graph, shape}, x) => graph.move('max', {axes}, x, shape));
}

/** Images of the size that the call gives. */
export function scaled(call: LayerCall, x: Value, interpolation: string, alignCorners: boolean): Value {
  return interpolation === 'bilinear'
    ? call.graph.move('resizeBilinear', {alignCorners}, inSmallerSteps(call, x), call.shape)
    : call.graph.move('resizeNearest', {alignCorners}, x, call.shape);
}

export const upSampling2d = ofImages((call, x) => scaled(call, x, call.get('interpolation'), false));

/** tfjs takes its cropToAspectRatio for the opposite of aligned corners, and is wrong about the shape of batches. */
export const resizing = ofBatches((call, x) => {
  const [batch, , , channels] = x.shape as [number, number, number, number];
  const sized = call.giving([batch, call.get('height'), call.get('width'), channels]);
  return scaled(sized, x, call.get('interpolation'), !call.get('cropToAspectRatio'));
});
