/** Rows of a .csv file as samples. */
import Papa from 'papaparse';
import type {GivenFile} from '../contract';
import {nameOf, someOf} from '../files';
import {matchClasses} from './classes';
import {type Column, type SampleSet, shapeOfSize, shownShape, sizeOf, type Values, type Wanted} from './sample_set';

/** Names that columns of classes go by. */
const CLASS_NAMES = /^(class|label|target|species|category|y)$/i;

const isNumber = (cell: string) => cell.trim() !== '' && Number.isFinite(Number(cell));

interface Table {
  readonly names: readonly string[];
  readonly rows: readonly (readonly string[])[];
}

/** Rows and the names of columns: those of the first row, if it holds words where the second has numbers. */
function tableOf(name: string, text: string): Table {
  const {data, meta, errors} = Papa.parse<string[]>(text.replace(/^\ufeff/, ''), {skipEmptyLines: 'greedy'});
  const quotes = errors.find(({type}) => type === 'Quotes');
  if (quotes)
    throw new Error(`${name} cannot be read: row ${(quotes.row ?? 0) + 1}: ${quotes.message}. Mend the quotes there.`);
  // Where cells end at semicolons, commas are decimal.
  const cells =
    meta.delimiter === ';' ? data.map(row => row.map(cell => cell.replace(/^(\s*-?\d+),(\d+\s*)$/, '$1.$2'))) : data;
  const [first, second] = cells;
  if (!first) throw new Error(`${name} is empty. Give a row for each sample.`);
  const isHeader =
    first.every(cell => !isNumber(cell)) || first.some((cell, i) => !isNumber(cell) && isNumber(second?.[i] ?? ''));
  const names = isHeader ? first.map(cell => cell.trim()) : first.map((_, i) => `column ${i + 1}`);
  const rows = isHeader ? cells.slice(1) : cells;
  if (rows.length === 0) throw new Error(`${name} has names of columns, but no rows. Give a row for each sample.`);
  return {names, rows};
}

/** The columns of numbers, and that of the class. */
function chosenColumns({names, rows}: Table, wanted: Wanted, labelColumn: string | undefined) {
  const label = labelColumn === undefined ? guessedLabel(names, rows, wanted) : names.indexOf(labelColumn);
  if (label === -1) throw new Error(`There is no column "${labelColumn ?? ''}". The columns are ${someOf(names)}.`);
  const isGuessed = labelColumn === undefined && label !== undefined;
  const warnings = isGuessed ? [`The column "${names[label]!}" is taken for the class.`] : [];
  return {label, features: names.map((_, i) => i).filter(i => i !== label), warnings};
}

/** A column more than the model takes: the one of words, or of such a name, or the last. */
function guessedLabel(names: readonly string[], rows: Table['rows'], {inputs}: Wanted): number | undefined {
  const fits = (size: number) => inputs.length > 1 || shapeOfSize(inputs[0]!, size) !== undefined;
  if (!fits(names.length - 1)) return undefined;
  const words = names.map((_, i) => i).filter(i => !isNumber(rows[0]![i] ?? ''));
  if (words.length === 1) return words[0];
  if (fits(names.length)) return undefined;
  const called = names.findIndex(name => CLASS_NAMES.test(name));
  return called >= 0 ? called : names.length - 1;
}

/** Where the values of each input begin, and how many they are. */
function partsOf({inputs}: Wanted, size: number, name: string): Column['shape'][] {
  const shapes =
    inputs.length === 1 ? [shapeOfSize(inputs[0]!, size)] : inputs.map(({shape}) => closed(shape.slice(1)));
  const totalOf = (all: readonly (readonly number[] | undefined)[]) =>
    all.reduce((sum, shape) => sum + (shape ? sizeOf(shape) : NaN), 0);
  if (totalOf(shapes) === size) return shapes as number[][];
  const takes = inputs.map(port => shownShape(port)).join(' and ');
  const total = totalOf(inputs.map(({shape}) => closed(shape.slice(1))));
  const count = Number.isNaN(total) ? '' : ` (${total} numbers)`;
  throw new Error(
    `The model takes samples of shape ${takes}${count}, but ${name} has ${size} columns of numbers. Choose the column of the class, or give a file with as many columns.`,
  );
}

function closed(shape: readonly (number | null)[]): number[] | undefined {
  return shape.includes(null) ? undefined : (shape as number[]);
}

/** Reads rows. Those with anything but numbers where numbers should be are left out. */
export async function readRows(file: GivenFile, wanted: Wanted, labelColumn: string | undefined): Promise<SampleSet> {
  const name = nameOf(file.path);
  const table = tableOf(name, await file.data.text());
  const {label, features, warnings} = chosenColumns(table, wanted, labelColumn);
  const shapes = partsOf(wanted, features.length, name);
  const isWhole = (row: readonly string[]) =>
    features.every(i => isNumber(row[i] ?? '')) && (label === undefined || (row[label] ?? '').trim() !== '');
  const whole = table.rows.filter(isWhole);
  if (whole.length === 0) {
    const [first] = table.rows;
    const bad = features.find(i => !isNumber(first![i] ?? ''))!;
    throw new Error(
      `${name} has no row of numbers: column "${table.names[bad]!}" holds "${first![bad] ?? ''}". Choose it as the class, or leave it out.`,
    );
  }
  const classNames = label === undefined ? undefined : whole.map(row => row[label]!.trim());
  const {classOf, warnings: told} = matchClasses(classNames ?? [], wanted);
  const used = classOf ? whole.filter((_, i) => classOf.has(classNames![i]!)) : whole;
  let first = 0;
  const columns = shapes.map((shape, i) => {
    const own = features.slice(first, (first += sizeOf(shape)));
    return {shape, values: valuesOf(used, own, wanted.inputs[i]!.dtype === 'int32')};
  });
  const missing = table.rows.length - whole.length;
  return {
    of: 'rows',
    count: used.length,
    columns,
    labels: classOf && Int32Array.from(used, row => classOf.get(row[label!]!.trim())!),
    isTest: undefined,
    columnNames: table.names,
    labelColumn: label === undefined ? undefined : table.names[label],
    warnings: [
      ...warnings,
      ...told,
      ...(missing > 0 ? [`${missing} rows are left out, as numbers are missing in them.`] : []),
    ],
  };
}

function valuesOf(rows: Table['rows'], columns: readonly number[], isInteger: boolean): Values {
  const values = new (isInteger ? Int32Array : Float32Array)(rows.length * columns.length);
  rows.forEach((row, r) => columns.forEach((column, c) => (values[r * columns.length + c] = Number(row[column]))));
  return values;
}
