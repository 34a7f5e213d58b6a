/** The model of layers that a plan is for. */
import {input, layers as tfLayers, type LayersModel, model, type SymbolicTensor} from '@tensorflow/tfjs-layers';
import {throwProblems} from '../../check/rules';
import type {SegmentOutput} from '../../graph_model/saved_segment';
import {GraphSegment} from '../../graph_model/segment';
import {ofSegment, type Origin, remember} from '../describe';
import type {Ends} from './ends';
import {type Facts, tensorOf} from './facts';
import {type Edge, EdgeMap} from './graph_reader';
import {called, isLayers, type LayerUnit, type Plan} from './plan';
import type {Match} from './pattern';
import type {Segment} from './segments';

/** A name for each thing, made longer where it is taken. */
class Names {
  /** With the number to try next, as thousands may want the same name. */
  readonly #taken = new Map<string, number>();

  /** Takes a name, or the next that is free. */
  take(wanted: string): string {
    let name = wanted;
    let next = this.#taken.get(wanted) ?? 1;
    for (; this.#taken.has(name); next++) name = `${wanted}_${next}`;
    this.#taken.set(wanted, next).set(name, 1);
    return name;
  }
}

/** What is called at once. */
type Part = LayerUnit | Segment;

/** The values that a part gives. */
function givenBy(part: Part): readonly Edge[] {
  return 'match' in part ? [part.gives] : part.gives;
}

/** Parts in an order in which each stands behind those that it takes from. */
function inOrder(parts: readonly Part[]): Part[] {
  const givers = new EdgeMap<Part>();
  for (const part of parts) for (const edge of givenBy(part)) givers.set(edge, part);
  const waiting = new Map<Part, Part[]>();
  const missing = new Map<Part, number>();
  for (const part of parts) {
    const before = new Set(part.takes.flatMap(edge => givers.get(edge) ?? []));
    missing.set(part, before.size);
    for (const each of before) waiting.set(each, [...(waiting.get(each) ?? []), part]);
  }
  const order = parts.filter(part => missing.get(part) === 0);
  for (const part of order) {
    for (const each of waiting.get(part) ?? []) {
      missing.set(each, missing.get(each)! - 1);
      if (missing.get(each) === 0) order.push(each);
    }
  }
  return order;
}

/** What the layers of a match stand for. */
function originOf({layers, nodes}: Match): Origin {
  const named = new Set(layers.map(({of}) => of));
  const others = new Set(nodes.filter(node => !named.has(node)).map(({op}) => op));
  return {nodes: nodes.map(({name}) => name), note: others.size > 0 ? `with ${[...others].join(', ')}` : undefined};
}

class Builder {
  readonly #names = new Names();
  readonly #tensors = new EdgeMap<SymbolicTensor>();
  readonly #named = new EdgeMap<string>();
  readonly #origins = new Map<string, Origin>();
  readonly #ends: Ends;
  readonly #plan: Plan;
  readonly #facts: Facts;

  constructor(ends: Ends, plan: Plan, facts: Facts) {
    this.#ends = ends;
    this.#plan = plan;
    this.#facts = facts;
  }

  build(segments: readonly Segment[]): LayersModel {
    const {inputs, outputs} = this.#ends;
    // Layers take any batch; nodes as they are may not.
    const anyBatch = segments.length === 0 && inputs.every(({shape}) => shape[0] === 1 || shape[0] === null);
    const places = inputs.map(({name, node, shape, dtype}) => {
      const batchShape = anyBatch ? [null, ...shape.slice(1)] : [...shape];
      const place = input({name: this.#names.take(name), batchShape, dtype});
      this.#tensors.set({node, output: 0}, place);
      return place;
    });
    const parts = inOrder([...this.#plan.units.filter(isLayers), ...segments]);
    const nameable = new EdgeMap<true>();
    for (const part of parts) {
      const [edge, ...others] = givenBy(part);
      if (edge && others.length === 0) nameable.set(edge, true);
    }
    const ownNames = outputs.map(({name, edge}) => {
      const source = this.#plan.source(edge);
      if (!nameable.has(source) || this.#named.has(source)) return false;
      this.#named.set(source, this.#names.take(name));
      return true;
    });
    const behind = outputs.map(({name}, i) => (ownNames[i] ? undefined : this.#names.take(name)));
    for (const part of parts) {
      if ('match' in part) this.#callLayers(part);
      else this.#callSegment(part);
    }
    throwProblems('importModel', this.#missing());
    const given = outputs.map(({edge}, i) => {
      const value = this.#tensors.get(this.#plan.source(edge))!;
      const name = behind[i];
      return name === undefined ? value : this.#giveAgain(name, value);
    });
    const made = model({inputs: places, outputs: given});
    remember(made, this.#origins);
    return made;
  }

  /** Outputs that nothing gives: what they hang on takes, by way of layers, from itself. */
  #missing(): string[] {
    return this.#ends.outputs
      .filter(({edge}) => !this.#tensors.has(this.#plan.source(edge)))
      .map(
        ({name, edge: {node}}) =>
          `output '${name}': node '${node.name}' (${node.op}) hangs on a loop or a branch that reaches beyond one layer. ` +
          'Convert the model with an output before it, or run it with tf.loadGraphModel.',
      );
  }

  /** A layer by the name of an output, for a value that goes by another. Behind a segment it is one, as what those give is not rounded. */
  #giveAgain(name: string, value: SymbolicTensor): SymbolicTensor {
    const reason = 'gives a value by the name of an output';
    this.#origins.set(name, {nodes: [], note: reason});
    const {sourceLayer, dtype, shape} = value;
    if (!(sourceLayer instanceof GraphSegment)) {
      return tfLayers.activation({name, activation: 'linear'}).apply(value) as SymbolicTensor;
    }
    const taken = `${name}/value`;
    const graph = {nodes: [{name, op: 'Identity', input: [taken]}], inputs: [taken], outputs: [name]};
    return new GraphSegment({
      name,
      graph,
      outputs: [{shape, dtype}],
      constants: new Map(),
      reasons: [{op: 'Identity', reason}],
    }).apply(value) as SymbolicTensor;
  }

  /** tfjs counts a layer that takes a value twice as two that take it, and frees it before others have had it. */
  #apart(given: readonly SymbolicTensor[]): SymbolicTensor[] {
    return given.map((value, i) => {
      if (given.indexOf(value) === i) return value;
      const name = this.#names.take(`${value.name}/again`);
      return tfLayers.activation({name, activation: 'linear'}).apply(value) as SymbolicTensor;
    });
  }

  #taken(edges: readonly Edge[]): SymbolicTensor[] {
    return edges.map(edge => this.#tensors.get(edge)!);
  }

  /** Calls the layers of a unit, and gives them their weights at once, so that few are there twice. */
  #callLayers({match, layers, takes, gives}: LayerUnit): void {
    const value = called(match, this.#taken(takes), (i, given) => {
      const layer = layers[i]!;
      const own = i === layers.length - 1 ? this.#named.get(gives) : undefined;
      layer.name = own ?? this.#names.take(layer.name);
      this.#origins.set(layer.name, originOf(match));
      layer.setFastWeightInitDuringBuild(true);
      const each = this.#apart(given);
      const result = layer.apply(each.length === 1 ? each[0]! : each) as SymbolicTensor;
      const weights = (match.layers[i]!.weights ?? []).map(tensorOf);
      if (weights.length > 0) layer.setWeights(weights);
      for (const weight of weights) weight.dispose();
      return result;
    });
    this.#tensors.set(gives, value);
  }

  #callSegment({graph, constants, weights, reasons, takes, gives}: Segment): void {
    const [first] = gives as [Edge];
    const name = this.#named.get(first) ?? this.#names.take(first.node.name);
    const outputs = gives.map((edge): SegmentOutput => {
      return {shape: this.#facts.shape(edge) ?? [null], dtype: this.#facts.dtype(edge) ?? 'float32'};
    });
    this.#origins.set(name, ofSegment({graph, reasons}));
    const layer = new GraphSegment({name, graph, outputs, constants, weights, reasons});
    const given = [layer.apply(this.#apart(this.#taken(takes))) as SymbolicTensor | SymbolicTensor[]].flat();
    gives.forEach((edge, i) => this.#tensors.set(edge, given[i]!));
  }
}

export function modelOf(ends: Ends, plan: Plan, facts: Facts, segments: readonly Segment[]): LayersModel {
  return new Builder(ends, plan, facts).build(segments);
}
