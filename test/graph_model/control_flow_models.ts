/** The graphs of control_flow.py and what TensorFlow made of them. */
import {io, type Tensor, tensor} from '@tensorflow/tfjs-core';
import type {GraphDef} from '../../src/graph_model/check_graph';
import type {Constant} from '../../src/graph_model/constant';
import type {NodeSet} from '../../src/graph_model/node_run';
import {readFile} from '../support/environment';

/** Numbers as control_flow.py packs them. */
interface Packed {
  readonly dtype: 'float32' | 'int32' | 'bool';
  readonly shape: number[];
  readonly data: string;
}

type Values = Readonly<Record<string, Packed>>;

interface PackedGraph {
  readonly modelTopology: GraphDef;
  readonly weightSpecs: io.WeightsManifestEntry[];
  readonly weightData: string;
  readonly outputs: Readonly<Record<string, string>>;
}

/** The graphs of one function, and its runs. */
export interface Model {
  readonly graphs: Readonly<Record<string, PackedGraph>>;
  readonly cases: readonly {readonly inputs: Values; readonly outputs: Values}[];
}

export const INPUTS = ['x', 'steps'];

export async function readModels(): Promise<Readonly<Record<string, Model>>> {
  const text = new TextDecoder().decode(await readFile('test/graph_model/control_flow.json.gz'));
  return JSON.parse(text) as Readonly<Record<string, Model>>;
}

function bytesOf(text: string): ArrayBuffer {
  return Uint8Array.from(atob(text), char => char.charCodeAt(0)).buffer;
}

export function unpack({dtype, data, shape}: Packed): Constant {
  const values = {float32: Float32Array, int32: Int32Array, bool: Uint8Array}[dtype];
  return {dtype, shape, values: new values(bytesOf(data))};
}

export function tensorOf({dtype, shape, values}: Constant): Tensor {
  return tensor(values, [...shape], dtype);
}

/** All of a graph, with its outputs in the order of their names in `labels`. */
export function readGraph({modelTopology, weightSpecs, weightData, outputs}: PackedGraph): {
  readonly set: NodeSet;
  readonly constants: ReadonlyMap<string, Constant>;
  readonly labels: readonly string[];
} {
  const {node: nodes, library} = modelTopology;
  const data = bytesOf(weightData);
  let at = 0;
  const constants = new Map(
    weightSpecs.map(({name, shape, dtype}) => {
      const size = shape.reduce((all, each) => all * each, 1);
      const array = {float32: Float32Array, int32: Int32Array, bool: Uint8Array}[dtype as Packed['dtype']];
      const bytes = data.slice(at, (at += size * array.BYTES_PER_ELEMENT));
      return [name, {dtype: dtype as Packed['dtype'], shape, values: new array(bytes)}] as const;
    }),
  );
  const set = {nodes, ...(library && {library}), inputs: INPUTS, outputs: Object.values(outputs)};
  return {set, constants, labels: Object.keys(outputs)};
}
