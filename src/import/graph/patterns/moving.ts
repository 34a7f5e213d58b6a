/** Ops that leave values as they are, and change where they stand. */
import {layers} from '@tensorflow/tfjs-layers';
import type {GraphNode, Shape} from '../graph_reader';
import type {Match, NoLayer, Pattern} from '../pattern';
import {
  axesFromFront,
  isSameShape,
  knownIntegers,
  noLayer,
  oneLayer,
  onFloats,
  reshaped,
  sizeOf,
  unchanged,
} from './parts';
import {conv1dFrom} from './convolutions';
import {denseBetween} from './matrices';
import {repeatedFrom} from './resizing';

export const identity: Pattern = node => unchanged(node);

/** A Reshape to the shape that a value has for each of its batch. */
function reshapeTo(node: GraphNode, shape: Shape, rest: Shape): Match | NoLayer {
  if (isSameShape(shape.slice(1), rest) && !rest.includes(null)) return unchanged(node);
  if (rest.filter(dim => dim === null).length > 1) return noLayer('gives a shape of several open dimensions');
  return oneLayer(node, [node.inputs[0]!], reshaped(rest));
}

const MOVED = 'moves values between its batch and other dimensions';

/** The dimensions behind the batch, which must stay the first; null for one that is open, and NoLayer if the batch does not stay. */
function behindBatch(shape: Shape, target: Shape): Shape | NoLayer {
  const [batch, ...rest] = shape as [number | null, ...Shape];
  const [first, ...given] = target;
  if (first === undefined) return noLayer(MOVED);
  const isInferred = (dim: number | null) => dim === -1 || dim === null;
  const open = given.flatMap((dim, i) => (isInferred(dim) ? [i] : []));
  const [size, known] = [sizeOf(rest), sizeOf(given.filter(dim => !isInferred(dim)))!];
  // What hangs on an open dimension is not a batch of known size.
  const isBatch = first === -1 || first === 1 || first === batch;
  if (!isBatch) return noLayer(MOVED);
  if (open.length === 0) return size === known ? given : noLayer(MOVED);
  // What is open holds all that the others do not, if the first is the batch for sure.
  const isSure = first === batch || (first !== 1 && first !== -1);
  if (open.length > 1 || !isSure) {
    const sizes = [rest, given].map(dims => sizeOf(dims.filter(dim => dim !== null && dim !== -1)));
    const fits = rest.filter(dim => dim === null).length === open.length && sizes[0] === sizes[1];
    return fits ? given.map(dim => (isInferred(dim) ? null : dim)) : noLayer(MOVED);
  }
  if (size === null) return given.map(dim => (isInferred(dim) ? null : dim));
  return size % known === 0 ? given.map(dim => (isInferred(dim) ? size / known : dim)) : noLayer(MOVED);
}

export const reshape: Pattern = /*#__PURE__*/ onFloats((node, known, shape) => {
  const dense = denseBetween(node, known, shape);
  if (dense) return dense;
  const target = known.integers(node.inputs[1]);
  if (!target) return noLayer('computes its shape from values');
  if (target.length === shape.length && target.every((dim, i) => dim === shape[i] && dim !== null))
    return unchanged(node);
  if (target[0] === null && !known.beginsWithBatch(node.inputs[1]!)) return noLayer(MOVED);
  const rest = behindBatch(shape, target);
  return 'reason' in rest ? rest : reshapeTo(node, shape, rest);
});

export const squeeze: Pattern = /*#__PURE__*/ onFloats((node, _known, shape) => {
  const given = node.attrs.ints('squeeze_dims', node.attrs.ints('axis'));
  const ones = shape.flatMap((dim, axis) => (dim === 1 ? [axis] : []));
  const axes = given.length > 0 ? axesFromFront(given, shape.length) : ones;
  if (axes.includes(0)) return noLayer('drops its batch');
  if (given.length === 0 && shape.slice(1).includes(null)) return noLayer('drops dimensions that are open');
  return reshapeTo(
    node,
    shape,
    shape.filter((_, axis) => axis > 0 && !axes.includes(axis)),
  );
});

export const expandDims: Pattern = /*#__PURE__*/ onFloats((node, known, shape, x) => {
  const given = knownIntegers(node.inputs[1], known);
  if (given?.length !== 1) return noLayer('computes where it adds a dimension');
  const [axis] = axesFromFront(given, shape.length + 1) as [number];
  if (axis === 0) return noLayer('puts a dimension before its batch');
  return (
    conv1dFrom(node, x, shape, axis, known) ??
    repeatedFrom(node, x, shape, axis, known) ??
    reshapeTo(node, shape, [...shape.slice(1, axis), 1, ...shape.slice(axis)])
  );
});

export const transpose: Pattern = /*#__PURE__*/ onFloats((node, known, shape, x) => {
  const order = knownIntegers(node.inputs[1], known);
  if (order?.length !== shape.length) return noLayer('computes the order of its dimensions');
  if (order[0] !== 0) return noLayer('moves its batch');
  if (order.every((axis, i) => axis === i)) return unchanged(node);
  return oneLayer(node, [x], name => layers.permute({...name, dims: order.slice(1)}));
});

/** Rows of a table by number. */
export const gather: Pattern = (node, known) => {
  const [table, indices] = node.inputs;
  const rows = known.constant(table);
  const axis = node.op === 'GatherV2' ? knownIntegers(node.inputs[2], known) : [0];
  if (!rows) return noLayer('looks up what is computed');
  if (rows.dtype !== 'float32' || rows.shape.length !== 2) return noLayer('looks up what is no row of floats');
  if (axis?.[0] !== 0 || node.attrs.int('batch_dims') !== 0) return noLayer('looks up along another axis');
  const dtype = known.dtype(indices!);
  const shape = known.shape(indices!);
  if (dtype !== 'int32' || !shape || shape.length === 0) return noLayer('looks up by what are no whole numbers');
  const [inputDim, outputDim] = rows.shape as [number, number];
  return oneLayer(node, [indices!], name => layers.embedding({...name, inputDim, outputDim}), [rows]);
};

export const cast: Pattern = (node, known) => {
  const [x] = node.inputs;
  const [from, to] = [known.dtype(x!), node.attrs.dtype('DstT')];
  return from === 'float32' && to === 'float32'
    ? unchanged(node)
    : noLayer(`turns ${from ?? 'values'} to ${to ?? 'others'}`);
};
