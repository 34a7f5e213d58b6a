/** How the site comes: how much of it, from which folder, under which policy, without a network. */
import {existsSync, readdirSync, readFileSync} from 'node:fs';
import {join} from 'node:path';
import {gzipSync} from 'node:zlib';
import {measured} from './measured';
import {folder} from './setup';
import {BITS, MODEL, SEE} from './steps';
import {POLICY, Visitor} from './visitor';

const MOST_BYTES = 1.2e6;

/** What hosts send of files, who compress them. */
function compressed(paths: readonly string[]): number {
  const sizes = paths.map(path => gzipSync(readFileSync(join(folder, path))).length);
  return sizes.reduce((sum, size) => sum + size, 0);
}

/** All that the browser keeps for later. */
async function precached({page}: Visitor): Promise<string[]> {
  return page.evaluate(async () => {
    const urls: string[] = [];
    for (const name of await caches.keys()) {
      const requests = await (await caches.open(name)).keys();
      urls.push(...requests.map(({url}) => url));
    }
    return urls;
  });
}

/** That part of the site which the page is of is kept. */
const isKept = ({page}: Visitor) =>
  page.waitForFunction(
    async () => {
      const workers = await navigator.serviceWorker.getRegistrations();
      return workers.some(({scope, active}) => scope === location.href && active?.state === 'activated');
    },
    {polling: 100},
  );

export function hosting(): void {
  describe('on any host', () => {
    it('comes fast, and is small', async () => {
      const visitor = await Visitor.come('docs/');
      const pathOf = (url: string) => {
        const path = decodeURI(new URL(url).pathname).replace('/a/b/', '');
        return path === '' || path.endsWith('/') ? `${path}index.html` : path;
      };
      for (const part of ['play/', '']) {
        const requested = new Set<string>();
        visitor.page.on('request', request => requested.add(pathOf(request.url())));
        const start = Date.now();
        await visitor.go(part);
        // Whoever comes can begin.
        await visitor.page.evaluate(() => document.querySelector('main button')!.ariaLabel);
        const milliseconds = Date.now() - start;
        await isKept(visitor);
        // Puppeteer never hears the end of some requests that a new service worker takes over.
        await visitor.page.waitForNetworkIdle({concurrency: 4});
        const kept = [...new Set((await precached(visitor)).map(pathOf))];
        const paths = [...requested].filter(path => existsSync(join(folder, path)));
        const name = part || 'Quantize';
        measured(`${name}: first load, bytes by gzip`, compressed(paths));
        measured(`${name}: first load, files`, paths.length);
        measured(
          `${name}: kept for offline, bytes by gzip`,
          compressed(kept.filter(each => existsSync(join(folder, each)))),
        );
        measured(`${name}: until there is something to press, ms`, milliseconds);
        expect(compressed(paths)).withContext(name).toBeLessThan(MOST_BYTES);
        expect(milliseconds).toBeLessThan(9000);
        visitor.page.removeAllListeners('request');
      }
      await visitor.leave();
    });

    it('sets a strict policy on every page', () => {
      const pages = readdirSync(folder, {recursive: true})
        .map(String)
        .filter(path => path.endsWith('.html'));
      expect(pages.length).toBeGreaterThan(100);
      const sources = (policy: string, directive: string) =>
        new RegExp(`(?:^|; )${directive} ([^;]*)`).exec(policy)?.[1]?.split(' ');
      for (const path of pages) {
        const html = readFileSync(join(folder, path), 'utf8');
        const [, policy = ''] = /http-equiv="Content-Security-Policy" content="([^"]*)"/.exec(html) ?? [];
        if (path === '404.html') continue;
        expect(sources(policy, 'default-src')).withContext(path).toEqual(["'none'"]);
        expect(sources(policy, 'script-src')).withContext(path).toEqual(["'self'", "'wasm-unsafe-eval'"]);
      }
      expect(POLICY).not.toContain("'unsafe-eval'");
    });

    it('is served from the root as well', async () => {
      const visitor = await Visitor.come('', '/');
      await visitor.fill('Computes with', 'cpu');
      await visitor.press('Try it with the digits network');
      await visitor.sees(/360 images/);
      await visitor.page.goto(`${visitor.address}docs/`);
      await visitor.press('Play', 'header');
      await visitor.sees(/Handwritten digits in few bits/);
      expect(visitor.problems).toEqual([]);
      await visitor.leave();
    });

    it('works without a network after the first visit', async () => {
      const visitor = await Visitor.come();
      await isKept(visitor);
      await visitor.fill('Computes with', 'cpu');
      await visitor.press('Try it with the digits network');
      await visitor.press('Quantize', BITS);
      await visitor.sees(/the same class as the float model/, SEE);
      await visitor.press('Run the file');
      await visitor.sees(/The file says the same class/);
      await visitor.go('docs/');
      await isKept(visitor);
      visitor.loseHost();
      await visitor.go('');
      await visitor.sees(/Your last model is still here/, MODEL);
      await visitor.press('Forget this one');
      await visitor.fill('Computes with', 'cpu');
      await visitor.press('Try it with the digits network');
      await visitor.press('Quantize', BITS);
      await visitor.sees(/the same class as the float model/, SEE);
      const {data} = await visitor.download(() => visitor.press('Download .tflite, integers'));
      expect(data.length).toBeGreaterThan(1000);
      await visitor.press('Run the file');
      await visitor.sees(/The file says the same class/);
      await visitor.go('docs/onnx/');
      await visitor.sees(/ONNX/, 'h1');
      await visitor.press('Search /', 'body');
      await visitor.page.waitForSelector('dialog[open]');
      await visitor.page.keyboard.type('arena');
      await visitor.sees(/\d+ found/, 'dialog');
      await visitor.leave();
    });
  });
}
