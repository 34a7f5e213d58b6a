/** Samples for a model: what they may be, and whether they fit it. */
import {Tensor} from '@tensorflow/tfjs-core';
import type {LayersModel} from '@tensorflow/tfjs-layers';
import {type Rule, shown, throwProblems} from '../../check/rules';

/**
 * What a model is given: a tensor, one for each of its inputs, or one by the name of each input.
 *
 * @example
 * ```js
 * import * as tf from '@tensorflow/tfjs';
 * import {calibrate} from 'tfjs-quantization/qat';
 *
 * await calibrate(q, images); // of a model with one input
 * await calibrate(q, {image: images}); // by the names of inputs, one or more
 * ```
 */
export type Inputs = Tensor | readonly Tensor[] | Readonly<Record<string, Tensor>>;

/**
 * A batch, by itself or with the targets that training takes, which are left alone.
 *
 * @example
 * ```js
 * import {calibrate} from 'tfjs-quantization/qat';
 *
 * const [xs, ys] = [images.slice(0, 64), labels.slice(0, 64)];
 * await calibrate(q, [{xs, ys}]); // ys are left alone
 * ```
 */
export type Batch = Inputs | {readonly xs: Inputs; readonly ys?: unknown};

/**
 * What tf.data makes, batched: of batches as `fitDataset` takes them, or of inputs alone.
 *
 * @example
 * ```js
 * import * as tf from '@tensorflow/tfjs';
 * import {calibrate} from 'tfjs-quantization/qat';
 *
 * const dataset = tf.data.array(images.unstack()).batch(32);
 * await calibrate(q, dataset);
 * ```
 */
export interface BatchedDataset {
  /** How many batches there are, if that is known. */
  readonly size?: number | null;
  /** What gives the batches one after the other. */
  iterator(): Promise<{next(): Promise<IteratorResult<unknown>>}>;
}

/**
 * All samples, as {@link Batch}, or batches one after the other: a tf.data.Dataset, an array, a generator. An array of
 * tensors is one for each of the model's inputs. Batches that a dataset makes are disposed of after use, as `fitDataset`
 * does; all others stay the caller's.
 *
 * @example
 * ```js
 * import {calibrate} from 'tfjs-quantization/qat';
 *
 * await calibrate(q, images); // all in one
 * async function* batches() {
 *   for (let start = 0; start < 128; start += 32) yield images.slice(start, 32);
 * }
 * await calibrate(q, batches());
 * ```
 */
export type Samples = Batch | BatchedDataset | Iterable<Batch> | AsyncIterable<Batch>;

type Named = Readonly<Record<string, unknown>>;

export function isTensor(value: unknown): value is Tensor {
  return value instanceof Tensor;
}

export function isObject(value: unknown): value is Named {
  return typeof value === 'object' && value !== null;
}

export function isDataset(samples: unknown): samples is BatchedDataset {
  return isObject(samples) && typeof samples['iterator'] === 'function';
}

function isIterable(samples: unknown): samples is Iterable<unknown> | AsyncIterable<unknown> {
  const {[Symbol.asyncIterator]: later, [Symbol.iterator]: now} = Object(samples) as Partial<
    AsyncIterable<unknown> & Iterable<unknown>
  >;
  return isObject(samples) && (typeof later === 'function' || typeof now === 'function');
}

/** Whether they pass but once, as what a generator function gives. */
export function passOnce(samples: Samples): boolean {
  if (!isIterable(samples) || isDataset(samples)) return false;
  const iterator = Symbol.asyncIterator in samples ? samples[Symbol.asyncIterator]() : samples[Symbol.iterator]();
  return (iterator as unknown) === samples;
}

/** Whether samples are all in one, not batch by batch. */
export function isWhole(samples: unknown): samples is Batch {
  if (Array.isArray(samples)) return samples.length > 0 && samples.every(isTensor);
  return isObject(samples) && !isDataset(samples) && (isTensor(samples) || !isIterable(samples));
}

/** As {@link shown}, with what objects are of. */
function shownAsSamples(value: unknown): string {
  if (Array.isArray(value)) return value.length === 0 ? 'an empty array' : `an array of ${shownAsSamples(value[0])}, …`;
  if (typeof value === 'function') return 'a function';
  if (!isObject(value)) return shown(value);
  if (isTensor(value)) return 'a tensor';
  const {name} = (value.constructor as {readonly name?: string} | undefined) ?? {};
  if (name === undefined || name === 'Object') return `an object of ${Object.keys(value).join(', ') || 'nothing'}`;
  return `${/^[AEIOU]/.test(name) ? 'an' : 'a'} ${name}`;
}

const KINDS =
  'a tensor, an array of one for each input, an object of them by input name, {xs, ys}, or batches of these: ' +
  'an array, a generator, a tf.data.Dataset';

/** What turns a value into samples, if one step does. */
function remedyOf(value: unknown): string {
  if (typeof value === 'function') return ' Call it, and give what it returns.';
  return isPromise(value) ? ' Await it, and give what it resolves to.' : '';
}

function isPromise(value: unknown): boolean {
  return isObject(value) && typeof value['then'] === 'function';
}

/** Samples that are neither whole nor a sequence of batches are none. */
export const sampleRule: Rule = (samples, path) => {
  const isKnown = isWhole(samples) || isDataset(samples) || isIterable(samples);
  if (isKnown && !isPromise(samples)) return [];
  return [`${path} must be ${KINDS}; but were ${shownAsSamples(samples)}.${remedyOf(samples)}`];
};

/** A tensor, or what else was given, for each input; or what is wrong. */
export function byInput({inputNames}: LayersModel, batch: unknown): unknown[] | string {
  const isInput = (name: string) => inputNames.includes(name);
  const isNamed = isObject(batch) && !isTensor(batch) && !Array.isArray(batch);
  const hasTargets = isNamed && ('xs' in batch || 'ys' in batch) && !Object.keys(batch).every(isInput);
  const given = hasTargets ? batch['xs'] : batch;
  if (hasTargets && given == null) return `a batch has ys, but no xs, which are what the model is given.`;
  if (isTensor(given) || Array.isArray(given)) {
    const tensors = [given].flat() as unknown[];
    if (tensors.length === inputNames.length) return tensors;
    if (!tensors.every(isTensor)) return unlike(given);
    const several = inputNames.length === 1 ? ' Targets go along as {xs, ys}, batches as [[batch], [batch]].' : '';
    return `the model has ${inputNames.length} inputs (${inputNames}), but ${tensors.length} tensors were given.${several}`;
  }
  if (!isObject(given) || !Object.values(given).some(isTensor)) return unlike(given);
  const names = Object.keys(given);
  const missing = inputNames.filter(name => !names.includes(name));
  const unknown = names.filter(name => !isInput(name));
  const problems = [
    ...(missing.length > 0 ? [`there is nothing for the inputs ${missing.join(', ')}`] : []),
    ...(unknown.length > 0 ? [`there are no inputs ${unknown.join(', ')}`] : []),
  ];
  if (problems.length > 0) return `${problems.join(', and ')}. The model's inputs are ${inputNames.join(', ')}.`;
  return inputNames.map(name => given[name]);
}

function unlike(batch: unknown): string {
  const flat = Array.isArray(batch) && batch.length > 0 && !isTensor(batch[0]);
  const remedy = flat ? ' A dataset of single samples becomes one of batches by dataset.batch(32).' : '';
  return `a batch must be a tensor, an array of one for each input, or an object of them by input name, but was ${shownAsSamples(batch)}.${remedy}`;
}

/** What is wrong with what one input is given. */
function inputProblem(name: string, shape: readonly (number | null)[], given: unknown): string | undefined {
  if (!isTensor(given)) return `input ${name} takes a tensor, but was given ${shownAsSamples(given)}`;
  if (given.isDisposed) return `what input ${name} was given is disposed of already`;
  if (given.dtype === 'string' || given.dtype === 'complex64') {
    return `input ${name} takes numbers, but was given ${given.dtype}`;
  }
  const {shape: own} = given;
  if (own.length === shape.length && shape.every((dim, axis) => axis === 0 || dim === null || dim === own[axis])) {
    return undefined;
  }
  const wanted = shape.map(dim => dim ?? 'any');
  const stacked = own.length < shape.length ? '; stack samples along the first dimension (dataset.batch(32))' : '';
  return `input ${name} takes samples of shape [${wanted}], but was given [${own}]${stacked}`;
}

/** A batch's tensors in the order of the inputs. Throws if they do not fit the model. */
export function checkedInputs(caller: string, model: LayersModel, batch: unknown): readonly Tensor[] {
  const given = byInput(model, batch);
  if (typeof given === 'string') throw new Error(`${caller}: ${given}`);
  const wrong = model.inputs.flatMap(({shape}, i) => inputProblem(model.inputNames[i]!, shape, given[i]) ?? []);
  if (wrong.length > 0) throw new Error(`${caller}: ${wrong.join('; ')}.`);
  const tensors = given as Tensor[];
  const counts = tensors.map(({shape}) => shape[0]);
  if (counts.every(count => count === counts[0])) return tensors;
  const each = counts.map((count, i) => `${model.inputNames[i]} has ${count}`).join(', ');
  throw new Error(`${caller}: inputs must have as many samples each, but ${each}.`);
}

/** Throws what is known to be wrong with samples before any of them passes: `atMost` of them will. */
export function checkSamples(caller: string, model: LayersModel, samples: Samples, atMost = Infinity): void {
  throwProblems(caller, sampleRule(samples, 'samples'));
  if (isWhole(samples)) checkCount(caller, checkedInputs(caller, model, samples)[0]!.shape[0]);
  if (Array.isArray(samples) && !isWhole(samples)) {
    const batches = (samples as unknown[]).map(batch => checkedInputs(caller, model, batch));
    checkCount(
      caller,
      batches.reduce((total, batch) => total + batch[0]!.shape[0], 0),
    );
  }
  if (isDataset(samples) && samples.size === Infinity && atMost === Infinity) {
    throw new Error(`${caller}: the dataset is without end. Say how many samples to look at (samples: 512).`);
  }
}

/** Throws where batches of `total` samples are not of the one size of which a model keeps states. */
export function checkStates(
  caller: string,
  {name, stateful, inputs}: LayersModel,
  total: number,
  batchSize: number,
): void {
  const size = inputs[0]!.shape[0];
  if (!stateful || size == null) return;
  const other = [Math.min(total, batchSize), total % batchSize || size].find(each => each !== size);
  if (other === undefined) return;
  const [given, cut] = [`${other}${other < total ? ` of ${total}` : ''}`, total - (total % size)];
  const remedy = cut === total ? '' : `, in a multiple of ${size}${cut > 0 ? `, such as the first ${cut}` : ''}`;
  throw new Error(
    `${caller}: model ${name} keeps states of ${size} samples, but a batch has ${given}. Give samples in batches of ${size} (batchSize: ${size})${remedy}.`,
  );
}

/** Of fewer samples, shares of decisions are known to within some percent only. */
const ENOUGH = 64;

/** Warns of samples that are too few to tell much, unless no more are asked for. */
export function warnOfFew(caller: string, samples: number, atMost = Infinity): void {
  if (samples >= Math.min(ENOUGH, atMost)) return;
  console.warn(
    `${caller}: there are ${samples} samples only, which tell little. Give it ${ENOUGH} or more; some hundreds are usual.`,
  );
}

/** Throws if there are no samples. */
export function checkCount(caller: string, total: number): void {
  if (total === 0) throw new Error(`${caller}: there are no samples. Give it at least one batch.`);
}
