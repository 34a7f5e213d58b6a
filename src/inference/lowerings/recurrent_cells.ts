/** Cells of recurrent layers, step by step. In integers, what nobody measures inside is on grids of int16 over all it can be. */
import {activationOf} from '../../layers/kinds';
import {attributesOf} from '../../layers/tfjs_internals';
import type {NodeArgs, Reach, Value} from '../graph';
import {gridOver, type Interval, reachOf, UNIT, type ValueGrid} from '../grids';
import {channelsFrom, channelsOf, type Filter, scaleChannels} from '../operators';
import {type Padding, type Pair, paddingOf} from '../window';
import {applied} from './activation';
import type {LayerCall} from './layer_call';
import {reachOfProduct, reachOfSum} from './merge';
import {filterOf, kernel, shapeOf, windowOf} from './product';
import {eachStep, type Sequence, shared} from './sequences';

/** What a cell gives for each step, in the order in which it takes them, and its last states. */
interface Steps {
  readonly steps: readonly Value[];
  readonly states: readonly Value[];
}

/** The grids of a cell's states: of what it gives, and of what an LSTM has beside. Undefined in float. */
export type StateGrids = readonly (ValueGrid | undefined)[];

/** Beyond it, activations with two ends are as good as at them: so far a grid before one reaches. */
const SATURATED: Interval = [-16, 16];
const WITH_ENDS: ReadonlySet<string> = /*#__PURE__*/ new Set(['hardSigmoid', 'sigmoid', 'tanh']);

/** How hardSigmoid begins: 0.2 * x + 0.5. */
const [GAIN, OFFSET] = [0.2, 0.5];

/** A cell that is called step by step. */
class Stepped {
  readonly #call: LayerCall;
  /** The activation of each part of what the kernels give: of the gates' parts, and of the others. */
  readonly #activations: readonly string[];

  constructor(call: LayerCall, activations: readonly string[]) {
    this.#call = call;
    this.#activations = activations;
  }

  /** Some parts of a kernel, or all, in an order; hardSigmoid's beginning is in it. */
  filter(attribute: 'kernel' | 'recurrentKernel', parts: readonly number[]): Filter {
    const hasBias = attribute === 'kernel';
    const filter = filterOf(this.#call, attribute, kernel(shapeOf(this.#call, attribute)), hasBias);
    const units = filter.bias.length / this.#activations.length;
    const channels = parts.flatMap(part => Array.from({length: units}, (_, c) => part * units + c));
    const chosen = channelsFrom(filter, channels);
    const isHard = (c: number) => this.#activations[parts[Math.floor(c / units)]!] === 'hardSigmoid';
    scaleChannels(chosen, chosen.bias.map((_, c) => (isHard(c) ? GAIN : 1))); // prettier-ignore
    chosen.bias = chosen.bias.map((bias, c) => (isHard(c) ? GAIN * bias + (hasBias ? OFFSET : 0) : bias));
    return chosen;
  }

  /** What the kernel gives of each step. */
  products(sequence: Sequence, parts: readonly number[], backwards: boolean): Value[] {
    const filter = this.filter('kernel', parts);
    return eachStep(this.#call.graph, sequence, x => this.multiplied(x, filter, true), backwards);
  }

  /** x times a kernel. */
  multiplied(x: Value, filter: Filter, isKernel = false): Value {
    const {graph} = this.#call;
    const rule = this.#ruleFor(x.grid && reachThrough(filter, reachOf(x.grid)));
    const outputs = filter.bias.length;
    if (x.shape.length === 2) return graph.add('dense', {filter}, {inputs: [x], shape: [x.shape[0]!, outputs], rule});
    const {strides, dilations, padding} = isKernel ? windowOf(this.#call, x.shape, filter.shape) : alike(x, filter);
    const size = ([1, 2] as const).map(axis => {
      const [before, behind] = padding.amounts[axis - 1]!;
      const seen = (filter.shape[axis - 1]! - 1) * dilations[axis - 1]! + 1;
      return Math.floor((x.shape[axis]! + before + behind - seen) / strides[axis - 1]!) + 1;
    });
    const shape = [x.shape[0]!, ...size, outputs];
    return graph.add('conv2d', {filter, strides, dilations, padding}, {inputs: [x], shape, rule});
  }

  /** Equal parts of x, `count` of `all` from one on. */
  part(x: Value, first: number, count: number, all: number): Value {
    const last = x.shape.length - 1;
    const units = x.shape[last]! / all;
    const begin = x.shape.map((_, axis) => (axis === last ? first * units : 0));
    return this.#call.graph.move('slice', {begin}, shared(x), [...x.shape.slice(0, -1), count * units]);
  }

  /** The activation of a part, which for hardSigmoid has begun. */
  activated(x: Value, part: number): Value {
    const {graph} = this.#call;
    const name = this.#activations[part]!;
    if (name !== 'hardSigmoid') return this.applied(x, name);
    const y = graph.clamp(x, [0, 1]);
    return graph.round(y, graph.inFloat ? undefined : UNIT[1]);
  }

  applied(x: Value, name: string): Value {
    const y = applied(name, this.#call, x);
    // What only clamps is on x's grid.
    return this.#call.graph.round(y, y.grid ? undefined : x.grid);
  }

  /** A sum that an activation takes. */
  sum(one: Value, other: Value): Value {
    const haveEnds = this.#activations.every(name => WITH_ENDS.has(name));
    return this.combined('add', one, other, undefined, haveEnds);
  }

  /** Two values in one, on a grid, or on one over all it can be. */
  combined(
    operator: keyof typeof REACHES,
    one: Value,
    other: Value,
    grid: ValueGrid | undefined,
    saturates = false,
  ): Value {
    const all = one.grid && other.grid && REACHES[operator](reachOf(one.grid), reachOf(other.grid));
    const reach: Interval | undefined =
      all && saturates ? [Math.max(all[0], SATURATED[0]), Math.min(all[1], SATURATED[1])] : all;
    const rule = grid ?? this.#ruleFor(reach);
    return this.#call.graph.add(operator, {}, {inputs: [one, other], shape: one.shape, rule});
  }

  #ruleFor(reach: Interval | undefined): NodeArgs['rule'] {
    return reach && !this.#call.graph.inFloat ? gridOver(reach, true) : 'own';
  }
}

const reachOfDifference: Reach = ([a, b], [c, d]) => [a - d, b - c];

const REACHES = {add: reachOfSum, multiply: reachOfProduct, subtract: reachOfDifference} as const;

/** The window of a convolution that keeps the size of what it is given. */
function alike(x: Value, {shape}: Filter): {strides: Pair; dilations: Pair; padding: Padding} {
  const once: Pair = [1, 1];
  const padding = paddingOf('same', [x.shape[1]!, x.shape[2]!], [shape[0]!, shape[1]!], once, once);
  return {strides: once, dilations: once, padding};
}

/** Between which numbers all products of a filter lie. */
function reachThrough(filter: Filter, [low, high]: Interval): Interval {
  const {levels, scale, bias} = filter;
  const channel = channelsOf(filter);
  const [lows, highs] = [Float64Array.from(bias), Float64Array.from(bias)];
  levels.forEach((level, i) => {
    const c = channel(i);
    const weight = level * scale[c]!;
    lows[c]! += Math.min(weight * low, weight * high);
    highs[c]! += Math.max(weight * low, weight * high);
  });
  return [Math.min(0, ...lows), Math.max(0, ...highs)];
}

/** A cell's steps, from states that are given, or from zeros. */
export type Cell = (
  call: LayerCall,
  sequence: Sequence,
  how: {readonly backwards: boolean; readonly initial: readonly Value[]; readonly grids: StateGrids},
) => Steps;

const activationsOf = (call: LayerCall) => {
  const gate = attributesOf(call.layer).recurrentActivation?.getClassName();
  return {gate: gate!, other: activationOf(call.layer)};
};

/** Of an LSTM: c = f * c + i * g, h = o * act(c), where i, f, g and o are the activated parts of z. */
const lstm: Cell = (call, sequence, {backwards, initial, grids: [hidden, inner]}) => {
  const {gate, other} = activationsOf(call);
  const cell = new Stepped(call, [gate, gate, other, gate]);
  const order = [0, 1, 3, 2];
  const recurrent = cell.filter('recurrentKernel', order);
  const steps: Value[] = [];
  let [h, c] = initial;
  for (const x of cell.products(sequence, order, backwards)) {
    const z = h ? cell.sum(x, cell.multiplied(h, recurrent)) : x;
    const gates = cell.activated(cell.part(z, 0, 3, 4), 0);
    const g = cell.activated(cell.part(z, 3, 1, 4), 2);
    const [i, f, o] = [0, 1, 2].map(part => cell.part(gates, part, 1, 3)) as [Value, Value, Value];
    c = c
      ? cell.combined(
          'add',
          cell.combined('multiply', f, c, undefined),
          cell.combined('multiply', i, g, undefined),
          inner,
        )
      : cell.combined('multiply', i, g, inner);
    h = cell.combined('multiply', o, cell.applied(shared(c), other), hidden);
    steps.push(shared(h));
  }
  return {steps, states: [h!, c!]};
};

/** Of a GRU: h = z * h + (1 - z) * g, where g is of r * h. */
const gru: Cell = (call, sequence, {backwards, initial, grids: [hidden]}) => {
  const {gate, other} = activationsOf(call);
  const cell = new Stepped(call, [gate, gate, other]);
  const [toGates, toCandidate] = [cell.filter('recurrentKernel', [0, 1]), cell.filter('recurrentKernel', [2])];
  const steps: Value[] = [];
  let [h] = initial;
  for (const x of cell.products(sequence, [0, 1, 2], backwards)) {
    const [xGates, xCandidate] = [cell.part(x, 0, 2, 3), cell.part(x, 2, 1, 3)];
    const gates = cell.activated(h ? cell.sum(xGates, cell.multiplied(h, toGates)) : xGates, 0);
    const z = cell.part(gates, 0, 1, 2);
    const forgotten = h && cell.combined('multiply', cell.part(gates, 1, 1, 2), h, undefined);
    const g = shared(
      cell.activated(forgotten ? cell.sum(xCandidate, cell.multiplied(forgotten, toCandidate)) : xCandidate, 2),
    );
    h = h
      ? cell.combined(
          'add',
          g,
          cell.combined('multiply', z, cell.combined('subtract', h, g, undefined), undefined),
          hidden,
        )
      : cell.combined('subtract', g, cell.combined('multiply', z, g, undefined), hidden);
    steps.push(shared(h));
  }
  return {steps, states: [h!]};
};

/** Of a SimpleRNN: h = act(z). */
const simple: Cell = (call, sequence, {backwards, initial, grids: [hidden]}) => {
  const cell = new Stepped(call, [activationOf(call.layer)]);
  const recurrent = cell.filter('recurrentKernel', [0]);
  const steps: Value[] = [];
  let [h] = initial;
  for (const x of cell.products(sequence, [0], backwards)) {
    const z = h ? cell.sum(x, cell.multiplied(h, recurrent)) : x;
    h = call.graph.round(cell.activated(z, 0), hidden);
    steps.push(shared(h));
  }
  return {steps, states: [h!]};
};

/** The activations that cells compute in integers: the others have no kernels for int16. */
export const IN_INTEGERS: ReadonlySet<string> = /*#__PURE__*/ new Set([...WITH_ENDS, 'linear', 'relu', 'relu6']);

/** By class name. */
export const CELLS: Readonly<Record<string, Cell | undefined>> = {
  ConvLSTM2DCell: lstm,
  GRUCell: gru,
  LSTMCell: lstm,
  SimpleRNNCell: simple,
};
