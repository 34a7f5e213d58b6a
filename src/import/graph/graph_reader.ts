/** A converted graph, read: nodes linked to those that they take from, and their attributes. */
import type {DataType} from '@tensorflow/tfjs-core';
import type {GraphDef, NodeDef} from '../../graph_model/check_graph';
import type {Constant} from '../../graph_model/node_run';
import {Attrs} from '../../graph_model/attrs';

/** One of the outputs of a node. */
export interface Edge {
  readonly node: GraphNode;
  readonly output: number;
}

export interface GraphNode {
  readonly name: string;
  readonly op: string;
  /** What it takes; those that it only waits for are left out. */
  readonly inputs: readonly Edge[];
  /** Of those that it waits for, the ones that tell in which branch of a condition it is. */
  readonly branches: readonly GraphNode[];
  /** The nodes that take something of it, each once for each time. */
  readonly takers: readonly GraphNode[];
  readonly attrs: Attrs;
  readonly def: NodeDef;
}

/** A shape as far as it is known; null for a dimension that is any. */
export type Shape = readonly (number | null)[];

/** What patterns may ask of the graph, beside its nodes. */
export interface Known {
  /** The shape of a value; undefined if not even its rank is known. */
  shape(edge: Edge): Shape | undefined;
  dtype(edge: Edge): DataType | undefined;
  /** The value of what hangs on constants alone. */
  constant(edge: Edge | undefined): Constant | undefined;
  /** Whole numbers that hang on constants and shapes alone, such as the shape that is given to a Reshape; null where one hangs on an open dimension. */
  integers(edge: Edge | undefined): readonly (number | null)[] | undefined;
  /** Whether the first of those whole numbers is the size of an open batch, and of nothing else. */
  beginsWithBatch(edge: Edge): boolean;
  /** The one node that takes a node's (only) output; undefined if there are others, or if it is an output of the model. */
  onlyTaker(node: GraphNode): GraphNode | undefined;
}

/** Something for each output of nodes. */
export class EdgeMap<T> {
  readonly #byNode = new Map<GraphNode, Map<number, T>>();

  get({node, output}: Edge): T | undefined {
    return this.#byNode.get(node)?.get(output);
  }

  has({node, output}: Edge): boolean {
    return this.#byNode.get(node)?.has(output) ?? false;
  }

  set({node, output}: Edge, value: T): void {
    const own = this.#byNode.get(node);
    if (own) own.set(output, value);
    else this.#byNode.set(node, new Map([[output, value]]));
  }

  values(): T[] {
    return [...this.#byNode.values()].flatMap(own => [...own.values()]);
  }
}

/** A reference as NodeSets have it: 'node', or 'node:1' for its second output. */
export function referenceOf({node, output}: Edge): string {
  return output === 0 ? node.name : `${node.name}:${output}`;
}

interface OpenNode extends GraphNode {
  readonly inputs: Edge[];
  readonly branches: GraphNode[];
  readonly takers: GraphNode[];
}

/** The node and the output that a reference means: 'node', 'node:1', 'node:name:1'. */
function parsed(reference: string): [name: string, output: number] {
  const parts = reference.split(':');
  return [parts[0]!, parts.length > 1 ? Number(parts.at(-1)) || 0 : 0];
}

/** What a v1 loop hands on to its next turn closes no cycle. */
function isTurn({op}: GraphNode): boolean {
  return op === 'NextIteration';
}

/** A graph without the nodes that nothing needs. */
export class Graph {
  readonly #nodes: ReadonlyMap<string, OpenNode>;
  /** Those needed, each after those that it takes from. */
  readonly nodes: readonly GraphNode[];
  /** What the model gives. */
  readonly outputs: readonly Edge[];
  readonly #given: ReadonlySet<GraphNode>;

  /**
   * @param def - a graph without problems.
   * @param outputs - references to what the model gives; undefined for whatever nothing takes.
   */
  constructor(def: GraphDef, outputs?: readonly string[]) {
    this.#nodes = linked(def);
    this.outputs = outputs?.map(each => this.edge(each)!) ?? ends(this.#nodes).map(node => ({node, output: 0}));
    this.nodes = sorted(this.outputs);
    const needed = new Set(this.nodes);
    for (const node of this.#nodes.values()) {
      const {takers} = node;
      if (takers.every(each => needed.has(each))) continue;
      takers.splice(0, takers.length, ...takers.filter(each => needed.has(each)));
    }
    this.#given = new Set(this.outputs.map(({node}) => node));
  }

  /** Where a reference leads; undefined if there is no such node. */
  edge(reference: string): Edge | undefined {
    const [name, output] = parsed(reference);
    const node = this.#nodes.get(name);
    return node && {node, output};
  }

  /** All nodes of the file. */
  all(): Iterable<GraphNode> {
    return this.#nodes.values();
  }

  /** Whether the model gives something of a node. */
  isGiven(node: GraphNode): boolean {
    return this.#given.has(node);
  }
}

/** Whether a node is the one side of a Switch, or hands that on. */
function isBranch({op, input = []}: NodeDef, nodes: ReadonlyMap<string, GraphNode>): boolean {
  if (op !== 'Identity') return op === 'Switch';
  return nodes.get(parsed(input[0] ?? '')[0])?.op === 'Switch';
}

/** The nodes that one hangs on. */
export function neededBy({inputs, branches}: GraphNode): GraphNode[] {
  return [...inputs.map(({node}) => node), ...branches];
}

function linked({node: defs}: GraphDef): Map<string, OpenNode> {
  const nodes = new Map<string, OpenNode>(
    defs.map(def => [
      def.name,
      {name: def.name, op: def.op, inputs: [], branches: [], takers: [], attrs: new Attrs(def.attr), def},
    ]),
  );
  for (const node of nodes.values()) {
    for (const reference of node.def.input ?? []) {
      const [name, output] = parsed(reference.replace('^', ''));
      const from = nodes.get(name)!;
      if (reference.startsWith('^')) {
        if (isBranch(from.def, nodes)) node.branches.push(from);
        continue;
      }
      node.inputs.push({node: from, output});
      from.takers.push(node);
    }
  }
  return nodes;
}

/** Nodes for which nothing waits, and which compute something. */
function ends(nodes: ReadonlyMap<string, GraphNode>): GraphNode[] {
  const awaited = new Set(
    [...nodes.values()].flatMap(({def}) => (def.input ?? []).map(each => parsed(each.replace(/^\^/, ''))[0])),
  );
  return [...nodes.values()].filter(({name, op}) => !awaited.has(name) && !/^(Const|Placeholder|NoOp)$/.test(op));
}

/** The nodes that outputs hang on, each after those that it takes from: without recursion, as graphs may be deep. */
function sorted(outputs: readonly Edge[]): GraphNode[] {
  const order: GraphNode[] = [];
  const opened = new Set<GraphNode>();
  const closed = new Set<GraphNode>();
  const starts = outputs.map(({node}) => node);
  for (const start of starts) {
    const path = [start];
    while (path.length > 0) {
      const node = path.at(-1)!;
      if (opened.has(node)) {
        path.pop();
        if (!closed.has(node)) order.push(node);
        closed.add(node);
        continue;
      }
      opened.add(node);
      for (const from of neededBy(node).reverse()) {
        if (isTurn(from)) starts.push(from);
        else if (!opened.has(from)) path.push(from);
      }
    }
  }
  return order;
}
