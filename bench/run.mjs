/** `npm run bench`: measures this package against the backends' own ops and against compositions. See --help. */
import {existsSync} from 'node:fs';
import {mkdir, readFile, writeFile} from 'node:fs/promises';
import {cpus, loadavg, totalmem} from 'node:os';
import {dirname, join, resolve} from 'node:path';
import {fileURLToPath} from 'node:url';
import {gzipSync} from 'node:zlib';
import {
  checkAmong,
  installPackages,
  listOf,
  OUT,
  progressBar,
  readOptions,
  runCommand,
  UsageError,
} from '../lab/command.mjs';

const PARTS = fileURLToPath(new URL('parts.ts', import.meta.url));
const PLOT = fileURLToPath(new URL('plot.ts', import.meta.url));
const RESULTS = fileURLToPath(new URL('RESULTS.md', import.meta.url));
const PERFORMANCE = fileURLToPath(new URL('../docs/performance.md', import.meta.url));

const BACKENDS = ['webgpu', 'webgl', 'cpu', 'wasm'];
/** Of a case: what there may be at most, and what it takes at least. */
const ROUNDS = 11;
const LEAST_ROUNDS = 5;

const HELP = `npm run bench -- [options]

Times this package's ops against the backend's own relu (or its gradient, or max) and against the same op composed from
tfjs ops, and what it does with models against the float model: in one run, in turn, on the same tensors. Counts dispatches,
programs and bytes. Prints tables and writes out/bench.json and out/bench.html (plots). webgpu and webgl run in a browser, cpu
and wasm in Node.

  --backend LIST   of webgpu, webgl, cpu, wasm (all)
  --browser NAME   chromium or firefox (chromium)
  --op LIST        rows to measure: their names are in the error of a wrong one (all but those that take long)
  --sizes LIST     elements like 1k, 4M, 4000037, or shapes like 64x1024 (those of each row)
  --quick          few sizes: a look, not a result
  --rounds N       timed rounds of a case at most, 5 or more (11); fewer where they differ little or take long
  --tensorflow     also times TensorFlow: its CPU kernels on one thread, on the same data, and a step of Keras and of tfmot
                   (installs both once)
  --node           runs webgpu in Node, through npm webgpu (Dawn), on a GPU where there is one
  --json FILE      where to write what was measured (out/bench.json)
  --update         keeps what that file holds of other rows and backends, if it is of this machine
  --results        also writes bench/RESULTS.md, and its figures into docs/performance.md
  --help           this text
`;

const QUICK_SIZES = ['1k', '256k', '1M', '64x1024', '1x224x224x3'];

function optionsOf() {
  const text = {type: 'string'};
  const flag = {type: 'boolean', default: false};
  const values = readOptions({
    backend: text,
    browser: {...text, default: 'chromium'},
    op: text,
    sizes: text,
    rounds: {...text, default: String(ROUNDS)},
    json: {...text, default: join(OUT, 'bench.json')},
    quick: flag,
    tensorflow: flag,
    node: flag,
    update: flag,
    results: flag,
    help: flag,
  });
  return {...values, backend: listOf(values.backend), op: listOf(values.op), sizes: listOf(values.sizes)};
}

function checkOptions(options, {ROWS, shapeOf}) {
  checkAmong('backend', options.backend, BACKENDS);
  checkAmong('browser', [options.browser], ['chromium', 'firefox']);
  checkAmong(
    'op',
    options.op,
    ROWS.map(({name}) => name),
  );
  if (!/^\d+$/.test(options.rounds) || Number(options.rounds) < LEAST_ROUNDS) {
    throw new UsageError(`--rounds takes integers from ${LEAST_ROUNDS}, but not '${options.rounds}'.`);
  }
  if (options.node && options.backend?.some(name => name !== 'webgpu')) {
    throw new UsageError('--node is for webgpu; cpu and wasm run in Node anyway.');
  }
  try {
    options.sizes?.forEach(shapeOf);
  } catch (error) {
    throw new UsageError(`--sizes: ${error.message}.`);
  }
}

/** One plan for each row on each backend. */
function plansOf({backend, op, sizes, quick, rounds, node}, {ROWS, casesOf}) {
  const chosen = sizes ?? (quick ? QUICK_SIZES : undefined);
  const rows = ROWS.filter(({name, onRequest}) => op?.includes(name) ?? !onRequest);
  return (node ? ['webgpu'] : (backend ?? BACKENDS)).flatMap(name =>
    rows
      .filter(row => (row.backends?.includes(name) ?? true) && casesOf(row, name, chosen).length > 0)
      .map(({name: row, place}) => ({
        backend: name,
        row,
        place,
        rounds: Number(rounds),
        ...(chosen && {sizes: chosen}),
      })),
  );
}

/** Hosts are opened when first needed. */
function openHosts({browser, node}, {browserHost, nodeHost}) {
  const hosts = new Map();
  const open = key => (key === 'browser' ? browserHost(browser) : nodeHost({usesGpu: node}));
  return {
    async of({backend}) {
      const key = node || backend === 'cpu' || backend === 'wasm' ? 'node' : 'browser';
      if (!hosts.has(key)) hosts.set(key, await open(key));
      return hosts.get(key);
    },
    closeAll: () => Promise.all([...hosts.values()].map(host => host.close())),
  };
}

/** Yields what came of each plan. */
async function* measure(plans, hosts, {tableOf, ROWS}) {
  const bar = await progressBar('{bar} {percentage}% | {what} | {duration_formatted}');
  for (const [at, plan] of plans.entries()) {
    const title = `${plan.backend} ${ROWS.find(({name}) => name === plan.row).title}`;
    bar.start(plans.length, at, {what: title});
    const session = {plan, host: '', load: loadavg()[0]};
    try {
      const host = await hosts.of(plan);
      session.host = host.name;
      session.report = await host.run(plan, (done, of, name) => bar.update(at + done / of, {what: `${title} ${name}`}));
    } catch (error) {
      session.error = error.message;
    }
    bar.stop();
    console.log(tableOf(session));
    yield session;
  }
}

function machine() {
  const [{model}] = cpus();
  const memory = Math.round(totalmem() / 2 ** 30);
  return {cpu: model.trim(), cores: cpus().length, memory, system: `${process.platform} ${process.arch}`};
}

/** What a page pays that loads the ops; undefined if they cannot be built. */
async function entryBytes() {
  try {
    return await builtBytes();
  } catch (error) {
    console.error(`The ops could not be built, so their size is not known: ${error.message}`);
    return undefined;
  }
}

async function builtBytes() {
  const [{default: builds}, {rollup}] = await Promise.all([import('../rollup.config.mjs'), import('rollup')]);
  const outputs = builds.flatMap(build => [build.output].flat().map(output => ({build, output})));
  const {build, output} = outputs.find(each => each.output.file === 'dist/tfjs-quantization.min.js');
  const bundle = await rollup(build);
  const {output: files} = await bundle.generate(output);
  await bundle.close();
  return gzipSync(files[0].code, {level: 9}).length;
}

async function timeTensorFlow({TENSORFLOW_CASES, RANGE, elementsOf, ranges, values}) {
  const {timeKeras, timeTensorFlow: time} = await import('./tensorflow.mjs');
  const cases = TENSORFLOW_CASES.map(({shape, axis}) => {
    const {min, max} = axis === undefined ? RANGE : ranges(shape[axis]);
    return axis === undefined ? {shape, min, max} : {shape, axis, min: [...min], max: [...max]};
  });
  const most = Math.max(...TENSORFLOW_CASES.map(elementsOf));
  const tensorflow = time({cases, x: values(most, 1), dy: values(most, 2)});
  return {tensorflow, keras: timeKeras()};
}

/** A run with nothing measured, or with what an earlier one measured. */
async function beginRun({json, update, rounds}) {
  const run = {date: new Date().toISOString(), machine: machine(), rounds: Number(rounds), sessions: []};
  if (!update || !existsSync(json)) return run;
  const earlier = JSON.parse(await readFile(json, 'utf8'));
  if (JSON.stringify(earlier.machine) !== JSON.stringify(run.machine)) {
    throw new Error(`--update: ${json} is of another machine. Name another file, or leave --update out.`);
  }
  return {...earlier, date: run.date, rounds: run.rounds};
}

/** The run with a session, in place of an earlier one of the same row and backend. */
function withSession(run, session) {
  const keyOf = ({plan: {backend, row}}) => `${backend} ${row}`;
  return {...run, sessions: [...run.sessions.filter(each => keyOf(each) !== keyOf(session)), session]};
}

async function writeJson(run, {json}) {
  await mkdir(dirname(resolve(json)), {recursive: true});
  await writeFile(json, `${JSON.stringify(run, undefined, 1)}\n`);
}

async function writePlots(run, {bundleForPage}) {
  const script = await bundleForPage(PLOT, {minify: true, define: {RUN: JSON.stringify(run)}});
  const style = 'body {max-width: 1140px; margin: 2em auto; font: 15px system-ui}';
  const head = `<!doctype html><meta charset="utf-8"><title>Benchmark</title><style>${style}</style>`;
  const inline = `<script type="module">${script.replaceAll('</script', '<\\/script')}</script>`;
  await mkdir(OUT, {recursive: true});
  await writeFile(join(OUT, 'bench.html'), `${head}<body><h1>Benchmark</h1>${inline}`);
}

/** RESULTS.md, and the tables of docs/performance.md that are made of it. */
async function writeDocuments(run, {resultsText, performanceText}) {
  await writeFile(RESULTS, resultsText(run));
  await writeFile(PERFORMANCE, performanceText(run, await readFile(PERFORMANCE, 'utf8')));
}

function hasFailed({error, report}) {
  return error !== undefined || report.results.some(result => result.error);
}

async function measureAll(options, parts, pages) {
  const hosts = openHosts(options, await import('./hosts.mjs'));
  let run = await beginRun(options);
  try {
    for await (const session of measure(plansOf(options, parts), hosts, parts)) {
      if (hasFailed(session)) process.exitCode = 1;
      run = withSession(run, session);
      await writeJson(run, options);
    }
  } finally {
    await hosts.closeAll();
  }
  if (options.tensorflow) run = {...run, ...(await timeTensorFlow(parts))};
  run = {...run, entryBytes: await entryBytes()};
  console.log(`\n${parts.goalTable(run)}`);
  await Promise.all([writeJson(run, options), writePlots(run, pages)]);
  if (options.results) await writeDocuments(run, parts);
  console.log(
    `Written: ${options.json}, ${join(OUT, 'bench.html')}${options.results ? ', bench/RESULTS.md, docs/performance.md' : ''}.`,
  );
}

async function main() {
  const options = optionsOf();
  if (options.help) return console.log(HELP);
  installPackages();
  const pages = await import('../scripts/page.mjs');
  const parts = await pages.importTypeScript(PARTS);
  checkOptions(options, parts);
  pages.ensureDisplay(options.browser);
  await measureAll(options, parts, pages);
}

runCommand(main);
