/** What becomes of each node: it is in a layer, or stays as it is. */
import type {layers} from '@tensorflow/tfjs-layers';
import type {Reason} from '../../graph_model/saved_segment';
import {inseparable} from './control_flow';
import {type Facts, RESHAPES} from './facts';
import {type Edge, EdgeMap, type Graph, type GraphNode} from './graph_reader';
import type {LayerPlan, Match, Pattern} from './pattern';
import {Probe} from './probe';

type Layer = layers.Layer;

/** Layers that give one value. */
export interface LayerUnit {
  readonly match: Match;
  readonly layers: readonly Layer[];
  readonly takes: readonly Edge[];
  readonly gives: Edge;
}

/** Nodes that no layer computes: one, or some that cannot be run apart. */
export interface FloatUnit {
  readonly nodes: readonly GraphNode[];
  readonly reasons: readonly Reason[];
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

/**
 * What comes of calling the layers of a match one after the other.
 *
 * @param values - for what the match takes.
 * @param call - calls the layer that is the so many-th.
 */
export function called<T>(
  {takes, layers}: Match,
  values: readonly T[],
  call: (index: number, given: readonly T[]) => T,
): T {
  const known = new Map<Edge | LayerPlan, T>(takes.map((edge, i) => [edge, values[i]!]));
  let given = values;
  layers.forEach((plan, i) => {
    const value = call(i, plan.takes?.map(each => known.get(each)!) ?? given);
    known.set(plan, value);
    given = [value];
  });
  return given[0]!;
}

/** Nodes that hand on all that they take, one by one. */
const HANDS_ON = /^(IdentityN|PlaceholderWithDefault)$/;

class Planner {
  readonly #graph: Graph;
  readonly #facts: Facts;
  readonly #patterns: Readonly<Record<string, Pattern>>;
  readonly #probe: Probe;
  readonly #aliases = new EdgeMap<Edge>();
  readonly #placed: Set<GraphNode>;
  readonly #units: (LayerUnit | FloatUnit)[] = [];

  constructor(graph: Graph, facts: Facts, inputs: Iterable<GraphNode>, patterns: Readonly<Record<string, Pattern>>) {
    this.#graph = graph;
    this.#facts = facts;
    this.#patterns = patterns;
    this.#probe = new Probe(facts);
    this.#placed = new Set(inputs);
  }

  readonly source = (edge: Edge): Edge => {
    let at = edge;
    for (let next = this.#aliases.get(at); next; next = this.#aliases.get(at)) at = next;
    return at;
  };

  plan(onNode: (done: number) => void): Plan {
    let done = 0;
    for (const set of inseparable(this.#graph)) {
      if (set.length > 1) this.#keep(set);
      else this.#place(set[0]!);
      onNode((done += set.length));
    }
    for (const edge of this.#graph.outputs) this.#give(edge);
    return {units: this.#units, source: this.source};
  }

  /** Has a node give what is the same for all inputs, or hangs on their shapes alone. */
  #give(edge: Edge): void {
    const {node} = this.source(edge);
    if (this.#facts.kind(node) === 'values') return;
    const name = `${node.name}/given`;
    const giver = {
      ...node,
      name,
      op: 'Identity',
      inputs: [edge],
      branches: [],
      takers: [],
      def: {name, op: 'Identity'},
    };
    const gives = {node: giver, output: 0};
    this.#facts.note(gives, this.#facts.shape(edge), this.#facts.dtype(edge));
    this.#aliases.set(edge, gives);
    this.#units.push({nodes: [giver], reasons: [{op: node.op, reason: 'hangs on no value of an input'}]});
  }

  /** Leaves nodes together as they are. */
  #keep(nodes: readonly GraphNode[]): void {
    this.#units.push({nodes, reasons: reasonsOf(nodes)});
    for (const node of nodes) {
      const stacked = this.#probe.stacked(node);
      if (stacked) this.#facts.note({node, output: 0}, stacked.shape, stacked.dtype);
    }
  }

  #place(node: GraphNode): void {
    if (this.#facts.kind(node) !== 'values' || this.#placed.has(node)) return;
    if (HANDS_ON.test(node.op)) {
      node.inputs.forEach((edge, output) => this.#alias({node, output}, edge));
      return;
    }
    const reason = this.#match(node);
    if (reason === undefined) return;
    this.#units.push({nodes: [node], reasons: [{op: node.op, reason}]});
    this.#probe.outputsOf(node).forEach((given, output) => {
      if (given) this.#facts.note({node, output}, given.shape, given.dtype);
    });
  }

  #alias(edge: Edge, of: Edge): void {
    const source = this.source(of);
    this.#aliases.set(edge, source);
    this.#facts.note(edge, this.#facts.shape(source), this.#facts.dtype(source));
  }

  /** Makes the layers of a node; or tells why there are none. */
  #match(node: GraphNode): string | undefined {
    if (!Object.hasOwn(this.#patterns, node.op)) return 'has no layer';
    const match = this.#patterns[node.op]!(node, this.#facts);
    if ('reason' in match) return match.reason;
    const takes = match.takes.map(this.source);
    const gives = {node: match.nodes.at(-1)!, output: 0};
    if (match.layers.length === 0) {
      this.#alias(gives, takes[0]!);
    } else {
      if (takes.some(edge => !this.#facts.shape(edge))) return 'takes what may have any rank';
      if (takes.some(edge => this.#facts.kind(edge.node) !== 'values'))
        return 'takes what hangs on shapes or constants';
      const made = match.layers.map(madeOf);
      const shapes = takes.map(edge => [...this.#facts.shape(edge)!]);
      const shape = called(match, shapes, (i, given) => {
        return made[i]!.computeOutputShape(given.length === 1 ? given[0]! : [...given]) as (number | null)[];
      });
      this.#facts.note(gives, shape, 'float32');
      this.#units.push({match, layers: made, takes, gives});
    }
    for (const each of match.nodes) {
      this.#placed.add(each);
      // Of those within, something may still ask for the shape.
      if (each !== gives.node && !RESHAPES.test(each.op)) this.#alias({node: each, output: 0}, gives);
    }
    return undefined;
  }
}

function reasonsOf(nodes: readonly GraphNode[]): Reason[] {
  const ops = new Set(nodes.map(({op}) => op));
  return [...ops].map(op => ({op, reason: 'is in a loop or a branch'}));
}

/**
 * Looks for layers of all the nodes.
 *
 * @param inputs - the nodes that stand for the model's inputs.
 */
export function planOf(
  graph: Graph,
  facts: Facts,
  inputs: Iterable<GraphNode>,
  patterns: Readonly<Record<string, Pattern>>,
  onNode: (done: number) => void,
): Plan {
  return new Planner(graph, facts, inputs, patterns).plan(onNode);
}
