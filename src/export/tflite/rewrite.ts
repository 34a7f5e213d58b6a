/** What in a graph is something else for TensorFlow Lite. */
import {type InferenceGraph, type Node, nodeOf, sizeOf, type Value} from '../../inference/graph';
import {needsInt16} from '../../inference/grids';
import {NO_PADDING, type Padding, type Pair, paddingOf} from '../../inference/window';

/** A graph of what there are operators for, that computes the same; for images of any size, if they are open. */
export function rewritten(graph: InferenceGraph, isOpen = false): InferenceGraph {
  const nodes: Node[] = [];
  const taken = new Set<Node>();
  for (const node of graph.nodes) {
    // Microcontrollers have no such operator of more than 8 bits.
    if (node.operator === 'max' && needsInt16(node.output.grid)) nodes.push(...maxByPool(node));
    // Which amounts 'same' pads hangs on the size.
    else if (!isOpen && (node.operator === 'conv2d' || node.operator === 'depthwiseConv2d'))
      nodes.push(withPadding(node, taken));
    else nodes.push(node);
  }
  return {...graph, nodes: nodes.filter(node => !taken.has(node))};
}

/** Takes the padding before a convolution into it, where it is just what 'same' pads. */
function withPadding(node: Node<'conv2d' | 'depthwiseConv2d'>, taken: Set<Node>): Node {
  const [x] = node.inputs as [Value];
  const pad = x.producer;
  if (pad?.operator !== 'pad' || x.uses > 1) return node;
  const padding = samePadding(node, pad);
  if (!padding) return node;
  taken.add(pad);
  return {...node, inputs: pad.inputs, attributes: {...node.attributes, padding}};
}

/** What 'same' pads for a convolution that pads nothing, if another operator does that. */
function samePadding({attributes}: Node<'conv2d' | 'depthwiseConv2d'>, pad: Node<'pad'>): Padding | undefined {
  const {padding, filter, strides, dilations} = attributes;
  const [batch, , , channels] = pad.attributes.amounts;
  if (padding.rule !== 'valid' || ![batch, channels].flat().every(amount => amount === 0)) return undefined;
  const [, rows, columns] = pad.inputs[0]!.shape;
  const [height, width] = filter.shape;
  const [size, window]: [Pair, Pair] = [
    [rows!, columns!],
    [height!, width!],
  ];
  const same = paddingOf('same', size, window, strides, dilations);
  const isSame = same.amounts.every(([before, behind], i) => {
    const amounts = pad.attributes.amounts[i + 1]!;
    const seen = size[i]! + before + behind - (window[i]! - 1) * dilations[i]! - 1;
    const fits = Math.floor(seen / strides[i]!) + 1 === Math.ceil(size[i]! / strides[i]!);
    return amounts[0] === before && amounts[1] === behind && fits;
  });
  return isSame ? same : undefined;
}

/** The maximum over images as a pool of one window. */
function maxByPool({layer, inputs, output}: Node): Node[] {
  const [x] = inputs as [Value];
  const [batch, channels] = output.shape as [number, number];
  const size: Pair = [sizeOf(x.shape.slice(1, -2)), x.shape[x.shape.length - 2]!];
  const pool = {size, strides: [1, 1], padding: NO_PADDING} as const;
  const shape = [batch, ...size, channels];
  const moved = (from: Value, to: readonly number[]) =>
    nodeOf(layer, 'reshape', {}, {inputs: [from], shape: to, rule: 'same'});
  const image = x.shape.length === 4 ? [] : [moved(x, shape)];
  const most = nodeOf(layer, 'maxPool', pool, {
    inputs: [image[0]?.output ?? x],
    shape: [batch, 1, 1, channels],
    rule: 'same',
  });
  const steps = [...image, most];
  for (const step of steps) step.output.grid = output.grid;
  return [...steps, {...moved(most.output, output.shape), output}];
}
