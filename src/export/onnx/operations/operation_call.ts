/** One of TensorFlow's operations on its way into a file: what a row of the table writes it with. */
import type {Node, Value} from '../../../inference/graph';
import {commonType, isConstant, OperationView, typeIn} from '../../../inference/operation_view';
import type {ValueType} from '../../../inference/operators';
import {permuted} from '../../../inference/permuted';
import {axisIn, type Form, inForm, orderOf} from '../forms';
import type {Attributes} from '../model_proto';
import type {NodeList} from '../node_list';
import type {Values} from '../values';

/** What a row gives for an output: its type, where it is not the output's, and its form, where its channels are not last. */
export interface Made {
  readonly name: string;
  readonly type?: ValueType | 'int64';
  readonly form?: Form;
}

/** How an operation is written: what it gives, for all of its outputs. */
export type Row = (call: OperationCall) => Made | readonly Made[];

export class OperationCall extends OperationView {
  readonly list: NodeList;
  readonly values: Values;
  /** Whether it needs numbers for all dimensions. */
  isFixed = false;

  constructor(node: Node<'operation'>, list: NodeList, values: Values) {
    super(node);
    this.list = list;
    this.values = values;
  }

  add(op: string, inputs: readonly string[], attributes?: Attributes): string {
    return this.list.add(op, inputs, attributes);
  }

  /** The tensor of an operand, in a form, in a type. */
  take(index: number, type?: ValueType, form: Form = 'last'): string {
    const operand = this.operand(index);
    if (!isConstant(operand)) {
      const from = this.values.typeOf(operand);
      return this.list.cast(this.values.take(operand, form), from, type ?? from);
    }
    const name = this.list.constant(operand.type, operand.values, operand.shape);
    return this.list.cast(this.#inForm(name, operand.shape, form), operand.type, type ?? operand.type);
  }

  /** An operand that is computed with others of up to `rank` dimensions, one of which may be repeated. */
  broadcast(index: number, type: ValueType, form: Form, rank: number): string {
    const operand = this.operand(index);
    const {shape} = operand;
    if (form === 'last' || shape.length === 0) return this.take(index, type);
    if (!isConstant(operand)) return this.take(index, type, form);
    const whole = [...new Array<number>(rank - shape.length).fill(1), ...shape];
    const floats = permuted(Float32Array.from(operand.values), whole, orderOf(form, rank));
    const name = this.list.constant('float32', floats, inForm(whole, form));
    return this.list.cast(name, 'float32', type);
  }

  /** The form in which operands that are computed number by number with each other are best taken. */
  commonForm(indices: readonly number[]): Form {
    const operands = indices.map(index => this.operand(index));
    const computed = operands.filter((each): each is Value => !isConstant(each));
    const rank = Math.max(...operands.map(({shape}) => shape.length));
    const isSame = computed.every(({shape}) => shape.length === rank || shape.length === 0);
    return isSame && computed.length > 0 ? this.values.commonForm(computed) : 'last';
  }

  commonType(...indices: readonly number[]): ValueType {
    return commonType(indices.map(index => this.operand(index)));
  }

  typeOf(index: number): ValueType {
    return typeIn(this.operand(index));
  }

  axisIn(form: Form, axis: number): number {
    return axisIn(form, axis, this.shape.length);
  }

  /** Shapes for operators that are told them. */
  dims(shape: readonly number[] = this.shape): string {
    const keepsBatch = this.operands.some(x => !isConstant(x) && x.shape[0] === shape[0]);
    if (keepsBatch) return this.values.dims(shape);
    this.isFixed = true;
    return this.list.ints(shape);
  }

  #inForm(name: string, shape: readonly number[], form: Form): string {
    const order = orderOf(form, shape.length);
    return order.every((axis, i) => axis === i) ? name : this.add('Transpose', [name], {perm: order});
  }
}

/** Floats of a row that gives one tensor. */
export const floats = (name: string, form: Form = 'last'): Made => ({name, type: 'float32', form});
