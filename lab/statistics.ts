/** What many numbers have in common. */

export interface Summary {
  readonly mean: number;
  /** The sample standard deviation; undefined of one value. */
  readonly deviation: number | undefined;
  readonly count: number;
}

/** Undefined of no values. */
export function summaryOf(values: readonly number[]): Summary | undefined {
  const count = values.length;
  if (count === 0) return undefined;
  const mean = values.reduce((sum, value) => sum + value, 0) / count;
  const squares = values.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  return {mean, deviation: count > 1 ? Math.sqrt(squares / (count - 1)) : undefined, count};
}
