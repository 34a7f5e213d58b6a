/**
 * `npm test`: sets itself up, then runs the specs in Node and in browsers, on every backend, and tests the build as a
 * package. Imports nothing but Node, as nothing else may be installed yet.
 */
import {execFile, spawn, spawnSync} from 'node:child_process';
import {existsSync, mkdirSync, readFileSync, rmSync} from 'node:fs';
import {fileURLToPath} from 'node:url';
import {parseArgs, promisify} from 'node:util';
import {fetchModels} from '../test/models/fetch.mjs';
import {displayPrefix, findBrowser} from './browsers.mjs';

const ROOT = fileURLToPath(new URL('../', import.meta.url));
const RESULTS = `${ROOT}.cache/test`;

/** A configuration that does not end in this time has hung. */
const PATIENCE_MS = 30 * 60_000;

/** How much of a configuration's failures is shown. */
const DESCRIBED = {specs: 15, lines: 10};

const HELP = `npm test -- [options]
  --only node|package|chromium|firefox|site
                                         where to run; everywhere by default
  --backend NAME                         cpu, webgl2, webgl1, webgpu or wasm, of the site a browser; all by default
  --specs TEXT                           only spec files whose name contains it
  --grep TEXT                            only specs whose full name contains it
  --all                                  also what a software renderer takes longest for: before a release
  --gpu                                  accept what an inexact GPU may answer (test/support/acceptance.ts), not just equal bits
  --help
CHROME_BIN and FIREFOX_BIN name the browsers; without them installed ones are used, or (root, Debian) installed now.`;

/** What runs where, two at a time; the longest first, so that none is left to end alone. In browsers the specs run in parts: see bundle_specs.mjs. */
const CONFIGURATIONS = [
  {place: 'node', backend: 'cpu'},
  {place: 'chromium', backend: 'webgpu', part: 'layers'},
  {place: 'chromium', backend: 'webgl2', part: 'kernels'},
  {place: 'chromium', backend: 'webgl2', part: 'models'},
  {place: 'chromium', backend: 'webgl1', part: 'kernels'},
  {place: 'firefox', backend: 'webgl2', part: 'kernels'},
  {place: 'firefox', backend: 'webgpu', part: 'kernels'},
  {place: 'chromium', backend: 'webgpu', part: 'kernels'},
  {place: 'package', backend: 'cpu'},
  {place: 'site', backend: 'chromium'},
  {place: 'site', backend: 'firefox'},
  {place: 'chromium', backend: 'wasm', part: 'models'},
  {place: 'chromium', backend: 'wasm', part: 'layers'},
  {place: 'chromium', backend: 'wasm', part: 'kernels'},
  {place: 'chromium', backend: 'cpu', part: 'kernels'},
  {place: 'chromium', backend: 'cpu', part: 'files'},
];

/** The other half of layers and models on the two backends of GPUs: with --all, or where few specs are asked for. */
const OTHERS = [
  {place: 'chromium', backend: 'webgl2', part: 'layers'},
  {place: 'chromium', backend: 'webgpu', part: 'models'},
];

const WORKERS = 2;

const options = readOptions();

function readOptions() {
  const options = {
    only: {type: 'string'},
    backend: {type: 'string'},
    specs: {type: 'string', default: ''},
    grep: {type: 'string', default: ''},
    all: {type: 'boolean', default: false},
    gpu: {type: 'boolean', default: false},
    help: {type: 'boolean', default: false},
  };
  try {
    return parseArgs({options}).values;
  } catch (error) {
    console.error(`${error.message}. See --help.`);
    process.exit(1);
  }
}

function setUp() {
  if (existsSync(`${ROOT}node_modules/karma`)) return;
  console.log('Installing dependencies (npm ci) ...');
  const {status} = spawnSync('npm', ['ci', '--no-audit', '--no-fund'], {cwd: ROOT, stdio: 'inherit', shell: true});
  if (status !== 0) throw new Error('npm ci failed.');
}

/** What test/import/published.spec.ts reads; it says what it leaves out if this fails. */
function fetchPublished() {
  if (!'import/published.spec.ts'.includes(options.specs) || options.only === 'package') return;
  try {
    fetchModels();
  } catch (error) {
    console.log(`Published models could not be fetched: ${error.message}`);
  }
}

let site;

/** Makes the site, once for all that drive it. */
function makeSite() {
  return (site ??= promisify(execFile)(process.execPath, ['site/build.mjs'], {cwd: ROOT}));
}

/** What a configuration runs: a program of Node, which leaves its results in a file. */
function commandOf({place, backend, part}) {
  const only = ['specs', 'grep'].flatMap(name => (options[name] ? [`--${name}`, options[name]] : []));
  if (place === 'node') return ['node', 'scripts/test_node.mjs', ...only];
  if (place === 'package') return ['node', 'scripts/test_package.mjs', ...only];
  if (place === 'site') return ['node', 'test/site/run.mjs', '--built', '--browser', backend, ...only];
  const browser = place === 'chromium' ? 'TestChromium' : 'TestFirefox';
  const display = place === 'firefox' ? displayPrefix() : [];
  // One of the two has the shaders as users get them, the other as they are written.
  const minified = place === 'firefox' ? ['--minified'] : [];
  const gpu = options.gpu ? ['--gpu'] : [];
  const karma = ['node_modules/karma/bin/karma', 'start', 'karma.conf.js', '--browsers', browser];
  return [...display, 'node', ...karma, '--backend', backend, '--part', part, ...minified, ...only, ...gpu];
}

async function runConfiguration(configuration) {
  const words = Object.values(configuration);
  const name = words.join(' ');
  const file = `${RESULTS}/${words.join('-')}.json`;
  rmSync(file, {force: true});
  const started = Date.now();
  const output = await outputOf(configuration, file);
  const {complete, specs} = existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : {complete: false, specs: []};
  if (!complete || (specs.length === 0 && !narrows)) {
    specs.push({name: 'the run did not complete', success: false, log: [output.slice(-3000)]});
  }
  const summary = summarize(name, specs, Math.round((Date.now() - started) / 1000));
  report(summary);
  return summary;
}

async function outputOf(configuration, file) {
  if (configuration.place === 'site') {
    try {
      await makeSite();
    } catch (error) {
      return `The site was not made: ${error.stdout}${error.stderr}`;
    }
  }
  const [program, ...args] = commandOf(configuration);
  return new Promise(resolve => {
    const env = {...process.env, RESULTS: file};
    const child = spawn(program === 'node' ? process.execPath : program, args, {cwd: ROOT, env, timeout: PATIENCE_MS});
    let output = '';
    const note = chunk => (output += chunk);
    child.stdout.on('data', note);
    child.stderr.on('data', note);
    child.on('error', error => resolve(`${output}${error}`));
    child.on('close', () => resolve(output));
  });
}

/** A spec counts for as many cases as it says, else for one. */
function summarize(name, specs, seconds) {
  const summary = {name, seconds, specs: specs.length, passed: 0, failed: 0, skipped: 0, notes: []};
  for (const {name: spec, success, skipped, log = [], cases = 1, mismatches = 1} of specs) {
    const failed = success ? 0 : Math.max(1, mismatches);
    if (skipped) {
      summary.skipped++;
      summary.notes.push(`  skipped: ${spec}: ${typeof skipped === 'string' ? skipped : 'no reason given'}`);
      continue;
    }
    summary.passed += Math.max(0, cases - failed);
    summary.failed += failed;
    if (!success) summary.notes.push(describeFailure(spec, log));
  }
  return summary;
}

/** The beginning of what a spec says; all of it is in the results' file. */
function describeFailure(spec, log) {
  const lines = log.join('\n').split('\n');
  const shown = lines.slice(0, DESCRIBED.lines).map(line => `\n    ${line.slice(0, 600)}`);
  return `  FAILED: ${spec}${shown.join('')}`;
}

function report({name, seconds, specs, passed, failed, skipped, notes}) {
  const counts = `${passed + failed} cases in ${specs} specs, ${failed} mismatches${skipped ? `, ${skipped} skipped` : ''}`;
  const more = notes.length > DESCRIBED.specs ? [`  and ${notes.length - DESCRIBED.specs} more, in .cache/test`] : [];
  const lines = [`${name.padEnd(24)} ${counts} (${seconds} s)`, ...notes.slice(0, DESCRIBED.specs), ...more];
  console.log(lines.join('\n'));
}

/** Whether it is natural that a configuration has nothing to run. */
const narrows = options.specs !== '' || options.grep !== '';

function isAsked({place, backend}) {
  // What is asked of files is asked of those that the others run.
  if (place === 'site' && options.specs !== '') return false;
  return (options.only ?? place) === place && (options.backend ?? backend) === backend;
}

/** Takes one configuration after the other, as long as there are any. */
async function work(queue, summaries) {
  for (let next = queue.shift(); next; next = queue.shift()) summaries.push(await runConfiguration(next));
}

async function main() {
  if (options.help) return console.log(HELP);
  for (const [option, key] of [
    ['only', 'place'],
    ['backend', 'backend'],
  ]) {
    const known = [...new Set(CONFIGURATIONS.map(each => each[key]))];
    if (options[option] && !known.includes(options[option]))
      throw new Error(`--${option} ${options[option]} is none of: ${known.join(', ')}`);
  }
  const queue = [...CONFIGURATIONS, ...(options.all || narrows ? OTHERS : [])].filter(isAsked);
  if (queue.length === 0) throw new Error(`No configuration is ${options.only} with ${options.backend}.`);
  setUp();
  fetchPublished();
  mkdirSync(RESULTS, {recursive: true});
  for (const browser of ['chromium', 'firefox']) {
    if (queue.some(({place, backend}) => place === browser || backend === browser))
      console.log(`${browser}: ${(await findBrowser(browser)).path}`);
  }
  const summaries = [];
  await Promise.all(Array.from({length: WORKERS}, () => work(queue, summaries)));
  if (summaries.every(({specs}) => specs === 0)) throw new Error('No spec fits these options.');
  const total = key => summaries.reduce((sum, summary) => sum + summary[key], 0);
  const skipped = total('skipped');
  console.log(`${total('passed')} passed, ${total('failed')} failed${skipped ? `, ${skipped} skipped` : ''}`);
  if (total('failed') > 0) process.exitCode = 1;
}

try {
  await main();
} catch (error) {
  console.error(error.message);
  process.exitCode = 1;
}
