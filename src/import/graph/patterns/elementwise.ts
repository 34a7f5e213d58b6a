/** Arithmetic with constants, where no product can take it up. */
import {layers} from '@tensorflow/tfjs-layers';
import type {Constant} from '../../../graph_model/node_run';
import type {Edge, GraphNode, Known, Shape} from '../graph_reader';
import type {Match, NoLayer, Pattern} from '../pattern';
import {followingActivation, leakyReluOf} from './activations';
import {Affine, perChannel, spreadOf, withConstant} from './affine';
import {Chain, noLayer, onFloats, scalarOf} from './parts';

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

/** What an affine function is as a layer. */
function affineMatch(chain: Chain, takes: Edge, shape: Shape, affine: Affine, known: Known): Match | NoLayer {
  const [scale, offset] = [affine.scale[0]!, affine.offset[0]!];
  const {axis} = affine;
  if (affine.isScalar || axis === undefined) {
    const make = (name: {name: string}) => layers.rescaling({...name, scale, offset});
    return {takes: [takes], layers: [{of: chain.named, make}], nodes: chain.nodes};
  }
  const channels = shape[axis]!;
  const [scales, offsets] = [affine.scale, affine.offset].map(each => perChannel(each, channels)) as [
    Constant,
    Constant,
  ];
  if (shape.length === 4 && axis === 3) {
    const useBias = affine.adds;
    const activation = followingActivation(chain, known);
    const config = {kernelSize: 1, useBias, ...(activation && {activation})};
    const weights = [{...scales, shape: [1, 1, channels, 1]}, ...(useBias ? [offsets] : [])];
    const make = (name: {name: string}) => layers.depthwiseConv2d({...name, ...config});
    return {takes: [takes], layers: [{of: chain.named, make, weights}], nodes: chain.nodes};
  }
  if (shape.length > 4) return noLayer('has a constant per channel of more than 4 dimensions');
  const weights = [scales, offsets, perChannel([0], channels), perChannel([1], channels)];
  const make = (name: {name: string}) => layers.batchNormalization({...name, axis, epsilon: 0});
  return {takes: [takes], layers: [{of: chain.named, make, weights}], nodes: chain.nodes};
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
