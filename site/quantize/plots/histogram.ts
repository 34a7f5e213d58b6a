/** How a tensor's values lie on its grid. */
import {percent} from '../components/format';
import type {HistogramInfo} from '../worker/contract';
import {COLORS, type Make} from './common';

const HEIGHT = 260;
const MARGINS = {marginLeft: 52, marginRight: 12, marginTop: 24, marginBottom: 52};
/** Levels that are closer than so many pixels are a band below the values, not lines over them. */
const CLOSEST = 4;

/** Powers of ten up to the highest count, at most five. */
function countTicks(most: number): number[] {
  const powers = Array.from({length: Math.floor(Math.log10(most)) + 1}, (_, i) => 10 ** i);
  const apart = Math.ceil(powers.length / 5);
  return powers.filter((_, i) => i % apart === 0);
}

export function histogramOf({unit, from, width: bin, counts, levels, clipped}: HistogramInfo): Make {
  const bins = counts.flatMap((count, i) =>
    count > 0 ? [{x1: from + i * bin, x2: from + (i + 1) * bin, y: count}] : [],
  );
  const [first, last] = [levels[0] ?? 0, levels.at(-1) ?? 0];
  const half = levels.length > 1 ? (levels[1]! - first) / 2 : 0;
  const [low, high] = [Math.min(from, first - half), Math.max(from + bin * counts.length, last + half)];
  const most = Math.max(1, ...counts);
  const outside = [
    {x1: low, x2: first - half, share: clipped.below, anchor: 'top-left'},
    {x1: last + half, x2: high, share: clipped.above, anchor: 'top-right'},
  ] as const;
  return (plot, width) => {
    const room = width - MARGINS.marginLeft - MARGINS.marginRight;
    const isDense = ((last - first) / (high - low || 1)) * room < CLOSEST * levels.length;
    return {
      width,
      height: HEIGHT,
      ...MARGINS,
      x: {
        domain: [low, high],
        label: unit === 'value' ? 'value →' : 'steps of each channel’s grid →',
        ticks: width / 90,
        labelOffset: 42,
      },
      y: {type: 'symlog', domain: [0, most], label: '↑ values', ticks: countTicks(most), tickFormat: '~s', grid: true},
      marks: [
        plot.rect(
          outside.filter(({x1, x2}) => x2 > x1),
          {x1: 'x1', x2: 'x2', y1: 0, y2: most, fill: COLORS.other, fillOpacity: 0.12},
        ),
        plot.rect(bins, {x1: 'x1', x2: 'x2', y1: 0, y2: 'y', fill: COLORS.quantized, inset: 0}),
        isDense
          ? plot.ruleX([first - half, last + half], {stroke: COLORS.other, strokeWidth: 2})
          : plot.ruleX(levels, {stroke: COLORS.other, strokeOpacity: 0.8}),
        isDense
          ? plot.rect([0], {x1: first - half, x2: last + half, y1: 0, y2: 0, fill: COLORS.other})
          : plot.tickX([], {}),
        ...outside
          .filter(({share}) => share > 0)
          .map(({share, anchor}) =>
            plot.text([`${percent(share)} clipped`], {
              frameAnchor: anchor,
              dx: anchor === 'top-left' ? 4 : -4,
              dy: 4,
              fontWeight: 600,
            }),
          ),
        plot.ruleY([0]),
      ],
    };
  };
}

/** The same in words. */
export function histogramInWords({unit, from, width, counts, levels, clipped}: HistogramInfo): string {
  const values = counts.reduce((sum, count) => sum + count, 0);
  const number = (value: number) => Number(value.toPrecision(3));
  const to = from + width * counts.length;
  const of = unit === 'value' ? '' : ' steps of each channel’s grid';
  const outside = clipped.below + clipped.above;
  return (
    `${values} values from ${number(from)} to ${number(to)}${of}; the grid has ${levels.length} levels, from ` +
    `${number(levels[0] ?? 0)} to ${number(levels.at(-1) ?? 0)}; ` +
    (outside > 0 ? `${percent(outside)} of the values lie outside of it.` : 'no value lies outside of it.')
  );
}
