/** What keeps nodes from being run on their own, in a layer. */
import {isRecord} from '../check/rules';
import type {FunctionDef, NodeDef} from './check_graph';
import {PARTS} from './control_flow';
import {quantizationOp} from './mend_graph';
import {functionalGraph, neededNodes, type NodeSet} from './node_run';
import {OWN_OPS} from './own_ops';
import {opsOfTfjs} from './tfjs_internals';

/** Ops that know what is not in the graph: tables, variables, files. */
const KEEPS_STATE =
  /HashTable|^Lookup|^InitializeTable|Variable|^VarHandle|^SimpleML|Iterator|Dataset|^ReadFile|^Save|^Restore/;

const CUT = 'Cut the model before it: cutModel(model, {outputs: […]}), or take another output.';

function isOurs(op: string): boolean {
  return Object.hasOwn(OWN_OPS, op) || quantizationOp(op) !== undefined;
}

/** What is wrong with an op, as words that follow the node. */
function problemOf(op: string, known: ReadonlySet<string>): string | undefined {
  if (PARTS.includes(op.replace(/^Ref/, ''))) {
    return `it is a part of a loop or a condition, the rest of which is not there. ${CUT}`;
  }
  if (KEEPS_STATE.test(op)) return `it knows values that are not in the graph, which no layer can save. ${CUT}`;
  if (isOurs(op) || known.has(op)) return undefined;
  return `tfjs has no op ${op}. Say how to compute it before the model is loaded: tf.registerOp('${op}', node => …). Or: ${CUT}`;
}

/** The functions that nodes call, by name. */
function calledBy({attr = {}}: NodeDef): string[] {
  return Object.values(attr).flatMap(value => {
    const list = (value as {list?: {func?: {name?: string}[]}}).list?.func ?? [];
    const own = isRecord(value.func) ? [value.func] : [];
    return [...own, ...list].map(({name}) => name ?? '');
  });
}

/** The functions that nodes call, and those that these call. */
export function calledFunctions(nodes: readonly NodeDef[], library: NodeSet['library']): FunctionDef[] {
  const bodies = new Map((library?.function ?? []).map(body => [body.signature?.name ?? '', body]));
  const called = new Set(nodes.flatMap(calledBy));
  for (const name of called) for (const inner of (bodies.get(name)?.nodeDef ?? []).flatMap(calledBy)) called.add(inner);
  return [...called].flatMap(name => bodies.get(name) ?? []);
}

/**
 * What stands in the way of running nodes in a layer, by node and op, with the remedy: ops that nobody knows, what is not in the
 * graph, parts of loops without the rest.
 */
export function segmentProblems(set: NodeSet): string[] {
  const graph = functionalGraph(set);
  const nodes = new Map(graph.node.map(node => [node.name, node]));
  const needed = neededNodes(set.outputs, nodes, reference => set.inputs.includes(reference));
  const functions = calledFunctions(needed, graph.library);
  const places = [
    ...needed.map(node => ({node, where: ''})),
    ...functions.flatMap(({signature, nodeDef = []}) =>
      nodeDef.map(node => ({node, where: ` of the function '${signature?.name ?? ''}'`})),
    ),
  ];
  const known = opsOfTfjs(places.map(({node}) => node.op).filter(op => !isOurs(op)));
  return places.flatMap(({node: {name, op}, where}) => {
    const problem = problemOf(op, known);
    return problem === undefined ? [] : [`node '${name}' (${op})${where}: ${problem}`];
  });
}
