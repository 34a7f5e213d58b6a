/** Numbers as people read them. */

/** To three digits. */
export function short(value: number): string {
  if (!Number.isFinite(value)) return Number.isNaN(value) ? 'NaN' : value < 0 ? '-∞' : '∞';
  return String(Number(value.toPrecision(3)));
}

export function percent(share: number): string {
  const value = 100 * share;
  if (value === 0 || value >= 99.95) return `${Math.round(value)} %`;
  return Math.abs(value) < 0.01 ? '< 0.01 %' : `${Number(value.toPrecision(2))} %`;
}
