/** Convolutions and products of matrices, with what follows them folded into their weights. */
import {layers} from '@tensorflow/tfjs-layers';
import type {Constant} from '../../../graph_model/node_run';
import type {Edge, GraphNode, Known, Shape} from '../graph_reader';
import type {LayerPlan, Match, NoLayer, Pattern} from '../pattern';
import {activationOf, followingActivation, leakyReluOf, prelu} from './activations';
import {Affine, perChannel} from './affine';
import {normalized} from './normalization';
import {Chain, inSpace, type Layout, layoutOf, noLayer, onFloats, knownIntegers, whyNoFloat} from './parts';
import {zeroPadding} from './padding';

type Activation = ReturnType<typeof activationOf>;

/** What of a layer hangs on the nodes that follow. */
interface Config {
  readonly name: string;
  readonly useBias: boolean;
  readonly activation?: NonNullable<Activation>;
}

/** A layer that multiplies. */
interface Product {
  readonly takes: Edge;
  readonly kernel: Constant;
  /** How many weights lie side by side that belong to the same output channel. */
  readonly together: number;
  /** What it gives. */
  readonly shape: Shape;
  readonly channelAxis: number;
  readonly make: (config: Config) => layers.Layer;
  /** What its input passes first. */
  readonly padding?: LayerPlan['make'];
  /** The nodes that it is made of, when it is not one. */
  readonly nodes?: readonly GraphNode[];
}

/** A layer behind a product, whose name is not settled yet. */
interface Behind {
  of: GraphNode;
  suffix?: string;
  make: LayerPlan['make'];
  weights?: readonly Constant[];
  takes?: readonly (Edge | LayerPlan)[];
}

/** What an op that is fused computes behind its product. */
interface Fused {
  bias?: Constant;
  activation?: Activation;
  /** A value that is added. */
  side?: Edge;
  /** Layers of their own; those that take more than the one before are told what that is. */
  readonly behind: ((before: LayerPlan, of: GraphNode) => readonly Behind[])[];
}

function alone(plan: Pick<LayerPlan, 'make' | 'weights'>): Fused['behind'][number] {
  return (_, of) => [{...plan, of}];
}

/** x * relu6(x + 3) / 6, as the converter fuses it. */
function hardSwish(x: LayerPlan, of: GraphNode): readonly Behind[] {
  const shifted: Behind = {of, make: name => layers.rescaling({...name, scale: 1, offset: 3})};
  const gate: Behind = {of, make: name => layers.activation({...name, activation: 'relu6'})};
  const gated: Behind = {of, takes: [x, gate], make: name => layers.multiply(name)};
  return [shifted, gate, gated, {of, make: name => layers.rescaling({...name, scale: 1 / 6})}];
}

/** Takes up one op that is fused; or tells why that is none that layers do. */
function fuse(op: string, fused: Fused, node: GraphNode, args: Edge[], {shape, channelAxis}: Product, known: Known) {
  const take = () => known.constant(args.shift());
  switch (op) {
    case 'BiasAdd':
    case 'Add': {
      const [edge] = args;
      const bias = take();
      // The converter also fuses the sum with another branch.
      if (bias) fused.bias = bias;
      else if (edge && !whyNoFloat(edge, known) && known.shape(edge)!.length === shape.length) fused.side = edge;
      else return noLayer('computes its bias');
      if (!bias) fused.behind.push((before, of) => [{of, takes: [before, edge!], make: name => layers.add(name)}]);
      return undefined;
    }
    case 'FusedBatchNorm': {
      const [scale, offset, mean, variance] = [take(), take(), take(), take()];
      const epsilon = node.attrs.float('epsilon', 1e-4);
      const norm = normalized({scale, offset, mean, variance, epsilon}, shape, channelAxis);
      if ('reason' in norm) return norm;
      fused.behind.push(alone(norm));
      return undefined;
    }
    case 'LeakyRelu':
      fused.behind.push(alone({make: leakyReluOf(node.attrs.float('leakyrelu_alpha', 0.2))}));
      return undefined;
    case 'Prelu': {
      const alpha = take();
      const plan = alpha && prelu(alpha, shape);
      if (!plan) return noLayer(alpha ? 'has slopes that do not fit' : 'computes its slopes');
      fused.behind.push(alone(plan));
      return undefined;
    }
    case '_FusedHardSwish':
      fused.behind.push(hardSwish);
      return undefined;
    default: {
      const activation = activationOf(op);
      if (!activation) return noLayer(`ends with ${op}, which is no activation of a layer`);
      if (fused.behind.length === 0) fused.activation = activation;
      else fused.behind.push(alone({make: name => layers.activation({...name, activation})}));
      return undefined;
    }
  }
}

/** What is fused behind a product. */
function fusedOf(node: GraphNode, product: Product, known: Known): Fused | NoLayer {
  const args = node.inputs.slice(2);
  const fused: Fused = {behind: []};
  for (const op of node.attrs.texts('fused_ops')) {
    const problem = fuse(op, fused, node, args, product, known);
    if (problem) return problem;
  }
  return fused;
}

/** The kernel with each output channel times its scale. */
function scaled({kernel, together, shape, channelAxis}: Product, scale: readonly number[]): Constant {
  if (scale.every(each => each === 1)) return kernel;
  const channels = shape[channelAxis]!;
  const factor = (i: number) => scale[scale.length === 1 ? 0 : Math.floor(i / together) % channels]!;
  return {...kernel, values: Float32Array.from(kernel.values, (each, i) => each * factor(i))};
}

/** A bias that is fused: one number per output channel. */
function addBias(affine: Affine, bias: Constant, {shape, channelAxis}: Product): boolean {
  const {values} = bias;
  const isWhole = values.length === 1 || (values.length === shape[channelAxis] && bias.shape.includes(values.length));
  return isWhole && affine.add({values, ...(values.length > 1 && {axis: channelAxis})});
}

/** The layers of a product and of what follows it. */
function productMatch(node: GraphNode, product: Product, known: Known): Match | NoLayer {
  const {shape, channelAxis, padding, nodes = [node]} = product;
  const fused = fusedOf(node, product, known);
  if ('reason' in fused) return fused;
  const affine = new Affine(shape, channelAxis);
  if (fused.bias && !addBias(affine, fused.bias, product)) return noLayer('has a bias that differs by position');
  const chain = new Chain(nodes.at(-1)!, known);
  let {activation} = fused;
  if (!activation && fused.behind.length === 0) {
    affine.followed(chain, known);
    activation = followingActivation(chain, known);
  }
  const useBias = affine.adds;
  const of = chain.named;
  const multiplied: Behind = {
    of,
    make: name => product.make({...name, useBias, ...(activation && {activation})}),
    weights: [scaled(product, affine.scale), ...(useBias ? [perChannel(affine.offset, shape[channelAxis]!)] : [])],
  };
  const plans: Behind[] = [...(padding ? [{of, make: padding}] : []), multiplied];
  // Of several, the first is called on all that the match takes, unless it says otherwise.
  if (fused.side) plans[0]!.takes = [product.takes];
  for (const behind of fused.behind) plans.push(...behind(plans.at(-1)!, of));
  plans.slice(0, -1).forEach((plan, i) => (plan.suffix = `/part_${i}`));
  return {
    takes: [product.takes, ...(fused.side ? [fused.side] : [])],
    layers: plans,
    nodes: [...nodes.slice(0, -1), ...chain.nodes],
  };
}

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

/** A matrix transposed. */
function transposed({shape, values, dtype}: Constant): Constant {
  const [rows, columns] = shape as [number, number];
  const turned = Float32Array.from(values, (_, i) => values[(i % rows) * columns + Math.floor(i / rows)]!);
  return {dtype, shape: [columns, rows], values: turned};
}

/** The second factor of a product of matrices as the kernel of a Dense. */
export function denseKernel(node: GraphNode, known: Known): Constant | NoLayer {
  const isBatched = node.op.startsWith('BatchMatMul');
  const [first, second] = isBatched ? ['adj_x', 'adj_y'] : ['transpose_a', 'transpose_b'];
  const constant = known.constant(node.inputs[1]);
  if (known.constant(node.inputs[0])) return noLayer('has its constant on the left, and layers on the right');
  if (!constant) return noLayer('multiplies two values');
  if (node.attrs.flag(first)) return noLayer('turns its batch');
  const {shape} = constant;
  if (shape.length < 2 || shape.slice(0, -2).some(dim => dim !== 1))
    return noLayer('has a matrix for each of its batch');
  const matrix = {...constant, shape: shape.slice(-2)};
  return node.attrs.flag(second) ? transposed(matrix) : matrix;
}

/** A Dense on values whose last dimension is multiplied. */
export function denseMatch(
  node: GraphNode,
  {takes, kernel, shape, nodes}: Pick<Product, 'takes' | 'kernel' | 'shape' | 'nodes'>,
  known: Known,
): Match | NoLayer {
  const [inputs, units] = kernel.shape as [number, number];
  if (shape.at(-1) !== inputs) return noLayer('has an open number of channels');
  const out = [...shape.slice(0, -1), units];
  const make = (own: Config) => layers.dense({...own, units});
  const product = {takes, kernel, together: 1, shape: out, channelAxis: out.length - 1, make, ...(nodes && {nodes})};
  return productMatch(node, product, known);
}

export const matMul: Pattern = /*#__PURE__*/ onFloats((node, known, shape, x) => {
  const kernel = denseKernel(node, known);
  if ('reason' in kernel) return kernel;
  if (shape.length < 2) return noLayer('multiplies a vector');
  // A batch of matrices is not of more dimensions than what it multiplies.
  if (known.constant(node.inputs[1])!.shape.length > shape.length) return noLayer('has a matrix of more dimensions');
  return denseMatch(node, {takes: x, kernel, shape}, known);
});
