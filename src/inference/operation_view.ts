/** One of TensorFlow's operations, as those see it who write it in a format. */
import {type Node, sizeOf, typeOf, type Value} from './graph';
import type {Constant, OperationAttrs, ValueType} from './operators';

export type Operand = Value | Constant;

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

/** What is known of an operation: its attributes, what it takes and what it gives. */
export class OperationView {
  readonly op: string;
  readonly attrs: OperationAttrs;
  readonly operands: readonly Operand[];
  readonly outputs: readonly Value[];

  constructor({attributes, inputs, output, further}: Node<'operation'>) {
    const {op, attrs, constants} = attributes;
    const values = inputs[Symbol.iterator]();
    const count = inputs.length + constants.size;
    this.op = op;
    this.attrs = attrs;
    this.operands = Array.from({length: count}, (_, i) => constants.get(i) ?? (values.next().value as Value));
    this.outputs = [output, ...further];
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

  /** What a normalization by constants multiplies each channel with, and adds. */
  gainAndOffset(): {readonly gain: readonly number[]; readonly offset: readonly number[]} {
    const [gamma, beta, mean, variance] = ['scale', 'offset', 'mean', 'variance'].map((what, i) =>
      this.numbers(i + 1, what),
    ) as [number[], number[], number[], number[]];
    const epsilon = this.attrs.float('epsilon', 0.001);
    const gain = gamma.map((each, c) => each / Math.sqrt(variance[c]! + epsilon));
    return {gain, offset: beta.map((each, c) => each - mean[c]! * gain[c]!)};
  }

  /** An axis, counted from the front. */
  axis(axis: number, {length}: readonly number[] = this.x.shape): number {
    return axis < 0 ? axis + length : axis;
  }

  refuse(reason: string): never {
    throw new Refusal(reason);
  }
}

/** Whether a value has no numbers at all, which few kernels expect. */
export function isEmpty({shape}: Operand): boolean {
  return sizeOf(shape) === 0;
}
