/** What in a graph is something else for TensorFlow Lite. */
import {type IntegerGraph, type Node, nodeOf, sizeOf, type Value} from '../../integer/graph';
import {needsInt16} from '../../integer/grids';
import {NO_PADDING, type Pair, paddingOf} from '../../integer/window';

/** Changes a graph into one of what there are operators for. */
export function rewrite({nodes}: IntegerGraph): void {
  for (const node of [...nodes]) {
    const pad = node.operator === 'conv2d' || node.operator === 'depthwiseConv2d' ? samePad(node) : undefined;
    if (pad) nodes.splice(nodes.indexOf(pad), 1);
    if (node.operator === 'max' && needsInt16(node.output.grid)) {
      nodes.splice(nodes.indexOf(node), 1, ...maxByPool(node));
    }
  }
}

/** Takes the padding before a convolution into it, where it is just what 'same' pads; gives the operator that padded. */
function samePad(node: Node<'conv2d' | 'depthwiseConv2d'>): Node | undefined {
  const [x] = node.inputs as [Value];
  const pad = x.producer;
  const {padding, filter, strides, dilations} = node.attributes;
  if (pad?.operator !== 'pad' || x.uses > 1 || padding.rule !== 'valid') return undefined;
  const [image] = pad.inputs as [Value];
  const [size, window] = [image.shape.slice(1, 3), filter.shape] as unknown as [Pair, Pair];
  const same = paddingOf('same', size, window, strides, dilations);
  const isSame = same.amounts.every(([before, behind], i) => {
    const amounts = pad.attributes.amounts[i + 1]!;
    const seen = size[i]! + before + behind - (window[i]! - 1) * dilations[i]! - 1;
    const fits = Math.floor(seen / strides[i]!) + 1 === Math.ceil(size[i]! / strides[i]!);
    return amounts[0] === before && amounts[1] === behind && fits;
  });
  if (!isSame) return undefined;
  node.inputs = [image];
  node.attributes = {...node.attributes, padding: same};
  return pad;
}

/** Microcontrollers have no such operator of more than 8 bits: a pool of one window instead. */
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
