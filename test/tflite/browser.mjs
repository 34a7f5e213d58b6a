// Answers each line, a request of browser_page.ts, with what a quantized model predicts on WebGL in Chromium.
import {join} from 'node:path';
import {createInterface} from 'node:readline';
import {fileURLToPath} from 'node:url';
import {bundleForPage, openPage} from '../../scripts/page.mjs';

const PAGE = join(fileURLToPath(new URL('.', import.meta.url)), 'browser_page.ts');

const {page, close} = await openPage(await bundleForPage(PAGE), 'predict');
for await (const line of createInterface(process.stdin)) {
  const answer = await page
    .evaluate(given => globalThis.predict(given), JSON.parse(line))
    .catch(({message}) => ({error: message}));
  process.stdout.write(`${JSON.stringify(answer)}\n`);
}
await close();
