/**
 * What a quantized model computes, as operators on tensors whose last dimension is the channels. It is put together call by
 * call of its layers; what can be computed in one operator (BatchNormalization and a clamp after a product, a rounding after
 * anything) joins the operator that is there. Values without a grid are floats, or whole numbers as the caller gives them.
 */
import {channelOf} from '../quantizer/levels';
import {EVERYTHING, gridOver, type Interval, isWithin, needsInt16, reachOf, sameGrid, type ValueGrid} from './grids';
import {NO_PADDING, type Pair, type Window} from './window';

/** A tensor that is computed. */
export interface Value {
  readonly shape: readonly number[];
  /** The layer that it is the output of, for names and messages. */
  layer: string;
  /** How many take it: operators, and the model's outputs. */
  uses: number;
  /** Undefined as long as nobody has rounded it. */
  grid: ValueGrid | undefined;
  readonly producer: Node | undefined;
}

/** Numbers that are given. */
export interface Numbers {
  readonly values: Float32Array;
  readonly shape: readonly number[];
}

/** What an operator multiplies with, and adds. */
export interface Filter {
  /** The weights in steps, as tfjs lays them out. */
  levels: Int8Array;
  /** [height, width, in, out], [height, width, in, multiplier] of a depthwise one, [height, width, out, in] of a transposed one, [in, out]. */
  readonly shape: readonly number[];
  /** The shape in which `axis` counts: the same, or [positions, channels] of a depthwise one. */
  readonly view: readonly number[];
  /** The dimension of output channels. */
  readonly axis: number;
  readonly bits: number;
  /** The step and the bias of each output channel. A step of 0 switches the channel off. */
  scale: Float64Array;
  bias: Float64Array;
}

export interface Convolution extends Window {
  readonly filter: Filter;
  readonly dilations: Pair;
}

export interface Pool extends Window {
  readonly size: Pair;
}

type None = Readonly<Record<string, never>>;

/** The operators, and what each has beside its inputs and the shape of its output. */
export interface Attributes {
  conv2d: Convolution;
  depthwiseConv2d: Convolution;
  transposedConv2d: Convolution;
  dense: {readonly filter: Filter};
  add: None;
  multiply: None;
  maximum: None;
  minimum: None;
  concat: {readonly axis: number};
  averagePool: Pool;
  maxPool: Pool;
  /** Over all of some dimensions. */
  mean: {readonly axes: readonly number[]};
  max: {readonly axes: readonly number[]};
  resizeBilinear: None;
  resizeNearest: None;
  /** Zeros before and behind, in each dimension. */
  pad: {readonly amounts: readonly Pair[]};
  /** What begins there, as large as the output. */
  slice: {readonly begin: readonly number[]};
  transpose: {readonly permutation: readonly number[]};
  reshape: None;
  /** Rows of a table, by their numbers. */
  lookup: {readonly table: Numbers};
  leakyRelu: {readonly slope: number};
  prelu: {readonly slopes: Numbers};
  elu: None;
  sigmoid: None;
  softmax: None;
  tanh: None;
  /** Nothing but what any operator can have: a clamp. */
  clamp: None;
  /** The same on another grid. */
  requantize: None;
}

export type Operator = keyof Attributes;

/** On which grid an operator's output is: any; its inputs', as it only moves values or chooses among them; or a given one. */
type GridRule = 'own' | 'same' | ValueGrid;

/** Between which numbers the outcome for any two numbers of two intervals lies. */
export type Reach = (one: Interval, other: Interval) => Interval;

interface Call {
  readonly layer: string;
  inputs: Value[];
  readonly output: Value;
  readonly rule: GridRule;
  /** Of an operator whose output nobody measures. */
  readonly reach?: Reach;
  clamp: Interval;
}

/** One call of an operator. */
export type Node<Of extends Operator = Operator> = {
  [Name in Of]: Call & {readonly operator: Name; attributes: Attributes[Name]};
}[Of];

/** A call that is to be added. */
export interface NodeArgs {
  readonly inputs: readonly Value[];
  readonly shape: readonly number[];
  readonly rule: GridRule;
  readonly reach?: Reach | undefined;
  readonly clamp?: Interval;
}

/** Operators that clamp what they computed. */
const CLAMPING: ReadonlySet<Operator> = new Set([
  'add',
  'conv2d',
  'dense',
  'depthwiseConv2d',
  'multiply',
  'transposedConv2d',
]);

/** Operators that move values of any type. */
const MOVING: ReadonlySet<Operator> = new Set(['reshape', 'slice', 'transpose']);

export function filterOf({attributes}: Node): Filter | undefined {
  return 'filter' in attributes ? attributes.filter : undefined;
}

/** Whether an operator computes on int16: for one grid that needs it, all are. What moves values is on its output's. */
export function computesInInt16({output, rule, inputs}: Node): boolean {
  return needsInt16(output.grid) || (rule !== 'same' && inputs.some(({grid}) => needsInt16(grid)));
}

export function sizeOf(shape: readonly number[]): number {
  return shape.reduce((product, dim) => product * dim, 1);
}

/** Multiplies the output channels of a filter: their steps, and the signs of their levels. */
export function scaleChannels(filter: Filter, gain: Float64Array): void {
  if (gain.some(each => each < 0)) {
    const channel = channelOf(filter.view, filter.axis);
    filter.levels = filter.levels.map((level, i) => (gain[channel(i)]! < 0 ? -level : level));
  }
  filter.scale = filter.scale.map((scale, c) => scale * Math.abs(gain[c]!));
}

/** A value of a model that its callers know by name. */
export interface Port {
  readonly name: string;
  readonly value: Value;
}

/** The operators of a model, in the order in which they run. */
export class IntegerGraph {
  readonly nodes: Node[] = [];
  readonly inputs: Port[] = [];
  readonly outputs: Port[] = [];
  /** What is wrong with it, for all layers. */
  readonly problems: string[] = [];
  /** The layer that is being added. */
  layer = '';

  input(name: string, shape: readonly number[], uses: number): Value {
    const value: Value = {shape, layer: name, uses, grid: undefined, producer: undefined};
    this.inputs.push({name, value});
    return value;
  }

  add<Of extends Operator>(operator: Of, attributes: Attributes[Of], args: NodeArgs): Value {
    const node = nodeOf(this.layer, operator, attributes, args);
    this.nodes.push(node);
    return node.output;
  }

  /** An operator that moves values. */
  move<Of extends Operator>(operator: Of, attributes: Attributes[Of], x: Value, shape: readonly number[]): Value {
    return this.add(operator, attributes, {inputs: [x], shape, rule: 'same'});
  }

  reshape(x: Value, shape: readonly number[]): Value {
    if (shape.length === x.shape.length && shape.every((dim, i) => dim === x.shape[i])) return x;
    return this.move('reshape', {}, x, shape);
  }

  /** gain * x + offset along the last dimension: in the product before it, or by a depthwise convolution. */
  affine(x: Value, gain: Float64Array, offset: Float64Array): Value {
    const before = this.#open(x, node => filterOf(node) !== undefined && sameEnd(node.output, x));
    const filter = before && filterOf(before);
    if (filter) {
      filter.bias = filter.bias.map((bias, c) => bias * gain[c]! + offset[c]!);
      scaleChannels(filter, gain);
      return x;
    }
    const image = this.reshape(x, imageShape(x.shape));
    const attributes = {
      filter: diagonal(gain, offset),
      strides: [1, 1],
      dilations: [1, 1],
      padding: NO_PADDING,
    } as const;
    const y = this.add('depthwiseConv2d', attributes, {inputs: [image], shape: image.shape, rule: 'own'});
    return this.reshape(y, x.shape);
  }

  /** x held inside an interval: by the operator before it, if that can, or by one of its own. */
  clamp(x: Value, interval: Interval): Value {
    const before = this.#open(x, ({operator}) => CLAMPING.has(operator));
    if (before) {
      before.clamp = interval;
      return x;
    }
    return this.add('clamp', {}, {inputs: [x], shape: x.shape, rule: 'own', clamp: interval});
  }

  /** x on a grid: computed on it, or brought to it from the one that it is on. */
  round(x: Value, grid: ValueGrid | undefined): Value {
    if (!grid || (x.grid && isWithin(x.grid, grid))) return x;
    // Of an input that others take as it is, it is a copy that is rounded.
    const isShared = x.uses > 1 && inputOf(x) !== undefined;
    if (x.grid || isShared) return this.add('requantize', {}, {inputs: [x], shape: x.shape, rule: grid});
    if (x.uses > 1) {
      this.problems.push(
        `layer ${x.layer}: its output goes to ${x.uses} places, and layer ${this.layer} alone rounds it, to a range of its ` +
          'own. Have it rounded where it comes from, so that all take the same numbers.',
      );
    }
    adopt(x, grid);
    return x;
  }

  /** Gives grids to what only moves values, clamps them or is on the way to a value, and was not rounded itself. */
  settle(): void {
    for (const node of this.nodes) {
      const {output, operator, rule, reach, inputs} = node;
      if (output.grid) continue;
      if (rule === 'same' || operator === 'clamp') output.grid = commonGrid(inputs);
      if (reach) output.grid = this.#gridOver(node, reach);
    }
  }

  /** A grid for what nobody measured, as fine as those of the values around it. */
  #gridOver(node: Node, reach: Reach): ValueGrid | undefined {
    const [one, other] = node.inputs;
    if (!one?.grid || !other?.grid) return undefined;
    let inInt16 = computesInInt16(node);
    for (let next = this.#next(node); next; next = next.reach && this.#next(next)) inInt16 ||= computesInInt16(next);
    return gridOver(reach(reachOf(one.grid), reachOf(other.grid)), inInt16);
  }

  #next({output}: Node): Node | undefined {
    return this.nodes.find(({inputs}) => inputs.includes(output));
  }

  /** The operator that x comes from, by way of reshapes, if nobody has clamped, rounded or taken what is between. */
  #open(x: Value, accepts: (node: Node) => boolean): Node | undefined {
    const node = x.producer;
    if (!node || x.grid || x.uses > 1) return undefined;
    if (node.operator === 'reshape') return this.#open(node.inputs[0]!, accepts);
    return node.clamp === EVERYTHING && accepts(node) ? node : undefined;
  }
}

/** A call, and the value that it gives. */
export function nodeOf<Of extends Operator>(
  layer: string,
  operator: Of,
  attributes: Attributes[Of],
  {inputs, shape, rule, reach, clamp = EVERYTHING}: NodeArgs,
): Node {
  const call = {layer, operator, attributes, inputs: [...inputs], rule, clamp, ...(reach && {reach})};
  const node = call as unknown as Node & {output: Value};
  const grid = rule === 'same' ? commonGrid(inputs) : rule === 'own' ? undefined : rule;
  node.output = {shape, layer, uses: 1, grid, producer: node};
  return node;
}

/** What multiplies each channel with a gain of its own, and adds an offset. */
function diagonal(gain: Float64Array, offset: Float64Array): Filter {
  const shape = [1, 1, gain.length, 1];
  return {
    levels: Int8Array.from(gain, each => 127 * Math.sign(each)),
    shape,
    view: [1, gain.length],
    axis: 1,
    bits: 8,
    scale: gain.map(each => Math.abs(each) / 127),
    bias: offset,
  };
}

/** The input that a value is, or holds the moved values of, if nobody has rounded them: numbers as the caller gives them. */
export function inputOf(value: Value): Value | undefined {
  const {grid, producer} = value;
  if (grid || !producer) return grid ? undefined : value;
  return MOVING.has(producer.operator) ? inputOf(producer.inputs[0]!) : undefined;
}

/** The inputs that are rounded for some, while others look rows up by them, or have grids of their own. */
export function mixedInputs({nodes}: IntegerGraph): ReadonlySet<Value> {
  const rounded = nodes.filter(({operator}) => operator === 'requantize').flatMap(({inputs}) => inputs);
  return new Set(rounded.flatMap(value => inputOf(value) ?? []));
}

function sameEnd(one: Value, other: Value): boolean {
  return one.shape[one.shape.length - 1] === other.shape[other.shape.length - 1];
}

/** Any shape as that of images, with its last dimension last. */
function imageShape(shape: readonly number[]): number[] {
  const [batch, channels] = [shape[0]!, shape[shape.length - 1]!];
  const between = shape.slice(1, -1);
  if (between.length === 2) return [...shape];
  return [batch, 1, sizeOf(between), channels];
}

function commonGrid(values: readonly Value[]): ValueGrid | undefined {
  const [first, ...others] = values;
  return others.every(({grid}) => sameGrid(grid, first?.grid)) ? first?.grid : undefined;
}

/** Puts a value on a grid, and with it those that it only moves or chooses among. */
function adopt(value: Value, grid: ValueGrid): void {
  value.grid = grid;
  const {producer} = value;
  if (producer?.rule !== 'same') return;
  for (const input of producer.inputs) if (!input.grid && input.uses === 1) adopt(input, grid);
}
