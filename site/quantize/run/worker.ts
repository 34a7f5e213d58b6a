/** Runs .tflite files in LiteRT.js, which loads its runtime as a script: that takes a worker that is none of modules. */
import {type CompiledModel, loadAndCompile, loadLiteRt, Tensor, type TensorDetails} from '@litertjs/core';
import {expose} from 'comlink';
import type {OnProgress} from '../worker/contract';
import type {FileRun, Interpreter} from './contract';

let loaded: Promise<unknown> | undefined;
let model: CompiledModel | undefined;
let inputShape: readonly number[] = [];
/** What the runtime said last of what it cannot do: its errors have a number alone. */
let said: string[] = [];

const {error: printError} = console;
console.error = (...words: unknown[]) => {
  said.push(words.join(' '));
  printError(...words);
};

/** Tells how much of a download is there. LiteRT.js, which fetches it, does not. */
function counted(response: Response, onProgress: OnProgress): Response {
  const {body, headers} = response;
  if (!body) return response;
  // Of what is sent compressed the length is not that of what arrives.
  const length = headers.has('content-encoding') ? 0 : Number(headers.get('content-length'));
  let done = 0;
  const counter = new TransformStream<Uint8Array<ArrayBuffer>, Uint8Array<ArrayBuffer>>({
    transform: (chunk, controller) => {
      done += chunk.byteLength;
      onProgress({doing: 'Loading LiteRT.js', done, total: length || undefined});
      controller.enqueue(chunk);
    },
  });
  return new Response(body.pipeThrough(counter), response);
}

async function load(folder: string, onProgress: OnProgress): Promise<void> {
  const fetch = self.fetch.bind(self);
  self.fetch = async (...request) => counted(await fetch(...request), onProgress);
  try {
    await loadLiteRt(folder);
  } catch (error) {
    const {message} = error as Error;
    throw new Error(`LiteRT.js could not be loaded from ${folder}: ${message}. It takes a network the first time.`, {
      cause: error,
    });
  } finally {
    self.fetch = fetch;
  }
}

/** What the runtime said, in words for a visitor. */
function explained(doing: string, error: unknown): Error {
  const reasons = said.map(each => each.replace(/^\W*(ERROR|E\d+)[:\s]*/i, '').trim()).filter(Boolean);
  said = [];
  const reason = [...new Set(reasons)].slice(-3).join(' ') || (error as Error).message;
  return new Error(`LiteRT.js cannot ${doing}: ${reason}`);
}

function only(details: readonly TensorDetails[], what: string): TensorDetails {
  const [first] = details;
  if (!first || details.length > 1)
    throw new Error(`This page runs files of one ${what}, and this one has ${details.length}. Download it instead.`);
  if (first.dtype !== 'float32')
    throw new Error(`This page runs files with float ${what}s, and this one's is ${first.dtype}. Download it instead.`);
  return first;
}

expose({
  async load(folder, onProgress) {
    await (loaded ??= load(folder, onProgress));
  },
  async open(file) {
    model?.delete();
    model = undefined;
    const bytes = new Uint8Array(await file.arrayBuffer());
    said = [];
    try {
      model = await loadAndCompile(bytes, {accelerator: 'wasm'});
    } catch (error) {
      throw explained('open this file', error);
    }
    only(model.getOutputDetails(), 'output');
    inputShape = Array.from(only(model.getInputDetails(), 'input').shape);
  },
  async run(inputs, count, onProgress): Promise<FileRun> {
    const size = inputs.length / count;
    const outputs: Float32Array[] = [];
    let [milliseconds, shown] = [0, 0];
    for (let i = 0; i < count; ++i) {
      const input = new Tensor(inputs.subarray(i * size, (i + 1) * size), inputShape.slice());
      try {
        const start = performance.now();
        const [output] = await model!.run([input]);
        if (i > 0 || count === 1) milliseconds += performance.now() - start;
        outputs.push(Float32Array.from(output!.toTypedArray()));
        output!.delete();
      } catch (error) {
        throw explained('run this file', error);
      } finally {
        input.delete();
      }
      if (performance.now() - shown < 50) continue;
      shown = performance.now();
      onProgress({doing: 'Running the file in LiteRT.js', done: i + 1, total: count});
    }
    const all = new Float32Array(outputs.length * (outputs[0]?.length ?? 0));
    outputs.forEach((each, i) => all.set(each, i * each.length));
    return {outputs: all, millisecondsPerSample: milliseconds / Math.max(1, count - 1)};
  },
} satisfies Interpreter);
