/**
 * What the ops cost, of the tables of bench/RESULTS.md. They are read back: a heading is
 * `### OP (yardstick: ITS OWN OP), BACKEND: DEVICE, HOST`, and below it is a row for each shape, under the names of the columns.
 */
import {join} from 'node:path';
import {ROOT} from '../../../lab/command.mjs';
import {importTypeScript} from '../../../scripts/page.mjs';
import {slugOf} from '../markdown.mjs';
import {placeOf} from './place.mjs';

const HEADING = /^(.+) \(yardstick: (.+)\), (webgpu|webgl|cpu|wasm): /;

/** A table's rows as objects, by the names of its columns. */
function rowsOf(text) {
  const lines = text.split('\n').filter(line => line.startsWith('| '));
  const [head, , ...rows] = lines.map(line => line.slice(2, -2).split(' | '));
  return rows.map(cells => Object.fromEntries(cells.map((cell, i) => [head[i], cell.trim()])));
}

/** '9.55 (7.39–13.71)': median, smallest, largest. */
function spreadOf(cell) {
  const [, median, low, high] = /^([\d.]+) \(([\d.]+)–([\d.]+)\)/.exec(cell ?? '') ?? [];
  return median && {median: Number(median), low: Number(low), high: Number(high)};
}

function readSections(markdown, shapeOf) {
  const sections = markdown.split(/^### /m).slice(1);
  const read = sections.flatMap(section => {
    const [, op, yardstick, backend] = HEADING.exec(section) ?? [];
    if (!op)
      throw new Error(
        `bench/RESULTS.md has a heading that site/docs/results/speed.mjs cannot read: ${section.split('\n')[0]}`,
      );
    return rowsOf(section)
      .filter(row => spreadOf(row['ours / yardstick']))
      .map(row => ({
        op,
        yardstick,
        backend,
        row,
        shape: row.shape,
        elements: shapeOf(row.shape.split(' ')[0]).reduce((a, b) => a * b),
      }));
  });
  if (read.length === 0) throw new Error('bench/RESULTS.md has no table that site/docs/results/speed.mjs can read.');
  return read;
}

/** Of each op and backend the row whose shape is nearest to four million elements, where a pass costs more than its start. */
function typical(rows) {
  const distance = ({elements}) => Math.abs(Math.log(elements / 2 ** 22));
  const best = new Map();
  for (const row of rows) {
    const key = `${row.op} ${row.backend}`;
    if (!best.has(key) || distance(row) < distance(best.get(key))) best.set(key, row);
  }
  return [...best.values()];
}

function ratios(rows, column) {
  const points = rows.flatMap(({op, backend, shape, row}) => {
    const spread = spreadOf(row[column]);
    return spread ? [{row: op, series: backend, shape, ...spread}] : [];
  });
  return {kind: 'ratios', points};
}

/** Milliseconds of one op by size. */
function times(rows) {
  const points = rows.flatMap(({backend, row, shape, elements}) =>
    Object.entries({ours: 'ours, ms', yardstick: 'yardstick', composed: 'composed'}).flatMap(([who, column]) => {
      const ms = parseFloat(row[column]);
      return Number.isFinite(ms) ? [{backend, who, shape, elements, ms}] : [];
    }),
  );
  return {kind: 'times', points};
}

export async function speedPage(markdown) {
  const {isModelRow, ROWS, shapeOf} = await importTypeScript(join(ROOT, 'bench/catalogue.ts'));
  const models = new Set(ROWS.filter(({name}) => isModelRow(name)).map(({title}) => title));
  const all = readSections(markdown, shapeOf);
  const rows = all.filter(({op}) => !models.has(op));
  const ofModels = all.filter(({op}) => models.has(op));
  const ops = [...new Set(rows.map(({op}) => op))].filter(op => {
    const sizes = new Set(rows.filter(row => row.op === op).map(({elements}) => elements));
    return sizes.size > 2;
  });
  const byOp = ops.map(op => [slugOf(op), op, rows.filter(row => row.op === op)]);
  const plots = [
    '## As plots',
    '### Ours against the same op made of tfjs ops',
    placeOf(
      'composed',
      'How many times as fast, at about four million elements: median, smallest and largest of the rounds.',
    ),
    '### Ours against one pass over memory',
    placeOf(
      'yardstick',
      "The time by that of the backend's own cheapest op on the same tensor; below 1 ours is the faster one.",
    ),
    '### With models, against the float model',
    placeOf(
      'models',
      'A step of training, or a call, by the time of what the float model takes: a step, or to predict the same images.',
    ),
    '### By size',
    ...byOp.map(([name, op, [{yardstick}]]) =>
      placeOf(name, `${op[0].toUpperCase()}${op.slice(1)}: milliseconds by elements. Yardstick: ${yardstick}.`),
    ),
  ].join('\n');
  return {
    markdown: markdown.replace(/^# .*$/m, '# Speed').replace('\n## Goals', `\n${plots}\n\n## Goals`),
    plots: {
      composed: ratios(typical(rows), 'composed / ours'),
      yardstick: ratios(typical(rows), 'ours / yardstick'),
      models: ratios(ofModels, 'ours / yardstick'),
      ...Object.fromEntries(byOp.map(([name, , its]) => [name, times(its)])),
    },
  };
}
