/**
 * `npm start`: builds the site and trains on its Play page in a browser without a window. Nothing but Node's own modules may
 * be imported at the top: on a fresh machine there is nothing else.
 */
import {mkdir, writeFile} from 'node:fs/promises';
import {join} from 'node:path';
import {installPackages, OUT, progressBar, readOptions, runCommand, UsageError} from '../../lab/command.mjs';

const HELP = `npm start -- [options]

Trains a small digit classifier in a browser and compares float, quantization after training and quantization-aware
training by quantizeModel; then writes the networks as .tflite files and runs them in LiteRT.js. Writes out/index.html,
out/curves.svg and out/digits_8bit.tflite (and so on).

  --backend NAME   webgpu, webgl or cpu; without it the one that trains fastest, tried for a step each
  --bits LIST      widths of weights and activations, each 2 to 16 (8,4,3,2)
  --epochs N       epochs that every network gets in all, at least 2 (12)
  --seed N         first seed (1)
  --seeds N        how many seeds from it on (1)
  --serve          print the address of the page, to be opened by hand, and wait
  --help           this text

The browser is CHROME_BIN, or one that is found, or Chromium installed through apt.
`;

function planOf() {
  const text = {type: 'string'};
  const flag = {type: 'boolean', default: false};
  const options = {backend: text, bits: text, epochs: text, seed: text, seeds: text, serve: flag, help: flag};
  const {serve, help, ...plan} = readOptions(options);
  if (plan.backend !== undefined && !['webgpu', 'webgl', 'cpu'].includes(plan.backend)) {
    throw new UsageError(`--backend must be webgpu, webgl or cpu, but was '${plan.backend}'.`);
  }
  const widths = plan.bits?.split(',') ?? [];
  for (const width of widths) checkInteger('bits', width, 2, 16);
  if (new Set(widths.map(Number)).size < widths.length)
    throw new UsageError(`--bits names a width twice: '${plan.bits}'.`);
  checkInteger('epochs', plan.epochs, 2, 1000);
  checkInteger('seed', plan.seed, 0, 1e6);
  checkInteger('seeds', plan.seeds, 1, 100);
  return {plan, serve, help};
}

function checkInteger(name, text, least, most) {
  if (text === undefined || (/^\s*\d+\s*$/.test(text) && Number(text) >= least && Number(text) <= most)) return;
  throw new UsageError(`--${name} takes integers from ${least} to ${most}, but '${text}' is none.`);
}

/** Builds the site and serves it: the address of the page. */
async function serve(plan) {
  const {buildSite, serveSite} = await import('../build.mjs');
  await buildSite();
  const {address, stop} = await serveSite();
  return {address: `${address}play/?${new URLSearchParams(plan)}`, stop};
}

/** Trains in the page, with a progress bar here, and returns what the page found. */
async function trainIn(page) {
  const bar = await progressBar('{bar} {percentage}% | {value} of {total} epochs | {eta_formatted} left', 15);
  await page.exposeFunction('onEpoch', (done, total) => {
    if (done === 0) bar.start(total, 0);
    bar.update(done);
  });
  try {
    return await page.evaluate('play.train()');
  } finally {
    bar.stop();
  }
}

function printTable(Table, {float, rows}, files) {
  const table = new Table({
    head: ['weights and activations', 'float', 'quantized after training', 'quantization-aware', 'int8 file'],
    colAligns: ['left', 'right', 'right', 'right', 'right'],
    style: {head: [], border: []},
  });
  table.push(['32 bits', float, '', '', '']);
  for (const {bits, PTQ, QAT} of rows) table.push([`${bits} bits`, '', PTQ, QAT, files[bits] ?? '']);
  console.log(table.toString());
}

/** Writes the networks of the first seed as .tflite files, runs those of all seeds, and has the page show how they did. */
async function runFiles(page) {
  const {files, images, labels} = await page.evaluate('play.filesToRun()');
  const first = files.filter(({seed}) => seed === files[0].seed);
  await mkdir(OUT, {recursive: true});
  for (const {bits, model} of first)
    await writeFile(join(OUT, `digits_${bits}bit.tflite`), Buffer.from(model, 'base64'));
  const {openLiteRt} = await import('../../scripts/litert.mjs');
  const litert = await openLiteRt();
  const accuracies = {};
  try {
    for (const {bits, model} of files) {
      const {outputs} = await litert.run({model, inputs: images.map(image => [image])});
      (accuracies[bits] ??= []).push(percentRight(outputs, labels));
    }
  } finally {
    await litert.close();
  }
  return page.evaluate(values => globalThis.play.showFiles(values), accuracies);
}

function percentRight(outputs, labels) {
  const right = outputs.filter(([scores], i) => {
    const {buffer, byteOffset, byteLength} = Buffer.from(scores, 'base64');
    const values = [...new Float32Array(buffer.slice(byteOffset, byteOffset + byteLength))];
    return values.indexOf(Math.max(...values)) === labels[i];
  });
  return (100 * right.length) / labels.length;
}

/** Saves the page as it stands, in one file, without what only serves a visitor, and the plot alone. */
async function save(page) {
  const [html, svg] = await page.evaluate(() => {
    /* global document, XMLSerializer */
    const plot = document.querySelector('.chart svg');
    const rules = [...document.styleSheets].flatMap(({cssRules}) => [...cssRules]).map(({cssText}) => cssText);
    const live = 'body > :not(main), .live, script, link, style, meta[http-equiv]';
    for (const part of document.querySelectorAll(live)) part.remove();
    document.head.append(Object.assign(document.createElement('style'), {textContent: rules.join('\n')}));
    // By day or by night, as whoever reads it has it.
    delete document.documentElement.dataset.theme;
    return [`<!doctype html>\n${document.documentElement.outerHTML}\n`, new XMLSerializer().serializeToString(plot)];
  });
  await mkdir(OUT, {recursive: true});
  await Promise.all([writeFile(join(OUT, 'index.html'), html), writeFile(join(OUT, 'curves.svg'), svg)]);
}

async function trainHeadless(address) {
  const {openBrowser} = await import('../../scripts/page.mjs');
  const browser = await openBrowser('chromium');
  try {
    const page = await browser.newPage();
    await page.setViewport({width: 1100, height: 900});
    await page.goto(address);
    await page.waitForFunction('globalThis.play');
    const {caption, summary} = await trainIn(page);
    const files = await runFiles(page);
    printTable((await import('cli-table3')).default, summary, files);
    console.log(caption);
    console.log("int8 file: the trained networks as .tflite files, run by Google's LiteRT.js.");
    await save(page);
    console.log(`Written: ${join(OUT, 'index.html')}, and curves.svg and the .tflite files beside it.`);
  } finally {
    await browser.close();
  }
}

async function main() {
  const {plan, serve: isByHand, help} = planOf();
  if (help) return console.log(HELP);
  installPackages();
  const {address, stop} = await serve(plan);
  if (isByHand) return console.log(`Open ${address} in a browser. Ctrl-C ends this.`);
  await trainHeadless(address).finally(stop);
}

runCommand(main);
