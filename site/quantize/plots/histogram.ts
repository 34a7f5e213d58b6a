/** How a tensor's values lie on its grid. */
import {count, decimal, percent} from '../components/format';
import type {HistogramInfo} from '../worker/contract';
import {COLORS, type Make, STYLE, ticksIn} from './common';

const LAYOUT = {height: 300, marginLeft: 52, marginRight: 16, marginTop: 28, marginBottom: 48};
/** Levels that are closer than so many pixels would hide the values: of those only the ends are drawn. */
const CLOSEST = 4;

const UNITS = {value: 'value →', steps: 'steps of each channel’s grid →'} as const;

/** Words that stay readable over what is drawn. */
const HALO = {
  fontWeight: 'bold',
  fill: 'currentColor',
  stroke: 'var(--pico-card-background-color)',
  strokeWidth: 4,
} as const;

/** Powers of ten up to the highest count, at most five. */
function countTicks(most: number): number[] {
  const powers = Array.from({length: Math.floor(Math.log10(most)) + 1}, (_, i) => 10 ** i);
  const apart = Math.ceil(powers.length / 5);
  return powers.filter((_, i) => i % apart === 0);
}

function thousands(n: number): string {
  return n < 1e3 ? String(n) : n < 1e6 ? `${n / 1e3}k` : `${n / 1e6}M`;
}

/** The ends of a grid, with the half step beyond them that is rounded as well as any. */
function endsOf(levels: readonly number[]): [number, number] {
  const [first = 0, second = first] = levels;
  const half = (second - first) / 2;
  return [first - half, (levels.at(-1) ?? 0) + half];
}

export function histogramOf({unit, from, width: bin, counts, levels, clipped}: HistogramInfo): Make {
  const bins = counts.flatMap((y, i) => (y > 0 ? [{x1: from + i * bin, x2: from + (i + 1) * bin, y}] : []));
  const ends = endsOf(levels);
  const domain = [Math.min(from, ends[0]), Math.max(from + bin * counts.length, ends[1])] as const;
  const most = Math.max(1, ...counts);
  const outside = [
    {x1: domain[0], x2: ends[0]},
    {x1: ends[1], x2: domain[1]},
  ].filter(({x1, x2}) => x2 > x1);
  return (plot, width) => {
    const room = width - LAYOUT.marginLeft - LAYOUT.marginRight;
    const apart = (room * (ends[1] - ends[0])) / (domain[1] - domain[0] || 1) / levels.length;
    const told = (share: number, frameAnchor: 'top-left' | 'top-right', dx: number) =>
      share > 0 ? [plot.text([`${percent(share)} clipped`], {frameAnchor, dx, dy: 6, ...HALO})] : [];
    return {
      width,
      ...LAYOUT,
      style: STYLE,
      x: {domain, label: UNITS[unit], labelOffset: 40, ticks: ticksIn(width, 90)},
      // Logarithms, as most values lie about 0, and those that matter are few.
      y: {
        type: 'symlog',
        domain: [0, most],
        label: '↑ values, by count',
        ticks: countTicks(most),
        tickFormat: thousands,
        grid: true,
      },
      marks: [
        plot.rect(outside, {x1: 'x1', x2: 'x2', y1: 0, y2: most, fill: COLORS.other, fillOpacity: 0.15}),
        plot.rect(bins, {x1: 'x1', x2: 'x2', y1: 0, y2: 'y', fill: COLORS.quantized, inset: 0}),
        apart < CLOSEST
          ? plot.ruleX(ends, {stroke: COLORS.other, strokeWidth: 2})
          : plot.ruleX(levels, {stroke: COLORS.other}),
        plot.ruleY([0]),
        ...told(clipped.below, 'top-left', 6),
        ...told(clipped.above, 'top-right', -6),
      ],
    };
  };
}

/** The same in words. */
export function histogramInWords({unit, from, width, counts, levels, clipped}: HistogramInfo): string {
  const values = counts.reduce((sum, n) => sum + n, 0);
  const to = from + width * counts.length;
  const outside = clipped.below + clipped.above;
  return (
    `${count(values)} values from ${decimal(from)} to ${decimal(to)}${unit === 'steps' ? ', in steps of each channel’s grid' : ''}. ` +
    `The grid has ${levels.length} levels, from ${decimal(levels[0] ?? 0)} to ${decimal(levels.at(-1) ?? 0)}; ` +
    (outside > 0 ? `${percent(outside)} of the values lie outside of it.` : 'no value lies outside of it.')
  );
}
