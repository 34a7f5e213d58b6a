/** The page of plots: time against size, both logarithmic, for a row and a backend at a time. */
import * as Plot from '@observablehq/plot';
import {COLORS, STYLE} from '../lab/plots';
import {elementsOf, isFlat, K, M, ROWS, sizeName} from './catalogue';
import type {Run} from './results';

/** Put here by whoever bundles the page. */
declare const RUN: Run;

interface Point {
  readonly panel: string;
  readonly who: string;
  readonly elements: number;
  readonly flat: boolean;
  readonly ms: number;
  readonly low: number;
  readonly high: number;
}

const WHO: Readonly<Record<string, string>> = {
  ours: COLORS.blue,
  yardstick: COLORS.gray,
  composed: COLORS.orange,
  copy: COLORS.green,
};

const TICKS = [K, 32 * K, M, 16 * M];

function pointsOf(run: Run, row: string): Point[] {
  return run.sessions
    .flatMap(({report}) => report?.results ?? [])
    .filter(result => result.row === row)
    .flatMap(result =>
      Object.entries(result.timings ?? {}).map(([who, {ms}]) => ({
        panel: result.backend,
        who,
        elements: elementsOf(result.case),
        flat: isFlat(result.case),
        ms: ms.median,
        low: ms.min,
        high: ms.max,
      })),
    );
}

/** An axis that holds all sizes, with room for a tick where there is only one. */
function sizeAxis(points: readonly Point[]): Plot.ScaleOptions {
  const sizes = points.map(({elements}) => elements);
  const [least, most] = [Math.min(...sizes), Math.max(...sizes)];
  const within = TICKS.filter(size => size >= least && size <= most);
  const ticks = within.length > 0 ? within : [least];
  return {type: 'log', base: 2, domain: [least / 2, most * 2], label: 'elements', tickFormat: sizeName, ticks};
}

function plotOf(points: readonly Point[]): Element {
  const at = {x: 'elements', stroke: 'who', fx: 'panel'};
  return Plot.plot({
    width: 1100,
    height: 360,
    marginLeft: 56,
    style: STYLE,
    x: sizeAxis(points),
    y: {type: 'log', label: 'ms', grid: true, tickFormat: '~g'},
    fx: {label: null},
    color: {domain: Object.keys(WHO), range: Object.values(WHO), legend: true},
    marks: [
      Plot.ruleX(points, {...at, y1: 'low', y2: 'high', strokeOpacity: 0.5}),
      Plot.lineY(
        points.filter(({flat}) => flat),
        {...at, y: 'ms', z: 'who', sort: 'elements', strokeWidth: 1.5},
      ),
      Plot.dot(points, {...at, y: 'ms', r: 2.5, fill: 'who'}),
    ],
  });
}

function show(run: Run): void {
  const {cpu, cores} = run.machine;
  const about = document.createElement('p');
  about.textContent = `${run.date.slice(0, 10)}, ${cpu}, ${cores} cores; median of ${run.rounds}, bars from smallest to largest.`;
  document.body.append(about);
  for (const {name, title, yardstick} of ROWS) {
    const points = pointsOf(run, name);
    if (points.length === 0) continue;
    const heading = document.createElement('h2');
    heading.textContent = `${title} (yardstick: ${yardstick})`;
    document.body.append(heading, plotOf(points));
  }
}

show(RUN);
