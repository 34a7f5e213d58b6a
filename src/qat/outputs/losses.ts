/** How far one model's outputs are from another's, on the device, for training. */
import {
  add,
  backend,
  clipByValue,
  log,
  maximum,
  mean,
  mul,
  type Scalar,
  square,
  sub,
  sum,
  type Tensor,
  tidy,
} from '@tensorflow/tfjs-core';
import type {OutputKind} from './kinds';

/**
 * The loss of a student's output against a teacher's.
 *
 * @example
 * ```js
 * import * as tf from '@tensorflow/tfjs';
 * import {distil} from 'tfjs-quantization/qat';
 *
 * const absolute = (teacher, student) => teacher.sub(student).abs().mean().asScalar();
 * await distil(q, model, images, {steps: 20, loss: absolute});
 * ```
 */
export type OutputLoss = (teacher: Tensor, student: Tensor) => Scalar;

/**
 * The loss of an output of a kind, which is 0 where both are the same. Of shares the mean Kullback-Leibler divergence, in
 * nats, and of probabilities that of each: as the cross-entropy, less what the teacher's own is. Of other outputs the
 * squared error by `variance`, which is that of the teacher's.
 */
export function lossFor(kind: OutputKind, variance: number): OutputLoss {
  if (kind === 'softmax') return (teacher, student) => tidy(() => mean<Scalar>(sum(divergence(teacher, student), -1)));
  if (kind === 'sigmoid') return (teacher, student) => tidy(() => mean<Scalar>(eitherWay(teacher, student)));
  return (teacher, student) => tidy(() => mul<Scalar>(mean(square(sub(student, teacher))), 1 / variance));
}

/** p log(p / q), where 0 log 0 is 0. */
function divergence(teacher: Tensor, student: Tensor): Tensor {
  return mul(teacher, sub(safeLog(teacher), safeLog(student)));
}

/** The same of what is and of what is not. */
function eitherWay(teacher: Tensor, student: Tensor): Tensor {
  const not = (x: Tensor) => sub(1, x);
  const bounded = (x: Tensor) => clipByValue(x, LEAST_MISSING, 1 - LEAST_MISSING);
  const [p, q] = [bounded(teacher), bounded(student)];
  return add(divergence(p, q), divergence(not(p), not(q)));
}

/** The least that float32 tells 1 - x from 1 by. */
const LEAST_MISSING = 1e-7;

/**
 * The logarithm of a probability. Softmax gives numbers as small as float32 has; down to about there the gradient of
 * p log(q), by q, times that of softmax is right, and where q is smaller there is none.
 */
function safeLog(x: Tensor): Tensor {
  return log(maximum(x, backend().floatPrecision() === 32 ? 1e-30 : 1e-4));
}
