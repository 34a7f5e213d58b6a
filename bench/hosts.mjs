/**
 * Where plans run: a page of a browser, or a process of Node. A fresh one for each plan, so that none inherits memory, unless it
 * shares a place with the one before.
 */
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

/** Runs plans one after the other, each where `open` says. */
function inPlaces(open) {
  let last;
  const leave = async () => {
    await last?.close();
    last = undefined;
  };
  const run = async (plan, onCase) => {
    const key = plan.place && `${plan.backend} ${plan.place}`;
    if (!key || last?.key !== key) {
      await leave();
      last = {key, ...(await open())};
    }
    try {
      return await last.run(plan, onCase);
    } catch (error) {
      await leave();
      throw error;
    }
  };
  return {run, leave};
}

/** Runs plans in a browser. */
export async function browserHost(name) {
  const site = await servePage(await bundleForPage(PAGE));
  const browser = await openBrowser(name);
  const {run, leave} = inPlaces(async () => {
    const page = await browser.newPage();
    let tell;
    await page.goto(site.address);
    await page.exposeFunction('onCase', (...args) => tell(...args));
    await page.waitForFunction(() => globalThis.bench !== undefined);
    return {
      run(plan, onCase) {
        tell = onCase;
        return page.evaluate(given => globalThis.bench(given), plan);
      },
      close: () => page.close(),
    };
  });
  return {
    name: await browser.version(),
    run,
    async close() {
      await leave();
      await browser.close();
      site.stop();
    },
  };
}

/** Runs plans in Node; with `usesGpu` through Dawn. */
export async function nodeHost({usesGpu = false} = {}) {
  const script = await bundleForNode(NODE);
  const vulkan = usesGpu ? await vulkanEnvironment() : {};
  const {run, leave} = inPlaces(() => {
    const child = fork(script, {env: {...process.env, ...vulkan}});
    return {
      run: (plan, onCase) =>
        new Promise((resolve, reject) => {
          child.removeAllListeners();
          child.on('message', ({case: current, report, error}) => {
            if (current) onCase(...current);
            else if (report) resolve(report);
            else reject(new Error(error));
          });
          child.on('exit', code => reject(new Error(`the process ended with ${code} before it was done`)));
          child.send(plan);
        }),
      close: () => child.kill(),
    };
  });
  return {name: `Node ${process.versions.node}`, run, close: leave};
}

/** Where there is no GPU, Dawn takes the renderer that Chromium brings. */
async function vulkanEnvironment() {
  if (!drawsInSoftware()) return {};
  const {path} = await findBrowser('chromium');
  const folder = [dirname(realpathSync(path)), '/usr/lib/chromium'].find(each => existsSync(join(each, ICD)));
  return folder ? {LD_LIBRARY_PATH: folder, VK_DRIVER_FILES: join(folder, ICD)} : {};
}
