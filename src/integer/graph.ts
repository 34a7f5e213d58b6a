/**
 * A quantized model as TensorFlow Lite's operators, while it is put together. Each call of a layer adds to it; what a runtime
 * computes in one operator (BatchNormalization and a clamp after a product, a rounding after anything) joins the operator
 * that is there.
 */
import {channelOf} from '../quantizer/levels';
import type {OperatorName, Options} from '../export/tflite/schema';

/** The grid of an activation: value = level * scale, its level between lowest and highest. */
export interface Grid {
  readonly scale: number;
  readonly lowest: number;
  readonly highest: number;
}

/** A tensor that is computed. */
export interface Value {
  readonly shape: readonly number[];
  /** The layer that it is the output of, for names and messages. */
  layer: string;
  /** How many take it: operators, and the model's outputs. */
  uses: number;
  /** Undefined as long as nobody has rounded it. */
  grid: Grid | undefined;
  readonly producer: Node | undefined;
}

/** A tensor that is given. Numbers on a grid of their own have a scale. */
export interface Constant {
  readonly data: Uint8Array;
  readonly type: 'int32' | 'int8' | 'int16';
  readonly shape: readonly number[];
  readonly scale?: number;
  readonly zeroPoint?: number;
}

/** Numbers that are given, on a grid about 0 as fine as the operator's integers allow. */
export interface Factors {
  readonly factors: Float32Array;
  readonly shape: readonly number[];
}

/** Numbers that are given, on the grid of the output that is chosen from them. */
export interface Table {
  readonly table: Float32Array;
  readonly shape: readonly number[];
}

/** What a layer multiplies with. */
export interface Filter {
  /** In TensorFlow Lite's order. */
  levels: Int8Array;
  readonly shape: readonly number[];
  /** The dimension of output channels. */
  readonly axis: number;
  readonly bits: number;
  /** The step and the bias of each output channel. A step of 0 switches the channel off. */
  scale: Float64Array;
  bias: Float64Array;
}

/** The values that a clamp lets pass. */
export type Interval = readonly [low: number, high: number];

export const EVERYTHING: Interval = [-Infinity, Infinity];

/** On which grid an operator's output is: any; its inputs', as it only moves values or chooses among them; or a given one. */
type Rule = 'own' | 'same' | Grid;

/** What an operator takes: in order, with the places of a filter's two tensors and of the output's shape. */
export type Operand = Value | Constant | Factors | Table | 'weights' | 'bias' | 'shape';

/** Between which numbers the outcome for any two numbers of two intervals lies. */
export type Reach = (one: Interval, other: Interval) => Interval;

/** One call of an operator. */
export interface Node {
  readonly operator: OperatorName;
  readonly layer: string;
  operands: Operand[];
  readonly output: Value;
  options: Options;
  readonly rule: Rule;
  readonly filter?: Filter;
  /** Of an operator whose output nobody measures. */
  readonly reach?: Reach;
  clamp: Interval;
}

export interface NodeArgs {
  readonly operands: readonly Operand[];
  readonly shape: readonly number[];
  readonly options?: Options;
  readonly rule: Rule;
  readonly filter?: Filter;
  readonly reach?: Reach;
  readonly clamp?: Interval;
}

/** Operators that clamp what they computed. */
const CLAMPING: ReadonlySet<OperatorName> = new Set([
  'ADD',
  'CONV_2D',
  'DEPTHWISE_CONV_2D',
  'FULLY_CONNECTED',
  'MUL',
  'SUB',
  'TRANSPOSE_CONV',
]);

export function isValue(operand: Operand): operand is Value {
  return typeof operand === 'object' && 'uses' in operand;
}

export function inputsOf({operands}: Node): Value[] {
  return operands.filter(isValue);
}

export function sameGrid(one: Grid | undefined, other: Grid | undefined): boolean {
  if (!one || !other) return one === other;
  return one.scale === other.scale && one.lowest === other.lowest && one.highest === other.highest;
}

/** Whether a grid has more levels than int8. */
export function isWide(grid: Grid | undefined): boolean {
  return grid !== undefined && grid.highest - grid.lowest > 255;
}

/** Whether an operator computes on int16: for one grid that is wide, all are. What moves values is on its output's. */
export function computesWide(node: Node): boolean {
  const {output, rule} = node;
  return isWide(output.grid) || (rule !== 'same' && inputsOf(node).some(({grid}) => isWide(grid)));
}

/** A grid with all the values of another, in steps as much smaller as the integers have room for: a power of two. */
export function refined({scale, lowest, highest}: Grid, wide: boolean): Grid {
  const room = wide ? 32767 / Math.max(-lowest, highest, 1) : 255 / Math.max(highest - lowest, 1);
  const times = 2 ** Math.floor(Math.log2(room));
  return {scale: scale / times, lowest: lowest * times, highest: highest * times};
}

/** Whether whatever is on one grid is on the other, too. */
function isWithin(one: Grid, other: Grid): boolean {
  return one.scale === other.scale && one.lowest >= other.lowest && one.highest <= other.highest;
}

export function sizeOf(shape: readonly number[]): number {
  return shape.reduce((product, dim) => product * dim, 1);
}

export function int32Constant(values: readonly number[], shape: readonly number[] = [values.length]): Constant {
  return {data: new Uint8Array(Int32Array.from(values).buffer), type: 'int32', shape};
}

/** Multiplies the output channels of a filter: their steps, and the signs of their levels. */
export function scaleChannels(filter: Filter, gain: Float64Array): void {
  if (gain.some(each => each < 0)) {
    const {levels, shape, axis} = filter;
    const channel = channelOf(shape, axis);
    filter.levels = levels.map((level, i) => (gain[channel(i)]! < 0 ? -level : level));
  }
  filter.scale = filter.scale.map((scale, c) => scale * Math.abs(gain[c]!));
}

/** The operators of a model, in the order in which they run. */
export class Graph {
  readonly nodes: Node[] = [];
  readonly inputs: {readonly name: string; readonly value: Value}[] = [];
  readonly outputs: {readonly name: string; readonly value: Value}[] = [];
  /** What stands in the way of a file, for all layers. */
  readonly problems: string[] = [];
  /** The layer that is being added. */
  layer = '';

  input(name: string, shape: readonly number[], uses: number): Value {
    const value: Value = {shape, layer: name, uses, grid: undefined, producer: undefined};
    this.inputs.push({name, value});
    return value;
  }

  add(operator: OperatorName, args: NodeArgs): Value {
    const {operands, shape, options = {}, rule, filter, reach, clamp = EVERYTHING} = args;
    const {layer} = this;
    const given = {...(filter && {filter}), ...(reach && {reach})};
    const node = {operator, layer, operands: [...operands], options, rule, clamp, ...given} as Node;
    const output: Value = {shape, layer, uses: 1, grid: undefined, producer: node};
    (node as {output: Value}).output = output;
    if (rule === 'same') output.grid = commonGrid(inputsOf(node));
    else if (rule !== 'own') output.grid = rule;
    this.nodes.push(node);
    return output;
  }

  /** An operator that moves values. */
  move(operator: OperatorName, x: Value, shape: readonly number[], constants: readonly Constant[], options?: Options) {
    return this.add(operator, {operands: [x, ...constants], shape, rule: 'same', ...(options && {options})});
  }

  reshape(x: Value, shape: readonly number[]): Value {
    if (shape.length === x.shape.length && shape.every((dim, i) => dim === x.shape[i])) return x;
    // The first dimension may come to be another one when the file is run.
    return this.move('RESHAPE', x, shape, [int32Constant([-1, ...shape.slice(1)])]);
  }

  /** gain * x + offset along the last dimension: in the product before it, or by a depthwise convolution. */
  affine(x: Value, gain: Float64Array, offset: Float64Array): Value {
    const before = this.#open(x, node => node.filter !== undefined && sameEnd(node.output, x));
    if (before?.filter) {
      const {filter} = before;
      filter.bias = filter.bias.map((bias, c) => bias * gain[c]! + offset[c]!);
      scaleChannels(filter, gain);
      return x;
    }
    const channels = gain.length;
    const filter: Filter = {
      levels: Int8Array.from(gain, each => 127 * Math.sign(each)),
      shape: [1, 1, 1, channels],
      axis: 3,
      bits: 8,
      scale: gain.map(each => Math.abs(each) / 127),
      bias: offset,
    };
    const image = this.reshape(x, imageShape(x.shape));
    const options = {padding: 1, strideW: 1, strideH: 1, depthMultiplier: 1};
    const operands: Operand[] = [image, 'weights', 'bias'];
    const y = this.add('DEPTHWISE_CONV_2D', {operands, shape: image.shape, options, rule: 'own', filter});
    return this.reshape(y, x.shape);
  }

  /** x held inside an interval: by the operator before it, if that can, or by one of its own. */
  clamp(x: Value, interval: Interval): Value {
    const before = this.#open(x, ({operator, clamp}) => CLAMPING.has(operator) && clamp === EVERYTHING);
    if (before) {
      before.clamp = interval;
      return x;
    }
    // Not RELU6, which takes its input's grid to be its output's on microcontrollers.
    return this.add('RELU', {operands: [x], shape: x.shape, rule: 'own', clamp: interval});
  }

  /** x on a grid: computed on it, or brought to it from the one that it is on. */
  round(x: Value, grid: Grid | undefined): Value {
    if (!grid || (x.grid && isWithin(x.grid, grid))) return x;
    // Of an input that others take as it is, it is a copy that is rounded.
    const isShared = x.uses > 1 && inputOf(x) !== undefined;
    if (x.grid || isShared) return this.add('QUANTIZE', {operands: [x], shape: x.shape, rule: grid});
    if (x.uses > 1) {
      this.problems.push(
        `layer ${x.layer}: its output goes to ${x.uses} places, and layer ${this.layer} alone rounds it, to a range of its ` +
          'own. Have it rounded where it comes from, so that all take the same numbers.',
      );
    }
    adopt(x, grid);
    return x;
  }

  /** Takes back an operator whose output nobody takes any more. */
  remove(node: Node): void {
    this.nodes.splice(this.nodes.indexOf(node), 1);
  }

  /** Gives grids to what only moves values, clamps them or is on the way to a value, and was not rounded itself. */
  settle(): void {
    for (const node of this.nodes) {
      const {output, operator, rule, reach} = node;
      if (output.grid) continue;
      const inputs = inputsOf(node);
      if (rule === 'same' || operator === 'RELU') output.grid = commonGrid(inputs);
      if (reach) output.grid = this.#gridOver(node, reach);
    }
  }

  /** A grid for what nobody measured, as fine as those of the values around it. */
  #gridOver(node: Node, reach: Reach): Grid | undefined {
    const [one, other] = inputsOf(node);
    if (!one?.grid || !other?.grid) return undefined;
    let wide = computesWide(node);
    for (let next = this.#next(node); next; next = next.reach && this.#next(next)) wide ||= computesWide(next);
    return gridOver(reach(reachOf(one.grid), reachOf(other.grid)), wide);
  }

  #next({output}: Node): Node | undefined {
    return this.nodes.find(({operands}) => operands.includes(output));
  }

  /** The operator that x comes from, by way of reshapes, if nobody has rounded or taken what is between. */
  #open(x: Value, accepts: (node: Node) => boolean): Node | undefined {
    const node = x.producer;
    if (!node || x.grid || x.uses > 1) return undefined;
    if (node.operator === 'RESHAPE') return this.#open(inputsOf(node)[0]!, accepts);
    return node.clamp === EVERYTHING && accepts(node) ? node : undefined;
  }
}

const reachOf = ({scale, lowest, highest}: Grid): Interval => [scale * lowest, scale * highest];

function gridOver([low, high]: Interval, wide: boolean): Grid {
  if (wide) return {scale: Math.fround(Math.max(-low, high) / 32767) || 1, lowest: -32767, highest: 32767};
  const scale = Math.fround((high - low) / 255) || 1;
  const lowest = Math.round(low / scale);
  return {scale, lowest, highest: lowest + 255};
}

/** Operators that move values of any type. */
const MOVING: ReadonlySet<OperatorName> = new Set(['RESHAPE', 'SLICE', 'TRANSPOSE']);

/** The input that a value is, or holds the moved values of, if nobody has rounded them: numbers as the caller gives them. */
export function inputOf(value: Value): Value | undefined {
  const {grid, producer} = value;
  if (grid || !producer) return grid ? undefined : value;
  return MOVING.has(producer.operator) ? inputOf(inputsOf(producer)[0]!) : undefined;
}

/** The inputs that are rounded for some, while others look rows up by them, or have grids of their own. */
export function mixedInputs({nodes}: Graph): ReadonlySet<Value> {
  const quantized = nodes.filter(({operator}) => operator === 'QUANTIZE').flatMap(node => inputsOf(node));
  return new Set(quantized.flatMap(value => inputOf(value) ?? []));
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

function commonGrid(values: readonly Value[]): Grid | undefined {
  const [first, ...others] = values;
  return others.every(({grid}) => sameGrid(grid, first?.grid)) ? first?.grid : undefined;
}

/** Puts a value on a grid, and with it those that it only moves or chooses among. */
function adopt(value: Value, grid: Grid): void {
  value.grid = grid;
  const {producer} = value;
  if (producer?.rule !== 'same') return;
  for (const input of inputsOf(producer)) if (!input.grid && input.uses === 1) adopt(input, grid);
}
