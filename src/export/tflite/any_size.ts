/** A file for inputs of any size, told by files for two sizes: where these differ, it is open. */
import {type Data, dataOf} from './constant_data';
import type {FlatGraph, FlatOperator, FlatTensor} from './flat_model';

/**
 * A batch as files have it where nobody says another, and sizes that go through windows and halvings. Models have nothing else
 * that is as large as these: what is, hangs on them.
 */
export const SIZES = [
  {batch: 1, others: 4288},
  {batch: 4001, others: 4544},
] as const;

function sameData(one: Data | undefined, other: Data | undefined): boolean {
  if (!one || !other) return one === other;
  if (one.key === other.key) return true;
  const [bytes, others] = [one.bytes(), other.bytes()];
  return bytes.length === others.length && bytes.every((byte, i) => byte === others[i]);
}

/** The dimensions in which a tensor may have any size. */
function openIn(one: FlatTensor, other: FlatTensor): number[] {
  return one.shape.flatMap((dim, i) => (dim !== other.shape[i] || one.open?.includes(i) ? [i] : []));
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

function problemOf({name, layer = name}: FlatTensor): string {
  return (
    `layer ${layer}: a file has it for one size only, but that of its inputs is open. Build the model with an inputShape of ` +
    'numbers, and have batchSize be one.'
  );
}

/** The graph for any size, of those for two; and what has none. */
export function ofAnySize(one: FlatGraph, other: FlatGraph): {graph: FlatGraph; problems: readonly string[]} {
  const differing = one.operators.find((call, i) => !other.operators[i] || callOf(call) !== callOf(other.operators[i]));
  if (differing) return {graph: one, problems: [problemOf(one.tensors[differing.outputs[0]!]!)]};
  const problems: string[] = [];
  const open = one.tensors.map((tensor, i) => (tensor.data ? [] : openIn(tensor, other.tensors[i]!)));
  // Where more than the batch is open, all that is has a size of 1 until somebody says which.
  const isSized = one.inputs.some(({tensor}) => open[tensor]!.some(dim => dim > 0));
  const tensors: FlatTensor[] = one.tensors.map((tensor, i) => {
    const shape = isSized ? tensor.shape.map((dim, axis) => (open[i]!.includes(axis) ? 1 : dim)) : tensor.shape;
    return {...tensor, shape, open: open[i]!};
  });
  one.tensors.forEach((tensor, i) => {
    if (sameData(tensor.data, other.tensors[i]!.data)) return;
    const takers = one.operators.filter(({inputs}) => inputs.includes(i));
    const areReshapes = takers.every(({operator, inputs}) => operator === 'RESHAPE' && inputs[1] === i);
    const shape = areReshapes ? openShape(tensor, tensors[takers[0]!.outputs[0]!]!) : undefined;
    if (shape) tensors[i] = {...tensors[i]!, ...shape};
    else problems.push(problemOf(tensor));
  });
  return {graph: {...one, tensors}, problems: [...new Set(problems)]};
}
