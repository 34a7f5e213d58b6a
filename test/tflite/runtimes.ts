/**
 * Google's runtimes, in processes that run as long as the specs do: serve.py and litert.mjs; and the models that they are
 * held to, in a browser: browser.mjs. In Node only.
 */
import type * as tf from '@tensorflow/tfjs-core';
import type {LayersModel} from '@tensorflow/tfjs-layers';
import {artifactsOf} from '../support/saved';
import {type Answer, base64, Server} from '../support/server';

/**
 * The TensorFlow Lite interpreter with reference kernels, with its optimized ones, with XNNPACK, the one for
 * microcontrollers, and LiteRT.js in Chromium.
 */
export type Runtime = 'reference' | 'builtin' | 'xnnpack' | 'micro' | 'litert.js';

export interface SchemaTensor {
  readonly name: string;
  readonly type: string;
  readonly shape: number[];
  readonly signature: number[];
  readonly scale: number[];
  readonly zeroPoint: number[];
  readonly axis: number;
  readonly isVariable: boolean;
  readonly bytes: number;
  /** Tells data that differ; empty where there are none. */
  readonly digest: string;
}

/** A file as a reader of the published schema sees it. */
export interface SchemaModel {
  readonly version: number;
  readonly identified: boolean;
  readonly description: string;
  readonly operators: readonly {
    readonly name: string;
    readonly version: number;
    readonly inputs: number[];
    readonly outputs: number[];
    readonly intermediates: number[];
    /** An LSTM's; of others none. */
    readonly options: Readonly<Record<string, number | boolean>>;
  }[];
  readonly tensors: readonly SchemaTensor[];
  /** Numbers of tensors. */
  readonly inputs: readonly number[];
  readonly outputs: readonly number[];
  readonly metadata: readonly string[];
}

type Numbers = Float32Array | Int8Array | Uint8Array | Int16Array | Int32Array;

const ARRAYS = {
  float32: Float32Array,
  int8: Int8Array,
  uint8: Uint8Array,
  int16: Int16Array,
  int32: Int32Array,
  bool: Uint8Array,
} as const;

interface Outputs extends Answer {
  readonly outputs: string[][];
  readonly types: (keyof typeof ARRAYS)[];
  readonly signatures?: unknown;
}

const python = new Server(async () => {
  const {execFileSync} = await import('node:child_process');
  const found = execFileSync(process.execPath, ['scripts/python.mjs', 'test/tflite'], {encoding: 'utf8'});
  return [found.trim(), 'test/tflite/serve.py'];
});
const program = (file: string) => () => Promise.resolve([process.execPath, `test/tflite/${file}`] as const);
const litert = new Server(program('litert.mjs'));
const browser = new Server(program('browser.mjs'));

/** Ends the processes; they start again when they are needed. */
export function stopRuntimes(): void {
  for (const server of [python, litert, browser]) server.stop();
}

/** Runs a file: for each list of inputs, the outputs; of another batch, or of other shapes, than it says. */
export async function run(
  model: Uint8Array,
  runtime: Runtime,
  runs: readonly (readonly Numbers[])[],
  sizes?: number | readonly (readonly number[])[],
): Promise<Numbers[][]> {
  const inputs = runs.map(each => each.map(base64));
  const server = runtime === 'litert.js' ? litert : python;
  const {outputs, types} = await server.ask<Outputs>({
    model: base64(model),
    runtime,
    inputs,
    ...(sizes && {[typeof sizes === 'number' ? 'batch' : 'shapes']: sizes}),
  });
  return outputs.map(each =>
    each.map((text, i) => {
      const bytes = Buffer.from(text, 'base64');
      return new ARRAYS[types[i]!](bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength));
    }),
  );
}

/** Runs a file as {@link run} does, a few at a time, and tells how many are done. */
export async function runInTurn(
  model: Uint8Array,
  runtime: Runtime,
  runs: readonly (readonly Numbers[])[],
  onProgress: (done: number) => void = () => undefined,
): Promise<Numbers[][]> {
  const outputs: Numbers[][] = [];
  while (outputs.length < runs.length) {
    outputs.push(...(await run(model, runtime, runs.slice(outputs.length, outputs.length + 8))));
    onProgress(outputs.length);
  }
  return outputs;
}

/** What a quantized model predicts on WebGL in Chromium. */
export async function predictInBrowser(model: LayersModel, x: tf.Tensor): Promise<Float32Array> {
  const {modelTopology, weightSpecs, weightData} = await artifactsOf(model);
  const bytes = base64(new Uint8Array(weightData as ArrayBuffer));
  const request = {modelTopology, weightSpecs, weightData: bytes, x: base64(await x.data<'float32'>()), shape: x.shape};
  const {values} = await browser.ask<Answer & {values: number[]}>(request);
  return Float32Array.from(values);
}

/** The signatures that the interpreter finds in a file. */
export async function signaturesOf(model: Uint8Array): Promise<unknown> {
  return (await python.ask<Outputs>({model: base64(model), runtime: 'reference', inputs: []})).signatures;
}

/** What the signature of a file gives for inputs by their names. */
export async function runByName(
  model: Uint8Array,
  inputs: Readonly<Record<string, Float32Array>>,
): Promise<Record<string, Float32Array>> {
  const named = Object.fromEntries(Object.entries(inputs).map(([name, values]) => [name, base64(values)]));
  const request = {model: base64(model), runtime: 'signature', named};
  const {outputs} = await python.ask<Answer & {outputs: Record<string, string>}>(request);
  const decoded = (text: string) => new Float32Array(Uint8Array.from(Buffer.from(text, 'base64')).buffer);
  return Object.fromEntries(Object.entries(outputs).map(([name, text]) => [name, decoded(text)]));
}

/** A float file with its weights as LiteRT's quantizer stores them: as float16, or as integers for hybrid operators. */
export async function quantizedByLiteRt(model: Uint8Array, bits: 4 | 8 | 16): Promise<Uint8Array> {
  const request = {model: base64(model), runtime: 'quantizer', bits};
  const answer = await python.ask<Answer & {model: string}>(request);
  return Uint8Array.from(Buffer.from(answer.model, 'base64'));
}

/** What a reader of the published schema finds in a file. */
export async function parse(model: Uint8Array): Promise<SchemaModel> {
  return python.ask<SchemaModel & Answer>({model: base64(model), runtime: 'schema'});
}

/** What the interpreter for microcontrollers takes of an arena, in bytes. */
export interface MeasuredArena extends Answer {
  /** Nothing if the model does not fit. */
  readonly sizes: Partial<Record<'total' | 'head' | 'tail', number>>;
  readonly said: string;
}

/** Lays out a file in an arena of `size` bytes. */
export async function measureArena(model: Uint8Array, size: number): Promise<MeasuredArena> {
  return python.ask<MeasuredArena>({model: base64(model), runtime: 'arena', size});
}

/** What a reader of the published schema of metadata finds in a file. */
export async function metadataOf(model: Uint8Array): Promise<object> {
  return python.ask({model: base64(model), runtime: 'metadata'});
}

/** What a reader of zip archives finds in a file. */
export async function filesIn(model: Uint8Array): Promise<{files: Record<string, string>; broken: string | null}> {
  return python.ask<{files: Record<string, string>; broken: string | null} & Answer>({
    model: base64(model),
    runtime: 'archive',
  });
}
