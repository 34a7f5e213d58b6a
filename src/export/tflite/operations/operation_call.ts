/** One of TensorFlow's operations on its way into a file: the operators that compute it there, or why none do. */
import {type Node, sizeOf, typeOf, type Value} from '../../../inference/graph';
import type {Constant, OperationAttrs, ValueType} from '../../../inference/operators';
import {type OperatorName, type Options, TENSOR_TYPES} from '../schema';

export type Operand = Value | Constant;

/** An operator that is to be written. */
export interface Step {
  readonly operator: OperatorName;
  readonly inputs: readonly Operand[];
  readonly outputs: readonly Value[];
  readonly options: Options;
  /** The lowest version that computes it, where it is not the operator's lowest. */
  readonly version?: number;
}

/** Why a file cannot have an operation. */
export class Refusal extends Error {}

export function isConstant(operand: Operand): operand is Constant {
  return 'values' in operand;
}

export function typeIn(operand: Operand): ValueType {
  return isConstant(operand) ? operand.type : typeOf(operand)!;
}

const ARRAYS = {float32: Float32Array, int32: Int32Array, bool: Uint8Array} as const;

/** A constant of numbers. */
export function constantOf(type: ValueType, values: ArrayLike<number>, shape: readonly number[]): Constant {
  return {type, shape, values: ARRAYS[type].from(values)};
}

export const ints = (values: readonly number[], shape: readonly number[] = [values.length]) =>
  constantOf('int32', values, shape);

export const scalar = (type: ValueType, value: number) => constantOf(type, [value], []);

/** The type that tfjs computes in where it is given several. */
export function commonType(operands: readonly Operand[]): ValueType {
  const types = operands.map(typeIn);
  return types.includes('float32') ? 'float32' : types.includes('int32') ? 'int32' : 'bool';
}

export function sameShape(one: readonly number[], other: readonly number[]): boolean {
  return one.length === other.length && one.every((dim, i) => dim === other[i]);
}

/** What a row of the table writes an operation with. */
export class OperationCall {
  readonly op: string;
  readonly attrs: OperationAttrs;
  readonly operands: readonly Operand[];
  readonly outputs: readonly Value[];
  readonly steps: Step[] = [];
  readonly #name: string;

  constructor({attributes, inputs, output, further}: Node<'operation'>) {
    const {op, name, attrs, constants} = attributes;
    const values = inputs[Symbol.iterator]();
    const count = inputs.length + constants.size;
    this.op = op;
    this.attrs = attrs;
    this.operands = Array.from({length: count}, (_, i) => constants.get(i) ?? (values.next().value as Value));
    this.outputs = [output, ...further];
    this.#name = name;
  }

  /** The first of what it gives, which mostly is all. */
  get output(): Value {
    return this.outputs[0]!;
  }

  get shape(): readonly number[] {
    return this.output.shape;
  }

  get type(): ValueType {
    return this.output.type!;
  }

  get x(): Operand {
    return this.operand(0);
  }

  operand(index: number): Operand {
    return this.operands[index] ?? this.refuse(`it has no input ${index}`);
  }

  /** What is known of an input beforehand. */
  numbers(index: number, what: string): number[] {
    const operand = this.operand(index);
    return isConstant(operand) ? Array.from(operand.values) : this.refuse(`its ${what} is computed`);
  }

  number(index: number, what: string): number {
    return this.numbers(index, what)[0]!;
  }

  /** An axis, counted from the front. */
  axis(axis: number, {length}: readonly number[] = this.x.shape): number {
    return axis < 0 ? axis + length : axis;
  }

  refuse(reason: string): never {
    throw new Refusal(reason);
  }

  /** Refuses values of more dimensions than kernels have loops for. */
  atMost(rank: number, ...operands: readonly Operand[]): void {
    const most = Math.max(...operands.map(({shape}) => shape.length));
    if (most > rank) this.refuse(`it has ${most} dimensions, and an operator takes ${rank}`);
  }

  /** The operator that gives what the operation gives. */
  give(operator: OperatorName, inputs: readonly Operand[], options: Options = {}, version?: number): void {
    this.steps.push({operator, inputs, outputs: this.outputs, options, ...(version && {version})});
  }

  /** An operator on the way there. */
  make(
    operator: OperatorName,
    inputs: readonly Operand[],
    {shape, type}: {readonly shape: readonly number[]; readonly type: ValueType},
    options: Options = {},
    version?: number,
  ): Value {
    const value: Value = {shape, layer: this.#name, uses: 1, grid: undefined, type, producer: undefined};
    this.steps.push({operator, inputs, outputs: [value], options, ...(version && {version})});
    return value;
  }

  /** A value in a shape, for the operators that come next. */
  reshaped(x: Operand, shape: readonly number[]): Operand {
    if (sameShape(x.shape, shape)) return x;
    if (isConstant(x)) return {...x, shape};
    return this.make('RESHAPE', [x, ints(shape)], {shape, type: typeIn(x)});
  }

  /** A value of a type, likewise. */
  cast(x: Operand, type: ValueType): Operand {
    const from = typeIn(x);
    if (from === type) return x;
    if (isConstant(x)) return constantOf(type, type === 'int32' ? x.values.map(Math.trunc) : x.values, x.shape);
    return this.make('CAST', [x], {shape: x.shape, type}, castOptions(from, type));
  }

  /** Gives a value of another shape or type as the output. */
  giveAs(x: Operand): void {
    const from = typeIn(x);
    if (from !== this.type) this.give('CAST', [this.reshaped(x, this.shape)], castOptions(from, this.type));
    else this.give('RESHAPE', [x, ints(this.shape)]);
  }

  /** Has an operator give a value in a shape and type that the output may not have. */
  giveIn(
    operator: OperatorName,
    inputs: readonly Operand[],
    {shape = this.shape, type = this.type}: {readonly shape?: readonly number[]; readonly type?: ValueType},
    options: Options = {},
    version?: number,
  ): void {
    if (type === this.type && sameShape(shape, this.shape)) this.give(operator, inputs, options, version);
    else this.giveAs(this.make(operator, inputs, {shape, type}, options, version));
  }
}

function castOptions(from: ValueType, to: ValueType): Options {
  return {inDataType: TENSOR_TYPES[from], outDataType: TENSOR_TYPES[to]};
}

/** How a row writes an operation. */
export type Row = (call: OperationCall) => void;

/** Whether a value has no numbers at all, which few kernels expect. */
export function isEmpty({shape}: Operand): boolean {
  return sizeOf(shape) === 0;
}
