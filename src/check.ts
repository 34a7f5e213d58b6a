/**
 * Arguments are checked here: options against the rules that stand beside their types, tensors by what they are. What is
 * wrong becomes an error that names the function, the argument, the value and the remedy.
 */
import {Tensor, tensor, type TensorLike} from '@tensorflow/tfjs-core';

/** What is wrong with a value that is found at `path`: a sentence for each problem. */
export type Rule = (value: unknown, path: string) => string[];

/** Options described: a rule for each of them. Undefined is always right, it stands for the default. */
export type Rules<T> = {readonly [K in keyof T]-?: Rule};

/** The InvalidArgument of this package. */
export function invalid(op: string, message: string): Error {
  return new Error(`${op}: ${message}`);
}

/** Says everything that is wrong at once. */
export function throwProblems(caller: string, problems: readonly string[]): void {
  if (problems.length === 0) return;
  throw invalid(
    caller,
    problems.length === 1 ? problems[0]! : `${problems.length} problems:\n- ${problems.join('\n- ')}`,
  );
}

/** A rule for one value, by what it `must` be. */
export function must(be: string, holds: (value: never) => boolean, show = shown): Rule {
  return (value, path) => (holds(value as never) ? [] : [`${path} must be ${be}, but was ${show(value)}.`]);
}

export const flag = must('true or false', value => typeof value === 'boolean');
/** Not NaN. */
export const number = must('a number', (value: number) => typeof value === 'number' && value === value);
export const integer = must('an integer', Number.isInteger);
/** For what is checked elsewhere. */
export const anything: Rule = () => [];

export function between(lowest: number, highest: number): Rule {
  return must(
    `an integer between ${lowest} and ${highest}, inclusive`,
    (value: number) => Number.isInteger(value) && value >= lowest && value <= highest,
  );
}

export function oneOf(...names: readonly string[]): Rule {
  return must(names.map(name => `'${name}'`).join(' or '), (value: string) => names.includes(value));
}

/** TensorFlow's limits of num_bits: its documentation says 8, its code takes 16. */
export const bits = between(2, 16);

/** Whether a value has names and what belongs to them. */
export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return {}.toString.call(value) === '[object Object]' && !(value instanceof Tensor);
}

/** What is wrong with an object of options, which is found at `path`. */
export function optionProblems(
  options: unknown,
  rules: Readonly<Record<string, Rule>>,
  path = '',
  remedyFor = (_: string, known: readonly string[]) => `Options are: ${known.join(', ')}.`,
): string[] {
  if (!isRecord(options)) {
    return [`${path || 'options'} must be an object, but was ${shown(options)}. ${remedyFor('', Object.keys(rules))}`];
  }
  const problems: string[] = [];
  for (const key in options) {
    const value = options[key];
    const at = path ? `${path}.${key}` : key;
    if (!Object.hasOwn(rules, key)) problems.push(`${at} is no option. ${remedyFor(key, Object.keys(rules))}`);
    else if (value !== undefined) problems.push(...rules[key]!(value, at));
  }
  return problems;
}

/** The options that are given, so that `{...defaults, ...given}` is whole. Throws if they are not as their rules say. */
export function givenOptions<T extends object>(caller: string, options: T, rules: Rules<T>): T {
  throwProblems(caller, optionProblems(options, rules));
  const given = {} as T;
  for (const key in options) if (options[key] !== undefined) given[key] = options[key];
  return given;
}

/** A value as errors show it. */
export function shown(value: unknown): string {
  if (typeof value === 'string') return `the string '${value}'`;
  return Object(value) === value ? `of type ${(value as object).constructor?.name}` : String(value);
}

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

/** A range given as numbers: `min < max`, or `min <= max` where TensorFlow allows an empty one. */
export function checkNumberRange(op: string, min: unknown, max: unknown, allowEqual: boolean): void {
  throwProblems(
    op,
    [min, max].flatMap((end, i) => (end !== end ? number(end, i ? 'max' : 'min') : [])),
  );
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
