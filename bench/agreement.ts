/** Whether a composition computes what our op does: a race of other numbers proves nothing. */
import * as tf from '@tensorflow/tfjs-core';

/** How near a composed result must come to ours before anything is timed. */
export type Nearness =
  /** Where rounding falls on the other side of a tie, it may be one step of the grid off, in one value of a thousand. */
  | {readonly kind: 'step'; readonly step: number}
  /** Sums of float32 in another order. */
  | {readonly kind: 'sum'; readonly terms: number}
  | {readonly kind: 'equal'};

/** What an op and its composition give, and how near each output must come. */
export interface Agreement {
  readonly ours: () => tf.Tensor[];
  readonly composed: () => tf.Tensor[];
  readonly near: readonly Nearness[];
}

/** Throws unless they agree. */
export async function checkAgreement({ours, composed, near}: Agreement): Promise<void> {
  const [a, b] = [tf.tidy(ours), tf.tidy(composed)];
  for (const [i, nearness] of near.entries()) {
    const problem = differenceOf(await a[i]!.data(), await b[i]!.data(), nearness);
    if (problem) throw new Error(`output ${i} of the composition differs from ours: ${problem}`);
  }
  tf.dispose([a, b]);
}

function differenceOf(a: ArrayLike<number>, b: ArrayLike<number>, nearness: Nearness): string | undefined {
  if (a.length !== b.length) return `${b.length} values, not ${a.length}`;
  let steps = 0;
  for (let i = 0; i < a.length; ++i) {
    const distance = Math.abs(a[i]! - b[i]!);
    if (distance <= slack(a[i]!, nearness)) continue;
    steps += 1;
    const astray = nearness.kind !== 'step' || !(distance <= 1.01 * nearness.step);
    if (astray || steps > Math.max(1, a.length / 1000)) return `${b[i]} at ${i}, not ${a[i]}`;
  }
  return undefined;
}

/** What rounding in another order may do to a value. */
function slack(value: number, nearness: Nearness): number {
  switch (nearness.kind) {
    case 'equal':
      return 0;
    case 'sum':
      return 1e-6 * nearness.terms + 1e-5 * Math.abs(value);
    case 'step':
      return 1e-5 * Math.max(1, Math.abs(value));
  }
}
