/** What was measured, in words: for the terminal, for RESULTS.md, and for the page of plots. */
import Table from 'cli-table3';
import {backendName, type Figure, type Goal, GOALS, isMet, worst} from './goals';
import {elementsOf, nameOf, ROWS} from './catalogue';
import type {Plan, Result, Spread, Timing} from './measure';
import type {Run, Session} from './results';

const HEAD = [
  'shape',
  'ours, ms',
  'yardstick',
  'composed',
  'ours / yardstick',
  'composed / ours',
  'dispatches',
  'programs',
  'bytes read + written',
  'GB/s',
];

/** A figure of ours, and of the composition or, where there is none, of the yardstick. */
function each({timings}: Result, text: (timing: Timing) => string): string {
  return [timings!['ours']!, (timings!['composed'] ?? timings!['yardstick'])!].map(text).join(' : ');
}

function number(value: number): string {
  if (value === 0) return '0';
  const digits = Math.max(0, 2 - Math.floor(Math.log10(Math.abs(value))));
  return value.toFixed(Math.min(digits, 3));
}

function spreadText({median, min, max}: Spread): string {
  return `${median.toFixed(2)} (${min.toFixed(2)}–${max.toFixed(2)})`;
}

/** Of all that was read and written, with the wall clock. */
function bandwidth({ms, counts: {read, written}}: Timing): number {
  return (read + written) / ms.median / 1e6;
}

function cellsOf(result: Result): string[] {
  const name = nameOf(result.case);
  if (!result.timings) return [name, result.error ?? 'nothing was measured'];
  const {ours, yardstick, composed, copy} = result.timings as Partial<Record<string, Timing>>;
  const elements = elementsOf(result.case);
  const bytes = ({counts}: Timing) => `${number(counts.read / elements)}+${number(counts.written / elements)}`;
  const copied = copy && (8 * elements) / copy.ms.median / 1e6;
  return [
    name,
    number(ours!.ms.median) + (ours!.deviceMs === undefined ? '' : ` (${number(ours!.deviceMs)})`),
    number(yardstick!.ms.median),
    composed ? number(composed.ms.median) : '–',
    spreadText(result.overYardstick!),
    result.composedOver ? spreadText(result.composedOver) : '–',
    each(result, ({counts}) => String(counts.dispatches)),
    each(result, ({counts}) => String(counts.programs)),
    each(result, bytes),
    number(bandwidth(ours!)) + (copied === undefined ? '' : ` of ${number(copied)}`),
  ];
}

function headOf({backend}: Plan): string[] {
  const host = backend === 'cpu' || backend === 'wasm';
  return HEAD.map(word => (host && word === 'dispatches' ? 'kernels' : word));
}

function titleOf({plan, host, report}: Session): string {
  const row = ROWS.find(({name}) => name === plan.row)!;
  return `${row.title} (yardstick: ${row.yardstick}), ${backendName(plan)}: ${report?.renderer ?? ''}, ${host}`;
}

/** A session as a table for the terminal. */
export function tableOf(session: Session): string {
  const title = titleOf(session);
  if (!session.report) return `\n${title}\n  ${session.error ?? 'nothing was measured'}`;
  const table = new Table({head: headOf(session.plan), style: {head: [], border: [], compact: true}});
  for (const result of session.report.results) {
    const [name, ...cells] = cellsOf(result);
    table.push(result.timings ? [name!, ...cells] : [name!, {colSpan: HEAD.length - 1, content: cells[0]!}]);
  }
  return `\n${title}\n${table.toString()}`;
}

function figureText({where, value, spread}: Figure): string {
  const range = spread ? ` (${number(spread.min)}–${number(spread.max)})` : '';
  return `${where}: ${number(value)}${range}`;
}

function boundText({bound}: Goal): string {
  return 'most' in bound ? `≤ ${bound.most}` : `≥ ${bound.least}`;
}

/** The best and worst of a goal's figures for each backend. */
function measuredText(goal: Goal, run: Run): string {
  const figures = goal.figures(run);
  if (figures.length === 0) return 'not measured';
  const backends = new Map<string, Figure[]>();
  for (const figure of figures) {
    const backend = figure.where.replace(/ \S*\d.*$/, '');
    backends.set(backend, [...(backends.get(backend) ?? []), figure]);
  }
  return [...backends.values()]
    .map(group => {
      const figure = worst(goal, group)!;
      const met = group.filter(({value}) => isMet(goal, value)).length;
      const share = group.length > 1 ? ` (worst of ${group.length}, ${met} meet it)` : '';
      return `${isMet(goal, figure.value) ? '✓' : '✗'} ${figureText(figure)}${share}`;
    })
    .join('<br>');
}

/** The goals as rows of a table: title, bound, measured. */
function goalRows(run: Run): [string, string, string][] {
  return GOALS.map(goal => [goal.title, boundText(goal), measuredText(goal, run)]);
}

/** The goals of which something was measured, for the terminal. */
export function goalTable(run: Run): string {
  const table = new Table({head: ['', 'goal', 'measured (worst case)'], style: {head: [], border: []}});
  for (const [title, bound, measured] of goalRows(run)) {
    if (measured !== 'not measured') table.push([title, bound, measured.replaceAll('<br>', '\n')]);
  }
  return table.toString();
}

function markdownTable(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`;
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n');
}

function machineText({machine, date, sessions}: Run): string {
  const hosts = new Set(sessions.map(({host}) => host));
  const loads = sessions.flatMap(({load}) => load ?? []);
  const renderers = new Set(
    sessions.flatMap(({plan, report}) => (report ? [`${plan.backend}: ${report.renderer}`] : [])),
  );
  return [
    `- ${date.slice(0, 10)}; ${machine.cpu}, ${machine.cores} cores, ${machine.memory} GB, ${machine.system}`,
    `- ${[...hosts].join('; ')}`,
    `- load average before a row, the benchmark itself included: ${number(Math.min(...loads))}–${number(Math.max(...loads))}`,
    ...[...renderers].filter(text => /gpu|gl/.test(text)).map(text => `- ${text}`),
  ].join('\n');
}

function tensorflowText({tensorflow}: Run): string {
  if (!tensorflow) return '';
  const rows = tensorflow.times.map(({shape, axis, forward, gradient, relu}) => [
    nameOf(axis === undefined ? {shape} : {shape, axis}),
    ...[forward, gradient, relu].map(number),
  ]);
  return `
## TensorFlow ${tensorflow.version}, one thread

The smallest of five medians of 11, in ms, on the same data.

${markdownTable(['shape', 'forward', 'dx + dmin + dmax', 'relu'], rows)}
`;
}

function sessionText(session: Session): string {
  const rows = session.report?.results.map(cellsOf) ?? [];
  const padded = rows.map(cells => headOf(session.plan).map((_, i) => cells[i] ?? ''));
  const body = session.report ? markdownTable(headOf(session.plan), padded) : (session.error ?? '');
  return `### ${titleOf(session)}\n\n${body}\n`;
}

/** RESULTS.md. */
export function resultsText(run: Run): string {
  return `# Results

Written by \`npm run bench -- --results\`; do not edit. The machine:

${machineText(run)}

Each case was timed ${run.rounds} times after warm-up, ours, yardstick and composition in turn, until the device was done. Ratios are
taken within a round: median (smallest–largest). A yardstick is the backend's own op on the same tensor: one memory pass. Where
GPU work is drawn on a CPU (SwiftShader, llvmpipe), times say nothing about a GPU; ratios and counts do.

## Goals

${markdownTable(['', 'goal', 'measured (worst case)'], goalRows(run))}
${tensorflowText(run)}
## Everything

Dispatches, different programs among them, and bytes per element are those of ours : composed (of what is done with a whole model: ours : yardstick),
counted at the backend (on cpu and wasm: tfjs kernels). Bytes are those of the buffers or textures that programs were given. In brackets: ms on the device's own clock,
where it has one. GB/s: bytes counted over time; on WebGPU next to a copy command of the same size.

${run.sessions.map(sessionText).join('\n')}`;
}
