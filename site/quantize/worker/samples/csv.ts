/** Rows of a .csv file as samples. */
import Papa from 'papaparse';
import type {GivenFile} from '../contract';
import {nameOf, someOf} from '../files';
import {matchClasses} from './classes';
import {type Column, type SampleSet, shapeOfSize, shownShape, sizeOf, type Values, type Wanted} from './sample_set';

/** Names that columns of classes go by. */
const CLASS_NAMES = /^(class|label|target|species|category|y)$/i;

const isNumber = (cell: string) => cell.trim() !== '' && Number.isFinite(Number(cell));

/** Names that columns which count rows go by; pandas gives them none. */
const INDEX_NAMES = /^(|id|index|no\.?|unnamed: 0)$/i;

/** A number as it is written where commas are decimal. */
const DECIMAL_COMMA = /^(\s*[-+]?\d*),(\d+(?:e[-+]?\d+)?\s*)$/i;

/** What Excel is told of cells before the first row. */
const SEPARATOR = /^\ufeff?sep=(.)\r?\n/i;

interface Table {
  readonly names: readonly string[];
  readonly rows: readonly (readonly string[])[];
}

/** Rows and the names of columns: those of the first row, if it holds words where the second has numbers. */
function tableOf(name: string, text: string): Table {
  const {data, meta, errors} = Papa.parse<string[]>(text.replace(SEPARATOR, '').replace(/^\ufeff/, ''), {
    skipEmptyLines: 'greedy',
    delimiter: SEPARATOR.exec(text)?.[1] ?? '',
  });
  const quotes = errors.find(({type}) => type === 'Quotes');
  if (quotes)
    throw new Error(`${name} cannot be read: row ${(quotes.row ?? 0) + 1}: ${quotes.message}. Mend the quotes there.`);
  // Where cells end at semicolons, commas are decimal.
  const cells = meta.delimiter === ';' ? data.map(row => row.map(cell => cell.replace(DECIMAL_COMMA, '$1.$2'))) : data;
  return named(name, withoutEmpty(cells));
}

/** Rows that end in a separator have a last column of nothing. */
function withoutEmpty(cells: readonly (readonly string[])[]): readonly (readonly string[])[] {
  const last = Math.max(...cells.map(({length}) => length)) - 1;
  const isEmpty = cells.length > 0 && cells.every(row => (row[last] ?? '').trim() === '');
  return isEmpty ? withoutEmpty(cells.map(row => row.slice(0, last))) : cells;
}

function named(name: string, cells: readonly (readonly string[])[]): Table {
  const [first, second] = cells;
  if (!first) throw new Error(`${name} is empty. Give a row for each sample.`);
  const isHeader =
    first.every(cell => !isNumber(cell)) || first.some((cell, i) => !isNumber(cell) && isNumber(second?.[i] ?? ''));
  const names = isHeader ? first.map(cell => cell.trim()) : first.map((_, i) => `column ${i + 1}`);
  const rows = isHeader ? cells.slice(1) : cells;
  if (rows.length === 0) throw new Error(`${name} has names of columns, but no rows. Give a row for each sample.`);
  return {names, rows};
}

/** A first column that counts rows, as pandas and others write it, is none of the model's: it is left out where it is one too many. */
function withoutIndex(table: Table, {inputs}: Wanted, labelColumn: string | undefined): Table {
  const {names, rows} = table;
  const first = Number(rows[0]![0]);
  const isIndex =
    (first === 0 || first === 1) &&
    rows.length > 2 &&
    rows.every((row, i) => row[0] !== '' && Number(row[0]) === first + i);
  if (!isIndex || labelColumn === names[0]) return table;
  const takes = inputs.reduce((sum, {shape}) => sum + sizeOf(shape.slice(1).map(dim => dim ?? NaN)), 0);
  const over = names.length - takes;
  const isOver = over === 2 || (over === 1 && INDEX_NAMES.test(names[0]!));
  return isOver ? {names: names.slice(1), rows: rows.map(row => row.slice(1))} : table;
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
  const table = withoutIndex(tableOf(name, await file.data.text()), wanted, labelColumn);
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
      ...(missing > 0 ? [`Rows left out, as numbers are missing in them: ${missing}.`] : []),
    ],
  };
}

function valuesOf(rows: Table['rows'], columns: readonly number[], isInteger: boolean): Values {
  const values = new (isInteger ? Int32Array : Float32Array)(rows.length * columns.length);
  rows.forEach((row, r) => columns.forEach((column, c) => (values[r * columns.length + c] = Number(row[column]))));
  return values;
}
