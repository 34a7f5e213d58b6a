/** The two orders in which a tensor's dimensions can stand: its channels last, as tfjs has them, or behind the batch. */
import {sizeOf} from '../../inference/graph';
import {arranged} from '../../inference/permuted';

export type Form = 'last' | 'first';

/** A tensor of a file, in a form. */
export interface Held {
  readonly name: string;
  readonly form: Form;
}

/** Which dimension of the form with its channels last is the i-th of another form. */
export function orderOf(form: Form, rank: number): number[] {
  const order = Array.from({length: rank}, (_, axis) => axis);
  if (form === 'last' || rank < 3) return order;
  return [0, rank - 1, ...order.slice(1, -1)];
}

/** A list with an entry for each dimension, in a form's order. */
export function inForm<T>(list: readonly T[], form: Form): T[] {
  return arranged(list, orderOf(form, list.length));
}

/** Where a dimension is in a form. */
export function axisIn(form: Form, axis: number, rank: number): number {
  return orderOf(form, rank).indexOf(axis);
}

/** The permutation that brings a tensor from one form to another. */
export function between(from: Form, to: Form, rank: number): number[] {
  return orderOf(to, rank).map(axis => axisIn(from, axis, rank));
}

/** Whether both forms are the same numbers in the same order. */
export function isFormless(shape: readonly number[]): boolean {
  return shape.length < 3 || sizeOf(shape.slice(1, -1)) === 1 || shape[shape.length - 1] === 1;
}
