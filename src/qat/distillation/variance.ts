/** By what errors of outputs are counted. */
import {
  add,
  clone,
  dispose,
  div,
  keep,
  mean,
  reshape,
  square,
  stack,
  sub,
  sum,
  type Tensor,
  tidy,
} from '@tensorflow/tfjs-core';

/** What is this small beside the mean square of values is rounding, and no variance. */
const ROUNDING = 1e-6;

/** How much values differ from sample to sample, batch by batch. */
export class Variance {
  /** Of each place in a sample: the mean of the first batch, and sums of what samples differ from it by, and of squares. */
  #sums: Tensor[] | undefined;
  #count = 0;

  add(batch: Tensor): void {
    const before = this.#sums;
    this.#sums = tidy(() => {
      const values = reshape(batch, [batch.shape[0], -1]);
      const shift = before?.[0] ?? mean(values, 0);
      const difference = sub(values, shift);
      const sums = [sum(difference, 0), sum(square(difference), 0)];
      const [differences, squares] = before ? sums.map((each, i) => add(each, before[i + 1]!)) : sums;
      return [keep(clone(shift)), keep(differences!), keep(squares!)];
    });
    if (before) dispose(before);
    this.#count += batch.shape[0];
  }

  /**
   * The mean, over all places in a sample, of the variance; of what is the same for all samples the mean square; 1 if that is
   * 0 too.
   */
  async value(): Promise<number> {
    const moments = tidy(() => {
      const [shift, ...sums] = this.#sums!;
      const [offset, squares] = sums.map(each => div(each, this.#count));
      const variance = mean(sub(squares!, square(offset!)));
      return stack([variance, add(variance, mean(square(add(shift!, offset!))))]);
    });
    const [variance, meanSquare] = await moments.data();
    moments.dispose();
    return variance! > ROUNDING * meanSquare! ? variance! : meanSquare! || 1;
  }

  dispose(): void {
    if (this.#sums) dispose(this.#sums);
  }
}
