/** Layers that work step by step: an LSTM whole, where there is an operator for it; all others as the operators of each step. */
import {innerLayers, type Layer} from '../../layers/graph';
import {activationOf} from '../../layers/kinds';
import {type CellStates, cellStatesOf, gridsOfOutputs, nameOfGrid} from '../../layers/outputs';
import {isWholeLSTM} from '../../layers/recurrent';
import {attributesOf} from '../../layers/tfjs_internals';
import type {Value} from '../graph';
import {gridOver, needsInt16, reachOf} from '../grids';
import {channelsFrom, type Filter, type LSTM} from '../operators';
import {ELSE_FLOAT, objectionToActivationOf} from './activation';
import type {LayerCall, LoweringOfMany} from './layer_call';
import {reachOfSum} from './merge';
import {filterOf, kernel, shapeOf} from './product';
import {CELLS, IN_INTEGERS, type StateGrids} from './recurrent_cells';
import {lastOf, reversed, type Sequence, together} from './sequences';

/** What one direction gives: a step for each in the order in which it goes, and the last states. */
interface Run {
  readonly sequence: Sequence;
  readonly states: readonly Value[];
}

/** The step of the state inside an LSTM that runtimes have tables of tanh for: this, and powers of two up to 64 of it. */
const SMALLEST = 2 ** -15;

/** What a cell is called with. */
interface Given {
  readonly sequence: Sequence;
  readonly backwards: boolean;
  readonly initial: readonly Value[];
}

/** Runs a recurrent layer, or one direction of two: cell after cell, from states that are given or from zeros. */
function run(call: LayerCall, layer: Layer, x: Value, initial: readonly Value[]): Run {
  const states: Value[] = [];
  let [sequence, backwards]: [Sequence, boolean] = [{whole: x}, attributesOf(layer).goBackwards ?? false];
  let end = initial.length;
  // States are those of the last cell first.
  for (const found of cellStatesOf(call.layer)
    .filter(({owner}) => owner === layer)
    .reverse()) {
    const own = initial.slice(Math.max(0, end - found.grids.length), end);
    end -= own.length;
    const made = runCell(call, found, {sequence, backwards, initial: own});
    [sequence, backwards] = [made.sequence, false];
    states.unshift(...made.states);
  }
  return {sequence, states};
}

function runCell(call: LayerCall, {cell, owner, prefix, grids: onGrids}: CellStates, given: Given): Run {
  const {graph, layer} = call;
  const {sequence, backwards, initial} = given;
  const own = call.within(cell, prefix);
  const [hidden, inner] = graph.inFloat ? [] : onGrids.map(grid => call.grid(nameOfGrid(grid)));
  const grids = [hidden, ...(inner ? [{...inner, scale: Math.max(inner.scale, SMALLEST)}] : [])];
  if (!graph.inFloat && grids.filter(Boolean).length < onGrids.length) graph.problems.push(unroundedStates(layer));
  // No operator gives the last state inside.
  const whole = attributesOf(owner).returnState ? undefined : wholeLSTM(own, grids, given);
  if (!whole) {
    if (owner.stateful) graph.problems.push(statefulSteps(layer, graph.hasLSTM));
    const {steps, states} = CELLS[cell.getClassName()]!(own, sequence, {backwards, initial, grids});
    return {sequence: {steps}, states};
  }
  const input = together(graph, backwards ? reversed(graph, sequence) : sequence);
  const shape = [...input.shape.slice(0, 2), whole.gates.input.kernel.bias.length];
  const args = {inputs: [input, ...initial], shape, rule: grids[0] ?? ('own' as const)};
  return {sequence: {whole: graph.add('lstm', {...whole, stateful: owner.stateful}, args)}, states: []};
}

const unroundedStates = ({name}: Layer) => ({
  layer: name,
  problem:
    `layer ${name}: its states are not rounded on every step, as they are in models that this version quantizes. ` +
    'Quantize the model anew, its activations too.',
});

const statefulSteps = ({name}: Layer, hasLSTM: boolean) => ({
  layer: name,
  problem:
    `layer ${name}: it is stateful, and ` +
    (hasLSTM
      ? "only an LSTM keeps states between calls of a file: one with the recurrentActivation 'sigmoid', the activation 'tanh', " +
        '8 bits if any, and no returnState. Build it so, or '
      : 'what is written step by step keeps no states between calls of a file. Build it ') +
    'not stateful, with its states as inputs and outputs.',
});

/** What of an LSTM is one operator; undefined where there is none for it. */
function wholeLSTM(
  call: LayerCall,
  [hidden, cell]: StateGrids,
  {sequence, initial}: Given,
): Omit<LSTM, 'stateful'> | undefined {
  const {graph, layer} = call;
  if (!graph.hasLSTM || !isWholeLSTM(layer)) return undefined;
  const [input, forget, candidate, output] = ['kernel', 'recurrentKernel']
    .map(attribute => filterOf(call, attribute, kernel(shapeOf(call, attribute)), attribute === 'kernel'))
    .reduce<Filter[][]>((gates, filter) => partsOf(filter).map((part, i) => [...(gates[i] ?? []), part]), [])
    .map(([own, recurrent]) => ({kernel: own!, recurrentKernel: recurrent!}));
  const gates = {input: input!, forget: forget!, cell: candidate!, output: output!};
  if (graph.inFloat) return {gates, cell: undefined};
  const {grid} = 'whole' in sequence ? sequence.whole : sequence.steps[0]!;
  const areNarrow = [grid, hidden].every(each => each && !needsInt16(each));
  const filters = Object.values(gates).flatMap(gate => [gate.kernel, gate.recurrentKernel]);
  const isTabled = cell && cell.scale <= 64 * SMALLEST;
  return areNarrow && isTabled && initial.length === 0 && filters.every(hasOneStep) ? {gates, cell} : undefined;
}

/** Those of the four gates, each on the step of all its weights. */
function partsOf(filter: Filter): Filter[] {
  const units = filter.bias.length / 4;
  return Array.from({length: 4}, (_, gate) => {
    const part = channelsFrom(
      filter,
      Array.from({length: units}, (_, c) => gate * units + c),
    );
    const step = part.scale.reduce((most, each) => Math.max(most, each), 0);
    // A channel of zeros is on any.
    part.scale = part.scale.map(each => each || step);
    return part;
  });
}

function hasOneStep({levels, scale}: Filter): boolean {
  return levels instanceof Int8Array && scale.every(each => each === scale[0]);
}

/** What a layer gives of the steps of a run. */
function outputOf({graph}: LayerCall, {sequence}: Run, layer: Layer): Value {
  return attributesOf(layer).returnSequences ? together(graph, sequence) : lastOf(graph, sequence);
}

/** A layer's outputs on their grids. */
function rounded(call: LayerCall, outputs: readonly Value[]): Promise<Value[]> {
  const grids = gridsOfOutputs(call.layer, outputs.length);
  return Promise.resolve(outputs.map((y, i) => call.round(y, nameOfGrid(grids[i]!, i))));
}

export const recurrent: LoweringOfMany = (call, x, ...initial) => {
  const {layer} = call;
  const found = run(call, layer, call.graph.settled(x), initial);
  const states = attributesOf(layer).returnState ? found.states : [];
  return rounded(call, [outputOf(call, found, layer), ...states]);
};

export const bidirectional: LoweringOfMany = (call, x, ...initial) => {
  const {graph, layer} = call;
  const {mergeMode, returnSequences, returnState} = attributesOf(layer);
  const [forward, backward] = innerLayers(layer) as [Layer, Layer];
  const half = initial.length / 2;
  const given = graph.settled(x);
  given.uses++;
  const one = run(call, forward, given, initial.slice(0, half));
  const other = run(call, backward, given, initial.slice(half));
  const inOrder = returnSequences ? {...other, sequence: reversed(graph, other.sequence)} : other;
  const outputs = [outputOf(call, one, forward), outputOf(call, inOrder, backward)] as const;
  const states = returnState ? [...one.states, ...other.states] : [];
  return rounded(call, [...(mergeMode === null ? outputs : [merged(call, mergeMode!, outputs)]), ...states]);
};

/** The outputs of both directions in one. */
function merged({graph}: LayerCall, mode: string, inputs: readonly [Value, Value]): Value {
  const [{shape, grid}, other] = inputs;
  const last = shape.length - 1;
  if (mode === 'concat') {
    const both = [...shape.slice(0, last), 2 * shape[last]!];
    return graph.add('concat', {axis: last}, {inputs, shape: both, rule: 'same'});
  }
  if (mode === 'mul') return graph.add('multiply', {}, {inputs, shape, rule: 'own'});
  if (mode === 'sum') return graph.add('add', {}, {inputs, shape, rule: 'own'});
  const rule = grid && other.grid ? gridOver(reachOfSum(reachOf(grid), reachOf(other.grid)), true) : 'own';
  const sum = graph.add('add', {}, {inputs, shape, rule});
  const half = (value: number) => new Float64Array(shape[last]!).fill(value);
  return graph.affine(sum, half(0.5), half(0));
}

/** What is against a recurrent layer, in integers unless floats are as good; undefined if nothing. */
export function objectionToRecurrent(layer: Layer, inFloat: boolean): string | undefined {
  for (const {cell} of cellStatesOf(layer)) {
    const name = cell.getClassName();
    if (!CELLS[name]) return `there are no operators for its cell of the class ${name}. Use a cell of tfjs`;
    const {dataFormat, recurrentActivation} = attributesOf(cell);
    if (dataFormat === 'channelsFirst') return "its data format is channelsFirst. Build it with 'channelsLast'";
    for (const activation of [recurrentActivation?.getClassName() ?? 'linear', activationOf(cell)]) {
      const objection = objectionToActivationOf(activation, inFloat);
      if (objection) return objection;
      if (!inFloat && !IN_INTEGERS.has(activation))
        return `the activation ${activation} has no integer operator within a cell. ${ELSE_FLOAT}`;
    }
  }
  return undefined;
}
