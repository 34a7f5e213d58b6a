/** A picture of which layers cost most, and how well their tensors are rounded. */
import {clipped, COLORS, element, escaped, label, picture, ticksOf} from './svg';
import {short} from './words';

const ROW = 22;
const TOP = 74;
const NAMES = {letters: 30, right: 230};
const BARS = {left: 240, right: 560};
const NOISE = {left: 640, right: 880};
const WIDTH = 910;

/** No more rows than anybody looks at. */
const MOST_ROWS = 60;

/** What is shown of a layer. */
interface Shown {
  readonly layer: string;
  readonly only: {readonly divergence: number} | undefined;
  readonly without: {readonly divergence: number} | undefined;
  readonly tensors: readonly {readonly of: 'weights' | 'activations'; readonly snr: number | undefined}[];
}

type Scale = (value: number) => number;

function scaleOf([low, high]: readonly [number, number], {left, right}: {left: number; right: number}): Scale {
  const extent = high - low || 1;
  return value => left + ((Math.min(high, Math.max(low, value)) - low) / extent) * (right - left);
}

/** The ends of all finite numbers, with 0. */
function spanOf(values: readonly number[]): [number, number] {
  const finite = values.filter(Number.isFinite);
  return [Math.min(0, ...finite), Math.max(0, ...finite)];
}

export function plotOfSensitivity(title: string, all: readonly Shown[]): string {
  const rows = all.slice(0, MOST_ROWS);
  const bottom = TOP + rows.length * ROW;
  const losses = rows.flatMap(({only, without}) => [only?.divergence ?? 0, without?.divergence ?? 0]);
  const noises = rows.flatMap(({tensors}) => tensors.map(({snr}) => snr ?? 0));
  const [lossSpan, noiseSpan] = [spanOf(losses), spanOf(noises)];
  const [x, dB] = [scaleOf(lossSpan, BARS), scaleOf(noiseSpan, NOISE)];
  const left = all.length - rows.length;
  const content = [
    label(title, 12, 22, {'font-weight': 'bold'}),
    ...legend(rows),
    ...gridLines(x, ticksOf(...lossSpan, 4), bottom),
    ...gridLines(dB, ticksOf(...noiseSpan, 4), bottom),
    ...rows.flatMap((row, i) => rowAt(row, TOP + i * ROW, x, dB)),
    left > 0
      ? label(`and ${left} layers that cost less`, NAMES.right, bottom + 16, {'text-anchor': 'end', fill: COLORS.gray})
      : '',
    label('divergence of the outputs', (BARS.left + BARS.right) / 2, bottom + 36, {
      'text-anchor': 'middle',
      fill: COLORS.gray,
    }),
    label('signal to noise, dB', (NOISE.left + NOISE.right) / 2, bottom + 36, {
      'text-anchor': 'middle',
      fill: COLORS.gray,
    }),
  ];
  return picture(WIDTH, bottom + 50, title, content);
}

function legend(rows: readonly Shown[]): string[] {
  const square = (x: number, fill: string) => element('rect', {x, y: 38, width: 10, height: 10, fill});
  const only = rows.some(row => row.only)
    ? [square(BARS.left, COLORS.blue), label('only this rounds', BARS.left + 15, 47)]
    : [];
  const at = BARS.left + (only.length > 0 ? 130 : 0);
  const without = rows.some(row => row.without)
    ? [square(at, COLORS.orange), label('gained if this is left float', at + 15, 47)]
    : [];
  return [
    ...only,
    ...without,
    square(NOISE.left, COLORS.gray),
    label('weights', NOISE.left + 15, 47),
    element('circle', {cx: NOISE.left + 85, cy: 43, r: 5, fill: COLORS.green}),
    label('activations', NOISE.left + 95, 47),
  ];
}

function gridLines(x: Scale, ticks: readonly number[], bottom: number): string[] {
  return ticks.flatMap(value => [
    element('line', {x1: x(value), x2: x(value), y1: TOP - 4, y2: bottom, stroke: '#e3e6ec'}),
    label(short(value), x(value), bottom + 16, {'text-anchor': 'middle', fill: COLORS.gray}),
  ]);
}

function rowAt({layer, only, without, tensors}: Shown, y: number, x: Scale, dB: Scale): string[] {
  const bar = (value: number, top: number, height: number, fill: string) => {
    const [from, to] = [x(Math.min(0, value)), x(Math.max(0, value))];
    return element('rect', {x: from, y: top, width: Math.max(0.5, to - from), height, fill});
  };
  const bars = [
    only ? bar(only.divergence, y + 2, without ? 9 : 16, COLORS.blue) : '',
    without ? bar(without.divergence, y + (only ? 12 : 2), only ? 6 : 16, COLORS.orange) : '',
  ];
  const first = only ?? without;
  const ends = [only, without].flatMap(loss => (loss ? [x(Math.max(0, loss.divergence))] : []));
  const told = first ? [label(short(first.divergence), Math.max(...ends) + 5, y + 13, {fill: COLORS.gray})] : [];
  const name = element(
    'g',
    {},
    element('title', {}, escaped(layer)) +
      label(clipped(layer, NAMES.letters), NAMES.right, y + 14, {'text-anchor': 'end'}),
  );
  return [
    name,
    ...bars,
    ...told,
    ...tensors.flatMap(({of, snr}) => (snr === undefined ? [] : [mark(of, dB(snr), y + 10)])),
  ];
}

/** Weights are squares, activations discs. */
function mark(of: 'weights' | 'activations', x: number, y: number): string {
  const opacity = 0.85;
  return of === 'weights'
    ? element('rect', {x: x - 5, y: y - 5, width: 10, height: 10, fill: COLORS.gray, opacity})
    : element('circle', {cx: x, cy: y, r: 5, fill: COLORS.green, opacity});
}
