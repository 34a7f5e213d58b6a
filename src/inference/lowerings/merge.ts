/** Layers that make one tensor of several. */
import type {Reach} from '../graph';
import type {Interval} from '../grids';
import type {Lowering} from './layer_call';

/** The sum, product and so on of any number of inputs, two at a time. What has a reach is on a grid of its own. */
function merge(operator: 'add' | 'multiply' | 'maximum' | 'minimum', reach?: Reach): Lowering {
  return ({graph, shape}, ...inputs) => {
    const aligned = inputs.map(x => {
      const missing = shape.length - x.shape.length;
      return graph.reshape(x, [x.shape[0]!, ...new Array<number>(missing).fill(1), ...x.shape.slice(1)]);
    });
    return aligned.reduce((sum, x, i) => {
      const both = sum.shape.map((dim, axis) => Math.max(dim, x.shape[axis]!));
      const isBetween = i < aligned.length - 1;
      const rule = reach ? 'own' : 'same';
      return graph.add(operator, {}, {inputs: [sum, x], shape: both, rule, reach: isBetween ? reach : undefined});
    });
  };
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

export const concatenate: Lowering = (call, ...inputs) => {
  const {graph, shape} = call;
  const axis = call.get('axis') as number;
  return graph.add('concat', {axis: axis < 0 ? axis + shape.length : axis}, {inputs, shape, rule: 'same'});
};
