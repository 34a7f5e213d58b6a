// Answers each line, a request of browser_page.ts, with what a quantized model predicts on WebGL in Chromium.
import {join} from 'node:path';
import {createInterface} from 'node:readline';
import {fileURLToPath} from 'node:url';
import {bundleForPage, openBrowser, servePage} from '../../scripts/page.mjs';

const PAGE = join(fileURLToPath(new URL('.', import.meta.url)), 'browser_page.ts');

const site = await servePage(await bundleForPage(PAGE));
const browser = await openBrowser('chromium');
const page = await browser.newPage();
await page.goto(site.address);
await page.waitForFunction('globalThis.predict');
for await (const line of createInterface(process.stdin)) {
  const answer = await page
    .evaluate(given => globalThis.predict(given), JSON.parse(line))
    .catch(({message}) => ({error: message}));
  process.stdout.write(`${JSON.stringify(answer)}\n`);
}
await browser.close();
site.stop();
