/** docs/layers.md says what files come out. */
import {readFileSync, writeFileSync} from 'node:fs';
import {scoped} from '../support/scoped';
import {layerTables, withoutModel} from './layer_table';

const FILE = 'docs/layers.md';

/** The tables stand between these. */
const TABLES = /(?<=<!-- tables -->\n\n)[^]*(?=\n\n<!-- tables end -->)/;

describe('docs/layers.md', () => {
  scoped();

  it('has the tables that come out of writing a model of each class; WRITE=1 writes them', async () => {
    const tables = await layerTables();
    const text = readFileSync(FILE, 'utf8');
    if (process.env['WRITE']) writeFileSync(FILE, text.replace(TABLES, tables));
    else expect(TABLES.exec(text)?.[0]).toBe(tables);
  }, 300_000);

  it('has tried all classes with weights', () => {
    expect(withoutModel()).toEqual([]);
  });
});
