/** The choice of widths as a plot: size to the right, what is lost upwards. */
import {element, label, picture, ticksOf} from '../analysis/svg';
import type {BitFindings, BitPoint} from './choice';

const WIDTH = 640;
const HEIGHT = 400;
const MARGIN = {left: 72, right: 24, top: 44, bottom: 52};

const INK = '#333';
const GRID = '#e5e5e5';
const FRONT = '#3b6fb6';
const UNIFORM = '#8a8a8a';
const CHOSEN = '#d1495b';

interface Scales {
  readonly x: (bytes: number) => number;
  readonly y: (loss: number) => number;
}

/** Powers of ten that cover what is above 0 and finite. */
function decadesOf(losses: readonly number[]): [low: number, high: number] {
  const shown = losses.filter(loss => loss > 0 && loss < Infinity);
  if (shown.length === 0) return [-3, 0];
  const low = Math.floor(Math.log10(Math.min(...shown)));
  return [low, Math.max(low + 1, Math.ceil(Math.log10(Math.max(...shown))))];
}

function unitOf(bytes: number): {readonly name: string; readonly size: number} {
  if (bytes >= 2e6) return {name: 'MB', size: 1e6};
  return bytes >= 2e3 ? {name: 'kB', size: 1e3} : {name: 'bytes', size: 1};
}

function line(x1: number, y1: number, x2: number, y2: number, stroke: string): string {
  return element('line', {x1, y1, x2, y2, stroke});
}

function circle([cx, cy]: readonly [number, number], r: number, fill: string, stroke = 'white'): string {
  return element('circle', {cx, cy, r, fill, stroke, 'stroke-width': 1.5});
}

/** What the plot says in its upper right corner. */
function legend(
  entries: readonly (readonly [mark: (at: readonly [number, number]) => string, text: string])[],
): string {
  const x = WIDTH - MARGIN.right - 178;
  return entries
    .map(([mark, text], i) => {
      const y = MARGIN.top + 14 + 20 * i;
      return mark([x, y]) + label(text, x + 12, y + 4, {fill: INK});
    })
    .join('');
}

const square = ([x, y]: readonly [number, number]) =>
  element('rect', {x: x - 4.5, y: y - 4.5, width: 9, height: 9, fill: UNIFORM, stroke: 'white', 'stroke-width': 1.5});
const dot = (at: readonly [number, number]) => circle(at, 3, FRONT);
const chosen = (at: readonly [number, number]) => circle(at, 6.5, CHOSEN);
const measured = (at: readonly [number, number]) => circle(at, 9, 'none', CHOSEN);

function axes(
  what: string,
  {x, y}: Scales,
  bytes: readonly [number, number],
  decades: readonly [number, number],
): string[] {
  const [left, right, bottom] = [MARGIN.left, WIDTH - MARGIN.right, HEIGHT - MARGIN.bottom];
  const unit = unitOf(bytes[1]);
  const losses = Array.from({length: decades[1] - decades[0] + 1}, (_, i) => 10 ** (decades[0] + i));
  // Every one of a few, some of many.
  const every = Math.ceil(losses.length / 8);
  const shown = losses.filter((_, i) => i % every === 0);
  return [
    ...shown.map(loss => line(left, y(loss), right, y(loss), GRID)),
    ...shown.map(loss => label(powerText(loss), left - 8, y(loss) + 4, {'text-anchor': 'end', fill: INK})),
    ...ticksOf(bytes[0] / unit.size, bytes[1] / unit.size, 6).map(tick => {
      const at = x(tick * unit.size);
      return (
        line(at, bottom, at, bottom + 5, INK) +
        label(String(tick), at, bottom + 19, {'text-anchor': 'middle', fill: INK})
      );
    }),
    line(left, bottom, right, bottom, INK),
    label(`${what}, ${unit.name}`, (left + right) / 2, HEIGHT - 12, {'text-anchor': 'middle', fill: INK}),
    label('divergence from float', left - 60, MARGIN.top - 14, {fill: INK}),
  ];
}

function powerText(value: number): string {
  return value > 9e-5 && value < 1e6 ? String(Number(value.toPrecision(1))) : value.toExponential(0);
}

/** The front as steps: up to the next point, nothing better is known. */
function steps(points: readonly (readonly [number, number])[]): string {
  const path = points.map(([x, y], i) =>
    i === 0 ? `M${x.toFixed(1)} ${y.toFixed(1)}` : `H${x.toFixed(1)}V${y.toFixed(1)}`,
  );
  return element('path', {d: path.join(''), fill: 'none', stroke: FRONT, 'stroke-width': 1.5});
}

/** Parameters, and activations where their widths are chosen too. */
function sizeOf({bytes, activationBytes = 0}: BitPoint): number {
  return bytes + activationBytes;
}

/** The front, the uniform widths and the choice, as SVG. What loses nothing is at the bottom, what is infinite at the top. */
export function plotOfChoice(found: BitFindings): string {
  const {front, uniform, predicted} = found;
  const all = [...front, ...uniform, found];
  const sizes = all.map(sizeOf);
  const [fewest, most] = [Math.min(...sizes), Math.max(...sizes)];
  const room = (most - fewest || most || 1) * 0.05;
  const [low, high] = [Math.max(0, fewest - room), most + room];
  const decades = decadesOf([...all.map(each => each.predicted), found.measured.divergence]);
  const within = (share: number) => Math.min(1, Math.max(0, share));
  const scales: Scales = {
    x: size => MARGIN.left + ((size - low) / (high - low)) * (WIDTH - MARGIN.left - MARGIN.right),
    y: loss => {
      const share = within((Math.log10(loss) - decades[0]) / (decades[1] - decades[0]));
      return HEIGHT - MARGIN.bottom - share * (HEIGHT - MARGIN.top - MARGIN.bottom);
    },
  };
  const at = (size: number, loss: number) => [scales.x(size), scales.y(loss)] as const;
  const points = front.map(each => at(sizeOf(each), each.predicted));
  const [here, there] = [at(sizeOf(found), predicted), at(sizeOf(found), found.measured.divergence)];
  const withActivations = found.activationBytes !== undefined;
  const title = `What widths of weights${withActivations ? ' and activations' : ''} take and lose`;
  const what = `all parameters${withActivations ? ', and activations of a sample' : ''}`;
  return picture(WIDTH, HEIGHT, title, [
    label(title, WIDTH / 2, 20, {'text-anchor': 'middle', fill: INK, 'font-weight': 'bold'}),
    ...axes(what, scales, [low, high], decades),
    steps(points),
    ...points.map(dot),
    ...uniform.map(each => {
      const [x, y] = at(sizeOf(each), each.predicted);
      return square([x, y]) + label(`${each.numBits} bits`, x + 9, y - 7, {fill: INK});
    }),
    line(...here, ...there, CHOSEN),
    chosen(here),
    measured(there),
    legend([
      [dot, 'best widths by layer'],
      [square, 'one width for all layers'],
      [chosen, 'chosen, predicted'],
      [measured, 'chosen, measured'],
    ]),
  ]);
}
