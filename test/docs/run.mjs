/**
 * Runs the blocks of a document in a folder of their own, on the cpu backend: those called `js` as one module in Node, those called
 * `js page` as one in Chromium, each `html` as a page there. Blocks called `text` must be what the block before printed or shows.
 *
 * `node test/docs/run.mjs DOCUMENT` prints as JSON all blocks, with what each printed, and the text of the files that were written.
 * With `--write`, the document's text blocks become what was printed, and its plots are laid beside it.
 */
import {spawnSync} from 'node:child_process';
import {mkdirSync, openSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync} from 'node:fs';
import {dirname, join} from 'node:path';
import {fileURLToPath} from 'node:url';
import {parseArgs} from 'node:util';
import {build} from 'esbuild';
import {npmPackage} from '../../lab/packages.mjs';
import {SOURCES} from '../../scripts/entries.mjs';
import {esbuildShaders} from '../../scripts/shader_text.mjs';
import {fencesIn, runs, withPrinted} from './fences.mjs';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));

/** What documents have the reader install beside this package and tfjs. */
const PACKAGES = Object.entries(JSON.parse(readFileSync(join(ROOT, 'test/docs/packages.json'), 'utf8')));

/** Documents that speak of a model of the reader's, or of files: what stands in for it here, before their blocks. */
const GIVEN = {
  'docs/choosing-bits.md': "import {images, labels, model} from './given.js';",
  'docs/keras-and-tfmot.md': "import './given_keras.js';",
  'docs/teachable-machine.md': "import './given_teachable.js';",
};

/** Is printed between two blocks. */
const BETWEEN = '\u001e';

const {
  values: {write},
  positionals: [document],
} = parseArgs({options: {write: {type: 'boolean', default: false}}, allowPositionals: true});

const path = join(ROOT, document);

/** The package's entries in this checkout, and other packages that the blocks import. */
function aliasesFor(text) {
  const alias = {...SOURCES};
  for (const [name, version] of PACKAGES) {
    if (text.includes(`from '${name}'`)) alias[name] = npmPackage(`${name}@${version}`);
  }
  return alias;
}

/** A module of blocks, with this checkout in the package's place. */
async function bundled(blocks, platform) {
  const parts = blocks.map(({code}) => code).join(`\nconsole.log('${BETWEEN}');\n`);
  const inNode = platform === 'node';
  const banner = "import {createRequire as requireOf} from 'node:module';\nconst require = requireOf(import.meta.url);";
  const {outputFiles} = await build({
    stdin: {
      contents: ["import './cpu';", inNode && GIVEN[document], parts].filter(Boolean).join('\n'),
      resolveDir: join(ROOT, 'test/docs'),
    },
    bundle: true,
    format: 'esm',
    platform,
    ...(inNode && {mainFields: ['module', 'main'], external: ['node:*'], banner: {js: banner}}),
    alias: aliasesFor(parts),
    plugins: [esbuildShaders],
    target: 'es2022',
    logLevel: 'error',
    write: false,
  });
  return outputFiles[0].text;
}

/** What blocks print in Node, one by one, and their warnings. */
async function inNode(blocks, folder) {
  const module = `${folder}.mjs`;
  writeFileSync(module, await bundled(blocks, 'node'));
  // To files, which show how far it is.
  const streams = ['stdout', 'stderr'].map(name => `${folder}.${name}`);
  const stdio = ['ignore', ...streams.map(each => openSync(each, 'w'))];
  const {status, signal} = spawnSync(process.execPath, [module], {cwd: folder, stdio});
  const [stdout, stderr] = streams.map(each => readFileSync(each, 'utf8'));
  if (status !== 0) throw new Error(`${document} does not run (${signal ?? status}):\n${stderr.slice(-4000)}`);
  return {printed: stdout.split(`${BETWEEN}\n`), warned: stderr};
}

/** What pages print or show, of blocks among all. */
async function inPages(fences, folder) {
  const {openPages} = await import('./pages.mjs');
  const pages = await openPages(folder);
  const printed = new Map();
  try {
    const modules = fences.filter(({info}) => info === 'js page');
    if (modules.length > 0) {
      const texts = (await pages.run(await bundled(modules, 'browser'))).split(`${BETWEEN}\n`);
      for (const [i, block] of modules.entries()) printed.set(block, texts[i]);
    }
    for (const [i, block] of fences.entries()) {
      if (block.info !== 'html') continue;
      const end = fences.findIndex((other, at) => at > i && runs(other));
      const expected = fences.slice(i, end < 0 ? undefined : end).find(({info}) => info === 'text')?.code;
      const ends = write ? unchanged() : text => !expected || isLike(text, expected);
      printed.set(block, `${(await pages.show(block.code, ends)).trim()}\n`);
    }
  } finally {
    await pages.close();
  }
  return printed;
}

/** Whether a text has been the same for a while. */
function unchanged() {
  let [last, since] = ['', 0];
  return text => {
    if (text !== last) [last, since] = [text, Date.now()];
    return Date.now() - since > 10_000;
  };
}

/** Text but for its numbers, which come out otherwise elsewhere, for the order of lines by them, and for how wide columns are. */
function shapeOf(text) {
  const lines = text.replaceAll(/-?\d[\d.]*(e[+-]?\d+)?/g, '#').split('\n');
  return lines
    .map(line => line.trim().replaceAll(/\s+/g, ' '))
    .sort()
    .join('\n')
    .trim();
}

const isLike = (text, expected) => shapeOf(text) === shapeOf(expected);

/** All that runs, and what it printed and wrote. */
async function run(fences) {
  const folder = join(ROOT, '.cache/docs', document.replaceAll(/[^\w.+-]/g, '_'));
  rmSync(folder, {recursive: true, force: true});
  mkdirSync(folder, {recursive: true});
  for (const [name, version] of PACKAGES) {
    if (fences.some(({code}) => code.includes(`node_modules/${name}/`)))
      link(name, npmPackage(`${name}@${version}`), folder);
  }
  const printed = new Map();
  const blocks = fences.filter(({info}) => info === 'js');
  const node = blocks.length > 0 || GIVEN[document] ? await inNode(blocks, folder) : {printed: [], warned: ''};
  for (const [i, block] of blocks.entries()) printed.set(block, node.printed[i]);
  if (fences.some(({info}) => info === 'js page' || info === 'html')) {
    for (const [block, text] of await inPages(fences, folder)) printed.set(block, text);
  }
  return {printed, warned: node.warned, files: filesIn(folder)};
}

/** A package as if it were installed in a folder. */
function link(name, target, folder) {
  const where = join(folder, 'node_modules', name);
  mkdirSync(dirname(where), {recursive: true});
  symlinkSync(target, where, 'dir');
}

function filesIn(folder) {
  const names = readdirSync(folder, {recursive: true}).filter(
    name => !name.startsWith('node_modules') && statSync(join(folder, name)).isFile(),
  );
  return Object.fromEntries(names.map(name => [name, readFileSync(join(folder, name), 'latin1')]));
}

/** Each text must be what the last block before it gave that runs. */
function checkTexts(fences, printed) {
  for (const [i, {info, code}] of fences.entries()) {
    if (info !== 'text') continue;
    const maker = fences.slice(0, i).findLast(runs);
    if (!maker) throw new Error(`${document}: nothing before it prints\n${code}`);
    if (isLike(printed.get(maker), code)) continue;
    throw new Error(`${document} says\n${code}\nbut what was printed is\n${printed.get(maker)}`);
  }
}

const fences = fencesIn(readFileSync(path, 'utf8'));
const {printed, warned, files} = await run(fences);
if (write) {
  // As it is by now.
  const texts = fences.filter(runs).map(block => printed.get(block));
  writeFileSync(path, withPrinted(readFileSync(path, 'utf8'), texts));
  for (const [name, content] of Object.entries(files)) {
    if (name.endsWith('.svg')) writeFileSync(join(dirname(path), name), content, 'latin1');
  }
} else {
  checkTexts(fences, printed);
  const all = fences.map(block => ({...block, printed: printed.get(block)}));
  console.log(JSON.stringify({fences: all, warned, files}));
}
