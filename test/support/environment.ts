/** Which backend this run of the tests is for, and the files they read: the same in Node and in browsers. */
import '@tensorflow/tfjs';
import {setWasmPaths} from '@tensorflow/tfjs-backend-wasm';
import type {MathBackendWebGL} from '@tensorflow/tfjs-backend-webgl';
import type {WebGPUBackend} from '@tensorflow/tfjs-backend-webgpu';
import '@tensorflow/tfjs-backend-webgpu';
import * as tf from '@tensorflow/tfjs-core';

/** What scripts/test.mjs asks for. */
interface Setup {
  readonly backend: 'cpu' | 'webgl2' | 'webgl1' | 'webgpu' | 'wasm';
  /** A real GPU, whose division and denormals may be inexact: the acceptance set instead of equality. */
  readonly gpu: boolean;
}

interface Karma {
  readonly config: {readonly setup: Setup};
}

const karma = (globalThis as {__karma__?: Karma}).__karma__;

export const setup: Setup = karma?.config.setup ?? (JSON.parse(process.env['TEST_SETUP'] ?? '{}') as Setup);

export const onWebGL = setup.backend === 'webgl1' || setup.backend === 'webgl2';
export const onWebGPU = setup.backend === 'webgpu';

/**
 * WebGL 1 and Firefox run the programs that WebGL 2 runs in Chromium: what those are is asked there, what they compute
 * everywhere.
 */
export const onSecondWebGL = onWebGL && (setup.backend === 'webgl1' || navigator.userAgent.includes('Firefox'));

/** Where a dispatch takes one or two milliseconds: a renderer that is no GPU. */
export const isSlow = (onWebGL || onWebGPU) && !setup.gpu;

export function webgl(): MathBackendWebGL {
  return tf.backend() as MathBackendWebGL;
}

export function webgpu(): WebGPUBackend {
  return tf.backend() as unknown as WebGPUBackend;
}

/** A file of the repository, unpacked if it is packed. */
export async function readFile(path: string): Promise<ArrayBuffer> {
  const bytes = await readBytes(path);
  if (!path.endsWith('.gz')) return bytes;
  return new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream('gzip'))).arrayBuffer();
}

async function readBytes(path: string): Promise<ArrayBuffer> {
  if (karma) {
    const response = await fetch(`/base/${path}`);
    if (!response.ok) throw new Error(`${path}: ${response.status}`);
    return response.arrayBuffer();
  }
  const {readFile} = await import('node:fs/promises');
  const {buffer, byteOffset, byteLength} = await readFile(path);
  return buffer.slice(byteOffset, byteOffset + byteLength);
}

/** Starts the backend of this run and makes sure that it is that one: tfjs would fall back on another silently. */
export async function startBackend(): Promise<void> {
  const name = onWebGL ? 'webgl' : setup.backend;
  // The engine's own check that no kernel leaks.
  tf.env().set('IS_TEST', true);
  if (onWebGL) tf.env().set('WEBGL_VERSION', setup.backend === 'webgl2' ? 2 : 1);
  setWasmPaths('/base/node_modules/@tensorflow/tfjs-backend-wasm/dist/');
  if (!(await tf.setBackend(name)) || tf.getBackend() !== name) throw new Error(`The backend ${name} does not start.`);
  if (onWebGL) checkWebGLVersion();
}

function checkWebGLVersion(): void {
  const {gl} = webgl().getGPGPUContext();
  const version = gl instanceof WebGL2RenderingContext ? 'webgl2' : 'webgl1';
  if (version !== setup.backend) throw new Error(`The page has ${version}, not ${setup.backend}.`);
}

/** The values of a tensor. WebGPU cannot be read synchronously, and the others are slow to be read in any other way. */
export async function valuesOf(tensor: tf.Tensor): Promise<Float32Array> {
  return onWebGPU ? tensor.data<'float32'>() : tensor.dataSync<'float32'>();
}

/** tfjs batches commands, and WebGPU validates them when they are submitted. */
function submit(): void {
  webgpu().ensureCommandEncoderReady();
  webgpu().endComputePassEncoder();
  webgpu().submitQueue();
}

/** Runs `work`, which submits to the GPU, and gives what WebGPU's validation has against it. */
export function validated<T>(work: () => T): {result: T; problem: Promise<string | undefined>} {
  if (!onWebGPU) return {result: work(), problem: Promise.resolve(undefined)};
  const {device} = webgpu();
  device.pushErrorScope('validation');
  try {
    const result = work();
    submit();
    return {result, problem: device.popErrorScope().then(error => error?.message)};
  } catch (error) {
    void device.popErrorScope();
    throw error;
  }
}

/** Fails any spec during which WebGPU reports an error, caught in a scope or not. A lost device is past reporting. */
export function failOnGpuErrors(): void {
  let errors: string[] = [];
  let lost = false;
  const note = (event: Event) => errors.push((event as GPUUncapturedErrorEvent).error.message);
  beforeAll(() => {
    const {device} = webgpu();
    device.addEventListener('uncapturederror', note);
    void device.lost.then(() => {
      lost = true;
    });
  });
  beforeEach(() => {
    errors = [];
    webgpu().device.pushErrorScope('validation');
  });
  afterEach(async () => {
    if (lost) return;
    submit();
    const error = await webgpu().device.popErrorScope();
    if (error) errors.push(error.message);
    for (const message of errors) fail(`WebGPU: ${message}`);
  });
}
