/** By what errors of outputs are counted. */
import {concat, mean, reshape, square, stack, sub, type Tensor, tidy} from '@tensorflow/tfjs-core';

/** What is this small beside the mean square of values is rounding, and no variance. */
const ROUNDING = 1e-6;

/**
 * How much values differ from sample to sample: the mean, over all places in a sample, of their variance; of what is the same
 * for all samples the mean square; 1 if that is 0 too.
 */
export async function varianceOf(batches: readonly Tensor[]): Promise<number> {
  const moments = tidy(() => {
    const values = concat(batches.map(each => reshape(each, [each.shape[0], -1])));
    const centered = sub(values, mean(values, 0));
    return stack([mean(square(centered)), mean(square(values))]);
  });
  const [variance, meanSquare] = await moments.data();
  moments.dispose();
  return variance! > ROUNDING * meanSquare! ? variance! : meanSquare! || 1;
}
