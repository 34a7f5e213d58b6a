/** What arguments of training must be, beside what the ops' must: rules that several functions share. */
import type {LayersModel} from '@tensorflow/tfjs-layers';
import {isRecord, must, optionProblems, type Rule, type Rules, shown, throwProblems} from '../check';
import {asContainer, isContainer} from './graph';

/** How many of something there are. */
export const count = must('an integer above 0', (value: number) => Number.isSafeInteger(value) && value > 0);
export const percent = must('in (0, 100]', (value: number) => isFinite32(value) && value > 0 && value <= 100);
/** How many of something there are at most: Infinity is for all. */
export const limit: Rule = (value, path) => (value === Infinity ? [] : count(value, path));
/** How much of a moving average stays. */
export const share = must('in [0, 1)', (value: number) => isFinite32(value) && value >= 0 && value < 1);
export const callback = must('a function', value => typeof value === 'function');
export const text = must('a string', value => typeof value === 'string');

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
export const range = must(
  '[min, max], finite numbers, of which min has to be smaller',
  (value: unknown) => {
    if (!Array.isArray(value) || value.length !== 2 || !value.every(isFinite32)) return false;
    return Math.fround(value[0]!) < Math.fround(value[1]!);
  },
  shownAll,
);

/** For options by names of the user's: `rule` holds for each. */
export function byName(what: string, rule: Rule): Rule {
  return (value, path) => {
    if (!isRecord(value)) return [`${path} must be an object by ${what}, but was ${shown(value)}.`];
    return Object.entries(value).flatMap(([name, each]) => (each === undefined ? [] : rule(each, `${path}.${name}`)));
  };
}

/** For options that may be false instead. */
export function orFalse(rules: Readonly<Record<string, Rule>>): Rule {
  return (value, path) => (value === false ? [] : optionProblems(value, rules, path, remedyFor));
}

/** Throws if options are not as their rules say. */
export function checkOptions<T>(caller: string, options: T, rules: Rules<T>): void {
  throwProblems(caller, optionProblems(options, rules, '', remedyFor));
}

/** The name that was meant if one is much like it, else all that there are. */
export function remedyFor(name: string, known: readonly string[]): string {
  const plain = name.replace(/_/g, '').toLowerCase();
  const near = known.find(each => missing(plain, each.toLowerCase()) + missing(each.toLowerCase(), plain) < 3);
  return near ? `Did you mean ${near}?` : `Options are: ${known.join(', ')}.`;
}

/** How many letters of `word` are not in `other`. */
function missing(word: string, other: string): number {
  return Array.from(other).reduce((rest, letter) => rest.replace(letter, ''), word).length;
}

/** What has a layer's methods: tf.layers' classes, of whichever copy. */
function isLayer(value: unknown): value is LayersModel {
  return typeof value === 'object' && value !== null && typeof (value as LayersModel).getClassName === 'function';
}

function isGone(model: LayersModel): boolean {
  return (model as LayersModel & {_refCount: number})._refCount === 0;
}

/** Runs what needs `model` until its end, and tells if somebody disposed of it meanwhile. */
export async function withModel<T>(caller: string, model: LayersModel, run: () => Promise<T>): Promise<T> {
  try {
    return await run();
  } catch (error) {
    if (!isGone(model)) throw error;
    const message = `${caller}: model ${model.name} was disposed of meanwhile. Keep it until this is done (await).`;
    throw new Error(message, {cause: error});
  }
}

function modelProblem(model: unknown): string | undefined {
  const wanted = 'model must be a tf.LayersModel: what tf.sequential, tf.model or tf.loadLayersModel give';
  if (typeof (model as PromiseLike<unknown> | undefined)?.then === 'function') {
    return `${wanted}, but was a Promise of one. Await it first: await tf.loadLayersModel(url).`;
  }
  if (typeof (model as {executeAsync?: unknown} | undefined)?.executeAsync === 'function') {
    return `${wanted}, but was a graph model. Load the layers model that it was converted from.`;
  }
  if (!isLayer(model)) return `${wanted}, but was ${shown(model)}.`;
  if (!isContainer(asContainer(model))) return `${wanted}, but was the layer ${model.name}. Put it into a model.`;
  const {inputs, layers, name} = model;
  if (isGone(model)) return `model ${name} is disposed. Keep it, or load it again.`;
  if (inputs.length > 0) return undefined;
  const remedy = layers.length > 0 ? 'Give its first layer an inputShape' : 'Add layers, the first with an inputShape';
  return `model ${name} is not built, so its layers have no weights yet. ${remedy}.`;
}

/** Throws unless `model` is a model that has its weights. */
export function checkModel(caller: string, model: unknown): void {
  const problem = modelProblem(model);
  throwProblems(caller, problem === undefined ? [] : [problem]);
}
