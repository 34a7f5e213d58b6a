/** Graph models become models of layers. */
import type {DataType, io} from '@tensorflow/tfjs-core';
import {input, layers as tfLayers, type LayersModel, model, type SymbolicTensor} from '@tensorflow/tfjs-layers';
import {throwProblems} from '../../check/rules';
import type {GraphDef} from '../../graph_model/check_graph';
import type {GraphWeights} from '../../graph_model/weights';
import {Facts, tensorOf} from './facts';
import {type Edge, EdgeMap, Graph, type GraphNode, type Shape} from './graph_reader';
import {PATTERNS} from './patterns';
import {isLayers, type LayerUnit, type Plan, planOf} from './plan';
import {signatureOf, withoutZero} from './signature';

/** A name for each thing, made longer where it is taken. */
class Names {
  readonly #taken = new Set<string>();

  /** Takes a name, or the next that is free. */
  take(wanted: string): string {
    let name = wanted;
    for (let i = 1; this.#taken.has(name); i++) name = `${wanted}_${i}`;
    this.#taken.add(name);
    return name;
  }
}

interface Input {
  readonly name: string;
  readonly node: GraphNode;
  readonly shape: Shape;
  readonly dtype: 'float32' | 'int32';
}

/** What goes into a model and comes out. */
interface Ends {
  readonly graph: Graph;
  readonly inputs: readonly Input[];
  readonly outputs: readonly {readonly name: string; readonly edge: Edge}[];
}

function dtypeOfInput(dtype: DataType | undefined): 'float32' | 'int32' | undefined {
  if (dtype === 'bool' || dtype === 'int32') return 'int32';
  return dtype === 'float32' ? dtype : undefined;
}

function endsOf(def: GraphDef, artifacts: io.ModelArtifacts): Ends {
  const signature = signatureOf(artifacts);
  const graph = new Graph(
    def,
    signature.outputs?.map(({reference}) => reference),
  );
  const outputs = graph.outputs.map((edge, i) => ({
    name: signature.outputs?.[i]?.name ?? withoutZero(edge.node.name),
    edge,
  }));
  const places = graph.nodes.filter(({op}) => op === 'Placeholder');
  const given =
    signature.inputs?.map(({reference, ...end}) => ({...end, node: graph.edge(reference)?.node})) ??
    places.map(node => ({name: node.name, node, shape: undefined}));
  const needed = new Set(graph.nodes);
  const problems: string[] = [];
  const inputs = given.flatMap(({name, node, shape: ofSignature}) => {
    if (!node || !needed.has(node)) return [];
    const shape = node.attrs.shape('shape') ?? ofSignature;
    const dtype = dtypeOfInput(node.attrs.dtype('dtype') ?? 'float32');
    if (!shape) problems.push(`the input '${name}' has no shape, not even a rank. Convert the model with one.`);
    if (!dtype) problems.push(`the input '${name}' has a dtype that layers do not take. Convert the model without it.`);
    return shape && dtype ? [{name, node, shape, dtype}] : [];
  });
  throwProblems('importModel', problems);
  return {graph, inputs, outputs};
}

class Builder {
  readonly #names = new Names();
  readonly #tensors = new EdgeMap<SymbolicTensor>();
  readonly #ends: Ends;
  readonly #plan: Plan;

  constructor(ends: Ends, plan: Plan) {
    this.#ends = ends;
    this.#plan = plan;
  }

  build(): LayersModel {
    const {inputs, outputs} = this.#ends;
    const batched = inputs.every(({shape}) => shape[0] === 1 || shape[0] === null);
    const places = inputs.map(({name, node, shape, dtype}) => {
      const batchShape = batched ? [null, ...shape.slice(1)] : [...shape];
      const place = input({name: this.#names.take(name), batchShape, dtype});
      this.#tensors.set({node, output: 0}, place);
      return place;
    });
    const own = new EdgeMap<string>();
    const isNamed = outputs.map(({name, edge}) => {
      const source = this.#plan.source(edge);
      if (this.#tensors.get(source) ?? own.get(source)) return undefined;
      own.set(source, this.#names.take(name));
      return source;
    });
    for (const unit of this.#plan.units) if (isLayers(unit)) this.#call(unit, own.get(unit.gives));
    const given = outputs.map(({name, edge}, i) => {
      const value = this.#tensors.get(this.#plan.source(edge))!;
      if (isNamed[i]) return value;
      const behind = tfLayers.activation({name: this.#names.take(name), activation: 'linear'});
      return behind.apply(value) as SymbolicTensor;
    });
    return model({inputs: places, outputs: given});
  }

  /** Calls the layers of a unit, and gives them their weights at once, so that few are there twice. */
  #call({match, layers, before, takes, gives}: LayerUnit, name: string | undefined): void {
    let values = takes.map((edge, i) => {
      const value = this.#tensors.get(edge)!;
      const first = before[i];
      if (!first) return value;
      first.name = this.#names.take(first.name);
      return first.apply(value) as SymbolicTensor;
    });
    layers.forEach((layer, i) => {
      layer.name = name !== undefined && i === layers.length - 1 ? name : this.#names.take(layer.name);
      layer.setFastWeightInitDuringBuild(true);
      values = [layer.apply(values.length === 1 ? values[0]! : values) as SymbolicTensor];
      const weights = (match.layers[i]!.weights ?? []).map(tensorOf);
      if (weights.length > 0) layer.setWeights(weights);
      for (const weight of weights) weight.dispose();
    });
    this.#tensors.set(gives, values[0]!);
  }
}

/**
 * Makes a model of layers that computes what a graph does.
 *
 * @param def - the graph, without problems.
 */
export function layersOfGraph(
  def: GraphDef,
  weights: GraphWeights,
  artifacts: io.ModelArtifacts,
  onNode: (done: number, total: number) => void,
): LayersModel {
  const ends = endsOf(def, artifacts);
  const {graph, inputs} = ends;
  const facts = new Facts(graph, weights);
  for (const {node, shape, dtype} of inputs) facts.note({node, output: 0}, shape, dtype);
  const places = new Set(inputs.map(({node}) => node));
  const plan = planOf(graph, facts, places, PATTERNS, done => onNode(done, graph.nodes.length));
  throwProblems(
    'importModel',
    plan.units.flatMap(unit => (isLayers(unit) ? [] : `node '${unit.node.name}' (${unit.node.op}): ${unit.reason}.`)),
  );
  return new Builder(ends, plan).build();
}
