/** Microsoft's runtimes and ONNX's checker, in processes that run as long as the specs do: serve.py and web.mjs. In Node only. */
import type * as tf from '@tensorflow/tfjs-core';
import {type Answer, base64, Server} from '../support/server';

/** onnxruntime, without its optimizations as well: one operator after the other; and onnxruntime-web in Chromium. */
export type Runtime = 'onnxruntime' | 'unoptimized' | 'onnxruntime-web';

export const RUNTIMES: readonly Runtime[] = ['onnxruntime', 'unoptimized', 'onnxruntime-web'];

interface Port {
  readonly name: string;
  readonly type: string;
  readonly shape: (number | string)[];
}

/** A file as onnx's checker sees it. */
export interface CheckedModel {
  readonly opset: number;
  readonly irVersion: number;
  readonly producer: string;
  readonly name: string;
  readonly nodes: readonly {readonly op: string; readonly inputs: string[]; readonly outputs: string[]}[];
  readonly initializers: readonly {readonly name: string; readonly type: string; readonly shape: number[]}[];
  /** The steps of what is computed, in order. */
  readonly scales: readonly number[];
  readonly inputs: readonly Port[];
  readonly outputs: readonly Port[];
}

const ARRAYS = {float32: Float32Array, int32: Int32Array, bool: Uint8Array} as const;

interface Outputs extends Answer {
  readonly outputs: {name: string; type: keyof typeof ARRAYS; shape: number[]; values: string}[];
}

/** What a file gives. */
export interface Output {
  readonly name: string;
  readonly shape: readonly number[];
  readonly values: Float32Array | Int32Array | Uint8Array;
}

const python = new Server(async () => {
  const {execFileSync} = await import('node:child_process');
  const found = execFileSync(process.execPath, ['scripts/python.mjs', 'test/onnx'], {encoding: 'utf8'});
  return [found.trim(), 'test/onnx/serve.py'];
});
const web = new Server(() => Promise.resolve([process.execPath, 'test/onnx/web.mjs']));

/** Ends the processes; they start again when they are needed. */
export function stopRuntimes(): void {
  python.stop();
  web.stop();
}

/** Runs a file. */
export async function run(model: Uint8Array, runtime: Runtime, inputs: readonly tf.Tensor[]): Promise<Output[]> {
  const given = inputs.map(x => ({shape: x.shape, values: base64(Float32Array.from(x.dataSync()))}));
  const server = runtime === 'onnxruntime-web' ? web : python;
  const {outputs} = await server.ask<Outputs>({model: base64(model), runtime, inputs: given});
  return outputs.map(({name, type, shape, values}) => {
    const {buffer, byteOffset, byteLength} = Buffer.from(values, 'base64');
    return {name, shape, values: new ARRAYS[type](buffer.slice(byteOffset, byteOffset + byteLength))};
  });
}

/** What a file says, if onnx's checker and its inference of shapes have nothing against it. */
export function check(model: Uint8Array): Promise<CheckedModel> {
  return python.ask<CheckedModel & Answer>({model: base64(model), runtime: 'checker'});
}
