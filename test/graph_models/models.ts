/** The models of this folder and what TensorFlow made of them. */
import {type DataType, io, type NamedTensorMap, type ShapeMap, tensor} from '@tensorflow/tfjs-core';
import {readFile} from '../support/environment';

/** Numbers as generate.py packs them. */
interface Packed {
  readonly dtype: 'float32' | 'int32' | 'bool';
  readonly shape: number[];
  readonly data: string;
}

/** An output: its name in the graph, and whether every bit of it is determined. */
export interface ExpectedOutput extends Packed {
  readonly node: string;
  readonly exact: boolean;
}

/** One run of a model. */
export interface Case {
  readonly inputs: Readonly<Record<string, Packed>>;
  readonly outputs: Readonly<Record<string, ExpectedOutput>>;
}

function read(path: string): Promise<ArrayBuffer> {
  return readFile(`test/graph_models/${path}`);
}

async function readJson<T>(path: string): Promise<T> {
  return JSON.parse(new TextDecoder().decode(await read(path))) as T;
}

/** The runs of every model, by the model's folder. */
export function readExpected(): Promise<Readonly<Record<string, readonly Case[]>>> {
  return readJson('expected.json');
}

/** A handler for tf.loadGraphModel that holds the model in memory. */
export async function modelHandler(model: string, topology = 'model.json'): Promise<io.IOHandler> {
  const json = await readJson<io.ModelJSON>(`${model}/${topology}`);
  const artifacts = await io.getModelArtifactsForJSON(json, async manifest => {
    const paths = manifest.flatMap(group => group.paths);
    return [io.getWeightSpecs(manifest), await Promise.all(paths.map(path => read(`${model}/${path}`)))];
  });
  return {load: () => Promise.resolve(artifacts)};
}

/** The numbers, little-endian. */
export function unpack({dtype, data}: Packed): Float32Array | Int32Array | Uint8Array {
  const bytes = Uint8Array.from(atob(data), char => char.charCodeAt(0));
  if (dtype === 'bool') return bytes;
  return dtype === 'int32' ? new Int32Array(bytes.buffer) : new Float32Array(bytes.buffer);
}

/** The inputs as tensors; the caller disposes them. */
export function inputTensors(inputs: Case['inputs']): NamedTensorMap {
  const entries = Object.entries(inputs).map(([name, packed]) => {
    const {shape, dtype} = packed;
    return [name, tensor(unpack(packed), shape as ShapeMap[keyof ShapeMap], dtype as DataType)];
  });
  return Object.fromEntries(entries) as NamedTensorMap;
}
