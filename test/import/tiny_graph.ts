/** A small graph model, written here, and what is made of it to break it. */
import {loadGraphModelSync} from '@tensorflow/tfjs-converter';
import {dispose, io, memory, randomNormal, type Tensor} from '@tensorflow/tfjs-core';
import type {LayersModel} from '@tensorflow/tfjs-layers';

const float = {type: 'DT_FLOAT'};
export const list = (...i: number[]) => ({list: {i: i.map(String)}});
export const text = (s: string) => ({s: btoa(s)});
export const constant = (name: string) => ({name, op: 'Const', attr: {dtype: float}});
export const placeholder = (name: string, ...sizes: number[]) => ({
  name,
  op: 'Placeholder',
  attr: {dtype: float, shape: {shape: {dim: sizes.map(size => ({size: String(size)}))}}},
});

/** Images of [4, 4, 2], convolved to 3 channels, with a bias, clamped. */
export const NODES = [
  placeholder('x', -1, 4, 4, 2),
  constant('net/kernel'),
  constant('net/bias'),
  {
    name: 'net/conv',
    op: 'Conv2D',
    input: ['x', 'net/kernel'],
    attr: {
      T: float,
      strides: list(1, 2, 2, 1),
      dilations: list(1, 1, 1, 1),
      padding: text('SAME'),
      data_format: text('NHWC'),
    },
  },
  {name: 'net/add', op: 'BiasAdd', input: ['net/conv', 'net/bias'], attr: {T: float}},
  {name: 'net/relu', op: 'Relu', input: ['net/add'], attr: {T: float}},
];

export const SPECS: io.WeightsManifestEntry[] = [
  {name: 'net/kernel', shape: [3, 3, 2, 3], dtype: 'float32'},
  {name: 'net/bias', shape: [3], dtype: 'float32', quantization: {dtype: 'uint8', scale: 0.01, min: -1}},
];

export function tinyWeights(): ArrayBuffer {
  const kernel = Float32Array.from({length: 54}, (_, i) => Math.sin(i));
  const bytes = new Uint8Array(54 * 4 + 3);
  bytes.set(new Uint8Array(kernel.buffer));
  bytes.set([90, 120, 50], 54 * 4);
  return bytes.buffer;
}

export const SIGNATURE = {
  inputs: {image: {name: 'x:0', dtype: 'DT_FLOAT'}},
  outputs: {scores: {name: 'net/relu:0', dtype: 'DT_FLOAT'}},
};

export function topologyOf(node: readonly unknown[], library?: unknown) {
  return {node, versions: {producer: 0, minConsumer: 0}, ...(library !== undefined && {library})};
}

/** The parsed model.json, its weights in two files. */
export function tinyJson(more: object = {}): io.ModelJSON {
  return {
    format: 'graph-model',
    generatedBy: '2.17',
    convertedBy: 'TensorFlow.js Converter v4.22.0',
    modelTopology: topologyOf(NODES),
    signature: SIGNATURE,
    weightsManifest: [{paths: ['shard1of2.bin', 'shard2of2.bin'], weights: SPECS}],
    ...more,
  };
}

export function tinyArtifacts(more: object = {}): io.ModelArtifacts {
  return {...tinyJson(), weightSpecs: SPECS, weightData: tinyWeights(), ...more};
}

/** The files of a model by the end of their URLs, for a fetchFunc. */
export function tinyFiles(): Record<string, BodyInit> {
  const weights = tinyWeights();
  return {
    'model.json': JSON.stringify(tinyJson()),
    'shard1of2.bin': weights.slice(0, 100),
    'shard2of2.bin': weights.slice(100),
  };
}

/** A server of files that counts what it is asked for. */
export function serverOf(files: Readonly<Record<string, BodyInit | undefined>>) {
  const asked: string[] = [];
  const fetchFunc = ((url: string) => {
    asked.push(url);
    const file = files[new URL(url).pathname.split('/').at(-1)!];
    const init = {headers: {'content-length': String(file instanceof ArrayBuffer ? file.byteLength : 0)}};
    return Promise.resolve(
      file === undefined
        ? new Response('<!doctype html>', {status: 404, statusText: 'Not Found'})
        : new Response(file, init),
    );
  }) as typeof fetch;
  return {asked, fetchFunc};
}

/** Expects a model to compute what tfjs's own executor computes of the small graph. */
export async function expectTiny(model: LayersModel): Promise<void> {
  const x: Tensor = randomNormal([3, 4, 4, 2]);
  const graph = loadGraphModelSync(tinyArtifacts());
  const expected = graph.predict(x) as Tensor;
  const actual = model.predict(x) as Tensor;
  const [want, have] = await Promise.all([expected.data(), actual.data()]);
  expect(actual.shape).toEqual(expected.shape);
  expect(Math.max(...want)).toBeGreaterThan(0);
  expect(Math.max(...want.map((value, i) => Math.abs(value - have[i]!)))).toBeLessThan(1e-5);
  dispose([x, expected, actual]);
  graph.dispose();
  model.dispose();
}

/** Runs what must leave no tensor behind. */
export async function leavingNothing(act: () => Promise<void>): Promise<void> {
  const {numTensors, numDataBuffers} = memory();
  await act();
  expect(memory().numTensors).toBe(numTensors);
  expect(memory().numDataBuffers).toBe(numDataBuffers);
}
