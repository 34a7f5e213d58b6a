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

let isOpen = false;

/** What holds for all plans that the process is given. */
async function open({backend}: Plan): Promise<void> {
  if (isOpen) return;
  isOpen = true;
  if (backend === 'webgpu') await openDawn();
  setWasmPaths(`${dirname(require.resolve('@tensorflow/tfjs-backend-wasm/package.json'))}/dist/`);
}

process.on('message', (plan: Plan) => {
  const run = async () => {
    await open(plan);
    const {runPlan} = await import('./session');
    tell({report: await runPlan(plan, (...args) => tell({case: args}))});
  };
  void run().catch((error: unknown) => tell({error: error instanceof Error ? error.message : String(error)}));
});
