/** A picture of how a tensor's values lie on its grid. */
import {COLORS, element, label, picture, ticksOf} from './svg';
import type {Shown} from './tensor_histogram';
import {percent, short} from './words';

const [WIDTH, HEIGHT] = [720, 300];
const AREA = {left: 50, right: WIDTH - 20, top: 56, bottom: HEIGHT - 58};

/** Levels closer than this are a band. */
const CLOSEST = 3;

export function plotOfHistogram(title: string, histogram: Shown): string {
  const {unit, from, width, counts, levels, clipped} = histogram;
  const [first, last] = [levels[0]!, levels[levels.length - 1]!];
  // What lies no further outside is rounded as well as any.
  const half = levels.length > 1 ? (levels[1]! - first) / 2 : 0;
  const low = Math.min(from, first);
  const high = Math.max(from + width * counts.length, last);
  // A grid of nothing but 0, of values that are all 0.
  const extent = high - low || 1;
  const x = (value: number) => AREA.left + ((value - low) / extent) * (AREA.right - AREA.left);
  const most = Math.max(1, ...counts);
  // Logarithms, as most values lie about 0, and those that matter are few.
  const y = (count: number) => AREA.bottom - (Math.log1p(count) / Math.log1p(most)) * (AREA.bottom - AREA.top);
  const bars = counts.flatMap((count, i) => {
    const [left, right] = [x(from + i * width), x(from + (i + 1) * width)];
    const bar = {x: left, y: y(count), width: Math.max(0.5, right - left), height: AREA.bottom - y(count)};
    return count > 0 ? [element('rect', {...bar, fill: COLORS.blue})] : [];
  });
  const shown = [
    label(title, AREA.left, 20, {'font-weight': 'bold'}),
    label(`values by count (logarithmic); grey: the ${levels.length} levels of the grid`, AREA.left, 38, {
      fill: COLORS.gray,
    }),
    ...outside(x, low, high, first - half, last + half),
    ...bars,
    ...grid(levels.map(x)),
    ...axis(x, low, high, unit),
    ...countTicks(most, y),
    clipped.below > 0
      ? label(`${percent(clipped.below)} clipped`, AREA.left + 4, AREA.top + 12, {fill: COLORS.orange})
      : '',
    clipped.above > 0
      ? label(`${percent(clipped.above)} clipped`, AREA.right - 4, AREA.top + 12, {
          fill: COLORS.orange,
          'text-anchor': 'end',
        })
      : '',
  ];
  return picture(WIDTH, HEIGHT, `${title}: values from ${short(from)} on`, shown);
}

/** What lies outside of the grid. */
function outside(x: (value: number) => number, low: number, high: number, first: number, last: number): string[] {
  const shade = (from: number, to: number) =>
    to > from
      ? [
          element('rect', {
            x: x(from),
            y: AREA.top,
            width: x(to) - x(from),
            height: AREA.bottom - AREA.top,
            fill: COLORS.orange,
            opacity: 0.12,
          }),
        ]
      : [];
  return [...shade(low, first), ...shade(last, high)];
}

/** Levels below the bars: a line each, or a band. */
function grid(places: readonly number[]): string[] {
  const [first, last] = [places[0]!, places[places.length - 1]!];
  const [top, bottom] = [AREA.bottom + 3, AREA.bottom + 13];
  if ((last - first) / Math.max(1, places.length - 1) < CLOSEST) {
    return [
      element('rect', {
        x: first,
        y: top,
        width: Math.max(1, last - first),
        height: bottom - top,
        fill: COLORS.gray,
        opacity: 0.5,
      }),
    ];
  }
  return places.map(at => element('line', {x1: at, x2: at, y1: top, y2: bottom, stroke: COLORS.gray}));
}

function axis(x: (value: number) => number, low: number, high: number, unit: Shown['unit']): string[] {
  const ticks = ticksOf(low, high, 8).map(value =>
    label(short(value), x(value), AREA.bottom + 28, {'text-anchor': 'middle'}),
  );
  const name = unit === 'steps' ? "in steps of each channel's grid" : 'value';
  return [
    element('line', {x1: AREA.left, x2: AREA.right, y1: AREA.bottom, y2: AREA.bottom, stroke: COLORS.gray}),
    ...ticks,
    label(name, (AREA.left + AREA.right) / 2, AREA.bottom + 48, {'text-anchor': 'middle', fill: COLORS.gray}),
  ];
}

function countTicks(most: number, y: (count: number) => number): string[] {
  const powers = Array.from({length: Math.floor(Math.log10(most)) + 1}, (_, i) => 10 ** i);
  const apart = Math.ceil(powers.length / 4);
  const text = (count: number) => (count < 1e6 ? String(count) : count.toExponential(0).replace('e+', 'e'));
  return powers
    .filter((_, i) => i % apart === 0)
    .map(count => label(text(count), AREA.left - 6, y(count) + 4, {'text-anchor': 'end', fill: COLORS.gray}));
}
