/** Images that become larger, by pixels that are repeated or interpolated. */
import {layers} from '@tensorflow/tfjs-layers';
import type {Edge, GraphNode, Known, Shape} from '../graph_reader';
import type {LayerPlan, Match, Pattern} from '../pattern';
import {
  Chain,
  isSameShape,
  knownIntegers,
  noLayer,
  oneLayer,
  onFloats,
  reshaped,
  severalLayers,
  sizeOf,
  unchanged,
} from './parts';

/** Resizing to whole multiples; what is next to a pixel is then the same however pixels are counted. */
export const resize: Pattern = /*#__PURE__*/ onFloats((node, known, shape, x) => {
  const sizes = known.integers(node.inputs[1]);
  if (shape.length !== 4 || sizes?.length !== 2) return noLayer('computes its size from values');
  const isNearest = node.op === 'ResizeNearestNeighbor';
  const [dims, size] = [shape.slice(1, 3), sizes];
  if (isSameShape(dims, size) && !dims.includes(null)) return unchanged(node);
  if (node.attrs.flag('align_corners')) return noLayer('aligns corners, and no layer that resizes does');
  if (!isNearest && node.attrs.flag('half_pixel_centers'))
    return noLayer('counts pixels from their centers, and no layer does');
  const factors = dims.map((dim, i) => (dim === null || size[i] === null ? NaN : size[i]! / dim));
  if (!factors.every(each => Number.isInteger(each) && each > 0)) return noLayer('resizes to no known whole multiple');
  const config = {size: factors, interpolation: isNearest ? ('nearest' as const) : ('bilinear' as const)};
  return oneLayer(node, [x], name => layers.upSampling2d({...name, ...config}));
});

/** Layers that repeat each entry of a dimension; undefined where too much is open. */
function repeats(shape: Shape, axis: number, times: number): LayerPlan['make'][] | undefined {
  const size =
    (factors: [number, number]): LayerPlan['make'] =>
    name =>
      layers.upSampling2d({...name, size: factors});
  if (shape.length === 4 && axis < 3) return [size(axis === 1 ? [times, 1] : [1, times])];
  const images = [sizeOf(shape.slice(1, axis + 1)), 1, sizeOf(shape.slice(axis + 1))];
  const result = shape.slice(1).map((dim, i) => (dim === null || i !== axis - 1 ? dim : dim * times));
  const isOpen = (dims: Shape) => dims.filter(dim => dim === null).length > 1;
  return isOpen(images) || isOpen(result) ? undefined : [reshaped(images), size([times, 1]), reshaped(result)];
}

/** Each entry of a dimension several times: tf.repeat, written as ExpandDims, Tile and Reshape. */
export function repeatedFrom(node: GraphNode, x: Edge, shape: Shape, axis: number, known: Known): Match | undefined {
  const chain = new Chain(node, known);
  const path = chain.next();
  const tile = path?.at(-1);
  if (tile?.op !== 'Tile' || axis < 2) return undefined;
  const times = knownIntegers(tile.inputs[1], known);
  if (!times?.every((each, i) => i === axis || each === 1)) return undefined;
  chain.take(path!);
  const back = chain.next();
  const last = back?.at(-1);
  const target = last?.op === 'Reshape' ? known.integers(last.inputs[1]) : undefined;
  const wanted = shape.map((dim, i) => (dim === null || i !== axis - 1 ? dim : dim * times[axis]!));
  // Dimensions that are open are taken from the value itself.
  const fits =
    target?.length === wanted.length && target.every((dim, i) => dim === wanted[i] || (dim === -1 && i === 0));
  const makes = fits ? repeats(shape, axis - 1, times[axis]!) : undefined;
  if (!makes) return undefined;
  chain.take(back!);
  return severalLayers(last!, [x], makes, chain.nodes);
}
