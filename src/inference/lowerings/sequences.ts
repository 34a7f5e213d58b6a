/** Sequences of steps: as one value, or as a value for each step. */
import type {Value} from '../graph';
import type {GraphBuilder} from '../graph_builder';

/** [batch, steps, …] as a value. */
interface Whole {
  readonly whole: Value;
}

/** [batch, …] of each step. */
interface Apart {
  readonly steps: readonly Value[];
}

export type Sequence = Whole | Apart;

/** How many values some runtimes put together at a time. */
const AT_ONCE = 8;

/** A value that is taken more than once, so that nothing that follows may be computed along with it. */
export function shared(value: Value): Value {
  value.uses = Math.max(2, value.uses);
  return value;
}

/** The steps of a sequence, the last one first if that is how it goes. */
function stepsOf(graph: GraphBuilder, sequence: Sequence, backwards = false): Value[] {
  const steps = 'steps' in sequence ? [...sequence.steps] : slices(graph, sequence.whole);
  return backwards ? steps.reverse() : steps;
}

function slices(graph: GraphBuilder, x: Value): Value[] {
  const [batch, count, rows, ...others] = x.shape as [number, number, number, ...number[]];
  const all = graph.reshape(x, [batch, count * rows, ...others]);
  if (count === 1) return [all];
  const begin = (t: number) => [0, t * rows, ...others.map(() => 0)];
  return Array.from({length: count}, (_, t) =>
    graph.move('slice', {begin: begin(t)}, shared(all), [batch, rows, ...others]),
  );
}

/** A sequence as one value. */
export function together(graph: GraphBuilder, sequence: Sequence): Value {
  if ('whole' in sequence) return sequence.whole;
  const {steps} = sequence;
  const [batch, rows, ...others] = steps[0]!.shape as [number, number, ...number[]];
  let parts = steps.map(shared);
  while (parts.length > 1) parts = joined(graph, parts);
  return graph.reshape(parts[0]!, [batch, steps.length, rows, ...others]);
}

/** Some values at a time behind each other, along their second dimension. */
function joined(graph: GraphBuilder, parts: readonly Value[]): Value[] {
  const found: Value[] = [];
  for (let i = 0; i < parts.length; i += AT_ONCE) {
    const inputs = parts.slice(i, i + AT_ONCE);
    const [batch, , ...others] = inputs[0]!.shape as [number, number, ...number[]];
    const length = inputs.reduce((sum, {shape}) => sum + shape[1]!, 0);
    const shape = [batch, length, ...others];
    found.push(inputs.length === 1 ? inputs[0]! : graph.add('concat', {axis: 1}, {inputs, shape, rule: 'same'}));
  }
  return found;
}

/** The last step of a sequence. */
export function lastOf(graph: GraphBuilder, sequence: Sequence): Value {
  if ('steps' in sequence) return sequence.steps[sequence.steps.length - 1]!;
  const {whole} = sequence;
  const [batch, steps, ...others] = whole.shape as [number, number, ...number[]];
  if (steps === 1) return graph.reshape(whole, [batch, ...others]);
  const begin = [0, steps - 1, ...others.map(() => 0)];
  return graph.reshape(graph.move('slice', {begin}, whole, [batch, 1, ...others]), [batch, ...others]);
}

/** A sequence whose last step comes first. */
export function reversed(graph: GraphBuilder, sequence: Sequence): Sequence {
  if ('steps' in sequence) return {steps: [...sequence.steps].reverse()};
  const {whole} = sequence;
  return whole.shape[1] === 1 ? sequence : {whole: graph.move('reverse', {axis: 1}, whole, whole.shape)};
}

/** What gives a step for each step, all at once where they are one value. */
export function eachStep(
  graph: GraphBuilder,
  sequence: Sequence,
  compute: (x: Value) => Value,
  backwards = false,
): Value[] {
  if ('steps' in sequence) return stepsOf(graph, sequence, backwards).map(compute);
  const {whole} = sequence;
  const [batch, steps, ...others] = whole.shape as [number, number, ...number[]];
  const y = compute(graph.reshape(whole, [batch * steps, ...others]));
  return stepsOf(graph, {whole: graph.reshape(y, [batch, steps, ...y.shape.slice(1)])}, backwards);
}
