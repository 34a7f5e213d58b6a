/** onnxruntime-web in Chromium: runs ONNX files. */
import {fileURLToPath} from 'node:url';
import {bundleForPage, openPage} from './page.mjs';

const WASM = fileURLToPath(new URL('../node_modules/onnxruntime-web/dist/', import.meta.url));
const PAGE = fileURLToPath(new URL('ort_page.js', import.meta.url));

/**
 * Opens a page with onnxruntime-web. `run({model, inputs})` takes a file and its inputs, each with its shape and values,
 * which are floats whatever the file takes; it gives `{outputs}`, each with its name, type, shape and values. All arrays are base64.
 */
export async function openOrt() {
  const {page, close} = await openPage(await bundleForPage(PAGE), 'runModel', {'/wasm/': WASM});
  return {run: request => page.evaluate(given => globalThis.runModel(given), request), close};
}
