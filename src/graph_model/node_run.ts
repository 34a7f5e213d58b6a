/** Some nodes of a graph on their own, run by tfjs, and at once: a layer cannot wait. */
import {type GraphModel, loadGraphModelSync, registerOp} from '@tensorflow/tfjs-converter';
import {clone, type io, type Tensor, tidy, type Variable} from '@tensorflow/tfjs-core';
import {isRecord} from '../check/rules';
import {type FunctionDef, type GraphDef, type NodeDef, returnsOf} from './check_graph';
import {type Constant, variableOf} from './constant';
import {withFunctions} from './control_flow';
import {registerGradients} from './gradients';
import {quantizationOp} from './mend_graph';
import type {GraphFunction, Op, OpNode} from './own_op';
import {OUTPUT_NAMES, OWN_OPS} from './own_ops';
import {TensorList, type Value} from './tensor_list';

export type {Constant} from './constant';

/** Nodes cut out of a graph. A reference is 'node', or 'node:1' for its second output. */
export interface NodeSet {
  /** The nodes, constants among them. */
  readonly nodes: readonly NodeDef[];
  /** The functions that they call. */
  readonly library?: GraphDef['library'];
  /** What they take from outside: references as they stand among the nodes' inputs. */
  readonly inputs: readonly string[];
  /** What they give: references to nodes of the set. */
  readonly outputs: readonly string[];
}

type Constants = ReadonlyMap<string, Constant>;
type Attrs = OpNode['attrs'];
type OwnNode = (inputs: readonly Value[], attrs: Attrs) => Value | Value[];

/** The one op that tfjs knows of this package's: a node of the run that is under way, by its place among those. */
const OWN_OP = 'tfjs-quantization>OwnOp';

/** The runs that are under way: a node runs functions, which are runs of their own. */
const running: OwnNode[][] = [];

function registerOwnOp(): void {
  registerOp(OWN_OP, ({inputs, attrs}) => {
    const node = running.at(-1)![(attrs as unknown as {at: number}).at]!;
    return node(inputs, attrs) as Tensor | Tensor[];
  });
}

const isControl = (reference: string) => reference.startsWith('^');

/** A reference as node and output, by the name of the output or its place. */
function parsed(reference: string, opOf: (node: string) => string | undefined): {node: string; output: number} {
  const [node = '', ...rest] = reference.split(':');
  const place = Number(rest.at(-1) ?? 0);
  if (rest.length < 2) return {node, output: place};
  const op = opOf(node) ?? '';
  const names = quantizationOp(op)?.outputs ?? OUTPUT_NAMES[op] ?? [];
  return {node, output: Math.max(0, names.indexOf(rest[0]!)) + place};
}

/** The functions of a library, each ready to run once it is asked for. */
class Library {
  readonly #constants: Constants;
  readonly #bodies: ReadonlyMap<string, FunctionDef>;
  readonly #made = new Map<string, NodeRun | undefined>();

  constructor(library: GraphDef['library'], constants: Constants) {
    this.#constants = constants;
    this.#bodies = new Map((library?.function ?? []).map(body => [body.signature?.name ?? '', body]));
  }

  function(name: string, where: string): GraphFunction {
    const body = this.#bodies.get(name);
    if (!body) throw new Error(`${where} calls the function '${name}', which is not in the library.`);
    if (!this.#made.has(name)) {
      // While it is made it is there, and is nothing.
      this.#made.set(name, undefined);
      this.#made.set(name, new NodeRun(nodesOf(body), this.#constants, this));
    }
    const run = this.#made.get(name);
    if (!run) throw new Error(`${where} calls the function '${name}' within itself.`);
    return inputs => run.run(inputs as Tensor[]);
  }

  dispose(): void {
    for (const run of this.#made.values()) run?.dispose();
    this.#made.clear();
  }
}

function nodesOf(body: FunctionDef): NodeSet {
  const {signature, nodeDef = []} = body;
  const ret = returnsOf(body);
  const inputs = (signature?.inputArg ?? []).map(({name}) => name);
  const outputs = (signature?.outputArg ?? []).map(({name}) => ret[name] ?? name);
  return {nodes: nodeDef, inputs, outputs};
}

/** The functions that a node's attributes name. */
function functionsOf({attr = {}}: NodeDef, where: string, library: Library): Record<string, GraphFunction> {
  const named = Object.entries(attr).flatMap(([key, value]) => {
    const list = (value as {list?: {func?: {name?: string}[]}}).list?.func;
    if (list) return list.map((func, i) => [`${key} ${i}`, func.name] as const);
    return isRecord(value.func) ? [[key, value.func.name] as const] : [];
  });
  return Object.fromEntries(named.map(([key, name]) => [key, library.function(name ?? '', where)]));
}

/** What computes a node in this package; undefined of one that tfjs does. */
function ownNode(node: NodeDef, library: Library): OwnNode | undefined {
  const where = `node '${node.name}' (${node.op})`;
  const quantization = quantizationOp(node.op);
  if (quantization) {
    return (inputs, attrs) => quantization.run({inputs, attrs} as never) as Tensor | Tensor[];
  }
  const op: Op | undefined = Object.hasOwn(OWN_OPS, node.op) ? OWN_OPS[node.op] : undefined;
  if (!op) return undefined;
  const functions = functionsOf(node, where, library);
  return (inputs, attrs) => tidy(() => op(inputs, {where, attrs, functions}) as Tensor);
}

/** The nodes that the outputs hang on, each after those that it takes from. */
export function neededNodes(
  outputs: readonly string[],
  nodes: ReadonlyMap<string, NodeDef>,
  isGiven: (reference: string) => boolean,
): NodeDef[] {
  const needed = new Map<string, NodeDef>();
  const open = [...outputs].reverse().map(reference => ({reference, done: false}));
  const seen = new Set<string>();
  for (let next = open.pop(); next; next = open.pop()) {
    const {reference, done} = next;
    const name = reference.split(':')[0]!;
    const node = nodes.get(name);
    if (done) needed.set(name, node!);
    else if (!isGiven(reference) && node && !seen.has(name)) {
      seen.add(name);
      open.push({reference, done: true});
      for (const input of node.input ?? []) if (!isControl(input)) open.push({reference: input, done: false});
    }
  }
  return [...needed.values()];
}

/** The nodes of a set, less those that are given, with their loops and conditions as functions. */
export function functionalGraph({nodes, library, inputs}: NodeSet): GraphDef {
  const given = new Set(inputs.map(reference => reference.replace(/:0$/, '')));
  const node = nodes.map(each => (given.has(each.name) ? {name: each.name, op: 'Placeholder'} : each));
  return withFunctions({node, ...(library && {library})});
}

/** Names for tfjs, which keeps what it knows in objects by name: it never sees those of a file. */
class Names {
  /** Of what is given. */
  readonly inputs: readonly string[];
  readonly #nodes: ReadonlyMap<string, NodeDef>;
  readonly #given: ReadonlyMap<string, string>;
  readonly #names = new Map<string, string>();

  constructor(inputs: readonly string[], nodes: ReadonlyMap<string, NodeDef>) {
    this.#nodes = nodes;
    this.inputs = inputs.map((_, i) => `input${i}`);
    this.#given = new Map(inputs.map((reference, i) => [this.#key(reference), this.inputs[i]!]));
  }

  isGiven(reference: string): boolean {
    return this.#given.has(this.#key(reference));
  }

  set({name}: NodeDef, named: string): void {
    this.#names.set(name, named);
  }

  /** What tfjs calls a value. */
  of(reference: string): string {
    const {node, output} = this.#parsed(reference);
    const name = this.#given.get(this.#key(reference)) ?? this.#names.get(node);
    if (name === undefined) throw new Error(`'${reference}' is neither one of the nodes nor given to them.`);
    return output === 0 || this.isGiven(reference) ? name : `${name}:${output}`;
  }

  /** The same for all references to a value. */
  #key(reference: string): string {
    const {node, output} = this.#parsed(reference);
    return `${output} ${node}`;
  }

  #parsed(reference: string): {node: string; output: number} {
    return parsed(reference, name => this.#nodes.get(name)?.op);
  }
}

/** A NodeSet that is ready to run. */
export class NodeRun {
  readonly #model: GraphModel<io.IOHandlerSync>;
  readonly #inputs: readonly string[];
  readonly #outputs: readonly string[];
  readonly #nodes: readonly {readonly where: string; readonly reference: string}[];
  readonly #own: OwnNode[] = [];
  readonly #constants: Record<string, Variable> = {};
  readonly #library: Library;
  readonly #ownsLibrary: boolean;

  /**
   * @param constants - by the names of the nodes of op Const, in functions too.
   * @throws if a constant or a function is missing: the error names the node.
   */
  constructor(set: NodeSet, constants: ReadonlyMap<string, Constant>, library?: Library) {
    registerOwnOp();
    registerGradients();
    const graph = functionalGraph(set);
    this.#library = library ?? new Library(graph.library, constants);
    this.#ownsLibrary = !library;
    const nodes = new Map(graph.node.map(node => [node.name, node]));
    const names = new Names(set.inputs, nodes);
    const needed = neededNodes(set.outputs, nodes, reference => names.isGiven(reference));
    needed.forEach((node, i) => names.set(node, `node${i}`));
    this.#inputs = names.inputs;
    this.#nodes = needed.map(({name, op}, i) => ({where: `node '${name}' (${op})`, reference: `node${i}`}));
    try {
      this.#outputs = set.outputs.map(reference => names.of(reference));
      const placeholders = this.#inputs.map(name => ({name, op: 'Placeholder', attr: {}}));
      const node = [...placeholders, ...needed.map(each => this.#nodeOf(each, names, constants))];
      this.#model = loadGraphModelSync({
        modelTopology: {node, versions: {producer: 0, minConsumer: 0}},
        weightSpecs: [],
        weightData: new ArrayBuffer(0),
      });
    } catch (error) {
      this.#disposeOwn();
      throw error;
    }
  }

  /**
   * The outputs for these inputs, in the order of the set: tensors of the caller's own.
   *
   * @throws if a node fails, or waits for values that WebGPU has computed: the error names the node and its op.
   */
  run(inputs: readonly Tensor[]): Tensor[] {
    return tidy(() => {
      const given = {...this.#constants, ...Object.fromEntries(this.#inputs.map((name, i) => [name, inputs[i]!]))};
      try {
        const found = this.#execute(given, this.#outputs);
        const foreign = new Set<Tensor>(Object.values(given));
        return found.map((value, i) => {
          if (this.#ownsLibrary && value instanceof TensorList) throw new Error(`output ${i} is a list of tensors.`);
          const isFree = value instanceof TensorList || !foreign.has(value);
          foreign.add(value);
          return isFree ? value : clone(value);
        });
      } catch (error) {
        throw this.#placed(error as Error, given);
      }
    });
  }

  dispose(): void {
    this.#model.dispose();
    this.#disposeOwn();
  }

  #nodeOf(node: NodeDef, names: Names, constants: Constants): NodeDef {
    const {name, op, attr = {}} = node;
    const id = names.of(name);
    if (op === 'Const') {
      const constant = constants.get(name);
      if (!constant) throw new Error(`node '${name}' (Const): its value is missing.`);
      this.#constants[id] = variableOf(constant);
      return {name: id, op: 'Placeholder', attr: {}};
    }
    const input = (node.input ?? []).filter(each => !isControl(each)).map(each => names.of(each));
    const own = ownNode(node, this.#library);
    if (!own) return {name: id, op, input, attr};
    const at = this.#own.push(own) - 1;
    return {name: id, op: OWN_OP, input, attr: {...attr, at: {i: at}}};
  }

  #execute(given: Record<string, Tensor>, outputs: readonly string[]): Tensor[] {
    running.push(this.#own);
    try {
      return [this.#model.execute(given, [...outputs])].flat();
    } finally {
      running.pop();
    }
  }

  /** An error with the node that throws it: the first one that fails, as those before it do not. */
  #placed(error: Error, given: Record<string, Tensor>): Error {
    if (/^node '/.test(error.message)) return error;
    let [works, fails] = [0, this.#nodes.length];
    while (works < fails) {
      const middle = (works + fails) >> 1;
      if (this.#runs(middle + 1, given)) works = middle + 1;
      else fails = middle;
    }
    const node = this.#nodes[works];
    return node ? new Error(`${node.where}: ${error.message}`, {cause: error}) : error;
  }

  /** Whether so many of the nodes run. */
  #runs(count: number, given: Record<string, Tensor>): boolean {
    const references = this.#nodes.slice(0, count).map(({reference}) => reference);
    try {
      tidy(() => void this.#execute(given, references));
      return true;
    } catch {
      return false;
    }
  }

  #disposeOwn(): void {
    for (const constant of Object.values(this.#constants)) constant.dispose();
    if (this.#ownsLibrary) this.#library.dispose();
  }
}
