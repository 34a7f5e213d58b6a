/** Several values that become one. */
import {layers} from '@tensorflow/tfjs-layers';
import type {Edge, GraphNode, Known, Shape} from '../graph_reader';
import type {LayerPlan, Match, NoLayer, Pattern} from '../pattern';
import {activation} from './activations';
import {withConstant} from './affine';
import {withConstants} from './elementwise';
import {axesFromFront, knownIntegers, noLayer, oneLayer, onFloats, unchanged, whyNoFloat} from './parts';

/** Why layers cannot merge values; undefined if they can. */
function whyNoMerge(inputs: readonly Edge[], known: Known): string | undefined {
  for (const input of inputs) {
    if (known.constant(input)) return 'takes a constant among its values';
    const reason = whyNoFloat(input, known);
    if (reason) return reason;
  }
  const [first, ...others] = inputs.map(each => known.shape(each)!) as [Shape, ...Shape[]];
  if (others.some(({length}) => length !== first.length)) return 'takes values of several ranks';
  return others.every(([batch]) => batch === first[0]) ? undefined : 'takes values of several batch sizes';
}

function merged(node: GraphNode, known: Known, make: LayerPlan['make'], inputs = node.inputs): Match | NoLayer {
  const reason = whyNoMerge(inputs, known);
  return reason ? noLayer(reason) : oneLayer(node, inputs, make);
}

/** A pattern for two values, or one and a constant. */
function binary(ofValues: (node: GraphNode, known: Known) => Match | NoLayer): Pattern {
  const ofConstant = /*#__PURE__*/ onFloats((node, known, shape) => withConstants(node, known, shape));
  return (node, known) => (withConstant(node, known) ? ofConstant(node, known) : ofValues(node, known));
}

export const add = /*#__PURE__*/ binary((node, known) => merged(node, known, name => layers.add(name)));
export const multiply = /*#__PURE__*/ binary((node, known) => merged(node, known, name => layers.multiply(name)));
export const divide = /*#__PURE__*/ binary(() => noLayer('divides two values'));

export const addN: Pattern = (node, known) => {
  if (node.inputs.length === 1) return unchanged(node);
  return node.inputs.length === 2 ? add(node, known) : merged(node, known, name => layers.add(name));
};

export const square: Pattern = (node, known) => {
  const [x] = node.inputs as [Edge];
  return merged(node, known, name => layers.multiply(name), [x, x]);
};

/** What is subtracted is turned first. */
export const subtract = /*#__PURE__*/ binary((node, known) => {
  const reason = whyNoMerge(node.inputs, known);
  if (reason) return noLayer(reason);
  const [from, value] = node.inputs as [Edge, Edge];
  const negative: LayerPlan = {
    of: node,
    suffix: '/negative',
    takes: [value],
    make: name => layers.rescaling({...name, scale: -1}),
  };
  const sum: LayerPlan = {of: node, takes: [from, negative], make: name => layers.add(name)};
  return {takes: [from, value], layers: [negative, sum], nodes: [node]};
});

/** The larger or the smaller of two values; with a constant, an activation. */
function extreme(make: LayerPlan['make']): Pattern {
  return (node, known) => (withConstant(node, known) ? activation(node, known) : merged(node, known, make));
}

export const maximum = /*#__PURE__*/ extreme(name => layers.maximum(name));
export const minimum = /*#__PURE__*/ extreme(name => layers.minimum(name));

export const concat: Pattern = (node, known) => {
  const isFirst = node.op === 'Concat';
  const values = isFirst ? node.inputs.slice(1) : node.inputs.slice(0, -1);
  const axes = knownIntegers(isFirst ? node.inputs[0] : node.inputs.at(-1), known);
  if (axes?.length !== 1 || values.length === 0) return noLayer('computes where it joins');
  if (values.length === 1) return unchanged(node, values[0]);
  const reason = whyNoMerge(values, known);
  if (reason) return noLayer(reason);
  const shapes = values.map(each => known.shape(each)!);
  const [axis] = axesFromFront(axes, shapes[0]!.length) as [number];
  if (axis === 0) return noLayer('joins batches');
  const fits = shapes.every(shape => shape.every((dim, i) => i === axis || dim === shapes[0]![i]));
  if (!fits) return noLayer('joins values whose sizes are not known to agree');
  return oneLayer(node, values, name => layers.concatenate({...name, axis}));
};
