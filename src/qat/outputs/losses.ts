/** How far one model's outputs are from another's, on the device, for training. */
import type {Scalar, Tensor} from '@tensorflow/tfjs-core';
import type {OutputKind} from './kinds';

/** The loss of a student's output against a teacher's. */
export type OutputLoss = (teacher: Tensor, student: Tensor) => Scalar;

/** The loss of an output of a kind; `variance` is that of the teacher's outputs, by which what is linear is counted. */
export function lossFor(_kind: OutputKind, _variance: number): OutputLoss {
  throw new Error('not yet');
}
