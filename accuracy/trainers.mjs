/** Where networks are trained: in pages of a browser, or in processes of Node. */
import {fork} from 'node:child_process';
import {join} from 'node:path';
import {fileURLToPath} from 'node:url';
import {bundleForNode, bundleForPage, openPage} from '../scripts/page.mjs';

const FOLDER = fileURLToPath(new URL('.', import.meta.url));

/** A trainer: `runSeed(plan)` trains everything of a seed and tells the listener; `close` ends it. */
async function pageTrainer(backend, listener) {
  const {page, close} = await openPage(await bundleForPage(join(FOLDER, 'page.ts')), 'runSeed');
  await page.evaluate(name => globalThis.openBackend(name), backend);
  for (const [name, method] of Object.entries(listener)) await page.exposeFunction(name, method);
  return {runSeed: plan => page.evaluate(given => globalThis.runSeed(given), plan), close};
}

function processTrainer(script, listener) {
  const worker = fork(script, {stdio: ['ignore', 'ignore', 'inherit', 'ipc']});
  const runSeed = plan =>
    new Promise((resolve, reject) => {
      const ended = code => reject(new Error(`A process that trains ended with code ${code}.`));
      worker.once('exit', ended);
      worker.removeAllListeners('message').on('message', ([what, ...told]) => {
        if (what === 'done' || what === 'failed') worker.off('exit', ended);
        if (what === 'done') resolve();
        else if (what === 'failed') reject(new Error(told[0]));
        else listener[what](...told);
      });
      worker.send(plan);
    });
  return {runSeed, close: () => worker.kill()};
}

/** Trains all plans, as many at a time as there are jobs. `listenerOf(plan)` is told how each goes. */
export async function trainAll(plans, {backend, jobs}, listenerOf) {
  const script = backend === 'node' && (await bundleForNode(join(FOLDER, 'worker.ts')));
  const waiting = [...plans];
  const work = async () => {
    let current;
    const listener = Object.fromEntries(
      ['onSteps', 'onFloat', 'onResult'].map(name => [name, (...told) => listenerOf(current)[name](...told)]),
    );
    const {runSeed, close} = script ? processTrainer(script, listener) : await pageTrainer(backend, listener);
    try {
      while ((current = waiting.shift())) await runSeed(current);
    } finally {
      await close();
    }
  };
  const count = script ? Math.min(jobs, plans.length) : 1;
  await Promise.all(Array.from({length: count}, work));
}
