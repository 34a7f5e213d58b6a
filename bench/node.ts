/** The benchmark in a process of Node: cpu and wasm, and WebGPU through Dawn. Told what to do by its parent. */
import {dirname} from 'node:path';
import {setWasmPaths} from '@tensorflow/tfjs-backend-wasm';
import type {Plan} from './measure';
import type {Report} from './session';

export type Message =
  {readonly case: readonly [number, number, string]} | {readonly report: Report} | {readonly error: string};

function tell(message: Message): void {
  process.send?.(message);
}

/** Node has WebGPU through Dawn, which must be there before tfjs's backend looks. */
async function openDawn(): Promise<void> {
  const {create, globals} = await import('webgpu');
  Object.assign(globalThis, globals);
  Object.defineProperty(globalThis, 'navigator', {value: {gpu: create([])}, configurable: true});
}

process.once('message', (plan: Plan) => {
  const run = async () => {
    if (plan.backend === 'webgpu') await openDawn();
    setWasmPaths(`${dirname(require.resolve('@tensorflow/tfjs-backend-wasm/package.json'))}/dist/`);
    const {runPlan} = await import('./session');
    tell({report: await runPlan(plan, (...args) => tell({case: args}))});
  };
  void run()
    .catch((error: unknown) => tell({error: error instanceof Error ? error.message : String(error)}))
    // Dawn keeps the process alive.
    .finally(() => process.disconnect())
    .finally(() => process.exit());
});
