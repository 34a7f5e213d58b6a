// Trains the digit classifier in a browser, sets up what it needs before. Nothing but Node's own modules may be imported
// at the top: on a fresh machine there is nothing else.
import {spawnSync} from 'node:child_process';
import {existsSync} from 'node:fs';
import {mkdir, writeFile} from 'node:fs/promises';
import {join} from 'node:path';
import {fileURLToPath} from 'node:url';
import {parseArgs} from 'node:util';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const OUT = join(ROOT, 'out');
const PAGE = join(ROOT, 'demo');
const HELP = `npm start -- [options]

Trains a small digit classifier in a browser and compares float, quantization after training and quantization-aware
training with tf.fakeQuant. Writes out/index.html and out/curves.svg.

  --backend NAME   webgpu, webgl or cpu; without it the first of these that the browser has
  --bits LIST      widths of weights and activations, each 2 to 16 (8,4,3,2)
  --epochs N       epochs that every network gets in all, at least 2 (12)
  --seed N         first seed (1)
  --seeds N        how many seeds from it on (3)
  --serve          print the address of the page, to be opened by hand, and wait
  --help           this text

The browser is CHROME_BIN, or one that is found, or Chromium installed through apt.
`;

class UsageError extends Error {}

function readOptions() {
  const text = {type: 'string'};
  const flag = {type: 'boolean', default: false};
  const options = {backend: text, bits: text, epochs: text, seed: text, seeds: text, serve: flag, help: flag};
  let values;
  try {
    ({values} = parseArgs({options}));
  } catch (error) {
    throw new UsageError(error.message);
  }
  const {serve, help, ...plan} = values;
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

function installPackages() {
  if (existsSync(join(ROOT, 'node_modules'))) return;
  console.log('Installing packages …');
  const {status} = spawnSync('npm', ['ci', '--no-audit', '--no-fund'], {
    cwd: ROOT,
    stdio: 'inherit',
    shell: process.platform === 'win32',
  });
  if (status !== 0) throw new Error('npm ci failed: see its message above.');
}

/** Bundles the page and serves it. */
async function servePage(plan) {
  const {context} = await import('esbuild');
  const {esbuildShaders} = await import('../scripts/shader_text.mjs');
  const bundle = await context({
    entryPoints: [join(PAGE, 'main.ts')],
    outdir: PAGE,
    bundle: true,
    write: false,
    format: 'esm',
    target: 'es2022',
    logLevel: 'error',
    loader: {'.gz': 'binary'},
    plugins: [esbuildShaders],
  });
  // Only localhost: browsers give WebGPU to pages of https or of this machine.
  const {port} = await bundle.serve({servedir: PAGE, host: '127.0.0.1'});
  return {address: `http://localhost:${port}/?${new URLSearchParams(plan)}`, stop: () => bundle.dispose()};
}

/** Trains in the page, with a progress bar here, and returns what the page found. */
async function trainIn(page) {
  const {Presets, SingleBar} = await import('cli-progress');
  const format = '{bar} {percentage}% | {value} of {total} epochs | {eta_formatted} left';
  const bar = new SingleBar({format, noTTYOutput: true, notTTYSchedule: 15_000}, Presets.shades_classic);
  await page.exposeFunction('onEpoch', (done, total) => {
    if (done === 0) bar.start(total, 0);
    bar.update(done);
  });
  try {
    return await page.evaluate('train()');
  } finally {
    bar.stop();
  }
}

function printTable(Table, {float, rows}) {
  const table = new Table({
    head: ['weights and activations', 'float', 'quantized after training', 'quantization-aware'],
    colAligns: ['left', 'right', 'right', 'right'],
    style: {head: [], border: []},
  });
  table.push(['32 bits', float, '', '']);
  for (const {bits, PTQ, QAT} of rows) table.push([`${bits} bits`, '', PTQ, QAT]);
  console.log(table.toString());
}

/** Saves the page as it stands, without what only serves to train, and the plot alone. */
async function save(page) {
  const [html, svg] = await page.evaluate(() => {
    /* global document, XMLSerializer */
    for (const part of document.querySelectorAll('form, script, progress')) part.remove();
    const plot = document.querySelector('#curves svg');
    return [`<!doctype html>\n${document.documentElement.outerHTML}\n`, new XMLSerializer().serializeToString(plot)];
  });
  await mkdir(OUT, {recursive: true});
  await Promise.all([writeFile(join(OUT, 'index.html'), html), writeFile(join(OUT, 'curves.svg'), svg)]);
}

async function trainHeadless(address) {
  const {openBrowser} = await import('../scripts/page.mjs');
  const browser = await openBrowser('chromium');
  try {
    const page = await browser.newPage();
    await page.goto(address);
    const {caption, summary} = await trainIn(page);
    printTable((await import('cli-table3')).default, summary);
    console.log(caption);
    await save(page);
    console.log(`Written: ${join(OUT, 'index.html')} and curves.svg beside it.`);
  } finally {
    await browser.close();
  }
}

async function main() {
  const {plan, serve, help} = readOptions();
  if (help) return console.log(HELP);
  installPackages();
  const {address, stop} = await servePage(plan);
  if (serve) return console.log(`Open ${address} in a browser. Ctrl-C ends this.`);
  await trainHeadless(address).finally(stop);
}

main().catch(error => {
  const misused = error instanceof UsageError;
  console.error(misused ? `${error.message} See --help.` : error.message);
  process.exitCode = misused ? 2 : 1;
});
