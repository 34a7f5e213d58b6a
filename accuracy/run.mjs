/** `npm run accuracy`: what few bits cost, by training networks of them in a browser. See --help. */
import {existsSync, writeFileSync} from 'node:fs';
import {mkdir, readdir, readFile, writeFile} from 'node:fs/promises';
import {cpus} from 'node:os';
import {join} from 'node:path';
import {fileURLToPath} from 'node:url';
import {
  checkAmong,
  installPackages,
  listOf,
  OUT as ALL,
  progressBar,
  readOptions,
  ROOT,
  runCommand,
  UsageError,
} from '../lab/command.mjs';

const FOLDER = fileURLToPath(new URL('.', import.meta.url));
const OUT = join(ALL, 'accuracy');
const RESULTS = join(FOLDER, 'results');
const BACKENDS = ['node', 'webgl', 'webgpu', 'cpu'];

const HELP = `npm run accuracy -- [options]

Trains a float network, and from its weights a network of few bits for each way to get there and each width, all on the same
batches; prints the accuracies and writes out/accuracy/TASK.json, .md and .svg as it goes. A run that was stopped goes on
where it was. The table also has what TensorFlow's toolkit reached from the same weights (accuracy/tfmot.py).

  --task NAME     digits or mnist (digits)
  --seeds N       how many float networks (10)
  --bits LIST     widths like w4a8, of weights and activations (w8a8,w4a8,w4a4,w3a8,w2a8,w3a3)
  --recipe LIST   of ptq, ptq-bn, calibrate, distil, chosen, chosen-distil, A, B, B-ends, qat, qat-ends (all)
  --backend NAME  node: the cpu backend in processes of Node; webgl, webgpu or cpu: in a headless Chromium (node)
  --jobs N        how many processes of Node (one a core)
  --fresh         forgets what earlier runs have found
  --results       also adds them to accuracy/results; prints all that is there, and writes it to docs/choosing-bits.md
  --help          this text
`;

const TEXT = {type: 'string'};
const FLAG = {type: 'boolean', default: false};
const OPTIONS = {
  task: {...TEXT, default: 'digits'},
  seeds: {...TEXT, default: '10'},
  bits: TEXT,
  recipe: TEXT,
  backend: {...TEXT, default: 'node'},
  jobs: {...TEXT, default: String(cpus().length)},
  fresh: FLAG,
  results: FLAG,
  help: FLAG,
};

/** The plan that the options ask for. */
function planOf({task, seeds, bits, recipe, backend, jobs}, {ROWS, WIDTHS, TASK_NAMES, widthOf}) {
  const names = ROWS.map(({name}) => name);
  const [widths, rows] = [listOf(bits) ?? WIDTHS, listOf(recipe) ?? names];
  checkAmong('task', [task], TASK_NAMES);
  checkAmong('recipe', rows, names);
  checkAmong('backend', [backend], BACKENDS);
  const odd = widths.find(width => !widthOf(width));
  if (odd !== undefined) throw new UsageError(`--bits takes widths like w4a8, of 2 to 16 bits, but not '${odd}'.`);
  if (!/^[1-9]\d?$/.test(seeds)) throw new UsageError(`--seeds takes integers from 1 to 99, but not '${seeds}'.`);
  if (!/^[1-9]\d?$/.test(jobs)) throw new UsageError(`--jobs takes integers from 1 to 99, but not '${jobs}'.`);
  return {task, seeds: Number(seeds), widths, rows, backend, jobs: Number(jobs)};
}

async function readJson(path) {
  return existsSync(path) ? JSON.parse(await readFile(path, 'utf8')) : undefined;
}

/** A line for each entry, so that a change shows as a small difference. */
function lines(entries) {
  return `[\n${entries.map(entry => JSON.stringify(entry)).join(',\n')}\n]\n`;
}

/** Trains what is not there yet of all seeds; keeps each number as soon as it is known. */
async function train(plan, run, {stepCount, keyOf}) {
  const weightsFile = seed => join(OUT, `${plan.task}-seed-${seed}.json`);
  const plans = [];
  for (let seed = 1; seed <= plan.seeds; ++seed) {
    const float = (await readJson(weightsFile(seed)))?.weights;
    plans.push({...plan, seed, done: run.results.map(keyOf), ...(float && {float})});
  }
  const open = plans.filter(each => stepCount(each) > 0);
  if (open.length === 0) return;
  const bar = await progressBar('{bar} {percentage}% | step {value} of {total} | {eta_formatted} left', 60);
  const listenerOf = ({seed}) => ({
    onSteps: count => bar.increment(count),
    onFloat: (weights, orders) => writeFileSync(weightsFile(seed), JSON.stringify({weights, orders})),
    onResult: result => {
      run.results.push({...result, backend: plan.backend});
      writeFileSync(run.file, lines(run.results));
    },
  });
  const {trainAll} = await import('./trainers.mjs');
  bar.start(
    open.reduce((sum, each) => sum + stepCount(each), 0),
    0,
  );
  try {
    await trainAll(open, plan, listenerOf);
  } finally {
    bar.stop();
  }
}

/** Results that were kept, with those that are new in their place or after them. */
function together(kept, found, {keyOf}) {
  const all = new Map([...kept, ...found].map(result => [keyOf(result), result]));
  return [...all.values()];
}

/** The plot, drawn where there is a document. */
async function plotOf(results, {ROW_TITLES}, {bundleForPage, openPage}) {
  const define = {RESULTS: JSON.stringify(results), TITLES: JSON.stringify(ROW_TITLES)};
  const {page, close} = await openPage(await bundleForPage(join(FOLDER, 'plot.ts'), {define}), 'plot');
  try {
    return await page.evaluate(() => globalThis.plot);
  } finally {
    await close();
  }
}

async function main() {
  const options = readOptions(OPTIONS);
  if (options.help) return console.log(HELP);
  installPackages();
  const pages = await import('../scripts/page.mjs');
  const parts = await pages.importTypeScript(join(FOLDER, 'parts.ts'));
  const plan = planOf(options, parts);
  await mkdir(OUT, {recursive: true});
  const file = join(OUT, `${plan.task}-${plan.backend}.json`);
  const run = {file, results: (!options.fresh && (await readJson(file))) || []};
  if (options.fresh)
    for (const name of await readdir(OUT))
      if (name.startsWith(`${plan.task}-seed-`)) await writeFile(join(OUT, name), '{}');
  await train(plan, run, parts);
  const tfmot = (await readJson(join(RESULTS, `${plan.task}-tfmot.json`))) ?? [];
  const known = options.results
    ? together((await readJson(join(RESULTS, `${plan.task}.json`))) ?? [], run.results, parts)
    : run.results;
  const asked = ({row, width, seed}) =>
    seed <= plan.seeds &&
    (row === 'float' || ((plan.rows.includes(row) || row.startsWith('tfmot')) && plan.widths.includes(width)));
  const shown = [...known, ...tfmot].filter(result => options.results || asked(result));
  console.log(parts.tableOf(shown));
  const svg = await plotOf(shown, parts, pages);
  await Promise.all([
    writeFile(join(OUT, `${plan.task}.md`), parts.markdownOf(shown)),
    writeFile(join(OUT, `${plan.task}.svg`), svg),
  ]);
  if (options.results) await writeResults(plan.task, known, shown, svg, parts);
  console.log(`Written: ${file}, ${plan.task}.md and .svg beside it.`);
}

/** Keeps the numbers, the plot, and the table between its marks in the docs. */
async function writeResults(task, results, shown, svg, {markdownOf}) {
  const docs = join(ROOT, 'docs', 'choosing-bits.md');
  const text = await readFile(docs, 'utf8');
  const [begin, end] = [`<!-- ${task} -->\n`, `<!-- end of ${task} -->`];
  const [from, to] = [text.indexOf(begin), text.indexOf(end)];
  if (from < 0 || to < from)
    throw new Error(`docs/choosing-bits.md has no place for ${task}: ${begin.trim()} … ${end}.`);
  await Promise.all([
    writeFile(join(RESULTS, `${task}.json`), lines(results)),
    writeFile(join(ROOT, 'docs', `accuracy-${task}.svg`), svg),
    writeFile(docs, `${text.slice(0, from + begin.length)}\n${markdownOf(shown)}\n${text.slice(to)}`),
  ]);
}

runCommand(main);
