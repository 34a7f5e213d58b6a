/** LiteRT.js in Chromium: runs .tflite files. */
import {fileURLToPath} from 'node:url';
import {bundleForPage, openPage} from './page.mjs';

const WASM = fileURLToPath(new URL('../node_modules/@litertjs/core/wasm/', import.meta.url));
const PAGE = fileURLToPath(new URL('litert_page.js', import.meta.url));

/**
 * Opens a page with LiteRT.js. `run({model, inputs})` takes a file and, for each run, its inputs; it gives
 * `{outputs, types}`, the outputs of each run. All arrays are base64.
 */
export async function openLiteRt() {
  const {page, close} = await openPage(await bundleForPage(PAGE), 'runModel', {'/wasm/': WASM});
  return {run: request => page.evaluate(given => globalThis.runModel(given), request), close};
}
