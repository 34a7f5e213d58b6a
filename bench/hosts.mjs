/** Where plans run: a page of a browser, or a process of Node. A fresh one for each plan, so that none inherits memory. */
import {fork} from 'node:child_process';
import {existsSync, realpathSync} from 'node:fs';
import {dirname, join} from 'node:path';
import {fileURLToPath} from 'node:url';
import {drawsInSoftware, findBrowser} from '../scripts/browsers.mjs';
import {bundleForNode, bundleForPage, openBrowser, servePage} from '../scripts/page.mjs';

const PAGE = fileURLToPath(new URL('page.ts', import.meta.url));
const NODE = fileURLToPath(new URL('node.ts', import.meta.url));

/** Names SwiftShader to a Vulkan loader. */
const ICD = 'vk_swiftshader_icd.json';

/** Runs plans in a browser. */
export async function browserHost(name) {
  const site = await servePage(await bundleForPage(PAGE));
  const browser = await openBrowser(name);
  return {
    name: await browser.version(),
    async run(plan, onCase) {
      const page = await browser.newPage();
      try {
        await page.goto(site.address);
        await page.exposeFunction('onCase', onCase);
        await page.waitForFunction(() => globalThis.bench !== undefined);
        return await page.evaluate(given => globalThis.bench(given), plan);
      } finally {
        await page.close();
      }
    },
    async close() {
      await browser.close();
      site.stop();
    },
  };
}

/** Runs plans in Node; with `usesGpu` through Dawn. */
export async function nodeHost({usesGpu = false} = {}) {
  const script = await bundleForNode(NODE);
  const vulkan = usesGpu ? await vulkanEnvironment() : {};
  return {
    name: `Node ${process.versions.node}`,
    run(plan, onCase) {
      return new Promise((resolve, reject) => {
        const child = fork(script, {env: {...process.env, ...vulkan}});
        child.on('message', ({case: current, report, error}) => {
          if (current) onCase(...current);
          else if (report) resolve(report);
          else reject(new Error(error));
        });
        child.on('exit', code => reject(new Error(`the process ended with ${code} before it was done`)));
        child.send(plan);
      });
    },
    close: () => Promise.resolve(),
  };
}

/** Where there is no GPU, Dawn takes the renderer that Chromium brings. */
async function vulkanEnvironment() {
  if (!drawsInSoftware()) return {};
  const {path} = await findBrowser('chromium');
  const folder = [dirname(realpathSync(path)), '/usr/lib/chromium'].find(each => existsSync(join(each, ICD)));
  return folder ? {LD_LIBRARY_PATH: folder, VK_DRIVER_FILES: join(folder, ICD)} : {};
}
