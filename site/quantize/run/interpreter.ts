/** LiteRT.js on the page's side: a worker that is there while it is needed, and is ended to stop it. */
import {type Remote, wrap} from 'comlink';
import type {Interpreter} from './contract';

/** The folder of the site that holds LiteRT.js. */
const FOLDER = new URL('litert/', document.baseURI).href;

let worker: Worker | undefined;
let remote: Remote<Interpreter> | undefined;
let onStop = new AbortController();

function started(): Remote<Interpreter> {
  if (remote) return remote;
  worker = new Worker(new URL('./worker.ts', import.meta.url), {name: 'litert'});
  onStop = new AbortController();
  remote = wrap<Interpreter>(worker);
  return remote;
}

/** Ends the worker with all that it holds: what it was asked rejects with an AbortError. */
export function stopInterpreter(): void {
  worker?.terminate();
  worker = remote = undefined;
  onStop.abort();
}

/** Asks the worker for something. What fails ends it, as LiteRT.js leaves behind what it could not open. */
export async function interpret<T>(work: (interpreter: Remote<Interpreter>, folder: string) => Promise<T>): Promise<T> {
  const interpreter = started();
  const {signal} = onStop;
  let stop: (() => void) | undefined;
  const stopped = new Promise<never>((_, reject) => {
    stop = () => reject(signal.reason as DOMException);
    signal.addEventListener('abort', stop);
  });
  try {
    return await Promise.race([work(interpreter, FOLDER), stopped]);
  } catch (error) {
    if (!signal.aborted) stopInterpreter();
    throw error;
  } finally {
    signal.removeEventListener('abort', stop!);
  }
}
