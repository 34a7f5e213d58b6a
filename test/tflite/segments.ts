/** Segments of hand-written nodes, and models around them. */
import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import '../../src/entries/import';
import type {NodeDef} from '../../src/graph_model/check_graph';
import type {Constant} from '../../src/graph_model/constant';
import {NodeRun} from '../../src/graph_model/node_run';
import {GraphSegment} from '../../src/graph_model/segment';

/** An attribute: integers as numbers, floats and types as protocol buffers have them. */
export type Attr = number | boolean | string | readonly number[] | readonly string[] | {f: number} | {type: string};

function attrValue(value: Attr): Readonly<Record<string, unknown>> {
  if (typeof value === 'boolean') return {b: value};
  if (typeof value === 'number') return {i: String(value)};
  if (typeof value === 'string') return {s: btoa(value)};
  if ('f' in value || 'type' in value) return value;
  const isText = typeof value[0] === 'string';
  return {list: isText ? {s: value.map(each => btoa(String(each)))} : {i: value.map(String)}};
}

/** The nodes of a graph, and its constants, as they are written down. */
export class Nodes {
  readonly nodes: NodeDef[] = [];
  readonly constants = new Map<string, Constant>();
  readonly weights: string[] = [];

  add(op: string, input: readonly string[], attrs: Readonly<Record<string, Attr>> = {}): string {
    const name = `${op}_${this.nodes.length}`;
    const attr = Object.fromEntries(Object.entries(attrs).map(([key, value]) => [key, attrValue(value)]));
    this.nodes.push({name, op, input: [...input], attr});
    return name;
  }

  #constant(constant: Constant): string {
    const name = this.add('Const', []);
    this.constants.set(name, constant);
    return name;
  }

  ints(values: number | readonly number[], shape?: readonly number[]): string {
    const list = typeof values === 'number' ? [values] : values;
    const own = shape ?? (Array.isArray(values) ? [list.length] : []);
    return this.#constant({dtype: 'int32', shape: own, values: Int32Array.from(list)});
  }

  floats(values: number | readonly number[], shape?: readonly number[]): string {
    const list = typeof values === 'number' ? [values] : values;
    const own = shape ?? (Array.isArray(values) ? [list.length] : []);
    return this.#constant({dtype: 'float32', shape: own, values: Float32Array.from(list)});
  }

  /** Floats between -1 and 1, always the same. */
  noise(shape: readonly number[]): string {
    const values = Array.from({length: tf.util.sizeFromShape([...shape])}, (_, i) => Math.sin(3 * i + 1));
    return this.floats(values, shape);
  }

  /** A layer that runs the nodes. */
  segment(
    name: string,
    inputs: readonly string[],
    outputs: readonly string[],
    samples: readonly tf.Tensor[],
  ): GraphSegment {
    const graph = {nodes: this.nodes, inputs, outputs};
    const run = new NodeRun(graph, this.constants);
    const found = run.run(samples);
    const types = found.map(({shape, dtype}) => ({shape, dtype}));
    tf.dispose(found);
    run.dispose();
    return new GraphSegment({name, graph, outputs: types, constants: this.constants, weights: this.weights});
  }
}

/** Sample inputs: their values by a function of their place. */
export function sample(
  shape: readonly number[],
  dtype: 'float32' | 'int32' | 'bool',
  value: (i: number) => number,
): tf.Tensor {
  return tf.tensor(
    Array.from({length: tf.util.sizeFromShape([...shape])}, (_, i) => value(i)),
    [...shape],
    dtype,
  );
}

/** A segment between inputs and outputs of a model, which beside it has a Dense layer for there to be something to quantize. */
export function modelAround(segment: GraphSegment, samples: readonly tf.Tensor[]): tfl.LayersModel {
  const inputs = samples.map(({shape, dtype}, i) =>
    tfl.input({batchShape: shape, dtype: dtype === 'bool' ? 'bool' : dtype, name: `x${i}`}),
  );
  const other = tfl.input({batchShape: [1, 3], name: 'other'});
  const outputs = [segment.apply(inputs.length === 1 ? inputs[0]! : inputs)].flat() as tfl.SymbolicTensor[];
  const dense = tfl.layers.dense({units: 2, name: 'dense'}).apply(other) as tfl.SymbolicTensor;
  return tfl.model({inputs: [...inputs, other], outputs: [...outputs, dense]});
}
