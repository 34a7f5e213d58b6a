/** What documents show for pages, in Chromium. */
import {existsSync, readFileSync} from 'node:fs';
import {extname, join} from 'node:path';
import {fileURLToPath} from 'node:url';
import {build} from 'esbuild';
import {npmPackage} from '../../lab/packages.mjs';
import {openBrowser} from '../../scripts/page.mjs';
import {esbuildShaders} from '../../scripts/shader_text.mjs';
import configurations from '../../rollup.config.mjs';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const MODULES = join(ROOT, 'node_modules');

const read = path => JSON.parse(readFileSync(path, 'utf8'));

/** What documents have the reader install beside this package and tfjs. */
const OTHERS = read(fileURLToPath(new URL('packages.json', import.meta.url)));

/** What documents say lies beside a page. */
const BESIDE = {'wasm/': '@litertjs/core/wasm/', 'ort/': 'onnxruntime-web/dist/'};

/** Chromium has no https here, and gives what pages on localhost may use. */
const HOME = 'http://localhost/';

const CDN = /^https:\/\/cdn\.jsdelivr\.net\/npm\/((?:@[^/]+\/)?[^/@]+)(?:@([^/]+))?(?:\/(.+))?$/;

const TYPES = {
  '.js': 'text/javascript',
  '.mjs': 'text/javascript',
  '.wasm': 'application/wasm',
  '.json': 'application/json',
};

/** Has modules take tfjs from the global `tf`. */
const globalTfjs = {
  name: 'global-tfjs',
  setup({onLoad, onResolve}) {
    onResolve({filter: /^@tensorflow\//}, ({path}) => ({path, namespace: 'tf'}));
    onLoad({filter: /./, namespace: 'tf'}, () => ({contents: 'module.exports = globalThis.tf;'}));
  },
};

/** A script of the package: of what rollup makes one for npm, by a bundler that takes a tenth of the time. */
async function builtScript(file) {
  const readable = file.replace('.min.js', '.js');
  const {input} = configurations.find(({output}) => output.some?.(each => each.file === readable)) ?? {};
  if (!input) return undefined;
  const options = {plugins: [esbuildShaders, globalTfjs], format: 'iife', globalName: 'made', target: 'es2022'};
  const footer = {js: 'Object.assign(tf, made);'};
  const {outputFiles} = await build({entryPoints: [join(ROOT, input)], bundle: true, write: false, footer, ...options});
  return Buffer.from(outputFiles[0].contents);
}

const contentOf = path => (existsSync(path) ? readFileSync(path) : undefined);

/** The folder of a package, if it is of the version that is asked for: of those that are installed, or that documents have installed. */
function folderOf(name, version = '') {
  const folder = join(MODULES, name);
  const isInstalled = existsSync(folder);
  const known = isInstalled ? read(join(folder, 'package.json')).version : OTHERS[name];
  if (!known || !`${known}.`.startsWith(version && `${version}.`)) return undefined;
  return isInstalled ? folder : npmPackage(`${name}@${known}`);
}

/** What a CDN of npm's packages answers. */
function fromCdn(name, version, file) {
  if (name === 'tfjs-quantization') return builtScript(file);
  const folder = folderOf(name, version);
  if (folder === undefined) return undefined;
  const {jsdelivr, unpkg, main} = read(join(folder, 'package.json'));
  return contentOf(join(folder, file ?? jsdelivr ?? unpkg ?? main));
}

/** What a URL has: the page itself, what lies beside it, what npm's packages hold. */
function answerTo(url, own, folder) {
  const [, name, version, file] = CDN.exec(url) ?? [];
  if (name) return fromCdn(name, version, file);
  const path = url.startsWith(HOME) && url.slice(HOME.length);
  if (own[path] !== undefined) return Buffer.from(own[path]);
  const [beside, where] = Object.entries(BESIDE).find(([prefix]) => path.startsWith?.(prefix)) ?? [];
  return contentOf(beside ? join(MODULES, where, path.slice(beside.length)) : join(folder, path || '-'));
}

/** In a page: has tfjs compute on the cpu. So small networks have trained before programs are compiled for a GPU that is none. */
function withoutWebGL() {
  for (const {prototype} of [globalThis.HTMLCanvasElement, globalThis.OffscreenCanvas]) {
    const {getContext} = prototype;
    prototype.getContext = function (kind, ...rest) {
      return kind.includes('webgl') ? null : getContext.call(this, kind, ...rest);
    };
  }
}

/** How long a page may take to show what it is to show. */
const PATIENCE_MS = 120_000;

/**
 * Opens Chromium. `show(html, ends)` gives the text that a page shows once `ends` takes it; `run(script)` what a module has the
 * console print. `folder` lies beside them. What goes wrong in a page is thrown.
 */
export async function openPages(folder) {
  const browser = await openBrowser('chromium');

  async function inPage(own, use) {
    const page = await browser.newPage();
    const printed = [];
    const wrong = [];
    page.on('pageerror', error => wrong.push(String(error)));
    page.on('console', message => {
      // LiteRT tells more than it is asked.
      if (message.type() === 'log' && !message.text().startsWith('INFO: ')) printed.push(message.text());
    });
    await page.evaluateOnNewDocument(withoutWebGL);
    await page.setRequestInterception(true);
    page.on('request', async request => {
      const url = request.url();
      const body = url.endsWith('/favicon.ico') ? Buffer.of() : await answerTo(url.split('?')[0], own, folder);
      if (body === undefined) wrong.push(`there is no ${url}`);
      const path = new URL(url).pathname;
      const contentType =
        path === '/' ? 'text/html;charset=utf-8' : (TYPES[extname(path)] ?? 'application/octet-stream');
      const headers = {'access-control-allow-origin': '*'};
      await request.respond(body === undefined ? {status: 404} : {status: 200, contentType, headers, body});
    });
    try {
      const result = await use(page, printed, wrong);
      if (wrong.length > 0) throw new Error(wrong.join('\n'));
      return result;
    } finally {
      await page.close();
    }
  }

  return {
    show: (html, ends) =>
      inPage({'': html}, async (page, _, wrong) => {
        await page.goto(HOME, {timeout: PATIENCE_MS});
        for (const end = Date.now() + PATIENCE_MS; wrong.length === 0;) {
          const text = await page.evaluate('document.body?.innerText ?? ""');
          if (ends(text)) return text;
          if (Date.now() > end) throw new Error(`a page still shows: ${text}`);
          await new Promise(resolve => setTimeout(resolve, 50));
        }
        return '';
      }),
    run: script =>
      inPage({'': '<!doctype html>', 'script.js': script}, async (page, printed) => {
        await page.goto(HOME);
        await page.evaluate("import('/script.js').then(() => undefined)");
        return printed.map(line => `${line}\n`).join('');
      }),
    close: () => browser.close(),
  };
}
