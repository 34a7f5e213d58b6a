/** A layers model's graph, as a graph model has it: of the layers that MobileNet is made of. */
import {io, type Tensor} from '@tensorflow/tfjs-core';
import type {layers, LayersModel, SymbolicTensor} from '@tensorflow/tfjs-layers';

type Attr = Readonly<Record<string, unknown>>;

const FLOAT: Attr = {type: 'DT_FLOAT'};
const ints = (...list: number[]): Attr => ({list: {i: list.map(String)}});
const text = (s: string): Attr => ({s: btoa(s)});

/** Nodes and constants, as they come. */
class Graph {
  readonly nodes: object[] = [];
  readonly specs: io.WeightsManifestEntry[] = [];
  readonly data: Promise<Float32Array | Int32Array>[] = [];

  node(op: string, name: string, input: readonly string[], attr: Readonly<Record<string, Attr>> = {}): string {
    this.nodes.push({name, op, input, attr: {T: FLOAT, ...attr}});
    return name;
  }

  input(name: string, shape: readonly (number | null)[]): string {
    const dim = shape.map(size => ({size: String(size ?? -1)}));
    return this.node('Placeholder', name, [], {dtype: FLOAT, shape: {shape: {dim}}});
  }

  weight(name: string, {shape}: Tensor, data: Promise<Float32Array>): string {
    this.specs.push({name, shape: [...shape], dtype: 'float32'});
    this.data.push(data);
    return this.node('Const', name, [], {dtype: FLOAT});
  }

  ints(name: string, values: readonly number[], shape = [values.length]): string {
    this.specs.push({name, shape, dtype: 'int32'});
    this.data.push(Promise.resolve(Int32Array.from(values)));
    return this.node('Const', name, [], {dtype: {type: 'DT_INT32'}});
  }
}

/** Adds a layer's nodes, and gives the name of the last one. */
type Writer = (graph: Graph, layer: layers.Layer, inputs: readonly string[], weights: readonly string[]) => string;

function convolution(op: 'Conv2D' | 'DepthwiseConv2dNative'): Writer {
  return (graph, layer, [x], [kernel]) => {
    const {strides, padding} = layer.getConfig() as unknown as {strides: [number, number]; padding: string};
    return graph.node(op, layer.name, [x!, kernel!], {
      strides: ints(1, ...strides, 1),
      dilations: ints(1, 1, 1, 1),
      padding: text(padding.toUpperCase()),
      data_format: text('NHWC'),
    });
  };
}

const WRITERS: Readonly<Record<string, Writer>> = {
  InputLayer: (graph, layer) => graph.input(layer.name, layer.batchInputShape),
  Conv2D: convolution('Conv2D'),
  DepthwiseConv2D: convolution('DepthwiseConv2dNative'),
  BatchNormalization: (graph, layer, [x], weights) =>
    graph.node('FusedBatchNormV3', layer.name, [x!, ...weights], {
      epsilon: {f: layer.getConfig()['epsilon']},
      is_training: {b: false},
      data_format: text('NHWC'),
    }),
  ReLU: (graph, layer, [x]) => graph.node('Relu6', layer.name, [x!]),
  ZeroPadding2D: (graph, layer, [x]) => {
    const {padding} = layer.getConfig() as unknown as {padding: number[][]};
    const sides = [[0, 0], ...padding, [0, 0]];
    return graph.node('Pad', layer.name, [x!, graph.ints(`${layer.name}/paddings`, sides.flat(), [4, 2])]);
  },
  Add: (graph, layer, inputs) => graph.node('AddV2', layer.name, inputs),
  GlobalAveragePooling2D: (graph, layer, [x]) =>
    graph.node('Mean', layer.name, [x!, graph.ints(`${layer.name}/axes`, [1, 2])], {keep_dims: {b: false}}),
  Dense: (graph, layer, [x], [kernel, bias]) => {
    const product = graph.node('MatMul', `${layer.name}/product`, [x!, kernel!], {
      transpose_a: {b: false},
      transpose_b: {b: false},
    });
    return graph.node('Softmax', layer.name, [graph.node('BiasAdd', `${layer.name}/sum`, [product, bias!])]);
  },
};

function inputsOf(layer: layers.Layer): SymbolicTensor[] {
  return layer.getClassName() === 'InputLayer' ? [] : [layer.input].flat();
}

/** What tf.loadGraphModel and importModel take. */
export async function graphOf(model: LayersModel): Promise<io.ModelArtifacts> {
  const graph = new Graph();
  const names = new Map<SymbolicTensor, string>();
  for (const layer of model.layers) {
    const weights = layer.weights.map(weight => {
      const value = weight.read();
      return graph.weight(weight.originalName, value, value.data<'float32'>());
    });
    const inputs = inputsOf(layer).map(input => names.get(input)!);
    names.set(layer.output as SymbolicTensor, WRITERS[layer.getClassName()]!(graph, layer, inputs, weights));
  }
  return {
    format: 'graph-model',
    modelTopology: {node: graph.nodes, versions: {producer: 1, minConsumer: 0}},
    weightSpecs: graph.specs,
    weightData: joined(await Promise.all(graph.data)),
  };
}

function joined(parts: readonly (Float32Array | Int32Array)[]): ArrayBuffer {
  const bytes = new Uint8Array(parts.reduce((sum, {byteLength}) => sum + byteLength, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(new Uint8Array(part.buffer, part.byteOffset, part.byteLength), at);
    at += part.byteLength;
  }
  return bytes.buffer;
}
