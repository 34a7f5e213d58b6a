/** One of TensorFlow's operations on its way into a file: the operators that compute it there, or why none do. */
import type {Node, Value} from '../../../inference/graph';
import {
  constantOf,
  ints,
  isConstant,
  type Operand,
  OperationView,
  sameShape,
  typeIn,
} from '../../../inference/operation_view';
import type {ValueType} from '../../../inference/operators';
import {type OperatorName, type Options, TENSOR_TYPES} from '../schema';

/** An operator that is to be written. */
export interface Step {
  readonly operator: OperatorName;
  readonly inputs: readonly Operand[];
  readonly outputs: readonly Value[];
  readonly options: Options;
  /** The lowest version that computes it, where it is not the operator's lowest. */
  readonly version?: number;
}

/** What a row of the table writes an operation with. */
export class OperationCall extends OperationView {
  readonly steps: Step[] = [];
  readonly #name: string;

  constructor(node: Node<'operation'>) {
    super(node);
    this.#name = node.attributes.name;
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
    return this.make('RESHAPE', [x, ofAnyBatch(shape)], {shape, type: typeIn(x)});
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
    else this.give('RESHAPE', [x, ofAnyBatch(this.shape)]);
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

/** A shape whose first dimension, which samples are along, is what the others leave. */
const ofAnyBatch = (shape: readonly number[]) => ints(shape.length > 0 ? [-1, ...shape.slice(1)] : []);

function castOptions(from: ValueType, to: ValueType): Options {
  return {inDataType: TENSOR_TYPES[from], outDataType: TENSOR_TYPES[to]};
}

/** How a row writes an operation. */
export type Row = (call: OperationCall) => void;
