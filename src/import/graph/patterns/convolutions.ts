/** Convolutions of all kinds. */
import {layers} from '@tensorflow/tfjs-layers';
import type {Constant} from '../../../graph_model/node_run';
import type {Edge, GraphNode, Known, Shape} from '../graph_reader';
import type {LayerPlan, Match, NoLayer, Pattern} from '../pattern';
import {zeroPadding} from './padding';
import {Chain, inSpace, knownIntegers, type Layout, layoutOf, noLayer, onFloats, whyNoFloat} from './parts';
import {type Config, type Product, productMatch} from './product';

/** The strides, dilations and padding of a convolution. */
interface Window {
  readonly strides: number[];
  readonly dilations: number[];
  readonly padding: 'same' | 'valid';
  readonly zeros?: LayerPlan['make'];
}

function windowOf(node: GraphNode, layout: Layout, shape: Shape): Window | NoLayer {
  const ones = shape.map(() => 1);
  const strides = inSpace(node.attrs.ints('strides', ones), layout);
  const dilations = inSpace(node.attrs.ints('dilations', ones), layout);
  if (!strides || !dilations) return noLayer('has strides over its batch or channels');
  if (strides.some(each => each > 1) && dilations.some(each => each > 1)) {
    return noLayer('has both strides and dilations');
  }
  const padding = node.attrs.text('padding', 'VALID');
  if (padding === 'SAME' || padding === 'VALID') {
    return {strides, dilations, padding: padding === 'SAME' ? 'same' : 'valid'};
  }
  const explicit = node.attrs.ints('explicit_paddings');
  const pads = shape.map((_, axis) => [explicit[2 * axis] ?? 0, explicit[2 * axis + 1] ?? 0] as const);
  const plan = zeroPadding(pads, shape);
  if ('reason' in plan) return plan;
  if (plan.length > 1) return noLayer('pads more than its space');
  const [zeros] = plan;
  return {strides, dilations, padding: 'valid', ...(zeros && {zeros})};
}

/** Convolutions that share this: what they take, their filter, how it moves. */
function convolution(
  rank: number,
  product: (
    given: {kernel: Constant; channels: number; layout: Layout; shape: Shape},
    window: Window,
  ) => (Pick<Product, 'kernel' | 'make'> & {readonly channels: number}) | NoLayer,
): Pattern {
  return onFloats((node, known, shape, x) => {
    if (shape.length !== rank) return noLayer(`takes a value of rank ${shape.length}`);
    const kernel = known.constant(node.inputs[1]);
    if (!kernel || x !== node.inputs[0]) return noLayer('computes its filter');
    const layout = layoutOf(node, rank);
    if (!layout) return noLayer('has its channels in blocks');
    const channels = shape[layout.channelAxis];
    if (channels === null || channels === undefined) return noLayer('has an open number of channels');
    const window = windowOf(node, layout, shape);
    if ('reason' in window) return window;
    const found = product({kernel, channels, layout, shape}, window);
    if ('reason' in found) return found;
    const out = shape.map((dim, axis) => (axis === layout.channelAxis ? found.channels : axis === 0 ? dim : null));
    const {kernel: weights, make} = found;
    const {channelAxis} = layout;
    const padding = window.zeros && {padding: window.zeros};
    return productMatch(
      node,
      {takes: x, kernel: weights, together: 1, shape: out, channelAxis, make, ...padding},
      known,
    );
  });
}

type Two = [number, number];
type Three = [number, number, number];

export const conv2d = /*#__PURE__*/ convolution(
  4,
  ({kernel, channels, layout: {dataFormat}}, {strides, dilations, padding}) => {
    const [height, width, inputs, filters] = kernel.shape as [number, number, number, number];
    if (inputs !== channels) return noLayer('convolves its channels in groups');
    const config = {filters, kernelSize: [height, width] as Two, strides: strides as Two, padding, dataFormat};
    const make = (own: Config) => layers.conv2d({...own, ...config, dilationRate: dilations as Two});
    return {kernel, channels: filters, make};
  },
);

export const depthwiseConv2d = /*#__PURE__*/ convolution(
  4,
  ({kernel, channels, layout: {dataFormat}}, {strides, dilations, padding}) => {
    const [height, width, inputs, depthMultiplier] = kernel.shape as [number, number, number, number];
    if (inputs !== channels) return noLayer('has a filter for other channels');
    // tfjs-layers leaves them out.
    if (dilations.some(each => each > 1)) return noLayer('has dilations, and no depthwise layer has');
    const config = {kernelSize: [height, width] as Two, strides: strides as Two, padding, dataFormat, depthMultiplier};
    return {kernel, channels: inputs * depthMultiplier, make: own => layers.depthwiseConv2d({...own, ...config})};
  },
);

export const conv3d = /*#__PURE__*/ convolution(
  5,
  ({kernel, channels, layout: {dataFormat}}, {strides, dilations, padding}) => {
    const [depth, height, width, inputs, filters] = kernel.shape as [number, number, number, number, number];
    if (inputs !== channels) return noLayer('convolves its channels in groups');
    const config = {filters, kernelSize: [depth, height, width] as Three, padding, dataFormat};
    const moved = {strides: strides as Three, dilationRate: dilations as Three};
    return {kernel, channels: filters, make: own => layers.conv3d({...own, ...config, ...moved})};
  },
);

/** The gradient of a convolution, which is what a transposed one is. */
export const conv2dTranspose: Pattern = (node, known) => {
  const [size, filter, x] = node.inputs;
  const reason = x ? whyNoFloat(x, known) : 'takes nothing';
  if (reason) return noLayer(reason);
  const shape = known.shape(x!)!;
  const kernel = known.constant(filter);
  if (!kernel) return noLayer('computes its filter');
  const layout = shape.length === 4 ? layoutOf(node, 4) : undefined;
  if (!layout) return noLayer('has its channels in blocks');
  const window = windowOf(node, layout, shape);
  if ('reason' in window) return window;
  const {strides, dilations, padding, zeros} = window;
  if (zeros || dilations.some(each => each > 1)) return noLayer('has paddings or dilations that no layer has');
  const [height, width, filters, inputs] = kernel.shape as [number, number, number, number];
  if (shape[layout.channelAxis] !== inputs) return noLayer('convolves its channels in groups');
  const wanted = known.integers(size);
  const sizes = wanted?.length === 2 ? wanted : layout.space.map(axis => wanted?.[axis]);
  const fits = layout.space.every((axis, i) => {
    const [dim, stride] = [shape[axis], strides[i]!];
    if (typeof dim !== 'number' || typeof sizes[i] !== 'number') return false;
    return sizes[i] === dim * stride + (padding === 'valid' ? Math.max([height, width][i]! - stride, 0) : 0);
  });
  if (!fits) return noLayer('gives another size than a layer, or one that is open');
  const {dataFormat, channelAxis} = layout;
  const config = {filters, kernelSize: [height, width] as Two, strides: strides as Two, padding, dataFormat};
  const out = shape.map((dim, axis) => (axis === channelAxis ? filters : axis === 0 ? dim : null));
  const make = (own: Config) => layers.conv2dTranspose({...own, ...config});
  return productMatch(node, {takes: x!, kernel, together: inputs, shape: out, channelAxis, make}, known);
};

/** A convolution between SpaceToBatchND and BatchToSpaceND, which is one with dilations. */
export const spaceToBatch: Pattern = /*#__PURE__*/ onFloats((node, known, shape, x) => {
  const chain = new Chain(node, known);
  const [path, blocks, pads] = [
    chain.next(),
    ...node.inputs.slice(1, 3).map(each => knownIntegers(each, known)),
  ] as const;
  const conv = path?.at(-1);
  const plain = noLayer('moves pixels to the batch');
  if (!conv || !blocks || !pads || shape.length !== 4 || blocks.length !== 2) return plain;
  if (!(conv.op === 'Conv2D' || conv.op === '_FusedConv2D') || conv.attrs.text('padding') !== 'VALID') return plain;
  if (layoutOf(conv, 4)?.dataFormat !== 'channelsLast') return plain;
  if ([...conv.attrs.ints('strides'), ...conv.attrs.ints('dilations')].some(each => each !== 1)) return plain;
  chain.take(path!);
  // What is fused behind the convolution is the same for every pixel.
  const back = chain.next();
  const last = back?.at(-1);
  if (last?.op !== 'BatchToSpaceND') return plain;
  const [sameBlocks, crops] = last.inputs.slice(1, 3).map(each => knownIntegers(each, known));
  if (!crops || String(sameBlocks) !== String(blocks)) return plain;
  chain.take(back!);
  const [top, bottom, left, right] = pads as [number, number, number, number];
  const [cropTop, cropBottom, cropLeft, cropRight] = crops as [number, number, number, number];
  if (cropTop !== 0 || cropLeft !== 0 || cropBottom > bottom || cropRight > right) return plain;
  const found = zeroPadding(
    [
      [0, 0],
      [top, bottom - cropBottom],
      [left, right - cropRight],
      [0, 0],
    ],
    shape,
  );
  const kernel = known.constant(conv.inputs[1]);
  if ('reason' in found || !kernel) return plain;
  const [height, width, inputs, filters] = kernel.shape as [number, number, number, number];
  if (inputs !== shape[3]) return noLayer('convolves its channels in groups');
  const config = {filters, kernelSize: [height, width] as Two, dilationRate: [...blocks] as Two};
  const [padding] = found;
  const product = {
    takes: x,
    kernel,
    together: 1,
    shape: [shape[0]!, null, null, filters],
    channelAxis: 3,
    make: (own: Config) => layers.conv2d({...own, ...config}),
    nodes: chain.nodes,
    ...(padding && {padding}),
  };
  return productMatch(conv, product, known);
});

/** A convolution of steps: how TensorFlow writes a Conv1D, as images of one row or column. */
export function conv1dFrom(node: GraphNode, x: Edge, shape: Shape, axis: number, known: Known): Match | undefined {
  if (shape.length !== 3 || axis === 3) return undefined;
  const chain = new Chain(node, known);
  const path = chain.next();
  const conv = path?.at(-1);
  if (conv?.op !== 'Conv2D' && conv?.op !== '_FusedConv2D') return undefined;
  const [kernel, layout] = [known.constant(conv.inputs[1]), layoutOf(conv, 4)];
  if (layout?.dataFormat !== 'channelsLast') return undefined;
  const window = windowOf(conv, layout, [...shape.slice(0, axis), 1, ...shape.slice(axis)]);
  if (!kernel || 'reason' in window || window.zeros) return undefined;
  chain.take(path!);
  const back = chain.next();
  const squeeze = back?.at(-1);
  if (squeeze?.op !== 'Squeeze') return undefined;
  const dropped = squeeze.attrs.ints('squeeze_dims', squeeze.attrs.ints('axis'));
  if (dropped.length !== 1 || (dropped[0]! + 4) % 4 !== axis) return undefined;
  chain.take(back!);
  const along = axis === 1 ? 1 : 0;
  const [across, [size, inputs, filters]] = [kernel.shape[1 - along], [kernel.shape[along], ...kernel.shape.slice(2)]];
  if (across !== 1 || inputs !== shape[2]) return undefined;
  const {padding, strides, dilations} = window;
  const config = {
    filters: filters!,
    kernelSize: size!,
    padding,
    strides: strides[along]!,
    dilationRate: dilations[along]!,
  };
  const product = {
    takes: x,
    kernel: {...kernel, shape: [size!, inputs!, filters!]},
    together: 1,
    shape: [shape[0]!, null, filters!],
    channelAxis: 2,
    make: (own: Config) => layers.conv1d({...own, ...config}),
    nodes: chain.nodes,
  };
  const match = productMatch(conv, product, known);
  return 'reason' in match ? undefined : match;
}
