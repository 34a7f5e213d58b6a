/**
 * The control flow of older graphs, and of frozen ones: loops written as Enter, Merge, Switch, NextIteration and Exit, conditions
 * as Switch and Merge. They become While and If, nodes that call functions, so that the graph has no cycle.
 */
import type {FunctionDef, GraphDef, NodeDef} from './check_graph';

type Attr = NonNullable<NodeDef['attr']>;

/** What may not stand for itself: each is part of a loop or a condition. */
export const PARTS: readonly string[] = ['Enter', 'Merge', 'Switch', 'NextIteration', 'LoopCond', 'Exit'];

const isPart = (node: NodeDef | undefined, ...parts: readonly string[]) =>
  node !== undefined && parts.includes(node.op.replace(/^Ref/, ''));
const isControl = (reference: string) => reference.startsWith('^');
const nameIn = (reference: string) => reference.replace(/^\^/, '').split(':')[0]!;
const outputIn = (reference: string) => Number(reference.split(':')[1] ?? 0);
const dataInputs = ({input = []}: NodeDef) => input.filter(reference => !isControl(reference));
const frameOf = ({attr = {}}: NodeDef) => String(attr['frame_name']?.s);

/** A value that a loop hands from turn to turn. */
interface LoopVariable {
  readonly enter: NodeDef;
  readonly merge: NodeDef;
  readonly next: NodeDef;
  readonly choice: NodeDef | undefined;
}

/** The arguments of functions that are made: where each value comes from outside, by what it is called within. */
class Arguments {
  readonly names = new Map<string, string>();
  readonly #prefix: string;

  constructor(prefix: string) {
    this.#prefix = prefix;
  }

  /** What a value from outside is called within. */
  of(reference: string): string {
    const known = this.names.get(reference);
    if (known !== undefined) return known;
    const name = `${this.#prefix}${this.names.size}`;
    this.names.set(reference, name);
    return name;
  }
}

/** Which argument a reference stands for, of those at the edge of what becomes a function. */
type Edge = (reference: string) => string | undefined;

class Converter {
  readonly #nodes: Map<string, NodeDef>;
  readonly #takers = new Map<string, NodeDef[]>();
  readonly #functions: FunctionDef[];
  readonly #names: Set<string>;
  readonly #frames = new Map<string, NodeDef[]>();
  /** Frames and merges that were looked at: those that cannot be converted stay as they are. */
  readonly #seen = new Set<string>();
  /** Nodes that are in a function now. */
  readonly #moved = new Set<string>();

  constructor({node: nodes, library}: GraphDef) {
    this.#nodes = new Map(nodes.map(node => [node.name, node]));
    this.#functions = [...(library?.function ?? [])];
    this.#names = new Set([...this.#nodes.keys(), ...this.#functions.map(({signature}) => signature?.name ?? '')]);
    for (const node of nodes) {
      for (const reference of dataInputs(node)) this.#list(this.#takers, nameIn(reference)).push(node);
      if (isPart(node, 'Enter')) this.#list(this.#frames, frameOf(node)).push(node);
    }
  }

  convert(graph: GraphDef): GraphDef {
    for (const node of graph.node) this.#resolve(node);
    const gone = this.#gone();
    const kept = [...this.#nodes.values()].filter(({name}) => !gone.has(name));
    const names = new Set(kept.map(({name}) => name));
    const isThere = (reference: string) => !isControl(reference) || names.has(nameIn(reference));
    const node = kept.map(each => (each.input ? {...each, input: each.input.filter(isThere)} : each));
    return {...graph, node, library: {...graph.library, function: this.#functions}};
  }

  #list(lists: Map<string, NodeDef[]>, name: string): NodeDef[] {
    if (!lists.has(name)) lists.set(name, []);
    return lists.get(name)!;
  }

  #node(reference: string): NodeDef | undefined {
    return this.#nodes.get(nameIn(reference));
  }

  #unique(name: string): string {
    let unique = name;
    while (this.#names.has(unique)) unique += '_';
    this.#names.add(unique);
    return unique;
  }

  /** What is converted goes, and what hung on it: nodes that only waited for it, and constants that it alone took. */
  #gone(): Set<string> {
    const gone = new Set(this.#moved);
    for (const name of gone) {
      for (const taker of this.#takers.get(name) ?? []) if (this.#nodes.get(taker.name) === taker) gone.add(taker.name);
    }
    for (const {name, op} of this.#nodes.values()) {
      const takers = this.#takers.get(name) ?? [];
      if (op === 'Const' && takers.length > 0 && takers.every(taker => gone.has(taker.name))) gone.add(name);
    }
    return gone;
  }

  /** Converts what a node ends: the loop of an Exit, the condition of a Merge. */
  #resolve(node: NodeDef): void {
    if (isPart(node, 'Exit')) {
      const merge = this.#node(this.#node(node.input?.[0] ?? '')?.input?.[0] ?? '');
      const enter = merge?.input?.map(reference => this.#node(reference)).find(each => isPart(each, 'Enter'));
      if (enter) this.#once(`frame ${frameOf(enter)}`, () => this.#loop(frameOf(enter)));
    } else if (isPart(node, 'Merge') && !dataInputs(node).some(input => isPart(this.#node(input), 'NextIteration'))) {
      this.#once(`merge ${node.name}`, () => this.#condition(node));
    }
  }

  #once(key: string, convert: () => void): void {
    if (this.#seen.has(key)) return;
    this.#seen.add(key);
    convert();
  }

  #loop(frame: string): void {
    const enters = this.#frames.get(frame)!;
    const variables = enters.flatMap(enter => this.#variableOf(enter));
    const condition = variables
      .map(({choice}) => this.#node(choice?.input?.[1] ?? ''))
      .find(node => isPart(node, 'LoopCond'));
    if (!condition) return;
    const name = this.#unique(`${nameIn(enters[0]!.name)}/While`);
    const args = new Arguments(this.#unique(`${name}/arg`));
    const given = variables.map(({enter}) => enter.input![0]!);
    const own = variables.map((_, i) => args.of(`variable ${i}`));
    const places = new Map<string, string>();
    variables.forEach(({merge, choice}, i) => {
      places.set(merge.name, own[i]!);
      if (choice) places.set(choice.name, own[i]!);
    });
    const isVariable = new Set(variables.map(({enter}) => enter.name));
    const edge: Edge = reference => {
      const node = this.#node(reference);
      const isConstant = isPart(node, 'Enter') && frameOf(node!) === frame && !isVariable.has(node!.name);
      return isConstant ? args.of(node!.input![0]!) : places.get(nameIn(reference));
    };
    const tested = this.#body([condition.input![0]!], edge, args);
    const next = this.#body(
      variables.map(variable => variable.next.input![0]!),
      edge,
      args,
    );
    const captured = [...args.names.keys()].slice(variables.length);
    const names = [...args.names.values()];
    const cond = this.#addFunction(`${name}/cond`, names, tested.values, tested.nodes);
    const body = this.#addFunction(
      `${name}/body`,
      names,
      [...next.values, ...names.slice(variables.length)],
      next.nodes,
    );
    const types = [...variables.map(({enter}) => typeOf(enter)), ...captured.map(() => 'DT_INVALID')];
    this.#add({
      name,
      op: 'StatelessWhile',
      input: [...given, ...captured],
      attr: {cond: {func: {name: cond}}, body: {func: {name: body}}, T: {list: {type: types}}} as Attr,
    });
    variables.forEach(({enter, merge, next: last, choice}, i) => {
      const exits = choice ? (this.#takers.get(choice.name) ?? []).filter(taker => isPart(taker, 'Exit')) : [];
      for (const exit of exits) this.#replace(exit, `${name}:${i}`);
      for (const part of [enter, merge, last, choice]) if (part) this.#moved.add(part.name);
    });
    for (const part of [...enters, condition]) this.#moved.add(part.name);
  }

  #variableOf(enter: NodeDef): LoopVariable[] {
    const merge = this.#takers.get(enter.name)?.find(taker => isPart(taker, 'Merge'));
    const next = merge?.input?.map(input => this.#node(input)).find(node => isPart(node, 'NextIteration'));
    if (!merge || !next) return [];
    const choice = this.#takers.get(merge.name)?.find(taker => isPart(taker, 'Switch'));
    return [{enter, merge, next, choice}];
  }

  #condition(merge: NodeDef): void {
    const inputs = dataInputs(merge);
    const [first, second] = inputs.map(input => this.#sidesOf(input));
    if (inputs.length !== 2 || !first || !second) return;
    const predicate = [...first.keys(), ...second.keys()].find(asked => {
      const [one, other] = [first.get(asked), second.get(asked)];
      return one === undefined || other === undefined || one !== other;
    });
    if (predicate === undefined) return;
    const yes = first.get(predicate) ?? 1 - second.get(predicate)!;
    const [then, otherwise] = yes === 1 ? inputs : [...inputs].reverse();
    const name = this.#unique(`${merge.name}/If`);
    const args = new Arguments(this.#unique(`${name}/arg`));
    const edge: Edge = reference => {
      const node = this.#node(reference);
      if (!isPart(node, 'Switch') || this.#source(node!.input![1]!) !== predicate) return undefined;
      this.#moved.add(node!.name);
      return args.of(node!.input![0]!);
    };
    const bodies = [then!, otherwise!].map(value => this.#body([value], edge, args));
    const names = [...args.names.values()];
    const [thenName, elseName] = bodies.map(({values, nodes}, i) =>
      this.#addFunction(`${name}/${i === 0 ? 'then' : 'else'}`, names, values, nodes),
    );
    this.#add({
      name,
      op: 'StatelessIf',
      input: [predicate, ...args.names.keys()],
      attr: {then_branch: {func: {name: thenName!}}, else_branch: {func: {name: elseName!}}},
    });
    this.#replace(merge, name);
  }

  /** Where a condition comes from, past nodes that pass it on. */
  #source(reference: string): string {
    let [found, node] = [reference, this.#node(reference)];
    for (let i = 0; node?.op === 'Identity' && i < this.#nodes.size; i++) {
      found = dataInputs(node)[0]!;
      node = this.#node(found);
    }
    return found.replace(/:0$/, '');
  }

  /** On which side of which conditions a value is computed: the nearest ones on its way. */
  #sidesOf(value: string): Map<string, number> {
    const sides = new Map<string, number>();
    const seen = new Set<string>();
    const open = [value];
    const waiting: string[] = [];
    const look = (reference: string): void => {
      const node = this.#node(reference);
      if (!node || seen.has(reference)) return;
      seen.add(reference);
      this.#resolve(node);
      const resolved = this.#nodes.get(node.name)!;
      if (isPart(resolved, 'Switch')) {
        const isOfLoop = isPart(this.#node(resolved.input?.[1] ?? ''), 'LoopCond');
        if (!isOfLoop) sides.set(this.#source(resolved.input![1]!), outputIn(reference));
      } else if (!isPart(resolved, ...PARTS)) {
        open.push(...dataInputs(resolved));
        waiting.push(...(resolved.input ?? []).filter(isControl).map(each => each.slice(1)));
      }
    };
    for (let next = open.pop(); next !== undefined; next = open.pop()) look(next);
    // Constants of a branch only wait for it.
    while (sides.size === 0 && waiting.length > 0) {
      open.push(waiting.pop()!);
      for (let next = open.pop(); next !== undefined; next = open.pop()) look(next);
    }
    return sides;
  }

  /** The nodes between an edge and some values. What does not hang on the edge stays outside, and becomes an argument. */
  #body(values: readonly string[], edge: Edge, args: Arguments): {nodes: NodeDef[]; values: string[]} {
    const inside = this.#inside(values, edge);
    const nodes = new Map<string, NodeDef>();
    const within = (reference: string): string => {
      const known = edge(reference);
      if (known !== undefined) return known;
      const name = nameIn(reference);
      if (inside.get(name)) return reference;
      const node = this.#nodes.get(name);
      if (node?.op !== 'Const') return args.of(reference);
      nodes.set(name, {...node, input: []});
      return reference;
    };
    for (const [name, isInside] of inside) {
      if (!isInside) continue;
      const node = this.#nodes.get(name)!;
      nodes.set(name, {...node, input: dataInputs(node).map(within)});
      this.#moved.add(name);
    }
    return {values: values.map(within), nodes: [...nodes.values()]};
  }

  /** For each node behind some values, whether it hangs on the edge. */
  #inside(values: readonly string[], edge: Edge): Map<string, boolean> {
    const inside = new Map<string, boolean>();
    const open = values.map(reference => ({reference, isDone: false}));
    const hangs = (reference: string) => edge(reference) !== undefined || inside.get(nameIn(reference)) === true;
    for (let next = open.pop(); next; next = open.pop()) {
      const {reference, isDone} = next;
      const name = nameIn(reference);
      if (isDone) inside.set(name, dataInputs(this.#nodes.get(name)!).some(hangs));
      else if (!inside.has(name) && edge(reference) === undefined && this.#nodes.has(name)) {
        inside.set(name, false);
        this.#resolve(this.#nodes.get(name)!);
        const node = this.#nodes.get(name)!;
        if (isPart(node, ...PARTS)) continue;
        open.push({reference, isDone: true});
        for (const input of dataInputs(node)) open.push({reference: input, isDone: false});
      }
    }
    return inside;
  }

  #addFunction(name: string, args: readonly string[], values: readonly string[], nodeDef: NodeDef[]): string {
    const unique = this.#unique(name);
    const outputs = values.map((_, i) => ({name: `output${i}`}));
    const ret = Object.fromEntries(values.map((value, i) => [`output${i}`, value]));
    const signature = {name: unique, inputArg: args.map(each => ({name: each})), outputArg: outputs};
    this.#functions.push({signature, nodeDef, ret});
    return unique;
  }

  #add(node: NodeDef): void {
    this.#nodes.set(node.name, node);
    for (const reference of dataInputs(node)) this.#list(this.#takers, nameIn(reference)).push(node);
  }

  /** Puts a value in the place of a node, under its name. */
  #replace({name, attr = {}}: NodeDef, value: string): void {
    this.#nodes.set(name, {name, op: 'Identity', input: [value], attr});
  }
}

function typeOf({attr = {}}: NodeDef): string {
  const {type} = (attr['T'] ?? {}) as {type?: string};
  return type ?? 'DT_INVALID';
}

/** The graph with its old loops and conditions as While and If; itself if it has none. What is neither stays as it is. */
export function withFunctions(graph: GraphDef): GraphDef {
  const hasParts = graph.node.some(node => isPart(node, 'Exit', 'Merge'));
  return hasParts ? new Converter(graph).convert(graph) : graph;
}
