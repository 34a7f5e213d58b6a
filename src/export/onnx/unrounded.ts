/** Values that the model does not round: they are on grids for formats that compute on nothing else. */
import type {InferenceGraph, Node, Value} from '../../inference/graph';
import type {Operator} from '../../inference/operators';

/** Operators that compute, and are on their inputs' grid nevertheless. */
const AVERAGING: ReadonlySet<Operator> = new Set(['averagePool', 'resizeBilinear']);

/** What rounds what it computes of an average. */
const ROUNDING: ReadonlySet<Operator> = new Set([...AVERAGING, 'depthwiseConv2d', 'requantize']);

/** Those of a graph: what nobody measured, and averages that are rounded to another grid next. */
export function unroundedValues({nodes}: InferenceGraph): ReadonlySet<Value> {
  const takers = new Map<Value, Node>();
  for (const node of nodes) for (const input of node.inputs) takers.set(input, node);
  const isRoundedNext = (value: Value): boolean => {
    const taker = value.uses === 1 ? takers.get(value) : undefined;
    if (!taker) return false;
    return taker.operator === 'reshape' ? isRoundedNext(taker.output) : ROUNDING.has(taker.operator);
  };
  const found = new Set<Value>();
  for (const {operator, inputs, output, reach} of nodes) {
    const isMoved = operator === 'reshape' && found.has(inputs[0]!);
    const isAverage = AVERAGING.has(operator) && isRoundedNext(output);
    if (reach !== undefined || isAverage || isMoved) found.add(output);
  }
  return found;
}
