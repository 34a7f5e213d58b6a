/** `npm run mobilenet`: a pretrained MobileNet v2 of full size, quantized, written and run. See --help. */
import {mkdir, writeFile} from 'node:fs/promises';
import {join} from 'node:path';
import {fileURLToPath} from 'node:url';
import Table from 'cli-table3';
import {readOptions, ROOT, runCommand, withBar} from '../../lab/command.mjs';
import {bundleForPage, importTypeScript, openPage} from '../../scripts/page.mjs';
import {readModel} from '../models/fetch.mjs';
import {loadPhotos, PHOTOS} from './photos.mjs';

const FOLDER = fileURLToPath(new URL('.', import.meta.url));
/** MobileNet v2 of 224 by 224 pixels and five classes, its weights rounded to 8 bits for storage. */
const NETWORK = 'mobilenet_v2';
const IMAGES = 264;
const IMAGE_BYTES = 224 * 224 * 3;
const STEP_MINUTES = 6;
/** Crops for training without labels and for its test, and how many a step takes. */
const DISTIL = {crops: 576, batchSize: 16};

/** What `npm run models` puts into its document. */
const DISTILLED = 'test/models/results/mobilenet.json';

const HELP = `npm run mobilenet -- [options]

Fetches a pretrained MobileNet v2 (nsfwjs, 25 MB) and photos of two Python packages; quantizes it after
training, writes it as .tflite and runs that. Prints a table and writes out/mobilenet.json.

  --step   instead trains it for two steps, quantized and float, on WebGPU in Chromium, for at most ${STEP_MINUTES} minutes;
           writes out/mobilenet-step.json
  --distil N   instead quantizes its weights to 4 bits and trains it for N steps of ${DISTIL.batchSize} crops without labels, on WebGPU in
           Chromium: minutes on a GPU, hours without; writes test/models/results/mobilenet.json, of which
           \`npm run models\` tells
  --help   this text
`;

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

/** What training without labels reaches. */
async function distilNetwork(network, steps) {
  await loadPhotos(DISTIL.crops);
  const script = await bundleForPage(join(FOLDER, 'page.ts'));
  const {page, close} = await openPage(script, 'distilNetwork', {'/photos/': PHOTOS});
  try {
    return await withBar(async onProgress => {
      await page.exposeFunction('onProgress', onProgress);
      const url = `/photos/${DISTIL.crops}.bin`;
      return page.evaluate((...given) => globalThis.distilNetwork(...given), network, url, steps, DISTIL.batchSize);
    });
  } finally {
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

/** What each kind of file is worth. */
function kindsTable(kinds) {
  const table = new Table({head: ['File', 'Bytes', 'Of float', 'Runtime', 'Same class as float', 'Relative error']});
  for (const [kind, {bytes, byFloat, runtimes}] of Object.entries(kinds)) {
    for (const [runtime, found] of Object.entries(runtimes)) {
      const {refused, images, sameClass, relativeError} = found;
      const figures = refused ? [refused, ''] : [`${sameClass} of ${images}`, percent(relativeError)];
      table.push([kind, bytes, byFloat.toFixed(3), runtime, ...figures]);
    }
  }
  return table.toString();
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

async function write(file, report) {
  await writeFile(file, `${JSON.stringify(report, undefined, 1)}\n`);
  console.log(`Written: ${file}.`);
}

async function main() {
  const options = readOptions({step: {type: 'boolean'}, distil: {type: 'string'}, help: {type: 'boolean'}});
  if (options.help) return console.log(HELP);
  process.chdir(ROOT);
  await mkdir('out', {recursive: true});
  const {json: manifest, weights} = readModel(NETWORK);
  const network = {manifest, weights: weights.toString('base64')};
  if (options.distil) {
    const report = {...(await distilNetwork(network, Number(options.distil))), backend: 'WebGPU'};
    console.log(JSON.stringify(report, undefined, 1));
    return write(DISTILLED, report);
  }
  const pixels = await loadPhotos(IMAGES);
  if (options.step)
    return write('out/mobilenet-step.json', await trainSteps(network, pixels.toString('base64', 0, IMAGE_BYTES)));
  const {measure} = await importTypeScript(join(FOLDER, 'measure.ts'));
  const report = await withBar(onProgress => measure(network, pixels, onProgress));
  console.log(tableOf(report));
  console.log(kindsTable(report.kinds));
  await write('out/mobilenet.json', report);
}

runCommand(main);
