/** The workers of the page. */
import {type Remote, wrap} from 'comlink';
import type {DigitsWorker} from './worker/contract';

export interface RunningWorker {
  readonly digits: Remote<DigitsWorker>;
  /** Rejects if the worker breaks. */
  readonly broken: Promise<never>;
  readonly end: () => void;
}

export function startWorker(): RunningWorker {
  const worker = new Worker(new URL('./worker/worker.ts', import.meta.url), {name: 'digits'});
  const broken = new Promise<never>((_, reject) => {
    worker.addEventListener('error', ({message}) => {
      reject(new Error(`The worker broke: ${message}. Reload the page.`));
    });
  });
  return {digits: wrap<DigitsWorker>(worker), broken, end: () => worker.terminate()};
}

/** The one that reads. Each training has its own, so that reading goes on meanwhile. */
export const reader = startWorker();
