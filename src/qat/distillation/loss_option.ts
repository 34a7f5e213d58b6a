/** The option `loss` of distil. */
import {Tensor} from '@tensorflow/tfjs-core';
import type {LayersModel} from '@tensorflow/tfjs-layers';
import {isRecord, oneOf, type Rule, shown} from '../../check/rules';
import type {OutputKind} from '../outputs/kinds';
import {lossFor, type OutputLoss} from '../outputs/losses';

/** The losses that have names, which are tfjs's: each is of a kind of output. */
const KINDS = {
  categoricalCrossentropy: 'softmax',
  binaryCrossentropy: 'sigmoid',
  meanSquaredError: 'linear',
} as const satisfies Readonly<Record<Extract<DistilLoss, string>, OutputKind>>;

/**
 * A loss by name, or as a function of the teacher's outputs and the student's, which gives a scalar.
 *
 * @example
 * ```js
 * import * as tf from '@tensorflow/tfjs';
 * import {distil} from 'tfjs-quantization/qat';
 *
 * await distil(q, model, images, {steps: 20, loss: 'categoricalCrossentropy'});
 * const huber = (teacher, student) => tf.losses.huberLoss(teacher, student).asScalar();
 * await distil(q, model, images, {steps: 20, loss: huber});
 * ```
 */
export type DistilLoss = 'categoricalCrossentropy' | 'binaryCrossentropy' | 'meanSquaredError' | OutputLoss;

/**
 * One loss for all outputs, or one for each: in their order, or by their names.
 *
 * @example
 * ```js
 * import {distil} from 'tfjs-quantization/qat';
 *
 * await distil(q, model, images, {
 *   steps: 20,
 *   loss: {scores: 'meanSquaredError'}, // by the outputs' names
 * });
 * ```
 */
export type DistilLosses = DistilLoss | readonly DistilLoss[] | Readonly<Record<string, DistilLoss>>;

const NAME = /*#__PURE__*/ oneOf(...Object.keys(KINDS));

const oneLoss: Rule = (value, path) => {
  if (typeof value === 'function' || NAME(value, path).length === 0) return [];
  const names = Object.keys(KINDS).map(name => `'${name}'`);
  return [`${path} must be ${names.join(', ')} or a function (teacher, student) => scalar, but was ${shown(value)}.`];
};

/** What may be told of it without knowing the model. */
export const lossRule: Rule = (value, path) => {
  if (Array.isArray(value)) return value.flatMap((each, i) => oneLoss(each, `${path}[${i}]`));
  if (isRecord(value)) return Object.entries(value).flatMap(([name, each]) => oneLoss(each, `${path}.${name}`));
  return oneLoss(value, path);
};

/** What is wrong with it for the outputs of a model. */
export function lossProblems({outputNames}: LayersModel, loss: DistilLosses | undefined): string[] {
  const named = `the model's outputs are ${outputNames.join(', ')}`;
  if (Array.isArray(loss) && loss.length !== outputNames.length) {
    return [`loss has ${loss.length} losses, but ${named}. Give one for each, or one for all.`];
  }
  if (!isRecord(loss)) return [];
  return Object.keys(loss).flatMap(name =>
    outputNames.includes(name) ? [] : [`loss.${name} is of no output: ${named}.`],
  );
}

/** The loss of each output; where the option says nothing, that of its kind. */
export function lossesFor(
  {outputNames}: LayersModel,
  loss: DistilLosses | undefined,
  kinds: readonly OutputKind[],
  variances: readonly number[],
): OutputLoss[] {
  return outputNames.map((name, i) => {
    const given = Array.isArray(loss) ? (loss as DistilLoss[])[i] : isRecord(loss) ? loss[name] : loss;
    if (typeof given === 'function') return ofScalar(given, name);
    return given === undefined ? lossFor(kinds[i]!, variances[i]!) : lossFor(KINDS[given as keyof typeof KINDS], 1);
  });
}

/** A loss of somebody else, which has to give a scalar. */
function ofScalar(loss: OutputLoss, name: string): OutputLoss {
  return (teacher, student) => {
    const given: unknown = loss(teacher, student);
    if (given instanceof Tensor && given.rank === 0) return given as ReturnType<OutputLoss>;
    const found = given instanceof Tensor ? `a tensor of shape [${given.shape}]` : shown(given);
    throw new Error(
      `distil: the loss of output ${name} must give a scalar, computed of the model's outputs, but gave ${found}. ` +
        'Take the mean over all samples: tf.mean(…).',
    );
  };
}
