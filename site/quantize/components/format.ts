/** Numbers as people read them. */
const WHOLE = new Intl.NumberFormat('en');
const SHORT = new Intl.NumberFormat('en', {maximumSignificantDigits: 3});

export function count(n: number): string {
  return WHOLE.format(n);
}

/** 'one sample', '1,204 samples': a count with what it counts. */
export function counted(n: number, what: string): string {
  return `${count(n)} ${n === 1 ? what : what.endsWith('s') ? `${what}es` : `${what}s`}`;
}

/** To three digits. */
export function decimal(x: number): string {
  return SHORT.format(x);
}

/** Of a share in [0, 1]. Only none is 0 %, and only all is 100 %. */
export function percent(share: number): string {
  if (share > 0 && share < 0.0005) return '< 0.1 %';
  if (share < 1 && share >= 0.9995) return '> 99.9 %';
  return `${(100 * share).toFixed(1)} %`;
}

export function bytes(n: number): string {
  if (n < 1000) return `${n} bytes`;
  return n < 1e6 ? `${SHORT.format(n / 1e3)} kB` : `${SHORT.format(n / 1e6)} MB`;
}

/** The first of a list in words, and how many more there are. */
export function some(names: readonly string[], most = 12): string {
  const more = names.length - most;
  return names.slice(0, most).join(', ') + (more > 0 ? ` and ${count(more)} more` : '');
}
