/** Accuracies as a plot: a panel for each width, a dot for each seed, a tick for the mean. */
import * as Plot from '@observablehq/plot';
import {COLORS, legend, STYLE} from '../lab/plots';
import type {Result} from './plan';

/** Put here by whoever bundles the page. */
declare const RESULTS: readonly Result[];
declare const TITLES: Readonly<Record<string, string>>;

declare global {
  interface Window {
    /** The plot as SVG. */
    plot: string;
  }
}

const {gray, orange, green, blue} = COLORS;
/** Of the rows by name: after float training warm ones, tfmot's violet, trained ones from green to blue. */
const OF_ROWS: Readonly<Record<string, string>> = {
  ptq: '#e8c860',
  'ptq-bn': '#d09a10',
  calibrate: orange,
  distil: '#c0282a',
  chosen: '#a0785a',
  'chosen-distil': '#6e3a1e',
  tfmot: '#8a3ac0',
  'tfmot-calibrated': '#b070d0',
  'tfmot-bn': '#d8a0d8',
  A: green,
  B: '#8fb8ee',
  'B-ends': '#5a90d8',
  qat: blue,
  'qat-ends': '#123f8a',
};

function plotOf(): SVGSVGElement {
  const rows = Object.keys(TITLES).filter(row => row !== 'float' && RESULTS.some(result => result.row === row));
  const points = RESULTS.filter(({row}) => row !== 'float').map(result => ({...result, title: TITLES[result.row]}));
  const widths = [...new Set(points.map(({width}) => width))];
  const domain = rows.map(row => TITLES[row]!);
  const range = rows.map(row => OF_ROWS[row] ?? gray);
  const float = RESULTS.filter(({row}) => row === 'float');
  const mean = float.reduce((sum, {accuracy}) => sum + accuracy, 0) / float.length;
  const at = {x: 'title', y: 'accuracy', fx: 'width', stroke: 'title'};
  return Plot.plot({
    width: 1160,
    height: 380,
    marginTop: 36,
    marginRight: 240,
    style: {...STYLE, background: 'white'},
    x: {axis: null, domain},
    y: {label: 'test accuracy, %', grid: true, nice: true},
    fx: {label: null, domain: widths},
    color: {domain, range},
    marks: [
      Plot.ruleY([mean], {stroke: gray, strokeDasharray: '4,3'}),
      Plot.dot(points, {...at, r: 2, strokeOpacity: 0.5}),
      Plot.tickY(points, Plot.groupX({y: 'mean'}, {...at, strokeWidth: 3})),
      ...legend(Object.fromEntries(domain.map((title, i) => [title, range[i]!])), widths.at(-1)),
    ],
  }) as SVGSVGElement;
}

window.plot = new XMLSerializer().serializeToString(plotOf());
