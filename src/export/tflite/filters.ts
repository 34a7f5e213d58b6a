/** Weights and biases as the runtimes read them: in their order, and in integers of fitting steps. */
import {filterOf, type Node} from '../../inference/graph';
import {integersFor, type Widths} from '../../inference/integer_weights';
import type {Filter, Operator} from '../../inference/operators';
import {type FloatConstant, Floats, inFrontOrder} from './floats';

/** A filter in integers, for an input of a given step. */
export interface IntegerFilter {
  readonly levels: Int8Array;
  readonly shape: readonly number[];
  /** The dimension of output channels. */
  readonly axis: number;
  readonly scale: Float32Array;
  readonly biasScale: Float32Array;
  readonly bias: readonly number[];
}

/** The values of a tensor with its dimension `axis` in front of the others. */
export function inFront<T extends Int8Array | Float32Array>(values: T, shape: readonly number[], axis: number): T {
  const moved = values.slice() as T;
  inFrontOrder(shape, axis, (from, _, to) => (moved[to] = values[from]!));
  return moved;
}

/** Kernels have their output channels first; a depthwise one is the one row of a kernel [1, height, width, channels]. */
function layoutOf(operator: Operator, {shape, axis}: Filter) {
  if (operator === 'depthwiseConv2d') {
    const [height, width, channels, multiplier] = shape as [number, number, number, number];
    return {isMoved: false, shape: [1, height, width, channels * multiplier], axis: 3};
  }
  const others = shape.filter((_, dim) => dim !== axis);
  return {isMoved: true, shape: [shape[axis]!, ...others], axis: 0};
}

/** The filter of an operator that multiplies, for an input of a given step. */
export function integerFilter(
  {operator}: Pick<Node, 'operator'>,
  filter: Filter,
  inputScale: number,
  widths: Widths,
): IntegerFilter {
  const {levels: own, scale, biasScale, bias} = integersFor(filter, inputScale, widths);
  const {isMoved, ...layout} = layoutOf(operator, filter);
  const levels = isMoved ? inFront(own, filter.shape, filter.axis) : own;
  // Dense layers with one step for all channels say so, as their fastest kernels are for that.
  const isShared = operator === 'dense' && scale.every(step => step === scale[0]);
  const scales = isShared ? {scale: scale.slice(0, 1), biasScale: biasScale.slice(0, 1)} : {scale, biasScale};
  return {levels, ...layout, ...scales, bias};
}

/** The filter of an operator that computes in float. */
export function floatFilter(
  {operator}: Pick<Node, 'operator'>,
  filter: Filter,
): {weights: FloatConstant; bias: FloatConstant} {
  const {isMoved: inFront, shape} = layoutOf(operator, filter);
  const {levels, view, axis, scale, bias} = filter;
  return {
    weights: {data: new Floats(levels, {view, axis, scale, inFront}), shape},
    bias: {data: new Floats(Float32Array.from(bias)), shape: [bias.length]},
  };
}

/** Operators with kernels that read int4 weights: those for int8, and those for int16. */
const READS_INT4: ReadonlySet<Operator> = new Set(['conv2d', 'dense', 'depthwiseConv2d']);
const READS_INT4_IN_INT16: ReadonlySet<Operator> = new Set(['conv2d', 'dense']);

/** Whether an operator's weights can be stored as int4. Of few bits may be more than fit: with the other sign, or on one side of 0. */
export function fitsInt4(node: Node, inInt16: boolean): boolean {
  const filter = filterOf(node);
  const readers = inInt16 ? READS_INT4_IN_INT16 : READS_INT4;
  if (filter?.bits === undefined || filter.bits > 4 || !readers.has(node.operator)) return false;
  return filter.levels.every(level => level >= -8 && level <= 7);
}
