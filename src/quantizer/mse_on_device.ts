/**
 * The range of least squared error, found on a GPU: there a pass over all values is cheap, and reading them back is not, so that
 * each range tried is rounded to as training does. It asks the same as mse_on_host.ts in the same order; the third search, of a
 * histogram's, is of values that came batch by batch and are gone.
 */
import {div, less, maximum, mul, square, sub, sum, type Tensor, tidy, where} from '@tensorflow/tfjs-core';
import {type Ends, extremesOf, otherAxes} from './ends';
import {endsInSteps, roundLearned, type RoundingOptions} from './learned_rounding';
import {SHARES} from './mse_on_host';

/** See `mseRange`; `x` is checked. */
export function mseRangeOnDevice(x: Tensor, grid: RoundingOptions): [Tensor, Tensor] {
  const {symmetric, axis} = grid;
  const {qmin, qmax} = endsInSteps(grid);
  const errorOf = ([low, high]: Ends): Tensor => {
    const scale = div(sub(high, low), qmax - qmin);
    const rounded = roundLearned(x, scale, grid, symmetric ? undefined : low);
    return sum(square(sub(rounded, x)), otherAxes(x, axis));
  };
  const [low, high] = extremesOf(x, axis);
  const together = ([from, to]: Ends, share: number): Ends => [mul(from, share), mul(to, share)];
  if (symmetric) {
    const reach = maximum(div(low, qmin), div(high, qmax));
    return [...bestOf([mul(reach, qmin), mul(reach, qmax)], together, errorOf)];
  }
  const both = bestOf([low, high], together, errorOf);
  const lower = bestOf([low, both[1]], ([from, to], share) => [mul(from, share), to], errorOf);
  return [...bestOf([lower[0], high], ([from, to], share) => [from, mul(to, share)], errorOf)];
}

/** The best ends for each channel, as they are tried one by one: the first ones, and what shares of them give. */
function bestOf(first: Ends, tried: (first: Ends, share: number) => Ends, errorOf: (ends: Ends) => Tensor): Ends {
  let best: Ends = first;
  let least = errorOf(first);
  for (const share of SHARES) {
    const [next, error] = tidy(() => {
      const ends = tried(first, share);
      const found = errorOf(ends);
      const isLess = less(found, least);
      const kept = best.map((end, i) => where(isLess, ends[i]!, end)) as [Tensor, Tensor];
      return [kept, where(isLess, found, least)] as [[Tensor, Tensor], Tensor];
    });
    [best, least] = [next, error];
  }
  return best;
}
