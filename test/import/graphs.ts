/** Graphs made by hand, as the converter writes them. */
import {loadGraphModel} from '@tensorflow/tfjs-converter';
import {io, randomNormal, randomUniform, type Tensor, tidy} from '@tensorflow/tfjs-core';
import type {LayersModel} from '@tensorflow/tfjs-layers';
import {setup} from '../support/environment';

/** How far two ways of computing the same are apart at most, over the largest value: GPUs round more. */
export const CLOSE = setup.backend === 'cpu' || setup.backend === 'wasm' ? 1e-5 : 1e-3;

type Attr = Readonly<Record<string, unknown>>;

export const int = (i: number): Attr => ({i: String(i)});
export const ints = (...list: number[]): Attr => ({list: {i: list.map(String)}});
export const float = (f: number): Attr => ({f});
export const flag = (b: boolean): Attr => ({b});
export const text = (s: string): Attr => ({s: btoa(s)});
export const texts = (...list: string[]): Attr => ({list: {s: list.map(each => btoa(each))}});
export const type = (name: 'DT_FLOAT' | 'DT_INT32'): Attr => ({type: name});

interface Node {
  readonly name: string;
  readonly op: string;
  readonly input?: readonly string[];
  readonly attr: Readonly<Record<string, Attr>>;
}

const TYPES = {float32: 'DT_FLOAT', int32: 'DT_INT32'} as const;
type Type = keyof typeof TYPES;

/** Collects nodes. */
export class GraphBuilder {
  readonly #nodes: Node[] = [];
  readonly #specs: io.WeightsManifestEntry[] = [];
  readonly #data: (Float32Array | Int32Array)[] = [];

  #add(node: Node): string {
    this.#nodes.push(node);
    return node.name;
  }

  #name(op: string): string {
    return `net/${op}_${this.#nodes.length}`;
  }

  input(name: string, shape: readonly (number | null)[], dtype: Type = 'float32'): string {
    const dim = shape.map(size => ({size: String(size ?? -1)}));
    return this.#add({name, op: 'Placeholder', attr: {dtype: {type: TYPES[dtype]}, shape: {shape: {dim}}}});
  }

  constant(values: readonly number[], shape: readonly number[] = [values.length], dtype: Type = 'float32'): string {
    const name = this.#name('Const');
    this.#specs.push({name, shape: [...shape], dtype});
    this.#data.push(dtype === 'int32' ? Int32Array.from(values) : Float32Array.from(values));
    return this.#add({name, op: 'Const', attr: {dtype: {type: TYPES[dtype]}, value: {tensor: {}}}});
  }

  ints(...values: number[]): string {
    return this.constant(values, [values.length], 'int32');
  }

  scalar(value: number, dtype: Type = 'float32'): string {
    return this.constant([value], [], dtype);
  }

  /** Numbers between -1 and 1, or as told. */
  random(shape: readonly number[], low = -1, high = 1): string {
    const size = shape.reduce((all, each) => all * each, 1);
    const seed = this.#nodes.length + 1;
    return this.constant([...tidy(() => randomUniform([size], low, high, 'float32', seed).dataSync())], shape);
  }

  op(op: string, input: readonly string[], attr: Readonly<Record<string, Attr>> = {}, name = this.#name(op)): string {
    return this.#add({name, op, input, attr: {T: type('DT_FLOAT'), ...attr}});
  }

  artifacts(): io.ModelArtifacts {
    const versions = {producer: 1, minConsumer: 0};
    return {
      format: 'graph-model',
      modelTopology: structuredClone({node: this.#nodes, versions}),
      weightSpecs: this.#specs,
      weightData: io.CompositeArrayBuffer.join(this.#data.map(({buffer}) => buffer as ArrayBuffer)),
    };
  }
}

/** Values for each input of a model, whose open dimensions are of these sizes. */
export function valuesFor(model: LayersModel, sizes: readonly number[] = [2, 7, 6, 5]): Tensor[] {
  return model.inputs.map(({shape, dtype}, i) => {
    const closed = shape.map((dim, axis) => dim ?? sizes[axis]!);
    return dtype === 'int32'
      ? randomUniform(closed, 0, 4, 'int32', i + 1)
      : randomNormal(closed, 0, 2, 'float32', i + 3);
  });
}

/** What tfjs's own executor makes of the values, in the order of the outputs. */
export async function executed(artifacts: io.ModelArtifacts, names: readonly string[], values: readonly Tensor[]) {
  const graph = await loadGraphModel({load: () => Promise.resolve(artifacts)});
  const inputs = Object.fromEntries(names.map((name, i) => [name, values[i]!]));
  const found = [graph.predict(inputs)].flat() as Tensor[];
  graph.dispose();
  return found;
}

/** The largest difference, over the largest value. */
export async function difference(actual: Tensor, expected: Tensor): Promise<number> {
  if (String(actual.shape) !== String(expected.shape)) return Infinity;
  const [a, b] = [await actual.data(), await expected.data()];
  let [most, largest] = [0, 1e-30];
  a.forEach((each, i) => {
    const gap = Math.abs(each - b[i]!);
    most = Number.isNaN(gap) ? Infinity : Math.max(most, gap);
    largest = Math.max(largest, Math.abs(b[i]!));
  });
  return most / largest;
}

/** The classes of a model's layers, but for its inputs. */
export function classesOf(model: LayersModel): string[] {
  // What is taken twice passes through a layer that does nothing.
  const layers = model.layers.filter(({name}) => !/\/again(_\d+)?$/.test(name));
  return layers.map(layer => layer.getClassName()).filter(name => name !== 'InputLayer');
}
