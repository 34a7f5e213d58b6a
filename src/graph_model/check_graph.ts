/** What is wrong with a converted graph: tfjs trusts it, and fails far from what is amiss. */
import {isRecord, type Rule, throwProblems} from '../check/rules';
import {inJson} from './model_json';

/** A value as protocol buffers write it in JSON: 64-bit integers as strings, bytes in base64 or as codes. */
interface AttrValue {
  readonly [kind: string]: unknown;
  i?: number | string;
  f?: number | string;
  b?: boolean;
  s?: Bytes;
  list?: {i?: (number | string)[]; f?: (number | string)[]; s?: Bytes[]};
  type?: string | number;
  shape?: {dim?: {size?: number | string}[]; unknownRank?: boolean};
  func?: {name?: string};
}

type Bytes = string | number[];

export interface NodeDef {
  name: string;
  op: string;
  input?: string[];
  attr?: Record<string, AttrValue>;
}

interface ArgDef {
  name: string;
}

export interface FunctionDef {
  signature?: {name?: string; inputArg?: ArgDef[]; outputArg?: ArgDef[]};
  nodeDef?: NodeDef[];
  /** What each returned value is: 'node:output name:0'. */
  ret?: Record<string, string>;
}

export interface GraphDef {
  node: NodeDef[];
  library?: {function?: FunctionDef[]};
  versions?: object;
}

/** What an op takes: the names of its inputs, and the rules of its attributes, each of which has a default. */
export interface OpRules {
  readonly inputs: readonly string[];
  readonly attrs: Readonly<Record<string, Rule>>;
  /** The attributes that have no default. */
  readonly needs?: readonly string[];
}

/** The attributes that name a function. */
const CALLS = ['then_branch', 'else_branch', 'cond', 'body'];

const isName = (value: unknown): value is string => typeof value === 'string' && value !== '';
const isListOf = <T>(value: unknown, holds: (each: unknown) => each is T): value is T[] =>
  Array.isArray(value) && value.every(holds);

const isInteger = (value: unknown) =>
  (typeof value === 'number' || isName(value)) && Number.isSafeInteger(Number(value));
const isFloat = (value: unknown) =>
  typeof value === 'number' || (isName(value) && (/^(NaN|-?Infinity)$/.test(value) || !Number.isNaN(Number(value))));
const isBytes = (value: unknown) => typeof value === 'string' || (Array.isArray(value) && value.every(isInteger));
const isFlag = (value: unknown) => typeof value === 'boolean';
const isType = (value: unknown) => typeof value === 'number' || isName(value);
const isShape = (value: unknown) => {
  if (!isRecord(value)) return false;
  const {dim = []} = value;
  return Array.isArray(dim) && dim.every(each => isRecord(each) && isInteger(each['size'] ?? 0));
};

/** What each kind of attribute must be. */
const KINDS: Readonly<Record<string, (value: unknown) => boolean>> = {
  i: isInteger,
  f: isFloat,
  b: isFlag,
  s: isBytes,
  type: isType,
  shape: isShape,
  func: value => isRecord(value) && isName(value['name']),
};

/** Whether all kinds of values that there are are so. */
function areKinds(values: unknown, holds: (value: unknown, isKind: (each: unknown) => boolean) => boolean): boolean {
  if (!isRecord(values)) return false;
  return Object.entries(KINDS).every(([kind, isKind]) => values[kind] === undefined || holds(values[kind], isKind));
}

function isAttr(value: AttrValue): boolean {
  const isListed = (values: unknown, isKind: (each: unknown) => boolean) =>
    Array.isArray(values) && values.every(isKind);
  return areKinds(value, (each, isKind) => isKind(each)) && areKinds(value.list ?? {}, isListed);
}

/** The node that an input names: without '^' (only wait for it), output name and index. */
export function nodeOf(reference: string): string {
  return reference.replace(/^\^/, '').split(':')[0]!;
}

/** What is wrong with the attributes that an op has; of those that it has not, the defaults are right. */
export function attrProblems(attrs: Readonly<Record<string, unknown>>, rules: OpRules['attrs']): string[] {
  return Object.entries(rules).flatMap(([name, rule]) => {
    const value = attrs[name];
    return value === undefined || value === null ? [] : rule(value, name);
  });
}

function textOf(bytes: Bytes): unknown {
  try {
    return (typeof bytes === 'string' ? atob(bytes) : String.fromCharCode(...bytes)).toLowerCase();
  } catch {
    return bytes;
  }
}

/** An attribute as tfjs hands it to an op; of one that is none, something that no rule takes. */
function valueOf(value: AttrValue): unknown {
  if (!isAttr(value)) return value.i !== undefined ? Number(value.i) : value;
  const {i, f, b, s, list, shape} = value;
  if (i !== undefined) return Number(i);
  if (s !== undefined) return textOf(s);
  if (shape !== undefined) return shape.unknownRank ? undefined : (shape.dim ?? []).map(({size = 0}) => Number(size));
  if (list === undefined) return f ?? b;
  return list.s?.map(textOf) ?? (list.i ?? list.f ?? []).map(Number);
}

/** Whether a topology is one of layers, of Keras or of tfjs. */
export function isOfLayers(topology: unknown): boolean {
  return isRecord(topology) && ['model_config', 'class_name', 'layers'].some(key => Object.hasOwn(topology, key));
}

/** The topology, checked for what it must be to be looked at further: see {@link graphProblems}. */
export function asGraph(topology: unknown): GraphDef | string {
  if (topology === undefined || topology === null) return 'there is no model topology. Give all of a model.json.';
  if (topology instanceof ArrayBuffer) return 'the model topology is binary. Convert the model to a model.json.';
  if (!isRecord(topology)) return `the model topology must be that of a model.json, but was ${inJson(topology)}.`;
  if (isOfLayers(topology)) return 'this is a layers model, not a graph model.';
  return Array.isArray(topology['node'])
    ? (topology as unknown as GraphDef)
    : `the model topology must have a list 'node', but that was ${inJson(topology['node'])}. Convert the model anew.`;
}

/** Whether it can be a node at all. */
function isNode(node: unknown): node is NodeDef {
  return (
    isRecord(node) &&
    isName(node['name']) &&
    isName(node['op']) &&
    (node['input'] === undefined || isListOf(node['input'], isName)) &&
    (node['attr'] === undefined || (isRecord(node['attr']) && Object.values(node['attr']).every(isRecord)))
  );
}

/** One that lies on a cycle. What a v1 loop hands on to its next iteration closes none. */
function onCycle(nodes: readonly NodeDef[]): string | undefined {
  const inputs = new Map(
    nodes.map(({name, op, input = []}) => [name, op === 'NextIteration' ? [] : input.map(nodeOf)] as const),
  );
  const state = new Map<string, 'open' | 'done'>();
  for (const start of inputs.keys()) {
    const path = [start];
    while (path.length > 0) {
      const name = path.at(-1)!;
      if (state.get(name) === 'done') path.pop();
      else if (state.get(name) === 'open') {
        state.set(name, 'done');
        path.pop();
      } else {
        state.set(name, 'open');
        for (const input of inputs.get(name) ?? []) {
          if (state.get(input) === 'open') return input;
          if (!state.has(input)) path.push(input);
        }
      }
    }
  }
  return undefined;
}

/** What is wrong with the nodes of the graph, or of a function: `where` says of which. */
function bodyProblems(
  nodes: readonly unknown[],
  args: readonly string[],
  functions: ReadonlySet<string>,
  rules: Readonly<Record<string, OpRules>>,
  where: string,
): string[] {
  const bad = nodes.findIndex(node => !isNode(node));
  if (bad >= 0) {
    return [
      `node ${bad}${where} must have a name, an op, inputs by name and attributes, but was ${inJson(nodes[bad])}.`,
    ];
  }
  const sound = nodes as readonly NodeDef[];
  const names = new Set(args);
  const problems: string[] = [];
  for (const {name} of sound) {
    if (names.has(name)) problems.push(`two nodes${where} are called '${name}'.`);
    // tfjs finds such names where nothing is yet.
    else if (name in {}) problems.push(`a node${where} is called '${name}', which tfjs cannot run. Rename it.`);
    names.add(name);
  }
  for (const {name, op, input = [], attr = {}} of sound) {
    const says = (problem: string) => problems.push(`node '${name}' (${op})${where}: ${problem}`);
    for (const reference of input) {
      if (!names.has(nodeOf(reference))) says(`its input '${reference}' is no node there.`);
    }
    for (const call of CALLS) {
      const {func} = attr[call] ?? {};
      if (func && !functions.has(func.name ?? ''))
        says(`${call} is the function ${inJson(func.name)}, not in the library.`);
    }
    const rule = Object.hasOwn(rules, op) ? rules[op] : undefined;
    if (!rule) continue;
    const given = input.filter(reference => !reference.startsWith('^')).length;
    if (given < rule.inputs.length) says(`it takes ${rule.inputs.join(', ')}, but has ${given} inputs.`);
    const values = Object.fromEntries(Object.entries(attr).map(([key, value]) => [key, valueOf(value)]));
    for (const problem of attrProblems(values, rule.attrs)) says(problem);
    for (const need of rule.needs ?? []) if (!Object.hasOwn(attr, need)) says(`${need} is missing.`);
  }
  const cyclic = problems.length === 0 ? onCycle(sound) : undefined;
  if (cyclic !== undefined) problems.push(`node '${cyclic}'${where} is among its own inputs: the graph has a cycle.`);
  return problems;
}

/** Attributes that are none, of whatever op. */
export function attrKindProblems({node, library}: GraphDef): string[] {
  const bodies = (library?.function ?? []).flatMap(({nodeDef = []}) => nodeDef);
  return [...node, ...bodies]
    .filter(isNode)
    .flatMap(({name, op, attr = {}}) =>
      Object.entries(attr).flatMap(([key, value]) =>
        isAttr(value) ? [] : [`node '${name}' (${op}): its attribute ${key} is none: ${inJson(value)}.`],
      ),
    );
}

function isArg(value: unknown): value is ArgDef {
  return isRecord(value) && isName(value['name']);
}

function isFunction(value: unknown): value is FunctionDef {
  if (!isRecord(value) || !isRecord(value['signature'])) return false;
  const {inputArg, outputArg} = value['signature'];
  return (
    [inputArg, outputArg].every(list => list === undefined || isListOf(list, isArg)) &&
    (value['nodeDef'] === undefined || Array.isArray(value['nodeDef'])) &&
    (value['ret'] === undefined || (isRecord(value['ret']) && Object.values(value['ret']).every(isName)))
  );
}

/**
 * What each returned value of a function is. The converter puts the function's name in front of the names of its constants, but
 * not where one is returned.
 */
export function returnsOf({signature, nodeDef = [], ret = {}}: FunctionDef): Record<string, string> {
  const names = new Set(nodeDef.map(({name}) => name));
  const prefix = `${signature?.name ?? ''}/`;
  const found = (reference: string) => {
    const name = nodeOf(reference);
    return !names.has(name) && names.has(prefix + name) ? prefix + reference : reference;
  };
  return Object.fromEntries(Object.entries(ret).map(([key, reference]) => [key, found(reference)]));
}

/** What is wrong with what a function returns. */
function returnProblems(body: FunctionDef, where: string): string[] {
  const {signature, nodeDef = []} = body;
  const ret = returnsOf(body);
  const names = new Set([...nodeDef, ...(signature?.inputArg ?? [])].map(({name}) => name));
  return (signature?.outputArg ?? []).flatMap(({name}) => {
    const reference = Object.hasOwn(ret, name) ? ret[name] : undefined;
    if (reference !== undefined && names.has(nodeOf(reference))) return [];
    return [`${where.trim()} returns '${name}', which is ${inJson(reference)}, no node there.`];
  });
}

/**
 * Everything that is wrong with a graph: what would make tfjs fail where it loads or runs, without a name.
 *
 * @param graph - its topology.
 * @param rules - what is known of some ops.
 */
export function graphProblems(graph: GraphDef, rules: Readonly<Record<string, OpRules>>): string[] {
  const library: unknown = graph.library ?? {};
  const listed: unknown = (isRecord(library) ? library['function'] : library) ?? [];
  if (!isListOf(listed, isFunction)) {
    return [`library.function must be a list of functions (signature, nodeDef, ret), but was ${inJson(listed)}.`];
  }
  const functions = new Set(listed.map(({signature}) => signature?.name ?? ''));
  return [
    ...bodyProblems(graph.node, [], functions, rules, ''),
    ...listed.flatMap(body => {
      const where = ` of the function '${body.signature?.name ?? ''}'`;
      const args = (body.signature?.inputArg ?? []).map(({name}) => name);
      const problems = bodyProblems(body.nodeDef ?? [], args, functions, rules, where);
      return problems.length > 0 ? problems : returnProblems(body, where.replace(' of ', ''));
    }),
  ];
}

/** A broken graph may be so in thousands of places. */
const MOST_PROBLEMS = 10;

/** Throws if there are problems with a graph. */
export function refuseGraph(caller: string, problems: readonly string[]): void {
  if (problems.length === 0) return;
  const told = problems.slice(0, MOST_PROBLEMS);
  if (problems.length > told.length) told.push(`and ${problems.length - told.length} more.`);
  const last = told.pop()!;
  throwProblems(caller, [...told, `${last} Convert the model anew, or correct its model.json.`]);
}
