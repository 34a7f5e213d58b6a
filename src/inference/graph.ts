/**
 * What a quantized model computes: operators on values, most of them integers on grids, others of the types that tfjs has. It
 * knows no layer and no format.
 */
import {EVERYTHING, type Interval, needsInt16, sameGrid, type ValueGrid} from './grids';
import type {Attributes, Filter, Operator, ValueType} from './operators';

/** A tensor that is computed. */
export interface Value {
  readonly shape: readonly number[];
  /** The layer that it is the output of, for names and messages. */
  layer: string;
  /** How many take it: operators, and the model's outputs. */
  uses: number;
  /** Undefined of floats, and of whole numbers as the caller gives them; while a graph is built, of what nobody has rounded yet. */
  grid: ValueGrid | undefined;
  /**
   * What it is, of what is never on a grid: what graph segments give, and what is computed of that. Of an input, where a
   * segment takes it as it is.
   */
  type: ValueType | undefined;
  /** The operator that it was made by; undefined of an input. */
  readonly producer: Node | undefined;
}

/**
 * On which grid an operator's output is: any; its inputs', as it only moves values or chooses among them; or a given one.
 * Or of which type it is, on none.
 */
type GridRule = 'own' | 'same' | ValueGrid | ValueType;

/** Between which numbers the outcome for any two numbers of two intervals lies. */
export type Reach = (one: Interval, other: Interval) => Interval;

interface AnyNode {
  readonly layer: string;
  readonly inputs: readonly Value[];
  readonly output: Value;
  /** What it gives beside, one after the other. */
  readonly further: readonly Value[];
  readonly rule: GridRule;
  /** Of an operator whose output nobody measures. */
  readonly reach?: Reach;
  /** What holds the outcome, before it is rounded. */
  clamp: Interval;
}

/** One call of an operator. */
export type Node<Of extends Operator = Operator> = {
  [Name in Of]: AnyNode & {readonly operator: Name; readonly attributes: Attributes[Name]};
}[Of];

/** A value that the callers of a model know by name. */
export interface NamedValue {
  readonly name: string;
  readonly value: Value;
}

/** What is wrong, and with which layer of the model's: one that may have none where it is computed in float. */
export interface LayerProblem {
  readonly layer: string;
  readonly problem: string;
}

/** The operators of a model, in the order in which they run. */
export interface InferenceGraph {
  readonly nodes: readonly Node[];
  readonly inputs: readonly NamedValue[];
  readonly outputs: readonly NamedValue[];
  /** What is wrong with it, for all layers. */
  readonly problems: readonly LayerProblem[];
}

/** A call that is to be made. */
export interface NodeArgs {
  readonly inputs: readonly Value[];
  readonly shape: readonly number[];
  readonly rule: GridRule;
  /** What is given beside, on no grid. */
  readonly further?: readonly Pick<Value, 'shape' | 'type'>[];
  readonly reach?: Reach | undefined;
  readonly clamp?: Interval;
}

/** A call, with the value that it gives. */
export function nodeOf<Of extends Operator>(
  layer: string,
  operator: Of,
  attributes: Attributes[Of],
  {inputs, shape, rule, further = [], reach, clamp = EVERYTHING}: NodeArgs,
): Node {
  const call = {layer, operator, attributes, inputs, rule, clamp, ...(reach && {reach})};
  const node = call as unknown as Node & {output: Value; further: Value[]};
  const grid = rule === 'same' ? commonGrid(inputs) : typeof rule === 'string' ? undefined : rule;
  const type = typeof rule === 'string' && rule !== 'own' && rule !== 'same' ? rule : undefined;
  node.output = {shape, layer, uses: 1, grid, type, producer: node};
  node.further = further.map(each => ({...node.output, ...each}));
  return node;
}

/** The grid that all values are on. */
export function commonGrid(values: readonly Value[]): ValueGrid | undefined {
  const [first, ...others] = values;
  return others.every(({grid}) => sameGrid(grid, first?.grid)) ? first?.grid : undefined;
}

export function filterOf({attributes}: Node): Filter | undefined {
  return 'filter' in attributes ? attributes.filter : undefined;
}

/** Whether an operator computes on int16: for one grid that needs it, all are. What moves values is on its output's. */
export function computesInInt16({output, rule, inputs}: Node): boolean {
  return needsInt16(output.grid) || (rule !== 'same' && inputs.some(({grid}) => needsInt16(grid)));
}

/** Operators that move values of any type. */
const MOVING: ReadonlySet<Operator> = new Set(['reshape', 'reverse', 'slice', 'transpose']);

/** The input that a value is, or holds the moved values of, if nobody has rounded them: numbers as the caller gives them. */
export function inputOf(value: Value): Value | undefined {
  const {grid, producer} = value;
  if (grid || !producer) return grid ? undefined : value;
  return MOVING.has(producer.operator) ? inputOf(producer.inputs[0]!) : undefined;
}

/** What a value is that is never on a grid; undefined of others. */
export function typeOf(value: Value): ValueType | undefined {
  return value.type ?? inputOf(value)?.type;
}

/** The inputs that are rounded for some, while others look rows up by them, or have grids of their own. */
export function mixedInputs({nodes}: InferenceGraph): ReadonlySet<Value> {
  const rounded = nodes.filter(({operator}) => operator === 'requantize').flatMap(({inputs}) => inputs);
  return new Set(rounded.flatMap(value => inputOf(value) ?? []));
}

export function sizeOf(shape: readonly number[]): number {
  return shape.reduce((product, dim) => product * dim, 1);
}
