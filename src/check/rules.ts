/**
 * What arguments must be. What is wrong becomes an error that names the function, the argument, the value and the remedy, all
 * problems at once.
 */
import {Tensor} from '@tensorflow/tfjs-core';

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

// Marked, so that bundlers leave out what nobody asks for.
export const flag = /*#__PURE__*/ must('true or false', value => typeof value === 'boolean');
/** Not NaN. */
export const number = /*#__PURE__*/ must('a number', (value: number) => typeof value === 'number' && value === value);
export const integer = /*#__PURE__*/ must('an integer', Number.isInteger);
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
export const bits = /*#__PURE__*/ between(2, 16);

/** Whether a value has names and what belongs to them. */
export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return {}.toString.call(value) === '[object Object]' && !(value instanceof Tensor);
}

/** A value as errors show it. */
export function shown(value: unknown): string {
  if (typeof value === 'string') return `the string '${value}'`;
  return Object(value) === value ? `of type ${(value as object).constructor?.name}` : String(value);
}

/** How many of something there are. */
export const count = /*#__PURE__*/ must(
  'an integer above 0',
  (value: number) => Number.isSafeInteger(value) && value > 0,
);
export const percent = /*#__PURE__*/ must(
  'in (0, 100]',
  (value: number) => isFinite32(value) && value > 0 && value <= 100,
);
/** How many of something there are at most: Infinity is for all. */
export const limit: Rule = (value, path) => (value === Infinity ? [] : count(value, path));
/** How much of a moving average stays. */
export const share = /*#__PURE__*/ must('in [0, 1)', (value: number) => isFinite32(value) && value >= 0 && value < 1);
export const callback = /*#__PURE__*/ must('a function', value => typeof value === 'function');
/** What is told to stop. */
export const signal = /*#__PURE__*/ must(
  'an AbortSignal',
  (value: AbortSignal | null) => typeof value?.throwIfAborted === 'function',
);
export const text = /*#__PURE__*/ must('a string', value => typeof value === 'string');

/** Whether a value is a number that float32 holds. */
export function isFinite32(value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(Math.fround(value));
}

/** The first values of an array, or a value as it is. */
export function shownAll(value: unknown): string {
  if (!Array.isArray(value)) return shown(value);
  return `[${value.slice(0, 8).map(shown).join(', ')}${value.length > 8 ? ', …' : ''}]`;
}

/** The two ends of a range. */
export const range = /*#__PURE__*/ must(
  '[min, max], finite numbers, of which min has to be smaller',
  (value: unknown) => {
    if (!Array.isArray(value) || value.length !== 2 || !value.every(isFinite32)) return false;
    return Math.fround(value[0]!) < Math.fround(value[1]!);
  },
  shownAll,
);

type RulesByName = Readonly<Record<string, Rule>>;

/** An object that holds some things, and perhaps others. What else is there a newer version may have put there. */
export function objectOf(needed: RulesByName, others: RulesByName = {}): Rule {
  return (value, path) => {
    if (!isRecord(value)) return [`${path} must be an object, but was ${shown(value)}.`];
    return Object.entries({...others, ...needed}).flatMap(([name, rule]) => {
      const isLeftOut = value[name] === undefined && !Object.hasOwn(needed, name);
      return isLeftOut ? [] : rule(value[name], path ? `${path}.${name}` : name);
    });
  };
}

export function orNull(rule: Rule): Rule {
  return (value, path) => (value === null ? [] : rule(value, path));
}

export function listOf(rule: Rule): Rule {
  const list = must('a list', Array.isArray);
  return (value, path) =>
    Array.isArray(value) ? value.flatMap((each, i) => rule(each, `${path}[${i}]`)) : list(value, path);
}
