/** How a learned grid rounds: the levels that it has, in its steps, and what becomes of a tensor. */
import {add, mul, sub, type Tensor} from '@tensorflow/tfjs-core';
import {learnedLevels, type Levels} from '../../kernels/grid';
import {fakeQuantWithLearnedScale} from '../ops/learned';
import {alongAxis} from './ends';
import type {QuantizerOptions} from './options';

/** What tells the levels of a learned grid, and whose they are. */
export type RoundingOptions = Pick<QuantizerOptions, 'numBits' | 'symmetric' | 'narrowRange' | 'zeroFree' | 'axis'>;

/** The ends of a grid in steps. They lie between two whole numbers where no level is 0. */
export function endsInSteps({numBits, symmetric, narrowRange, zeroFree}: RoundingOptions): Levels {
  const {qmin, qmax} = learnedLevels(numBits, narrowRange, symmetric);
  return zeroFree ? {qmin: qmin + 0.5, qmax: qmax + 0.5} : {qmin, qmax};
}

/**
 * Rounds `x` to a grid of `scale` and, if it has two free ends, of a low end. One without a level at 0 (ParetoQ: Liu et al.
 * 2025) is the grid of whole steps, moved by half of one: at 2 bits its values are exactly ±1 and ±3 halves of the scale.
 */
export function roundLearned<T extends Tensor>(x: T, scale: Tensor, options: RoundingOptions, offset?: Tensor): T {
  const {numBits, symmetric, narrowRange, zeroFree, axis} = options;
  const grid = {numBits, symmetric, narrowRange, ...(axis !== undefined && {axis}), ...(offset && {offset})};
  if (!zeroFree) return fakeQuantWithLearnedScale<T>(x, scale, grid);
  const half = alongAxis(mul(scale, 0.5), x, axis);
  return add(fakeQuantWithLearnedScale<T>(sub<T>(x, half), scale, grid), half);
}
