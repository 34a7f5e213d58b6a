/** The documents: which there are, what each is called, and where it is on the site. */
import {existsSync} from 'node:fs';
import {readdir, readFile} from 'node:fs/promises';
import {join} from 'node:path';
import {ROOT} from '../../lab/command.mjs';
import {NAVIGATION} from './navigation.mjs';

/** Of markdown: the heading it starts with, without marks. */
function titleOf(markdown) {
  return /^# (.+)$/m.exec(markdown)?.[1].replaceAll('`', '');
}

async function checkNavigation(files) {
  const there = (await readdir(join(ROOT, 'docs'))).filter(name => name.endsWith('.md')).map(name => `docs/${name}`);
  const missing = there.filter(file => !files.includes(file));
  if (missing.length > 0) throw new Error(`Not in site/docs/navigation.mjs: ${missing.join(', ')}.`);
  const gone = files.filter(file => !existsSync(join(ROOT, file)));
  if (gone.length > 0) throw new Error(`In site/docs/navigation.mjs, but not there: ${gone.join(', ')}.`);
}

async function readDocument(entry, group) {
  const {file, title, address} = typeof entry === 'string' ? {file: entry} : entry;
  const markdown = await readFile(join(ROOT, file), 'utf8');
  const name = address ?? file.replace(/^docs\/|\.md$/g, '').toLowerCase();
  return {file, group, path: `docs/${name}/`, title: title ?? titleOf(markdown), markdown};
}

/**
 * All documents in the order of the navigation.
 *
 * @returns {Promise<{file: string, group: string, path: string, title: string, markdown: string}[]>}
 */
export async function readDocuments() {
  const entries = NAVIGATION.flatMap(({group, documents}) => documents.map(entry => ({group, entry})));
  await checkNavigation(entries.map(({entry}) => entry.file ?? entry));
  return Promise.all(entries.map(({group, entry}) => readDocument(entry, group)));
}
