/** Runs .tflite files in LiteRT.js, which loads its runtime as a script: that takes a worker that is none of modules. */
import {type CompiledModel, loadAndCompile, loadLiteRt, Tensor, type TensorDetails} from '@litertjs/core';
import {expose} from 'comlink';
import type {OnProgress} from '../worker/contract';
import type {FileRun, Interpreter} from './contract';

/** Progress is told as often, in milliseconds. */
const OFTEN = 50;

let loaded: Promise<unknown> | undefined;
let model: CompiledModel | undefined;
let inputShape: readonly number[] = [];
/** What the runtime said of what it cannot do: what it throws is a number and a place in its source. */
let complaints: string[] = [];

/** It tells all that it does as errors. */
console.error = (...words: unknown[]) => {
  const [, complaint] = /^ERROR:\s*(?:\[[^\]]*\])?\s*(.*)/s.exec(words.join(' ')) ?? [];
  if (complaint) complaints.push(complaint);
};

/** Tells how much of a download is there. LiteRT.js, which fetches it, does not. */
function counted(response: Response, onProgress: OnProgress): Response {
  const {body, headers} = response;
  if (!body) return response;
  // Of what is sent compressed the length is not that of what arrives.
  const length = headers.has('content-encoding') ? 0 : Number(headers.get('content-length'));
  let [done, shown] = [0, 0];
  const counter = new TransformStream<Uint8Array<ArrayBuffer>, Uint8Array<ArrayBuffer>>({
    transform: (chunk, controller) => {
      done += chunk.byteLength;
      controller.enqueue(chunk);
      if (performance.now() - shown < OFTEN) return;
      shown = performance.now();
      onProgress({doing: 'Loading LiteRT.js', done, total: length || undefined});
    },
  });
  return new Response(body.pipeThrough(counter), response);
}

async function load(folder: string, onProgress: OnProgress): Promise<void> {
  const fetch = self.fetch.bind(self);
  self.fetch = async (...request) => counted(await fetch(...request), onProgress);
  // Its script looks for the rest beside that of the worker otherwise.
  Object.assign(self, {Module: {locateFile: (name: string) => `${folder}${name}`}});
  try {
    await loadLiteRt(folder);
  } catch (error) {
    throw new Error(`LiteRT.js did not load: ${inWords(error)} Check the network, and try again.`, {cause: error});
  } finally {
    self.fetch = fetch;
  }
}

/** What C++ throws need not be an error. */
function inWords(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  return text.endsWith('.') ? text : `${text}.`;
}

const REASONS: readonly (readonly [RegExp, string])[] = [
  [
    /variable tensors/i,
    'it has none of the variable tensors in which an LSTM keeps its state. The file runs in LiteRT and TensorFlow Lite, outside of browsers.',
  ],
];

function refusal(doing: string, error: unknown): Error {
  const said = [...new Set(complaints)].join(' ') || inWords(error);
  complaints = [];
  const [, reason = said] = REASONS.find(([pattern]) => pattern.test(said)) ?? [];
  return new Error(`LiteRT.js cannot ${doing}: ${reason}`, {cause: error});
}

/** The only one of the file's inputs, or of its outputs, which this page takes if it is numbers of a known shape. */
function only(details: readonly TensorDetails[], what: 'input' | 'output'): TensorDetails {
  const [first] = details;
  const problem =
    !first || details.length > 1
      ? `has ${details.length} ${what}s, and this page runs files of one`
      : first.dtype !== 'float32'
        ? `has an ${what} of ${first.dtype}, and this page runs files with float ones`
        : first.shape.some(size => size < 0)
          ? `leaves a size of its ${what} open, and LiteRT.js runs files with known ones`
          : undefined;
  if (problem) throw new Error(`The file ${problem}. Download it, and run it in LiteRT.`);
  return first!;
}

expose({
  async load(folder, onProgress) {
    await (loaded ??= load(folder, onProgress));
  },
  async open(file) {
    model?.delete();
    model = undefined;
    const bytes = new Uint8Array(await file.arrayBuffer());
    complaints = [];
    try {
      model = await loadAndCompile(bytes, {accelerator: 'wasm'});
    } catch (error) {
      throw refusal('open this file', error);
    }
    only(model.getOutputDetails(), 'output');
    inputShape = Array.from(only(model.getInputDetails(), 'input').shape);
  },
  async run(inputs, count, onProgress): Promise<FileRun> {
    const size = inputs.length / count;
    const outputs: Float32Array[] = [];
    // The first run sets out memory: it counts only if it is the only one.
    let [started, shown] = [performance.now(), 0];
    for (let i = 0; i < count; ++i) {
      const input = new Tensor(inputs.subarray(i * size, (i + 1) * size), inputShape.slice());
      try {
        const [output] = await model!.run([input]);
        outputs.push(Float32Array.from(output!.toTypedArray()));
        output!.delete();
      } catch (error) {
        throw refusal('run this file', error);
      } finally {
        input.delete();
      }
      if (i === 0 && count > 1) started = performance.now();
      if (performance.now() - shown < OFTEN) continue;
      shown = performance.now();
      onProgress?.({doing: 'Running the file in LiteRT.js', done: i + 1, total: count});
    }
    const milliseconds = performance.now() - started;
    const all = new Float32Array(outputs.length * (outputs[0]?.length ?? 0));
    outputs.forEach((each, i) => all.set(each, i * each.length));
    return {outputs: all, millisecondsPerSample: milliseconds / Math.max(1, count - 1)};
  },
} satisfies Interpreter);
