/** Tensors that the ops are given: what they must be. */
import {Tensor, tensor, type TensorLike} from '@tensorflow/tfjs-core';
import {invalid, number, shown, throwProblems} from './rules';

/** A float32 tensor, as tfjs's ops take it: a tensor stays itself, numbers and arrays become one. */
export function floatTensor<T extends Tensor>(op: string, name: string, value: T | TensorLike): T {
  if (!(value instanceof Tensor)) {
    if (!isNumeric(value)) {
      throw invalid(op, `${name} must be a float32 tensor, a number or an array of numbers, but was ${shown(value)}.`);
    }
    return tensor(value, undefined, 'float32') as T;
  }
  if (value.isDisposed) throw invalid(op, `${name} is a disposed tensor. Keep it (tf.keep).`);
  if (value.dtype !== 'float32') {
    throw invalid(op, `${name} must be a float32 tensor, but was ${value.dtype}. Cast it first: ${name}.toFloat().`);
  }
  return value;
}

function isNumeric(value: unknown): value is TensorLike {
  if (typeof value === 'number' || typeof value === 'boolean') return true;
  if (Array.isArray(value)) return value.every(isNumeric);
  return ArrayBuffer.isView(value) && !(value instanceof DataView);
}

function nanProblems(end: unknown, name: string): string[] {
  return end !== end ? number(end, name) : [];
}

/** A range given as numbers: `min < max`, or `min <= max` where TensorFlow allows an empty one. */
export function checkNumberRange(op: string, min: unknown, max: unknown, allowEqual: boolean): void {
  if (min !== min || max !== max) throwProblems(op, [...nanProblems(min, 'min'), ...nanProblems(max, 'max')]);
  if (typeof min !== 'number' || typeof max !== 'number') return;
  const [low, high] = [Math.fround(min), Math.fround(max)];
  if (low < high || (allowEqual && low === high)) return;
  throw invalid(op, `min has to be smaller than max, was: ${min} >= ${max}. Swap or widen them.`);
}

/** min and max are scalars. */
export function checkScalars(op: string, tensors: Readonly<Record<string, Tensor>>): void {
  for (const [name, {rank, shape}] of Object.entries(tensors)) {
    if (rank === 0) continue;
    throw invalid(op, `${name} must be a scalar, but had shape [${shape}]. For a range per channel, name the axis.`);
  }
}

/** min and max have one value for each slice of x along `axis`. */
export function checkPerChannel(op: string, x: Tensor, axis: number, tensors: Readonly<Record<string, Tensor>>): void {
  const channels = x.shape[axis];
  for (const [name, {rank, shape}] of Object.entries(tensors)) {
    if (rank === 1 && shape[0] === channels) continue;
    throw invalid(
      op,
      `${name} must have shape [${channels}], one value for each slice of axis ${axis} of the input of shape ` +
        `[${x.shape}], but had shape [${shape}].`,
    );
  }
}

/** The axis counted from 0. */
export function checkAxis(op: string, x: Tensor, axis: number): number {
  if (x.rank === 0) throw invalid(op, 'a scalar has no channels; the input must have at least one dimension.');
  if (Number.isInteger(axis) && axis >= -x.rank && axis < x.rank) return axis < 0 ? axis + x.rank : axis;
  throw invalid(
    op,
    `axis must be an integer in [${-x.rank}, ${x.rank}) for an input of shape [${x.shape}], but was ${shown(axis)}.`,
  );
}

/** A gradient, which has the shape of what it is the gradient of. */
export function gradientOf<T extends Tensor>(op: string, given: T | TensorLike, inputs: Tensor): T {
  const gradients = floatTensor(op, 'gradients', given);
  if (gradients.rank === inputs.rank && gradients.shape.every((dim, i) => dim === inputs.shape[i])) return gradients;
  throw invalid(
    op,
    `gradient and input must be the same size, but gradients had shape [${gradients.shape}] and the input [${inputs.shape}].`,
  );
}
