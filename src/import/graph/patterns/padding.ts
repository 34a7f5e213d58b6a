/** Zeros around values, and pixels cut off. */
import {layers} from '@tensorflow/tfjs-layers';
import type {GraphNode, Shape} from '../graph_reader';
import type {LayerPlan, Match, NoLayer, Pattern} from '../pattern';
import {knownIntegers, noLayer, onFloats, reshaped, scalarOf, severalLayers, sizeOf, unchanged} from './parts';

type Pair = readonly [before: number, after: number];
type Make = LayerPlan['make'];
type Margins = [[number, number], [number, number]];

/** Which layer of images changes rows and columns by margins. */
type AtMargins = (margins: Margins, dataFormat: 'channelsFirst' | 'channelsLast') => Make;

const padded: AtMargins = (padding, dataFormat) => name => layers.zeroPadding2d({...name, padding, dataFormat});
const cropped: AtMargins = (cropping, dataFormat) => name => layers.cropping2D({...name, cropping, dataFormat});

/** Margins of any dimension, by a layer that knows those of images alone. */
function atMargins(pairs: readonly Pair[], shape: Shape, layer: AtMargins, sign: 1 | -1): Make[] | NoLayer {
  const axes = pairs.flatMap(([before, after], axis) => (before === 0 && after === 0 ? [] : [axis]));
  const [first, last] = [axes[0], axes.at(-1)];
  if (first === undefined || last === undefined) return [];
  if (first === 0) return noLayer('changes its batch');
  const pair = (axis: number) => [...pairs[axis]!] as [number, number];
  if (shape.length === 4) {
    if (last <= 2) return [layer([pair(1), pair(2)], 'channelsLast')];
    if (first >= 2) return [layer([pair(2), pair(3)], 'channelsFirst')];
  }
  // As rows and columns of images of other sizes.
  const [before, after] = [sizeOf(shape.slice(1, first)), sizeOf(shape.slice(last + 1))];
  const images = first === last ? [before, shape[first]!, after] : [shape[first]!, shape[last]!, after];
  const isOne = first === last || (last === first + 1 && before === 1);
  const result = shape
    .slice(1)
    .map((dim, i) => (dim === null ? null : dim + sign * (pairs[i + 1]![0] + pairs[i + 1]![1])));
  const isOpen = (dims: Shape) => dims.filter(dim => dim === null).length > 1;
  if (!isOne || isOpen(images) || isOpen(result)) return noLayer('changes dimensions that no layer does');
  const margins: Margins = first === last ? [[0, 0], pair(first)] : [pair(first), pair(last)];
  return [reshaped(images), layer(margins, 'channelsLast'), reshaped(result)];
}

/** Layers that put zeros around a value; none where there are none to put. */
export function zeroPadding(pairs: readonly Pair[], shape: Shape): Make[] | NoLayer {
  return atMargins(pairs, shape, padded, 1);
}

function asMatch(node: GraphNode, makes: Make[] | NoLayer): Match | NoLayer {
  if ('reason' in makes) return makes;
  const [x] = node.inputs;
  if (makes.length === 0) return unchanged(node);
  return severalLayers(node, [x!], makes);
}

export const pad: Pattern = /*#__PURE__*/ onFloats((node, known, shape) => {
  const flat = knownIntegers(node.inputs[1], known);
  if (flat?.length !== 2 * shape.length) return noLayer('computes its paddings');
  if (node.op === 'PadV2' && scalarOf(known.constant(node.inputs[2])) !== 0)
    return noLayer('pads with another value than 0');
  const pairs = shape.map((_, axis) => [flat[2 * axis]!, flat[2 * axis + 1]!] as const);
  return asMatch(node, zeroPadding(pairs, shape));
});

/** Where each dimension is cut: the first entry that stays, and the first that does not. */
function cut(node: GraphNode, shape: Shape, ranges: readonly (Pair | undefined)[]): Match | NoLayer {
  const pairs = ranges.map((range, axis): Pair | undefined => {
    const dim = shape[axis];
    if (!range) return [0, 0];
    if (typeof dim !== 'number') return undefined;
    return range[0] >= 0 && range[1] <= dim && range[1] > range[0] ? [range[0], dim - range[1]] : undefined;
  });
  if (!pairs.every(pair => pair !== undefined)) return noLayer('slices a dimension that is open');
  return asMatch(node, atMargins(pairs, shape, cropped, -1));
}

/** A start or an end, counted from the end if it is negative. */
function place(value: number, dim: number): number {
  return Math.min(Math.max(value < 0 ? value + dim : value, 0), dim);
}

export const stridedSlice: Pattern = /*#__PURE__*/ onFloats((node, known, shape) => {
  const [begin, end, strides] = node.inputs.slice(1, 4).map(each => knownIntegers(each, known));
  if (!begin || !end || !strides) return noLayer('computes where it slices');
  const mask = (name: string, i: number) => (node.attrs.int(name) & (1 << i)) !== 0;
  if (node.attrs.int('new_axis_mask') !== 0 || node.attrs.int('shrink_axis_mask') !== 0) {
    return noLayer('slices and changes the rank');
  }
  const ranges: (Pair | undefined)[] = [];
  for (let i = 0; i < begin.length; i++) {
    if (mask('ellipsis_mask', i)) {
      while (ranges.length < shape.length - (begin.length - 1 - i)) ranges.push(undefined);
      continue;
    }
    if (strides[i] !== 1) return noLayer('slices with strides');
    const isWhole = mask('begin_mask', i) && mask('end_mask', i);
    const dim = shape[ranges.length];
    if (isWhole) ranges.push(undefined);
    else if (typeof dim !== 'number') return noLayer('slices a dimension that is open');
    else {
      const from = mask('begin_mask', i) ? 0 : place(begin[i]!, dim);
      const to = mask('end_mask', i) ? dim : place(end[i]!, dim);
      ranges.push(from === 0 && to === dim ? undefined : [from, to]);
    }
  }
  return ranges.length > shape.length
    ? noLayer('slices other dimensions')
    : cut(
        node,
        shape,
        shape.map((_, i) => ranges[i]),
      );
});

export const slice: Pattern = /*#__PURE__*/ onFloats((node, known, shape) => {
  const [begin, size] = node.inputs.slice(1, 3).map(each => knownIntegers(each, known));
  if (begin?.length !== shape.length || size?.length !== shape.length) return noLayer('computes where it slices');
  const ranges = shape.map((dim, axis): Pair | undefined => {
    const [from, length] = [begin[axis]!, size[axis]!];
    const to = length < 0 ? (dim ?? -1) : from + length;
    return from === 0 && (length < 0 || to === dim) ? undefined : [from, to];
  });
  return cut(node, shape, ranges);
});
