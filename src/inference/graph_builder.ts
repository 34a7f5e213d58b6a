/**
 * Puts a graph together, call by call of a model's layers. What can be computed in one operator (BatchNormalization and a
 * clamp after a product, a rounding after anything) joins the operator that is there.
 */
import {
  commonGrid,
  computesInInt16,
  filterOf,
  inputOf,
  type InferenceGraph,
  type LayerProblem,
  type NamedValue,
  type Node,
  type NodeArgs,
  nodeOf,
  type Reach,
  sizeOf,
  typeOf,
  type Value,
} from './graph';
import {EVERYTHING, gridOver, type Interval, isWithin, reachOf, sameGrid, type ValueGrid} from './grids';
import {
  type Attributes,
  type Constant,
  diagonal,
  NO_ATTRS,
  type Operation,
  type Operator,
  scaleChannels,
  type ValueType,
} from './operators';
import {NO_PADDING} from './window';

/** Operators that clamp what they computed. */
const CLAMPING: ReadonlySet<Operator> = new Set([
  'add',
  'conv2d',
  'dense',
  'depthwiseConv2d',
  'multiply',
  'subtract',
  'transposedConv2d',
]);

/** Operators that take values of any type, and give what they say. */
const OF_ANY_TYPE: ReadonlySet<Operator> = new Set(['lookup', 'requantize', 'dequantize', 'operation']);

/** Operators that give whole numbers if they are given nothing else; others give floats. */
const OF_WHOLE_NUMBERS: ReadonlySet<Operator> = new Set([
  'add',
  'concat',
  'maximum',
  'minimum',
  'multiply',
  'pad',
  'reshape',
  'reverse',
  'slice',
  'subtract',
  'transpose',
]);

/** A graph that grows. */
export class GraphBuilder implements InferenceGraph {
  readonly nodes: Node[] = [];
  readonly inputs: NamedValue[] = [];
  readonly outputs: NamedValue[] = [];
  readonly problems: LayerProblem[] = [];
  /** Whether there is an operator for all steps of an LSTM. */
  readonly hasLSTM: boolean;
  /** The layer that is being added. */
  layer = '';
  /** Whether that is computed in float, whatever it is given. */
  inFloat = false;
  /** What the inputs are where they are taken as they are. */
  readonly #types = new Map<Value, ValueType>();
  readonly #floats = new Map<Value, Value>();

  constructor(hasLSTM: boolean) {
    this.hasLSTM = hasLSTM;
  }

  input(name: string, shape: readonly number[], type: ValueType, uses: number): Value {
    const value: Value = {shape, layer: name, uses, grid: undefined, type: undefined, producer: undefined};
    this.#types.set(value, type);
    this.inputs.push({name, value});
    return value;
  }

  add<Of extends Operator>(operator: Of, attributes: Attributes[Of], args: NodeArgs): Value {
    const isFloat = !OF_ANY_TYPE.has(operator) && (this.inFloat || args.inputs.some(typeOf));
    const node = nodeOf(this.layer, operator, attributes, isFloat ? this.#inFloat(operator, args) : args);
    this.nodes.push(node);
    return node.output;
  }

  /** One of TensorFlow's operations, with the shapes and types of what it gives. */
  operation(
    call: Omit<Operation, 'constants'>,
    operands: readonly (Value | Constant)[],
    [first, ...further]: readonly Pick<Value, 'shape' | 'type'>[],
  ): readonly Value[] {
    const inputs = operands.filter((each): each is Value => 'layer' in each);
    const constants = new Map(operands.flatMap((each, i) => ('layer' in each ? [] : [[i, each] as const])));
    const rule = first!.type!;
    const output = this.add('operation', {...call, constants}, {inputs, shape: first!.shape, rule, further});
    return [output, ...output.producer!.further];
  }

  constant(value: Constant): Value {
    return this.add('constant', value, {inputs: [], shape: value.shape, rule: value.type});
  }

  /** A value as it is where it is on no grid, or else in floats. */
  float(x: Value): Value {
    if (typeOf(x)) return x;
    const input = inputOf(x);
    if (input) {
      input.type = this.#types.get(input);
      return x;
    }
    return this.each(x, value => {
      const known = this.#floats.get(value);
      if (known) return known;
      const y = this.add('dequantize', {}, {inputs: [value], shape: value.shape, rule: 'float32'});
      this.#floats.set(value, y);
      return y;
    });
  }

  /** A value in floats, whatever it is. */
  float32(x: Value): Value {
    return this.#cast(this.float(x));
  }

  /** A call on values of which some are on no grid: on none of them, and of one type. */
  #inFloat(operator: Operator, {inputs, ...args}: NodeArgs): NodeArgs {
    const values = inputs.map(x => this.float(x));
    const isWhole = OF_WHOLE_NUMBERS.has(operator) && values.every(x => typeOf(x) === 'int32');
    return isWhole
      ? {...args, inputs: values, rule: 'int32'}
      : {...args, inputs: values.map(x => this.#cast(x)), rule: 'float32'};
  }

  #cast(x: Value): Value {
    if (typeOf(x) === 'float32') return x;
    const call = {op: 'Cast', name: this.layer, attrs: NO_ATTRS};
    return this.operation(call, [x], [{shape: x.shape, type: 'float32'}])[0]!;
  }

  /** An operator that moves values, or chooses among them. */
  move<Of extends Operator>(operator: Of, attributes: Attributes[Of], x: Value, shape: readonly number[]): Value {
    return this.add(operator, attributes, {inputs: [x], shape, rule: 'same'});
  }

  reshape(x: Value, shape: readonly number[]): Value {
    if (shape.length === x.shape.length && shape.every((dim, i) => dim === x.shape[i])) return x;
    return this.move('reshape', {}, x, shape);
  }

  /** A value with its dimensions in another order, in one go with how they were ordered before. */
  transpose(x: Value, permutation: readonly number[]): Value {
    if (isInOrder(permutation)) return x;
    const {values, permutation: before} = this.untransposed([x]);
    const [value] = values as [Value];
    const order = permutation.map(axis => before[axis]!);
    const shape = order.map(axis => value.shape[axis]!);
    return isInOrder(order) ? value : this.move('transpose', {permutation: order}, value, shape);
  }

  /**
   * Values before their dimensions were put in another order, if that is one for all of them, and the order. Whoever asks
   * takes these in the others' place, and puts what it makes of them in that order: so that orders that cancel each other meet.
   */
  untransposed(inputs: readonly Value[]): {readonly values: readonly Value[]; readonly permutation: readonly number[]} {
    const orders = inputs.map(orderOf);
    const order = orders.find(each => each !== undefined);
    const fits = (x: Value, i: number) => (orders[i] ? orders[i].join() === order!.join() : isInAnyOrder(x, order!));
    if (!order || !inputs.every(fits)) return {values: inputs, permutation: inputs[0]!.shape.map((_, i) => i)};
    const values = inputs.map((x, i) => {
      if (orders[i]) return takenBefore(x);
      const shape = inverseOf(order).map(axis => x.shape[axis]!);
      return this.reshape(x.producer?.operator === 'reshape' && isUnchanged(x) ? takenBefore(x) : x, shape);
    });
    return {values, permutation: order};
  }

  /** What changes each number by itself: before their dimensions are put in another order. */
  each(x: Value, change: (value: Value) => Value): Value {
    const {values, permutation} = this.untransposed([x]);
    return this.transpose(change(values[0]!), permutation);
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
    const convolution = {
      filter: diagonal(gain, offset),
      strides: [1, 1],
      dilations: [1, 1],
      padding: NO_PADDING,
    } as const;
    const y = this.add('depthwiseConv2d', convolution, {inputs: [image], shape: image.shape, rule: 'own'});
    return this.reshape(y, x.shape);
  }

  /** x held inside an interval: by the operator before it, if that can, or by one of its own. */
  clamp(x: Value, interval: Interval): Value {
    return this.each(x, value => this.#clamped(value, interval));
  }

  #clamped(x: Value, interval: Interval): Value {
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
    if (x.grid || isShared || typeOf(x)) {
      return this.each(x, value => this.add('requantize', {}, {inputs: [value], shape: value.shape, rule: grid}));
    }
    if (x.uses > 1) {
      const {layer} = x;
      this.problems.push({
        layer,
        problem:
          `layer ${layer}: its output goes to ${x.uses} places, and layer ${this.layer} alone rounds it, to a range of its ` +
          'own. Have it rounded where it comes from, so that all take the same numbers.',
      });
    }
    adopt(x, grid);
    return x;
  }

  /** Gives grids to what only moves values, clamps them or is on the way to a value, and was not rounded itself. */
  settle(): void {
    this.#dropUnused();
    for (const node of this.nodes) this.#settle(node);
  }

  /** A value that is taken on the grid that it has by then. */
  settled(x: Value): Value {
    const {producer} = x;
    if (!producer || x.grid || x.type) return x;
    producer.inputs.forEach(each => this.settled(each));
    this.#settle(producer);
    return x;
  }

  #settle(node: Node): void {
    const {output, operator, rule, reach, inputs} = node;
    if (output.grid || output.type) return;
    if (rule === 'same' || operator === 'clamp') output.grid = commonGrid(inputs);
    if (reach) output.grid = this.#gridOver(node, reach);
  }

  /** Leaves out orders of dimensions, and shapes, that nobody takes, as all put them in another one. */
  #dropUnused(): void {
    const taken = new Set(this.outputs.map(({value}) => value));
    for (let i = this.nodes.length - 1; i >= 0; --i) {
      const {operator, output, inputs} = this.nodes[i]!;
      if ((operator === 'transpose' || operator === 'reshape') && !taken.has(output)) this.nodes.splice(i, 1);
      else inputs.forEach(x => taken.add(x));
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

  /** What computes with an operator's output, by way of what puts it in another shape or order. */
  #next({output}: Node): Node | undefined {
    const next = this.nodes.find(({inputs}) => inputs.includes(output));
    return next?.operator === 'reshape' || next?.operator === 'transpose' ? this.#next(next) : next;
  }

  /** The operator that x comes from, by way of reshapes, if nobody has clamped, rounded or taken what is between. */
  #open(x: Value, accepts: (node: Node) => boolean): Node | undefined {
    const node = x.producer;
    if (!node || x.grid || x.uses > 1) return undefined;
    if (node.operator === 'reshape') return this.#open(node.inputs[0]!, accepts);
    return node.clamp === EVERYTHING && accepts(node) ? node : undefined;
  }
}

function isInOrder(permutation: readonly number[]): boolean {
  return permutation.every((axis, i) => axis === i);
}

/** What undoes an order of dimensions. */
export function inverseOf(permutation: readonly number[]): number[] {
  return permutation.map((_, axis) => permutation.indexOf(axis));
}

/** The order in which the dimensions of a value were put, if its numbers stayed what they were. */
function orderOf(value: Value): readonly number[] | undefined {
  const {producer} = value;
  return producer?.operator === 'transpose' && isUnchanged(value) ? producer.attributes.permutation : undefined;
}

/** Whether numbers that are moved are those that they were before. */
function isUnchanged({producer, grid}: Value): boolean {
  return sameGrid(grid, producer!.inputs[0]!.grid);
}

/** What a value was before it was moved, for somebody to take it in its place. */
function takenBefore(x: Value): Value {
  const [value] = x.producer!.inputs as [Value];
  if (x.uses > 1) {
    x.uses--;
    value.uses++;
  }
  return value;
}

/** Whether a value has its numbers one after the other in the same way before its dimensions are put in an order. */
function isInAnyOrder({shape}: Value, permutation: readonly number[]): boolean {
  const axes = permutation.filter((_, i) => shape[i]! > 1);
  return shape.length === permutation.length && axes.every((axis, i) => i === 0 || axis > axes[i - 1]!);
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

/** Puts a value on a grid, and with it those that it only moves or chooses among. */
function adopt(value: Value, grid: ValueGrid): void {
  value.grid = grid;
  const {producer} = value;
  if (producer?.rule !== 'same') return;
  for (const input of producer.inputs) if (!input.grid && input.uses === 1) adopt(input, grid);
}
