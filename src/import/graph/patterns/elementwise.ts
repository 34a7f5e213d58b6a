/** Arithmetic with constants, where no product can take it up. */
import {layers} from '@tensorflow/tfjs-layers';
import type {Constant} from '../../../graph_model/node_run';
import type {Edge, GraphNode, Known, Shape} from '../graph_reader';
import type {LayerPlan, Match, NoLayer, Pattern} from '../pattern';
import {followingActivation, leakyReluOf} from './activations';
import {Affine, perChannel, spreadOf, withConstant} from './affine';
import {Chain, noLayer, onFloats, reshaped, scalarOf, severalLayers, sizeOf} from './parts';

/** The larger of x and x * alpha. */
function leakyFrom(node: GraphNode, known: Known): Match | undefined {
  const found = node.op === 'Mul' ? withConstant(node, known) : undefined;
  const alpha = scalarOf(found?.constant);
  if (!found || alpha === undefined || alpha < 0 || alpha > 1) return undefined;
  const path = new Chain(node, known).next();
  const larger = path?.at(-1);
  const {value} = found;
  if (larger?.op !== 'Maximum') return undefined;
  if (!larger.inputs.some(each => each.node === value.node && each.output === value.output)) return undefined;
  return {takes: [value], layers: [{of: larger, make: leakyReluOf(alpha)}], nodes: [node, ...path!]};
}

/** Why a node is not arithmetic that a layer does. */
function whyNone({op}: GraphNode, {constant, isFirst}: {constant: Constant; isFirst: boolean}, shape: Shape): string {
  if (constant.dtype !== 'float32') return `has a constant of ${constant.dtype}`;
  if (isFirst && /Div$/.test(op)) return 'divides a constant by a value';
  const spread = spreadOf(constant, shape);
  if (!spread) return 'has a constant that differs by position';
  return 'divides by 0, or by what is no number';
}

/** The images, rows before columns before channels, whose channels are a dimension of a value; undefined if there are none. */
function asImages(shape: Shape, axis: number): {dims: Shape; dataFormat: 'channelsFirst' | 'channelsLast'} | undefined {
  const rest = shape.slice(1);
  if (axis === shape.length - 1) {
    const dims = shape.length === 4 ? rest : [sizeOf(rest.slice(0, -1)), 1, rest.at(-1)!];
    return {dims, dataFormat: 'channelsLast'};
  }
  const dims = shape.length === 4 ? rest : [rest[0]!, sizeOf(rest.slice(1)), 1];
  return axis === 1 ? {dims, dataFormat: 'channelsFirst'} : undefined;
}

/** What an affine function is as a layer: where its numbers are one per channel, a convolution that does not mix them. */
function affineMatch(chain: Chain, takes: Edge, shape: Shape, affine: Affine, known: Known): Match | NoLayer {
  const [scale, offset] = [affine.scale[0]!, affine.offset[0]!];
  const {axis} = affine;
  if (axis === undefined) {
    return severalLayers(chain.named, [takes], [name => layers.rescaling({...name, scale, offset})], chain.nodes);
  }
  const images = asImages(shape, axis);
  const isOpen = (dims: Shape) => dims.filter(dim => dim === null).length > 1;
  const isReshaped = images && shape.length !== 4;
  if (!images || (isReshaped && (isOpen(images.dims) || isOpen(shape.slice(1))))) {
    return noLayer('has a constant that differs by position');
  }
  const useBias = affine.adds;
  const {dims, dataFormat} = images;
  const activation = dataFormat === 'channelsLast' ? followingActivation(chain, known) : undefined;
  const config = {kernelSize: 1, useBias, dataFormat, ...(activation && {activation})};
  const channels = shape[axis]!;
  const kernel = {...perChannel(affine.scale, channels), shape: [1, 1, channels, 1]};
  const weights = [kernel, ...(useBias ? [perChannel(affine.offset, channels)] : [])];
  const of = chain.named;
  const plans: LayerPlan[] = [
    ...(isReshaped ? [{of, suffix: '/images', make: reshaped(dims)}] : []),
    {
      of,
      ...(isReshaped && {suffix: '/channels'}),
      make: name => layers.depthwiseConv2d({...name, ...config}),
      weights,
    },
    ...(isReshaped ? [{of, make: reshaped(shape.slice(1))}] : []),
  ];
  return {takes: [takes], layers: plans, nodes: chain.nodes};
}

/** Arithmetic with constants. */
export function withConstants(node: GraphNode, known: Known, shape: Shape): Match | NoLayer {
  const leaky = leakyFrom(node, known);
  if (leaky) return leaky;
  const affine = new Affine(shape);
  const found = withConstant(node, known);
  if (!affine.then(node, known)) return noLayer(found ? whyNone(node, found, shape) : 'computes what no layer does');
  const chain = new Chain(node, known);
  affine.followed(chain, known);
  return affineMatch(chain, found?.value ?? node.inputs[0]!, shape, affine, known);
}

export const negative: Pattern = /*#__PURE__*/ onFloats((node, known, shape) => withConstants(node, known, shape));

export const biasAdd: Pattern = /*#__PURE__*/ onFloats((node, known, shape) =>
  known.constant(node.inputs[1]) ? withConstants(node, known, shape) : noLayer('computes its bias'),
);
