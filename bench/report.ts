/** What was measured, in words: for the terminal, for RESULTS.md, and for the page of plots. */
import Table from 'cli-table3';
import {type Figure, type Goal, GOALS, isMet, worst} from './goals';
import {elementsOf, isModelRow, nameOf, ROWS} from './catalogue';
import type {Plan, Result, Spread, Timing} from './measure';
import type {Run, Session} from './results';

/** A column of the tables of sessions. */
interface Column {
  readonly name: string;
  readonly cell: (timings: Timings, result: Result) => string;
}

interface Timings {
  readonly ours: Timing;
  readonly yardstick: Timing;
  readonly composed?: Timing;
  readonly copy?: Timing;
}

const COLUMNS: Readonly<Record<'times' | 'composed' | 'counts' | 'bytes' | 'peak', readonly Column[]>> = {
  times: [
    {
      name: 'ours, ms',
      cell: ({ours}) => number(ours.ms.median) + (ours.deviceMs === undefined ? '' : ` (${number(ours.deviceMs)})`),
    },
    {name: 'yardstick', cell: ({yardstick}) => number(yardstick.ms.median)},
    {name: 'ours / yardstick', cell: (_, {overYardstick}) => spreadText(overYardstick!)},
    {name: 'rounds', cell: (_, {rounds}) => String(rounds)},
  ],
  composed: [
    {name: 'composed', cell: ({composed}) => (composed ? number(composed.ms.median) : '–')},
    {name: 'composed / ours', cell: (_, {composedOver}) => (composedOver ? spreadText(composedOver) : '–')},
  ],
  counts: [
    {name: 'dispatches', cell: each(({counts}) => String(counts.dispatches))},
    {name: 'programs', cell: each(({counts}) => String(counts.programs))},
  ],
  bytes: [
    {
      name: 'bytes read + written',
      cell: (timings, result) => {
        const bytes = (count: number) => number(count / elementsOf(result.case));
        return each(({counts: {read, written}}) => `${bytes(read)}+${bytes(written)}`)(timings);
      },
    },
    {
      name: 'GB/s',
      cell({ours, copy}, result) {
        const copied = copy && (8 * elementsOf(result.case)) / copy.ms.median / 1e6;
        return number(bandwidth(ours)) + (copied === undefined ? '' : ` of ${number(copied)}`);
      },
    },
  ],
  peak: [{name: 'peak of tensors, MB', cell: each(({counts}) => number(counts.peak / 1e6))}],
};

const OP_COLUMNS = [...COLUMNS.times, ...COLUMNS.composed, ...COLUMNS.counts, ...COLUMNS.bytes];
const MODEL_COLUMNS = [...COLUMNS.times, ...COLUMNS.counts, ...COLUMNS.peak];

function columnsOf({row}: Plan): readonly Column[] {
  return isModelRow(row) ? MODEL_COLUMNS : OP_COLUMNS;
}

/** A figure of ours, and of the composition or, where there is none, of the yardstick. */
function each(text: (timing: Timing) => string) {
  return ({ours, yardstick, composed}: Timings): string => [ours, composed ?? yardstick].map(text).join(' : ');
}

function number(value: number): string {
  if (value === 0) return '0';
  const digits = Math.max(0, 2 - Math.floor(Math.log10(Math.abs(value))));
  return value.toFixed(Math.min(digits, 3));
}

export function spreadText({median, min, max}: Spread): string {
  return `${median.toFixed(2)} (${min.toFixed(2)}–${max.toFixed(2)})`;
}

/** Of all that was read and written, with the wall clock. */
function bandwidth({ms, counts: {read, written}}: Timing): number {
  return (read + written) / ms.median / 1e6;
}

function cellsOf(plan: Plan, result: Result): string[] {
  const name = nameOf(result.case);
  if (!result.timings) return [name, result.error ?? 'nothing was measured'];
  const timings = result.timings as unknown as Timings;
  return [name, ...columnsOf(plan).map(({cell}) => cell(timings, result))];
}

function headOf(plan: Plan): string[] {
  const host = plan.backend === 'cpu' || plan.backend === 'wasm';
  return ['shape', ...columnsOf(plan).map(({name}) => (host && name === 'dispatches' ? 'kernels' : name))];
}

function titleOf({plan, host, report}: Session): string {
  const row = ROWS.find(({name}) => name === plan.row)!;
  return `${row.title} (yardstick: ${row.yardstick}), ${plan.backend}: ${report?.renderer ?? ''}, ${host}`;
}

/** A session as a table for the terminal. */
export function tableOf(session: Session): string {
  const title = titleOf(session);
  if (!session.report) return `\n${title}\n  ${session.error ?? 'nothing was measured'}`;
  const table = new Table({head: headOf(session.plan), style: {head: [], border: [], compact: true}});
  for (const result of session.report.results) {
    const [name, ...cells] = cellsOf(session.plan, result);
    const isWhole = result.timings !== undefined;
    table.push(isWhole ? [name!, ...cells] : [name!, {colSpan: columnsOf(session.plan).length, content: cells[0]!}]);
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

export function markdownTable(head: readonly string[], rows: readonly (readonly string[])[]): string {
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

/** Steps of the digit classifier by 8 bits and the extremes of batches: TensorFlow's and ours. */
function kerasText({keras, sessions}: Run): string {
  if (!keras) return '';
  const theirs = keras.steps.map(({how, float, quantized, ratio}) => [
    `Keras and tfmot, ${how}`,
    number(float.median),
    number(quantized.median),
    spreadText(ratio),
  ]);
  const ours = sessions
    .flatMap(({report}) => report?.results ?? [])
    .filter(({row, timings}) => row === 'step-digits' && timings)
    .map(({backend, timings, overYardstick}) => [
      `this package, trainOnBatch, ${backend}`,
      number(timings!['yardstick']!.ms.median),
      number(timings!['ours']!.ms.median),
      spreadText(overYardstick!),
    ]);
  return `
## A step of training beside TensorFlow ${keras.tensorflow} and tfmot ${keras.tfmot}

The digit classifier, batch 64, Adam; quantized to 8 bits, with ranges from batches. Keras in graph mode on all cores; a step ends when its loss is read.

${markdownTable(['', 'float, ms', 'quantized, ms', 'quantized / float'], [...theirs, ...ours])}
`;
}

function sessionText(session: Session): string {
  const rows = session.report?.results.map(result => cellsOf(session.plan, result)) ?? [];
  const padded = rows.map(cells => headOf(session.plan).map((_, i) => cells[i] ?? ''));
  const body = session.report ? markdownTable(headOf(session.plan), padded) : (session.error ?? '');
  return `### ${titleOf(session)}\n\n${body}\n`;
}

/** RESULTS.md. */
export function resultsText(run: Run): string {
  return `# Results

Written by \`npm run bench -- --results\`; do not edit. The machine:

${machineText(run)}

Each case was timed up to ${run.rounds} times after warm-up, ours, yardstick and, up to 5 times (once where it takes long), the composition in turn, until the device was
done. Ratios are taken within a round: median (smallest–largest). A yardstick is the backend's own op on the same tensor: one memory
pass; or what the float model takes. Where
GPU work is drawn on a CPU (SwiftShader, llvmpipe), times say nothing about a GPU; ratios and counts do.

## Goals

${markdownTable(['', 'goal', 'measured (worst case)'], goalRows(run))}
${tensorflowText(run)}${kerasText(run)}
## Everything

Dispatches, different programs among them, bytes per element and the peak of tensors are those of ours : composed (of what is done with a
whole model: ours : yardstick), counted at the backend (on cpu and wasm: tfjs kernels). Bytes are those of the buffers or textures that programs were given. In brackets: ms on the device's own clock,
where it has one. The peak is what tensors held at most beyond what there was before. GB/s: bytes counted over time; on WebGPU next to a copy command of the same size.

${run.sessions.map(sessionText).join('\n')}`;
}
