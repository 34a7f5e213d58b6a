/** A file for inputs of any size, told by files for two sizes: where these differ, it is open. */
import type {LayerProblem} from '../../inference/graph';
import {type Data, dataOf} from './constant_data';
import type {FlatGraph, FlatOperator, FlatTensor} from './flat_model';

/** They go through windows and halvings, and models have nothing else as large: what is, hangs on them. */
export const SIZES = [4288, 4544] as const;

function sameData(one: Data | undefined, other: Data | undefined): boolean {
  if (!one || !other) return one === other;
  if (one.key === other.key) return true;
  const [bytes, others] = [one.bytes(), other.bytes()];
  return bytes.length === others.length && bytes.every((byte, i) => byte === others[i]);
}

/** What of tensors that are computed may have any size. */
function opened(one: FlatTensor, other: FlatTensor): FlatTensor {
  const open = one.shape.flatMap((dim, i) => (dim !== other.shape[i] || one.open?.includes(i) ? [i] : []));
  // Of any size means 1 until somebody says which.
  return {...one, open, shape: one.shape.map((dim, i) => (open.includes(i) ? 1 : dim))};
}

/** The shape that a value is brought to, where one dimension of it is what is left; undefined where more are open. */
function openShape(tensor: FlatTensor, y: FlatTensor): FlatTensor | undefined {
  if (y.open?.length !== 1) return undefined;
  const shape = y.shape.map((dim, i) => (y.open!.includes(i) ? -1 : dim));
  return {...tensor, data: dataOf(Int32Array.from(shape))};
}

/** What tells operators apart. */
function callOf({operator, options, inputs, outputs}: FlatOperator): string {
  return JSON.stringify([operator, options, inputs, outputs]);
}

function problemOf({name, layer = name}: FlatTensor): LayerProblem {
  return {
    layer,
    problem:
      `layer ${layer}: a file has it for one size only, but the model leaves the size of its inputs open. Build the model ` +
      'with an inputShape of numbers.',
  };
}

/** The graph for any size, of those for two; and what has none. */
export function ofAnySize(one: FlatGraph, other: FlatGraph): {graph: FlatGraph; problems: readonly LayerProblem[]} {
  const differing = one.operators.find((call, i) => !other.operators[i] || callOf(call) !== callOf(other.operators[i]));
  if (differing) return {graph: one, problems: [problemOf(one.tensors[differing.outputs[0]!]!)]};
  const problems: LayerProblem[] = [];
  const tensors = one.tensors.map((tensor, i) => (tensor.data ? tensor : opened(tensor, other.tensors[i]!)));
  one.tensors.forEach((tensor, i) => {
    if (sameData(tensor.data, other.tensors[i]!.data)) return;
    const takers = one.operators.filter(({inputs}) => inputs.includes(i));
    const areReshapes = takers.every(({operator, inputs}) => operator === 'RESHAPE' && inputs[1] === i);
    const shape = areReshapes ? openShape(tensor, tensors[takers[0]!.outputs[0]!]!) : undefined;
    if (shape) tensors[i] = shape;
    else problems.push(problemOf(tensor));
  });
  return {graph: {...one, tensors}, problems};
}
