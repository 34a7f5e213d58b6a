/** Products of matrices. */
import {layers} from '@tensorflow/tfjs-layers';
import type {Constant} from '../../../graph_model/node_run';
import type {GraphNode, Known, Shape} from '../graph_reader';
import type {Match, NoLayer, Pattern} from '../pattern';
import {Chain, noLayer, onFloats} from './parts';
import {type Config, type Product, productMatch} from './product';

/** A matrix transposed. */
function transposed({shape, values, dtype}: Constant): Constant {
  const [rows, columns] = shape as [number, number];
  const turned = Float32Array.from(values, (_, i) => values[(i % rows) * columns + Math.floor(i / rows)]!);
  return {dtype, shape: [columns, rows], values: turned};
}

/** The second factor of a product of matrices as the kernel of a Dense. */
function denseKernel(node: GraphNode, known: Known): Constant | NoLayer {
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
function denseMatch(
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

/** A product of matrices between two Reshapes: how Keras writes a Dense over values of more than two dimensions. */
export function denseBetween(node: GraphNode, known: Known, shape: Shape): Match | undefined {
  if (shape.length < 3) return undefined;
  const target = known.integers(node.inputs[1]);
  if (target?.length !== 2 || typeof target[1] !== 'number' || (target[1] !== -1 && target[1] !== shape.at(-1)))
    return undefined;
  const chain = new Chain(node, known);
  const path = chain.next();
  const product = path?.at(-1);
  if (product?.op !== 'MatMul') return undefined;
  chain.take(path!);
  const kernel = denseKernel(product, known);
  const back = chain.next();
  const last = back?.at(-1);
  if ('reason' in kernel || last?.op !== 'Reshape' || kernel.shape[0] !== shape.at(-1)) return undefined;
  const given = known.integers(last.inputs[1]);
  const wanted = [...shape.slice(0, -1), kernel.shape[1]!];
  const fits = given?.length === wanted.length && given.every((dim, i) => dim === wanted[i] || (dim === -1 && i === 0));
  if (!fits) return undefined;
  chain.take(back!);
  const match = denseMatch(product, {takes: node.inputs[0]!, kernel, shape, nodes: chain.nodes}, known);
  return 'reason' in match ? undefined : match;
}
