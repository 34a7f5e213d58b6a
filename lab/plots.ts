/** What all plots look like. */
import * as Plot from '@observablehq/plot';

export const COLORS = {gray: '#8a94a6', orange: '#e07a1f', green: '#3aa76d', blue: '#2f80ed'} as const;

export const STYLE = {fontSize: '13px', background: 'transparent'};

/** The names of what is shown, in their colors, below each other: right of the panel that `fx` says. */
export function legend(colors: Readonly<Record<string, string>>, fx: unknown): Plot.Markish[] {
  const place = {frameAnchor: 'top-right', textAnchor: 'start', dx: 10} as const;
  return Object.entries(colors).map(([text, fill], i) => Plot.text([text], {...place, fx: [fx], dy: 20 * i, fill}));
}
