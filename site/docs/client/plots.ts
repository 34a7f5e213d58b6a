/** Draws the plots of a page into their places, as wide as these are. Colors are the page's, so that they follow its theme. */
import * as Plot from '@observablehq/plot';
import './plots.css';

interface AccuracyData {
  readonly kind: 'accuracy';
  readonly float: number;
  readonly rows: readonly {readonly title: string; readonly series: string}[];
  readonly points: readonly {readonly row: number; readonly width: string; readonly accuracy: number}[];
}

interface SharesData {
  readonly kind: 'shares';
  readonly rows: readonly string[];
  readonly series: readonly string[];
  readonly points: readonly {readonly row: string; readonly series: string; readonly value: number}[];
  readonly isLog?: true;
  readonly fromZero?: true;
}

interface RatiosData {
  readonly kind: 'ratios';
  readonly points: readonly {
    readonly row: string;
    readonly series: string;
    readonly shape: string;
    readonly median: number;
    readonly low: number;
    readonly high: number;
  }[];
}

interface TimesData {
  readonly kind: 'times';
  readonly points: readonly {
    readonly backend: string;
    readonly who: string;
    readonly shape: string;
    readonly elements: number;
    readonly ms: number;
  }[];
}

type Data = AccuracyData | SharesData | RatiosData | TimesData;

/** Series differ by shape as well as by color. */
const SYMBOLS = ['circle', 'triangle', 'square', 'diamond2', 'cross'];
const COLORS = ['quantized', 'other', 'third', 'fourth', 'float'].map(name => `var(--series-${name})`);

/** In pixels. On narrower places names of rows stand above their dots, and so do longer names, in characters. */
const NARROW = 560;
const NAMES = 230;
const LONG = 38;

const STYLE = {background: 'transparent', color: 'inherit', fontSize: '12px', fontFamily: 'inherit'};

const unique = <T>(values: Iterable<T>): T[] => [...new Set(values)];

/** The scales that tell series apart. */
function telling(series: readonly string[]): Pick<Plot.PlotOptions, 'color' | 'symbol'> {
  return {
    color: {domain: series, range: COLORS.slice(0, series.length)},
    symbol: {domain: series, range: SYMBOLS.slice(0, series.length)},
  };
}

function legend(series: readonly string[]): Element[] {
  if (series.length < 2) return [];
  const {color, symbol} = telling(series);
  return [Plot.legend({color: color!, symbol: {...symbol!, stroke: 'color'} as Plot.ScaleOptions, style: STYLE})];
}

interface Rows {
  readonly options: Plot.PlotOptions;
  readonly marks: Plot.Markish[];
  /** How many pixels a panel takes at least. */
  readonly least: number;
}

/** The scale of rows with their names: beside the panels, or within them above the dots. */
function named(rows: readonly string[], width: number): Rows {
  const isNarrow = width < NARROW || rows.some(name => name.length > LONG);
  const height = rows.length * (isNarrow ? 32 : 24) + 74;
  const common = {width, height, marginTop: 28, marginRight: 16, marginBottom: 46, style: STYLE};
  if (!isNarrow) {
    return {
      options: {...common, marginLeft: NAMES, y: {domain: rows, label: null, tickSize: 0}},
      marks: [],
      least: 140,
    };
  }
  const names = Plot.text(rows, {y: rows, text: rows, frameAnchor: 'left', textAnchor: 'start', dx: 2, dy: -11});
  return {options: {...common, marginLeft: 8, y: {domain: rows, axis: null}}, marks: [names], least: width};
}

/** Some panels beside each other, as many as there is room for. */
function inLines(panels: readonly string[], room: number, least: number): string[][] {
  const count = Math.max(1, Math.floor(room / least));
  const lines = Math.ceil(panels.length / count);
  const each = Math.ceil(panels.length / lines);
  return Array.from({length: lines}, (_, i) => panels.slice(i * each, (i + 1) * each));
}

function accuracyPlot({float, rows, points}: AccuracyData, width: number): Element[] {
  const titles = rows.map(({title}) => title);
  const series = unique(rows.map(each => each.series));
  const data = points.map(point => ({...point, ...rows[point.row]!}));
  const at = {x: 'accuracy', y: 'title', stroke: 'series'};
  const {options, marks, least} = named(titles, width);
  const plots = inLines(unique(points.map(point => point.width)), width - options.marginLeft!, least).map(widths => {
    const shown = data.filter(point => widths.includes(point.width));
    return Plot.plot({
      ...options,
      ...telling(series),
      x: {label: 'accuracy, %', labelOffset: 38, grid: true, domain: [0, 100], ticks: [20, 40, 60, 80]},
      fx: {label: null, domain: widths},
      marks: [
        Plot.ruleX([float], {stroke: 'currentColor', strokeDasharray: '4,3'}),
        Plot.dot(shown, {...at, fx: 'width', r: 2.5, strokeOpacity: 0.6, symbol: 'series', tip: true}),
        Plot.tickX(shown, Plot.groupY({x: 'mean'}, {...at, fx: 'width', strokeWidth: 3, inset: 4})),
        ...marks,
      ],
    });
  });
  return [...legend(series), ...plots];
}

function sharesPlot({rows, series, points, isLog, fromZero}: SharesData, width: number): Element[] {
  const {options, marks} = named(rows, width);
  const plot = Plot.plot({
    ...options,
    ...telling(series),
    x: {
      label: '%',
      labelOffset: 38,
      grid: true,
      nice: true,
      zero: fromZero === true,
      ...(isLog && {type: 'log', tickFormat: '~g'}),
      ticks: 5,
    },
    marks: [
      Plot.ruleY(rows, {y: rows, stroke: 'currentColor', strokeOpacity: 0.1}),
      Plot.dot(points, {x: 'value', y: 'row', stroke: 'series', symbol: 'series', r: 4, strokeWidth: 2, tip: true}),
      ...marks,
    ],
  });
  return [...legend(series), plot];
}

function ratiosPlot({points}: RatiosData, width: number): Element[] {
  const series = unique(points.map(point => point.series));
  const {options, marks} = named(unique(points.map(({row}) => row)), width);
  const at = {y: 'row', stroke: 'series'};
  const plot = Plot.plot({
    ...options,
    ...telling(series),
    x: {type: 'log', label: 'times', labelOffset: 38, grid: true, tickFormat: '~g', ticks: 5},
    marks: [
      Plot.ruleX([1], {stroke: 'currentColor'}),
      Plot.ruleY(points, {...at, x1: 'low', x2: 'high', strokeOpacity: 0.5}),
      Plot.dot(points, {
        ...at,
        x: 'median',
        symbol: 'series',
        r: 4,
        strokeWidth: 2,
        tip: true,
        channels: {shape: 'shape'},
      }),
      ...marks,
    ],
  });
  return [...legend(series), plot];
}

const [K, M] = [2 ** 10, 2 ** 20];
const sizeName = (elements: number) => (elements >= M ? `${elements / M}M` : `${elements / K}k`);

function timesPlot({points}: TimesData, width: number): Element[] {
  const series = unique(points.map(({who}) => who));
  const [least, most] = extent(points.map(({elements}) => elements));
  const [fastest, slowest] = extent(points.map(({ms}) => ms));
  const sizes = [K, 32 * K, M, 16 * M].filter(size => size >= least && size <= most);
  const powers = Array.from({length: 12}, (_, i) => 10 ** (i - 5)).filter(ms => ms >= fastest && ms <= slowest);
  const at = {x: 'elements', y: 'ms', stroke: 'who', fx: 'backend'};
  const flat = (point: {shape: string}) => /^\d+[kM]?$/.test(point.shape);
  const plots = inLines(unique(points.map(({backend}) => backend)), width, 200).map(backends => {
    const shown = points.filter(({backend}) => backends.includes(backend));
    return Plot.plot({
      width,
      height: 280,
      marginLeft: 52,
      marginTop: 28,
      marginBottom: 46,
      style: STYLE,
      ...telling(series),
      x: {
        type: 'log',
        base: 2,
        label: 'elements',
        labelOffset: 38,
        domain: [least / 2, most * 2],
        ticks: sizes,
        tickFormat: sizeName,
      },
      y: {type: 'log', label: 'ms', grid: true, domain: [fastest / 2, slowest * 2], ticks: powers, tickFormat: '~g'},
      fx: {label: null, domain: backends},
      marks: [
        Plot.lineY(shown.filter(flat), {...at, z: 'who', sort: 'elements', strokeWidth: 1.5}),
        Plot.dot(shown, {...at, symbol: 'who', r: 3, tip: true, channels: {shape: 'shape'}}),
      ],
    });
  });
  return [...legend(series), ...plots];
}

function extent(values: readonly number[]): [number, number] {
  return [Math.min(...values), Math.max(...values)];
}

function draw(data: Data, width: number): Element[] {
  switch (data.kind) {
    case 'accuracy':
      return accuracyPlot(data, width);
    case 'shares':
      return sharesPlot(data, width);
    case 'ratios':
      return ratiosPlot(data, width);
    case 'times':
      return timesPlot(data, width);
  }
}

/** Fills a place once it comes near to what is seen, and again when its width changes. */
function fill(place: HTMLElement, data: Data): void {
  // What is inside has names of its own, which say less than the caption and the table below.
  const inside = document.createElement('div');
  inside.ariaHidden = 'true';
  const picture = document.createElement('div');
  picture.role = 'img';
  picture.ariaLabel = place.querySelector('figcaption')!.textContent;
  picture.append(inside);
  let drawn = 0;
  const redraw = () => {
    const width = Math.floor(place.clientWidth);
    if (width === drawn) return;
    if (drawn === 0) place.replaceChildren(picture, place.querySelector('figcaption')!);
    drawn = width;
    inside.replaceChildren(...draw(data, width));
  };
  const seen = new IntersectionObserver(
    entries => {
      if (!entries.some(({isIntersecting}) => isIntersecting)) return;
      seen.disconnect();
      new ResizeObserver(redraw).observe(place);
    },
    {rootMargin: '400px'},
  );
  seen.observe(place);
}

const data = JSON.parse(document.querySelector('#plots')!.textContent) as Readonly<Record<string, Data>>;
document.querySelectorAll<HTMLElement>('[data-plot]').forEach(place => fill(place, data[place.dataset['plot']!]!));
