/** `npm run models`: what becomes of published models when they are imported, quantized, written and run. See --help. */
import {execFileSync} from 'node:child_process';
import {mkdir, readFile, rm, writeFile} from 'node:fs/promises';
import {join} from 'node:path';
import {fileURLToPath} from 'node:url';
import {checkAmong, listOf, readOptions, ROOT, runCommand, withBar} from '../../lab/command.mjs';
import {pythonOf} from '../../lab/packages.mjs';
import {bundleForPage, importTypeScript, openPage} from '../../scripts/page.mjs';
import {loadPhotos, PHOTOS} from '../mobilenet/photos.mjs';
import {fetchModels, hdf5OfFer, MODELS, pathOf, readModel} from './fetch.mjs';
import {print, writeDocument} from './document.mjs';

const FOLDER = fileURLToPath(new URL('.', import.meta.url));

/** How many photos each part is given. */
const COUNTS = {table: 96, converter: 400, distillation: 1000};

const HELP = `npm run models -- [options]

Fetches published models of npm and PyPI, imports them, and measures what becomes of them, in Node on the wasm backend.
Prints a table, and writes docs/models.md and the figures behind it, in test/models/results. A quarter of an hour on two idle
cores.

  --only LIST   these models: their names are in the error of a wrong one (all). The other lines stay
  --converter   instead compares int8 files with those of TensorFlow's converter (installs TensorFlow once: 3 GB)
  --distil      instead quantizes the emotion classifiers without labels, in Chromium: minutes on a GPU, hours without
  --backend     of --distil: webgpu (the default) or webgl
  --help        this text
`;

function artifactsOf(name) {
  const {json, weights} = readModel(name);
  const {buffer, byteOffset, byteLength} = weights;
  const weightData = buffer.slice(byteOffset, byteOffset + byteLength);
  return {...json, weightSpecs: json.weightsManifest.flatMap(({weights}) => weights), weightData};
}

const resultsOf = part => join(FOLDER, 'results', `${part}.json`);

async function readResults(part) {
  try {
    return JSON.parse(await readFile(resultsOf(part), 'utf8'));
  } catch {
    return undefined;
  }
}

async function writeResults(part, results) {
  await mkdir(join(FOLDER, 'results'), {recursive: true});
  await writeFile(resultsOf(part), `${JSON.stringify(results, undefined, 1)}\n`);
}

/** The rows of some models, in the order of all; those of the others as they were. */
async function measureModels(only) {
  const {measure, PUBLISHED} = await importTypeScript(join(FOLDER, 'measure.ts'));
  const names = PUBLISHED.map(({name}) => name);
  checkAmong('only', only, names);
  const chosen = PUBLISHED.filter(({name}) => only?.includes(name) ?? true);
  const before = (await readResults('table')) ?? [];
  const photos = await loadPhotos(COUNTS.table);
  const measured = await withBar(async onProgress => {
    const rows = [];
    for (const each of chosen) rows.push(await measure(each, artifactsOf(each.name), photos, onProgress));
    return rows;
  });
  return names.flatMap(name => [...measured, ...before].find(row => row.name === name) ?? []);
}

/** The models that TensorFlow's converter takes, as Keras has them. */
const KERAS = {fer: hdf5OfFer, mobilenet_v2: () => pathOf('mobilenet_v2')};

async function compareWithConverter() {
  const {calibrationSets, compareFiles, SET, SETS} = await importTypeScript(join(FOLDER, 'converter.ts'));
  const photos = await loadPhotos(COUNTS.converter);
  const folder = join(ROOT, '.cache', 'converter');
  await mkdir(folder, {recursive: true});
  try {
    return await withBar(async onProgress => {
      const reports = {};
      for (const [name, model] of Object.entries(KERAS)) {
        const artifacts = artifactsOf(name);
        const images = join(folder, 'images.bin');
        onProgress(`${name}: TensorFlow's converter`, 0, 1);
        await writeFile(images, await calibrationSets(name, artifacts, photos));
        const python = pythonOf('test/graph_models');
        execFileSync(python, [join(FOLDER, 'convert.py'), model(), images, String(SET), folder], {stdio: 'ignore'});
        const theirs = await Promise.all(Array.from({length: SETS}, (_, i) => readFile(join(folder, `${i}.tflite`))));
        reports[name] = await compareFiles(name, artifacts, photos, theirs, onProgress);
      }
      return reports;
    });
  } finally {
    await rm(folder, {recursive: true});
  }
}

/** What each classifier is trained for. */
const DISTILLED = ['emotion', 'fer'];
const PLAN = {steps: 240, batchSize: 32};

async function distilAll(backend) {
  checkAmong('backend', [backend], ['webgpu', 'webgl']);
  fetchModels(DISTILLED);
  await loadPhotos(COUNTS.distillation);
  const {notes} = (await readResults('distillation')) ?? {};
  const script = await bundleForPage(join(FOLDER, 'page.ts'));
  const {page, close} = await openPage(script, 'distilOn', {'/models/': MODELS, '/photos/': PHOTOS});
  const rows = [];
  try {
    await withBar(async onProgress => {
      await page.exposeFunction('onProgress', onProgress);
      for (const name of DISTILLED) {
        const urls = [`/models/${name}.json`, `/photos/${COUNTS.distillation}.bin`];
        const made = await page.evaluate((...given) => globalThis.distilOn(...given), backend, name, urls, PLAN);
        rows.push(...made.map(row => ({...row, backend})));
      }
    });
  } finally {
    await close();
  }
  return {...PLAN, rows, notes};
}

async function main() {
  const flag = {type: 'boolean'};
  const text = {type: 'string'};
  const options = readOptions({
    only: text,
    converter: flag,
    distil: flag,
    backend: {...text, default: 'webgpu'},
    help: flag,
  });
  if (options.help) return console.log(HELP);
  process.chdir(ROOT);
  const part = options.distil ? 'distillation' : options.converter ? 'converter' : 'table';
  const work = {
    table: () => measureModels(listOf(options.only)),
    converter: compareWithConverter,
    distillation: () => distilAll(options.backend),
  }[part];
  await writeResults(part, await work());
  const results = Object.fromEntries(
    await Promise.all(Object.keys(COUNTS).map(async part => [part, await readResults(part)])),
  );
  print(part, results[part]);
  await writeDocument({...results, mobilenet: await readResults('mobilenet')});
  console.log('Written: docs/models.md.');
}

runCommand(main);
