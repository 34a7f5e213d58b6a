/** LiteRT.js in Chromium: runs .tflite files. */
import {readFileSync} from 'node:fs';
import {createServer} from 'node:http';
import {basename, join} from 'node:path';
import {fileURLToPath} from 'node:url';
import {bundleForPage, openBrowser} from './page.mjs';

const WASM = fileURLToPath(new URL('../node_modules/@litertjs/core/wasm/', import.meta.url));
const PAGE = fileURLToPath(new URL('litert_page.js', import.meta.url));

function answerOf(url, script) {
  if (url === '/') return ['text/html', '<!doctype html><script type="module" src="/page.js"></script>'];
  if (url === '/page.js') return ['text/javascript', script];
  if (!url.startsWith('/wasm/')) return ['text/plain', ''];
  const type = url.endsWith('.wasm') ? 'application/wasm' : 'text/javascript';
  return [type, readFileSync(join(WASM, basename(url)))];
}

/**
 * Opens a page with LiteRT.js. `run({model, inputs})` takes a file and, for each run, its inputs; it gives
 * `{outputs, types}`, the outputs of each run. All arrays are base64.
 */
export async function openLiteRt() {
  const script = await bundleForPage(PAGE);
  const server = createServer(({url}, response) => {
    const [type, content] = answerOf(url, script);
    response.writeHead(200, {'content-type': type}).end(content);
  });
  await new Promise(resolve => server.listen(0, '127.0.0.1', resolve));
  const browser = await openBrowser('chromium');
  const close = async () => {
    await browser.close();
    server.close();
  };
  try {
    const page = await browser.newPage();
    await page.goto(`http://localhost:${server.address().port}/`);
    await page.waitForFunction('globalThis.runModel');
    return {run: request => page.evaluate(given => globalThis.runModel(given), request), close};
  } catch (error) {
    await close();
    throw error;
  }
}
