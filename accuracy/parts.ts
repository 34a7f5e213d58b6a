/** What the command needs of the TypeScript here: plans, and what came of them in words. */
import Table from 'cli-table3';
import {type Summary, summaryOf} from '../lab/statistics';
import type {Result} from './plan';
import {ROWS, WIDTHS} from './rows';

export {keyOf, stepCount} from './plan';
export {ROWS, TASK_NAMES, WIDTHS, widthOf} from './rows';

/** Rows by name, in the order of the table; those of tfmot are measured by a script. */
export const ROW_TITLES: Readonly<Record<string, string>> = {
  float: 'float',
  ...Object.fromEntries(ROWS.filter(({trains}) => trains === 'float').map(({name, title}) => [name, title])),
  tfmot: 'tfmot as it is',
  'tfmot-calibrated': 'tfmot, ranges calibrated first',
  'tfmot-bn': 'the same, BN re-estimated too',
  ...Object.fromEntries(ROWS.filter(({trains}) => trains === 'quantized').map(({name, title}) => [name, title])),
};

function text(summary: Summary | undefined): string {
  if (!summary) return '–';
  const {mean, deviation} = summary;
  return mean.toFixed(1) + (deviation === undefined ? '' : ` (${deviation.toFixed(1)})`);
}

/** The widths that there are results of, the usual ones first. */
function widthsOf(results: readonly Result[]): string[] {
  const found = new Set(results.map(({width}) => width).filter(Boolean));
  return [...WIDTHS.filter(width => found.delete(width)), ...found];
}

function median(values: readonly number[]): number | undefined {
  return [...values].sort((a, b) => a - b)[values.length >> 1];
}

/** A line for each way to few bits: name, accuracies, time of a step. */
function rowsOf(results: readonly Result[], widths: readonly string[]): string[][] {
  const of = (row: string, width?: string) =>
    results.filter(result => result.row === row && (width === undefined || result.width === width));
  const shown = Object.keys(ROW_TITLES).filter(row => of(row).length > 0);
  return shown.map(row => {
    const steps = of(row).flatMap(({step}) => step ?? []);
    const accuracies = (width: string) => text(summaryOf(of(row, width).map(({accuracy}) => accuracy)));
    const cells = row === 'float' ? [accuracies(''), ...widths.slice(1).map(() => '')] : widths.map(accuracies);
    return [ROW_TITLES[row]!, ...cells, median(steps)?.toFixed(0) ?? ''];
  });
}

function headOf(widths: readonly string[]): string[] {
  return ['', ...widths, 'ms a step'];
}

/** How many seeds a table is of. */
function captionOf(results: readonly Result[]): string {
  const counts = new Map<string, number>();
  for (const {row, width} of results) counts.set(`${row} ${width}`, (counts.get(`${row} ${width}`) ?? 0) + 1);
  const [least, most] = [Math.min(...counts.values()), Math.max(...counts.values())];
  if (most === 1) return 'Test accuracy in percent, of one seed.';
  return `Test accuracy in percent, mean (standard deviation) of ${least === most ? most : `${least} to ${most}`} seeds.`;
}

/** The accuracies for the terminal. */
export function tableOf(results: readonly Result[]): string {
  const widths = widthsOf(results);
  const table = new Table({head: headOf(widths), style: {head: [], border: []}});
  table.push(...rowsOf(results, widths));
  return `${table.toString()}\n${captionOf(results)}`;
}

/** The same for a page of the docs. */
export function markdownOf(results: readonly Result[]): string {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`;
  const widths = widthsOf(results);
  const head = headOf(widths);
  const table = [line(head), line(head.map(() => '---')), ...rowsOf(results, widths).map(line)].join('\n');
  return `${table}\n\n${captionOf(results)}\n`;
}
