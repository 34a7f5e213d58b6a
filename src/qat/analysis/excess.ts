/** Which layers cost more than what rounding does to their tensors explains. */

/** A cost, in divergence, under which nothing that is done about it will be seen. */
const LEAST_COST = 1e-3;

/**
 * How many times more each tensor costs by its noise than those of the model mostly do. A layer's cost is laid to the noisiest of its
 * tensors; the others have 0, and so have layers that cost next to nothing.
 *
 * @param costs - what rounding a layer alone costs, in divergence.
 * @param noises - for each layer, the squares of the errors by those of the values of each tensor.
 */
export function excesses(costs: readonly number[], noises: readonly (readonly number[])[]): number[][] {
  const byNoise = costs.map((cost, i) => cost / noises[i]!.reduce((sum, noise) => sum + noise, 0));
  const known = byNoise.filter(each => Number.isFinite(each) && each > 0).sort((a, b) => a - b);
  // The lower quartile, as what reads small channels has weights of the same trouble: those that cost too much are several.
  const usual = known[known.length >> 2]!;
  return noises.map((of, i) => {
    const excess = costs[i]! >= LEAST_COST ? byNoise[i]! / usual : 0;
    return of.map(noise => (noise === Math.max(...of) ? excess : 0));
  });
}
