/** `node site/examples/make_digits.mjs`: trains the digits network that the site ships, and writes it with its samples. */
import {mkdir, writeFile} from 'node:fs/promises';
import {fileURLToPath} from 'node:url';
import {importTypeScript} from '../../scripts/page.mjs';

const FOLDER = fileURLToPath(new URL('../public/examples/digits/', import.meta.url));

const {trainedDigits} = await importTypeScript(fileURLToPath(new URL('digits.ts', import.meta.url)));
const {files, accuracy} = await trainedDigits();
await mkdir(FOLDER, {recursive: true});
for (const [name, bytes] of files) await writeFile(`${FOLDER}${name}`, bytes);
console.log(`${accuracy.toFixed(1)} % of the test images are read right. Written: ${FOLDER}`);
