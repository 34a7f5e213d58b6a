/** Layers that multiply: with kernels, or each channel with a number. */
import {gainOf} from '../../layers/folding';
import {asBatchNorm, weightOf} from '../../layers/tfjs_internals';
import {channelOf} from '../../quantizer/levels';
import type {Value} from '../graph';
import {inverseOf} from '../graph_builder';
import {fitsInt8} from '../grids';
import {type Convolution, type Filter, scaleChannels} from '../operators';
import type {ValueName} from '../read_layers';
import {NO_PADDING, type Pair, paddingOf} from '../window';
import {activated} from './activation';
import {ofImages} from './images';
import type {LayerCall, Lowering} from './layer_call';

type Layout = Pick<Filter, 'shape' | 'view' | 'axis'>;

/** A kernel whose dimension `axis`, the last by default, has the output channels. */
export const kernel = (shape: readonly number[], axis = shape.length - 1): Layout => ({shape, view: shape, axis});

/** A kernel whose last two dimensions are the output channels together. */
function depthwiseKernel(shape: readonly number[]): Layout {
  const [height, width, channels, multiplier] = shape as [number, number, number, number];
  return {shape, view: [height * width, channels * multiplier], axis: 1};
}

export function shapeOf(call: LayerCall, attribute: string): readonly number[] {
  return weightOf(call.layer, attribute)!.shape as number[];
}

export function filterOf(call: LayerCall, attribute: string, layout: Layout, hasBias = true): Filter {
  const outputs = layout.view[layout.axis]!;
  const bias = hasBias ? call.perChannel('bias', outputs, 0) : new Float64Array(outputs);
  const rounded = call.numbers.weights.get(attribute);
  if (!rounded) {
    const levels = call.numbers.floats.get(attribute)!;
    return {...layout, levels, bits: undefined, scale: new Float64Array(outputs).fill(1), bias};
  }
  const {levels, grid, view, gain} = rounded;
  const [step, output] = [channelOf(view, grid.axis), channelOf(layout.view, layout.axis)];
  const scale = new Float64Array(outputs);
  for (let i = 0; i < levels.length; ++i) {
    // A channel of zeros has no step: for tiny gains, it would be out of the runtimes' limits.
    if (levels[i] !== 0) scale[output(i)] = grid.scale[step(i)]!;
  }
  const integers = fitsInt8(levels)
    ? {levels: levels instanceof Int8Array ? levels : new Int8Array(levels), bits: grid.bits}
    : {levels: new Float32Array(levels), bits: undefined};
  const filter = {...layout, ...integers, scale, bias};
  // Whatever follows, also the BatchNormalization that they were rounded for, multiplies them again.
  const inverse = gain?.map(each => 1 / each);
  if (inverse) scaleChannels(filter, inverse);
  return filter;
}

/** The window of a kernel over an image. */
export function windowOf(call: LayerCall, image: readonly number[], [height, width]: readonly number[]) {
  const strides = call.pair('strides');
  // tfjs ignores it there.
  const dilations: Pair = call.layer.getClassName() === 'DepthwiseConv2D' ? [1, 1] : call.pair('dilationRate', 1);
  const size: Pair = [image[1]!, image[2]!];
  return {strides, dilations, padding: paddingOf(call.paddingRule, size, [height!, width!], strides, dilations)};
}

function convolved(
  call: LayerCall,
  operator: 'conv2d' | 'depthwiseConv2d' | 'transposedConv2d',
  convolution: Convolution,
  x: Value,
  shape = call.shape,
): Value {
  return call.graph.add(operator, convolution, {inputs: [x], shape, rule: 'own'});
}

export const conv2d = ofImages((call, x) => {
  const shape = shapeOf(call, 'kernel');
  const filter = filterOf(call, 'kernel', kernel(shape));
  return activated(call, convolved(call, 'conv2d', {filter, ...windowOf(call, x.shape, shape)}, x));
});

/** As a convolution of images of one line. */
export const conv1d: Lowering = (call, x) => {
  const [batch, ...rows] = x.shape as [number, number, number];
  const shape = [1, ...shapeOf(call, 'kernel')];
  const image = call.graph.reshape(x, [batch, 1, ...rows]);
  const strides: Pair = [1, call.pair('strides')[0]];
  const dilations: Pair = [1, call.pair('dilationRate')[0]];
  const padding = paddingOf(call.paddingRule, [1, rows[0]], [1, shape[1]!], strides, dilations);
  const filter = filterOf(call, 'kernel', kernel(shape));
  const lines = [batch, 1, ...call.shape.slice(1)];
  const y = convolved(call, 'conv2d', {filter, strides, dilations, padding}, image, lines);
  return call.graph.reshape(activated(call, y), call.shape);
};

function depthwise(call: LayerCall, x: Value, outputs: number, hasBias: boolean): Value {
  const shape = shapeOf(call, 'depthwiseKernel');
  const filter = filterOf(call, 'depthwiseKernel', depthwiseKernel(shape), hasBias);
  const convolution = {filter, ...windowOf(call, x.shape, shape)};
  return convolved(call, 'depthwiseConv2d', convolution, x, [...call.shape.slice(0, 3), outputs]);
}

export const depthwiseConv2d = ofImages((call, x) => activated(call, depthwise(call, x, call.shape[3]!, true)));

export const separableConv2d = ofImages((call, x) => {
  const shape = shapeOf(call, 'pointwiseKernel');
  const middle = call.round(depthwise(call, x, shape[2]!, false), 'between');
  const filter = filterOf(call, 'pointwiseKernel', kernel(shape));
  const pointwise = {filter, strides: [1, 1], dilations: [1, 1], padding: {...NO_PADDING, rule: 'valid'}} as const;
  return activated(call, convolved(call, 'conv2d', pointwise, middle));
});

/** Padded as the convolution that gives x from its output would be. */
export const conv2dTranspose = ofImages((call, x) => {
  const shape = shapeOf(call, 'kernel');
  const filter = filterOf(call, 'kernel', kernel(shape, 2));
  return activated(call, convolved(call, 'transposedConv2d', {filter, ...windowOf(call, call.shape, shape)}, x));
});

export const dense: Lowering = (call, x) => {
  const filter = filterOf(call, 'kernel', kernel(shapeOf(call, 'kernel')));
  const y = call.graph.add('dense', {filter}, {inputs: [x], shape: call.shape, rule: 'own'});
  return activated(call, y);
};

export const batchNorm: Lowering = (call, x) => {
  const {graph} = call;
  const [given] = [call.get('axis')].flat() as [number]; // Keras saves a list
  const axis = given < 0 ? given + x.shape.length : given;
  if (axis === 0) {
    const {name} = call.layer;
    graph.problems.push({layer: name, problem: `layer ${name}: it normalizes samples, its axis 0, and not channels.`});
    return x;
  }
  const order = [...x.shape.map((_, i) => i).filter(i => i !== axis), axis];
  return graph.transpose(normalized(call, graph.transpose(x, order)), inverseOf(order));
};

/** Along the last dimension. */
function normalized(call: LayerCall, x: Value): Value {
  const channels = x.shape[x.shape.length - 1]!;
  const of = (name: ValueName, otherwise: number) => call.perChannel(name, channels, otherwise);
  const [gamma, beta, mean, variance] = [of('gamma', 1), of('beta', 0), of('movingMean', 0), of('movingVariance', 1)];
  const gain = gainOf(gamma, variance, asBatchNorm(call.layer).epsilon);
  const offset = beta.map((each, c) => each - mean[c]! * gain[c]!);
  return call.graph.affine(x, gain, offset);
}

export const rescaling: Lowering = (call, x) =>
  call.graph.each(x, value => {
    const all = (number: number) => new Float64Array(value.shape[value.shape.length - 1]!).fill(number);
    return call.graph.affine(value, all(call.get('scale')), all(call.get('offset')));
  });
