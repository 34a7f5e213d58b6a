/** Bundles TypeScript with its shaders, serves it as a page on localhost, and opens browsers without a window. */
import {spawnSync} from 'node:child_process';
import {existsSync, readFileSync} from 'node:fs';
import {createServer} from 'node:http';
import {basename, extname, join} from 'node:path';
import {fileURLToPath, pathToFileURL} from 'node:url';
import {build} from 'esbuild';
import {launch} from 'puppeteer-core';
import {chromiumFlags, displayPrefix, findBrowser, firefoxPrefs} from './browsers.mjs';
import {esbuildShaders} from './shader_text.mjs';

const CACHE = fileURLToPath(new URL('../.cache/', import.meta.url));

/** What is served. Browsers run scripts, and compile WebAssembly as it comes, of these types only. */
const TYPES = {
  '.js': 'text/javascript',
  '.mjs': 'text/javascript',
  '.wasm': 'application/wasm',
  '.json': 'application/json',
  '.bin': 'application/octet-stream',
};

const BUNDLE = {
  bundle: true,
  logLevel: 'error',
  loader: {'.gz': 'binary'},
  plugins: [esbuildShaders],
};

/** Bundles a module for a page and returns its text. */
export async function bundleForPage(entry, options = {}) {
  const {outputFiles} = await build({
    ...BUNDLE,
    entryPoints: [entry],
    format: 'esm',
    target: 'es2022',
    write: false,
    ...options,
  });
  return outputFiles[0].text;
}

const inCache = entry => join(CACHE, 'bundles', basename(entry).replace(/\.ts$/, '.cjs'));

/** Bundles a module for Node and returns the path of the file. Packages with binaries stay outside. */
export async function bundleForNode(entry, outfile = inCache(entry)) {
  const external = ['webgpu', 'cli-table3', 'cli-progress'];
  const node = {platform: 'node', format: 'cjs', target: 'node20', mainFields: ['module', 'main']};
  await build({...BUNDLE, ...node, entryPoints: [entry], external, outfile});
  return outfile;
}

/** Imports a TypeScript module into this process. */
export async function importTypeScript(entry) {
  const {default: exports} = await import(pathToFileURL(await bundleForNode(entry)).href);
  return exports;
}

/** A page that does nothing but run its script. */
const BARE = '<!doctype html><meta charset="utf-8"><script type="module" src="/script.js"></script>';

/**
 * Serves a page, which gets `script` as /script.js, and the files of `folders`, by the path that each is to have. Only
 * localhost: browsers give WebGPU to pages of https or of this machine.
 */
export async function servePage(script, {html = BARE, folders = {}} = {}) {
  const answers = {
    '/': ['text/html;charset=utf-8', html],
    '/script.js': ['text/javascript;charset=utf-8', script],
  };
  const server = createServer(({url}, response) => {
    const [path] = url.split('?');
    const [type, content] = answers[path] ?? fileOf(path, folders) ?? [];
    response.writeHead(type ? 200 : 404, {'content-type': type ?? 'text/plain'}).end(content);
  });
  await new Promise(resolve => server.listen(0, '127.0.0.1', resolve));
  return {address: `http://localhost:${server.address().port}/`, stop: () => server.close()};
}

function fileOf(url, folders) {
  const [, folder] = Object.entries(folders).find(([path]) => url.startsWith(path)) ?? [];
  const file = folder && join(folder, basename(url));
  return file && existsSync(file) ? [TYPES[extname(file)], readFileSync(file)] : undefined;
}

/** Firefox rounds its clock to whole milliseconds otherwise. */
const EXACT_CLOCK = {'privacy.reduceTimerPrecision': false};

/** Opens a browser that has WebGL and WebGPU, without a window. Calls in it may take as long as they want. */
export async function openBrowser(name) {
  const {path, env} = await findBrowser(name);
  const common = {executablePath: path, env: {...process.env, ...env}, protocolTimeout: 0};
  return name === 'firefox'
    ? launch({...common, browser: 'firefox', headless: false, extraPrefsFirefox: {...firefoxPrefs(), ...EXACT_CLOCK}})
    : launch({...common, args: chromiumFlags()});
}

/** Opens a page in Chromium, of {@link servePage}, and waits until its script has made the global `ready`. */
export async function openPage(script, ready, folders) {
  const site = await servePage(script, {folders});
  const browser = await openBrowser('chromium');
  const close = async () => {
    await browser.close();
    site.stop();
  };
  try {
    const page = await browser.newPage();
    await page.goto(site.address);
    await page.waitForFunction(`globalThis.${ready} !== undefined`);
    return {page, close};
  } catch (error) {
    await close();
    throw error;
  }
}

/** Firefox needs a display for WebGL: where there is none, runs this program again in a virtual one and ends. */
export function ensureDisplay(name) {
  const [command, ...prefix] = name === 'firefox' ? displayPrefix() : [];
  if (command === undefined) return;
  const {status} = spawnSync(command, [...prefix, process.execPath, ...process.argv.slice(1)], {stdio: 'inherit'});
  process.exit(status ?? 1);
}
