/** Layers that make one tensor of several. */
import type {Layer} from '../../layers/graph';
import {attributesOf} from '../../layers/tfjs_internals';
import type {Reach, Value} from '../graph';
import type {Interval} from '../grids';
import {ints, scalar} from '../operation_view';
import {ELSE_FLOAT} from './activation';
import type {LayerCall, Lowering} from './layer_call';

/** What of two values is computed number by number. */
type Merging = 'add' | 'multiply' | 'maximum' | 'minimum';

/**
 * The sum, product and so on of any number of inputs, two at a time. What has a reach is on a grid of its own; `isMeasured`:
 * whether somebody says which, of the last one.
 */
function merged(
  {graph, shape}: LayerCall,
  inputs: readonly Value[],
  operator: Merging,
  reach?: Reach,
  isMeasured = true,
) {
  const aligned = inputs.map(x => {
    const missing = shape.length - x.shape.length;
    return graph.reshape(x, [x.shape[0]!, ...new Array<number>(missing).fill(1), ...x.shape.slice(1)]);
  });
  const {values, permutation} = graph.untransposed(aligned);
  const all = values.reduce((sum, x, i) => {
    const both = sum.shape.map((dim, axis) => Math.max(dim, x.shape[axis]!));
    const isBetween = i < values.length - 1 || !isMeasured;
    const rule = reach ? 'own' : 'same';
    return graph.add(operator, {}, {inputs: [sum, x], shape: both, rule, reach: isBetween ? reach : undefined});
  });
  return graph.transpose(all, permutation);
}

function merge(operator: Merging, reach?: Reach): Lowering {
  return (call, ...inputs) => merged(call, inputs, operator, reach);
}

export const reachOfSum: Reach = ([a, b], [c, d]) => [a + c, b + d];

export function reachOfProduct(one: Interval, other: Interval): Interval {
  const corners = one.flatMap(a => other.map(b => a * b));
  return [Math.min(...corners), Math.max(...corners)];
}

export const add = merge('add', reachOfSum);
export const multiply = merge('multiply', reachOfProduct);
export const maximum = merge('maximum');
export const minimum = merge('minimum');

/** The sum, then a share of it. */
export const average: Lowering = (call, ...inputs) => {
  const {graph} = call;
  return graph.each(merged(call, inputs, 'add', reachOfSum, false), sum => {
    const share = new Float64Array(sum.shape[sum.shape.length - 1]!).fill(1 / inputs.length);
    return graph.affine(
      sum,
      share,
      share.map(() => 0),
    );
  });
};

export const concatenate: Lowering = (call, ...inputs) => {
  const {graph, shape} = call;
  const axis = call.get('axis') as number;
  const {values, permutation} = graph.untransposed(inputs);
  const along = permutation[axis < 0 ? axis + shape.length : axis]!;
  const whole = values[0]!.shape.map((dim, i) => (i === along ? values.reduce((sum, x) => sum + x.shape[i]!, 0) : dim));
  return graph.transpose(graph.add('concat', {axis: along}, {inputs: values, shape: whole, rule: 'same'}), permutation);
};

/** Products of matrices; a row is one of them. */
export const dot: Lowering = (call, ...inputs) => {
  const {graph, shape} = call;
  const given = call.get('axes');
  const axes = inputs.map(({shape: {length}}, i) => {
    const axis = typeof given === 'number' ? given : given[i]!;
    return axis < 0 ? axis + length : axis;
  });
  const [x, y] = inputs.map((input, i) => {
    const value = call.get('normalize') ? normalized(call, graph.float32(input), axes[i]!) : input;
    const [batch, length] = value.shape as [number, number];
    return value.shape.length > 2 ? value : graph.reshape(value, i === 0 ? [batch, 1, length] : [batch, length, 1]);
  }) as [Value, Value];
  const transposeX = inputs[0]!.shape.length > 2 && axes[0] === 1;
  const transposeY = inputs[1]!.shape.length > 2 && axes[1] === 2;
  const [rows, columns] = [x.shape[transposeX ? 2 : 1]!, y.shape[transposeY ? 1 : 2]!];
  const product = {inputs: [x, y], shape: [x.shape[0]!, rows, columns], rule: 'own'} as const;
  return graph.reshape(graph.add('matmul', {transposeX, transposeY}, product), shape);
};

/** x of length 1 along a dimension. */
function normalized(call: LayerCall, x: Value, axis: number): Value {
  const shape = x.shape.map((dim, i) => (i === axis ? 1 : dim));
  const squares = call.operation('Sum', [call.operation('Square', [x]), ints([axis])], {shape}, {keep_dims: true});
  const length = call.operation('Sqrt', [call.operation('Maximum', [squares, scalar('float32', 1e-7)])]);
  return call.operation('RealDiv', [x, length]);
}

/** What is against computing a Dot in integers, if they are asked for. */
export function objectionToDot(layer: Layer, inFloat: boolean): string | undefined {
  const {axes, normalize} = attributesOf(layer);
  if ([axes!].flat().includes(0)) return 'it sums over samples, its axis 0. Give it axes of 1 and more';
  return normalize && !inFloat ? `there is no integer operator for its normalize. ${ELSE_FLOAT}` : undefined;
}
