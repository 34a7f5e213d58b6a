/** What all plots share. */
import type * as Plot from '@observablehq/plot';

/** A plot, as wide as there is room. */
export type Make = (plot: typeof Plot, width: number) => Plot.PlotOptions;

/** What they mean on every page; the theme says what they are. */
export const COLORS = {
  float: 'var(--series-float)',
  quantized: 'var(--series-quantized)',
  other: 'var(--series-other)',
} as const;

const FONT_SIZE = 13;
export const STYLE = {fontSize: `${FONT_SIZE}px`};

/** So many ticks as have room. */
export function ticksIn(width: number, apart = 100): number {
  return Math.max(2, Math.min(8, Math.round(width / apart)));
}

/** Names left of bars, cut to the room that they have. */
export function names(plot: typeof Plot, room: number, tickFormat = (name: string) => name): Plot.Markish {
  return plot.axisY({
    tickSize: 0,
    tickFormat,
    lineWidth: (0.92 * (room - 10)) / FONT_SIZE,
    textOverflow: 'ellipsis-middle',
  });
}
