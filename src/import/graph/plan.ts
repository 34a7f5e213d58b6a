/** What becomes of each node: it is in a layer, or stays as it is. */
import type {layers} from '@tensorflow/tfjs-layers';
import type {Facts} from './facts';
import {type Edge, EdgeMap, type Graph, type GraphNode} from './graph_reader';
import type {LayerPlan, Match, Pattern} from './pattern';

type Layer = layers.Layer;

/** Layers called one after the other, which give one value. */
export interface LayerUnit {
  readonly match: Match;
  readonly layers: readonly Layer[];
  /** What each value that is taken passes first. */
  readonly before: readonly (Layer | undefined)[];
  readonly takes: readonly Edge[];
  readonly gives: Edge;
}

/** A node that no layer computes. */
export interface FloatUnit {
  readonly node: GraphNode;
  /** Why, as words that follow its name. */
  readonly reason: string;
}

export interface Plan {
  /** Each after those that it takes from. */
  readonly units: readonly (LayerUnit | FloatUnit)[];
  /** Where a value comes from, if nodes only hand it on. */
  readonly source: (edge: Edge) => Edge;
}

export function isLayers(unit: LayerUnit | FloatUnit): unit is LayerUnit {
  return 'match' in unit;
}

function madeOf({make, of, suffix = ''}: LayerPlan): Layer {
  return make({name: of.name + suffix});
}

/** The shape that layers give, called one after the other. */
function shapeAfter(made: readonly Layer[], takes: readonly Edge[], facts: Facts): (number | null)[] {
  let shapes = takes.map(edge => [...facts.shape(edge)!]);
  for (const layer of made) {
    const shape = layer.computeOutputShape(shapes.length === 1 ? shapes[0]! : shapes);
    shapes = [shape as (number | null)[]];
  }
  return shapes[0]!;
}

class Planner {
  readonly #graph: Graph;
  readonly #facts: Facts;
  readonly #inputs: ReadonlySet<GraphNode>;
  readonly #patterns: Readonly<Record<string, Pattern>>;
  readonly #aliases = new EdgeMap<Edge>();
  readonly #absorbed = new Set<GraphNode>();
  readonly #units: (LayerUnit | FloatUnit)[] = [];

  constructor(graph: Graph, facts: Facts, inputs: ReadonlySet<GraphNode>, patterns: Readonly<Record<string, Pattern>>) {
    this.#graph = graph;
    this.#facts = facts;
    this.#inputs = inputs;
    this.#patterns = patterns;
  }

  readonly source = (edge: Edge): Edge => {
    let at = edge;
    for (let next = this.#aliases.get(at); next; next = this.#aliases.get(at)) at = next;
    return at;
  };

  plan(onNode: (done: number) => void): Plan {
    this.#graph.nodes.forEach((node, i) => {
      if (this.#facts.kind(node) === 'values' && !this.#absorbed.has(node) && !this.#inputs.has(node))
        this.#place(node);
      onNode(i + 1);
    });
    return {units: this.#units, source: this.source};
  }

  #place(node: GraphNode): void {
    if (/^(IdentityN|PlaceholderWithDefault)$/.test(node.op)) {
      node.inputs.forEach((edge, output) => this.#alias({node, output}, edge));
      return;
    }
    const reason = this.#match(node);
    if (reason !== undefined) this.#units.push({node, reason});
  }

  #alias(edge: Edge, of: Edge): void {
    const source = this.source(of);
    this.#aliases.set(edge, source);
    this.#facts.note(edge, this.#facts.shape(source), this.#facts.dtype(source));
  }

  /** Makes the layers of a node; or tells why there are none. */
  #match(node: GraphNode): string | undefined {
    if (!Object.hasOwn(this.#patterns, node.op)) return 'no layer computes it';
    const match = this.#patterns[node.op]!(node, this.#facts);
    if ('reason' in match) return match.reason;
    const takes = match.takes.map(this.source);
    const gives = {node: match.nodes.at(-1)!, output: 0};
    if (match.layers.length === 0) {
      this.#alias(gives, takes[0]!);
    } else {
      if (takes.some(edge => !this.#facts.shape(edge))) return 'of what it takes, not even the rank is known';
      const made = match.layers.map(madeOf);
      const before = (match.before ?? []).map(plan => plan && madeOf(plan));
      this.#facts.note(gives, shapeAfter(made, takes, this.#facts), 'float32');
      this.#units.push({match, layers: made, before, takes, gives});
    }
    for (const each of match.nodes) this.#absorbed.add(each);
    return undefined;
  }
}

/**
 * Looks for layers of all the nodes.
 *
 * @param inputs - the nodes that stand for the model's inputs.
 */
export function planOf(
  graph: Graph,
  facts: Facts,
  inputs: ReadonlySet<GraphNode>,
  patterns: Readonly<Record<string, Pattern>>,
  onNode: (done: number) => void,
): Plan {
  return new Planner(graph, facts, inputs, patterns).plan(onNode);
}
