/** Nodes that run as one or not at all: loops and branches, and what is handed around in lists of tensors. */
import {type Graph, type GraphNode, neededBy} from './graph_reader';

/** In how many loops and branches a value is. */
interface Depth {
  readonly loops: number;
  readonly branches: number;
}

const OUTSIDE: Depth = {loops: 0, branches: 0};

/** How deep what a node gives is, where what it takes is so deep. Within loops, Switch and Merge are the loop's own. */
function depthAfter({op}: GraphNode, {loops, branches}: Depth): Depth {
  if (op === 'Enter') return {loops: loops + 1, branches};
  if (op === 'Exit') return {loops: Math.max(0, loops - 1), branches};
  if (loops > 0) return {loops, branches};
  if (op === 'Switch') return {loops, branches: branches + 1};
  return op === 'Merge' ? {loops, branches: Math.max(0, branches - 1)} : {loops, branches};
}

const isDeep = ({loops, branches}: Depth) => loops > 0 || branches > 0;

/** Lists of tensors are known to tfjs by a number, for as long as a graph runs: what hands it on must not be parted from them. */
const LISTS = /^(EmptyTensorList|Tensor(List|Array))/;
const MAKES_LIST = /^(EmptyTensorList|TensorList(Reserve|FromTensor|Scatter(V2)?|Split)|TensorArrayV\d)$/;
const GIVES_VALUES = /(Stack|GetItem|Gather|Concat|Length|PopBack|Shape|Read|Size)(V\d)?$/;

/** Whether a node takes the number of a list from another. */
function handsOnList(from: GraphNode, to: GraphNode): boolean {
  if (LISTS.test(from.op) && !GIVES_VALUES.test(from.op)) return true;
  return LISTS.test(to.op) && !MAKES_LIST.test(to.op) && to.inputs[0]?.node === from;
}

/** Sets of nodes that are joined. */
export class Joined<T> {
  readonly #parents = new Map<T, T>();

  /** What stands for all that one is joined with. */
  of(member: T): T {
    let root = member;
    for (let next = this.#parents.get(root); next !== undefined; next = this.#parents.get(root)) root = next;
    for (let at = member; at !== root;) {
      const next = this.#parents.get(at)!;
      this.#parents.set(at, root);
      at = next;
    }
    return root;
  }

  join(a: T, b: T): void {
    const [from, to] = [this.of(a), this.of(b)];
    if (from !== to) this.#parents.set(from, to);
  }
}

/** Nodes that cannot be run apart: of most, the node alone. Each set stands behind those that it takes from. */
export function inseparable(graph: Graph): (readonly GraphNode[])[] {
  const depths = new Map<GraphNode, Depth>();
  const within = new Set<GraphNode>();
  for (const node of graph.nodes) {
    const taken = neededBy(node).map(from => depths.get(from) ?? OUTSIDE);
    const depth = {
      loops: Math.max(0, ...taken.map(({loops}) => loops)),
      branches: Math.max(0, ...taken.map(({branches}) => branches)),
    };
    const after = depthAfter(node, depth);
    depths.set(node, after);
    if (isDeep(depth) || isDeep(after)) within.add(node);
  }
  const joined = new Joined<GraphNode>();
  for (const node of graph.nodes) {
    for (const from of neededBy(node)) {
      const isInside = within.has(node) && within.has(from) && isDeep(depths.get(from)!);
      if (isInside || handsOnList(from, node)) joined.join(node, from);
    }
  }
  while (joinsBetween(graph, joined));
  return inOrder(graph, setsOf(graph, joined), node => joined.of(node));
}

function setsOf(graph: Graph, joined: Joined<GraphNode>): ReadonlyMap<GraphNode, readonly GraphNode[]> {
  const sets = new Map<GraphNode, GraphNode[]>();
  for (const node of graph.nodes) {
    const root = joined.of(node);
    const set = sets.get(root);
    if (set) set.push(node);
    else sets.set(root, [node]);
  }
  return sets;
}

/** Joins with sets what takes from one of their nodes and gives to another; tells whether there was something. */
function joinsBetween(graph: Graph, joined: Joined<GraphNode>): boolean {
  const places = new Map(graph.nodes.map((node, i) => [node, i]));
  const found: [GraphNode, GraphNode][] = [];
  for (const set of setsOf(graph, joined).values()) {
    if (set.length === 1) continue;
    const between = graph.nodes.slice(places.get(set[0]!), places.get(set.at(-1)!)! + 1);
    const [own, behind, before] = [new Set(set), new Set(set), new Set(set)];
    for (const node of between) if (neededBy(node).some(from => behind.has(from))) behind.add(node);
    for (const node of [...between].reverse()) if (before.has(node)) neededBy(node).forEach(from => before.add(from));
    const missing = between.filter(node => !own.has(node) && behind.has(node) && before.has(node));
    for (const node of missing) found.push([node, set[0]!]);
  }
  for (const [node, other] of found) joined.join(node, other);
  return found.length > 0;
}

/** Sets in an order in which each stands behind those that it takes from. */
function inOrder(
  graph: Graph,
  sets: ReadonlyMap<GraphNode, readonly GraphNode[]>,
  rootOf: (node: GraphNode) => GraphNode,
): (readonly GraphNode[])[] {
  if (sets.size === graph.nodes.length) return [...sets.values()];
  const order: (readonly GraphNode[])[] = [];
  const opened = new Set<GraphNode>();
  const closed = new Set<GraphNode>();
  for (const start of sets.keys()) {
    const path = [start];
    while (path.length > 0) {
      const root = path.at(-1)!;
      if (opened.has(root)) {
        path.pop();
        if (!closed.has(root)) order.push(sets.get(root)!);
        closed.add(root);
        continue;
      }
      opened.add(root);
      for (const from of sets.get(root)!.flatMap(neededBy)) if (!opened.has(rootOf(from))) path.push(rootOf(from));
    }
  }
  return order;
}
