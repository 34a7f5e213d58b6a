// Runs .tflite files in LiteRT.js, in Chromium, with the requests and answers of serve.py.
import {readFileSync} from 'node:fs';
import {createServer} from 'node:http';
import {basename, join} from 'node:path';
import {createInterface} from 'node:readline';
import {fileURLToPath} from 'node:url';
import {bundleForPage, openBrowser} from '../../scripts/page.mjs';

const WASM = fileURLToPath(new URL('../../node_modules/@litertjs/core/wasm/', import.meta.url));
const PAGE = fileURLToPath(new URL('litert_page.js', import.meta.url));

function answerOf(url, script) {
  if (url === '/') return ['text/html', '<!doctype html><script type="module" src="/page.js"></script>'];
  if (url === '/page.js') return ['text/javascript', script];
  const isWasm = url.endsWith('.wasm');
  if (url.startsWith('/wasm/'))
    return [isWasm ? 'application/wasm' : 'text/javascript', readFileSync(join(WASM, basename(url)))];
  return ['text/plain', ''];
}

async function main() {
  const script = await bundleForPage(PAGE);
  const server = createServer(({url}, response) => {
    const [type, content] = answerOf(url, script);
    response.writeHead(200, {'content-type': type}).end(content);
  });
  await new Promise(resolve => server.listen(0, '127.0.0.1', resolve));
  const browser = await openBrowser('chromium');
  try {
    const page = await browser.newPage();
    await page.goto(`http://localhost:${server.address().port}/`);
    await page.waitForFunction('globalThis.runModel');
    for await (const line of createInterface(process.stdin)) {
      const answer = await page
        .evaluate(request => globalThis.runModel(request), JSON.parse(line))
        .catch(({message}) => ({error: message}));
      process.stdout.write(`${JSON.stringify(answer)}\n`);
    }
  } finally {
    await browser.close();
    server.close();
  }
}

await main();
