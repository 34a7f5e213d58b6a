/** Segments as models save them: checked, so that a damaged file is told by the layer and the place. */
import type {DataType} from '@tensorflow/tfjs-core';
import type {Shape} from '@tensorflow/tfjs-layers';
import {between, isRecord, listOf, must, objectOf, oneOf, orNull, text, throwProblems} from '../check/rules';
import {graphProblems} from './check_graph';
import {type Constant, loadedConstant, type SavedConstant, savedValues} from './constant';
import type {NodeSet} from './node_run';
import {segmentProblems} from './segment_problems';

/** The class of segments, named as Keras names those of packages. */
export const SEGMENT = 'tfjs-quantization>GraphSegment';

/** The version of the saved configs. */
export const VERSION = 1;

/** One of the values that a segment gives. */
export interface SegmentOutput {
  /** Null for a dimension that is any. */
  readonly shape: readonly (number | null)[];
  readonly dtype: DataType;
}

/** Why no layer computes nodes of an op. */
export interface Reason {
  readonly op: string;
  readonly reason: string;
}

/** What a segment is made of. */
export interface GraphSegmentArgs {
  readonly name: string;
  /** What it runs. It is called on the inputs, in their order, and gives the outputs. */
  readonly graph: NodeSet;
  /** What it gives, for each output of the graph. */
  readonly outputs: readonly SegmentOutput[];
  /** By the names of the nodes of op Const, in functions too. */
  readonly constants: ReadonlyMap<string, Constant>;
  /** Constants, nodes of the graph, that are the layer's weights, of float32: they are trained. */
  readonly weights?: readonly string[];
  /** Why there is no layer for what it runs. */
  readonly reasons?: readonly Reason[];
  readonly trainable?: boolean;
  readonly batchInputShape?: Shape;
}

/** A config, once tfjs-layers has read it. */
interface SavedSegment {
  readonly name: string;
  readonly trainable?: boolean;
  readonly batchInputShape?: (number | null)[];
  readonly graph: {readonly name: string};
  readonly outputs: readonly SegmentOutput[];
  readonly constants: readonly SavedConstant[];
  readonly weights: readonly SavedConstant[];
  readonly reasons: readonly {readonly name: string; readonly reason: {readonly name: string}}[];
}

const size = /*#__PURE__*/ between(0, Number.MAX_SAFE_INTEGER);
const dtype = /*#__PURE__*/ oneOf('float32', 'int32', 'bool', 'string');

const CONFIG = objectOf(
  {
    name: text,
    graph: objectOf({name: text}),
    outputs: listOf(objectOf({shape: listOf(orNull(size)), dtype})),
    constants: listOf(savedValues),
    weights: listOf(savedValues),
  },
  {reasons: listOf(objectOf({name: text, reason: objectOf({name: text})}))},
);

const references = listOf(must('a reference to a node', (value: unknown) => typeof value === 'string' && value !== ''));
const NODE_SET = objectOf({nodes: must('a list', Array.isArray), inputs: references, outputs: references});

const nodeOf = (reference: string) => reference.split(':')[0]!;

/** What is wrong with the graph of a segment, whose rules hold. */
function problemsOf({nodes, library, inputs, outputs}: NodeSet, constants: ReadonlySet<string>): string[] {
  const within = new Set(nodes.map(node => (isRecord(node) ? node.name : undefined)));
  const outside = new Set(inputs.map(nodeOf).filter(name => !within.has(name)));
  const placeholders = [...outside].map(name => ({name, op: 'Placeholder'}));
  const problems = graphProblems({node: [...placeholders, ...nodes], ...(library && {library})}, {});
  if (problems.length > 0) return problems;
  const all = [...nodes, ...(library?.function ?? []).flatMap(({nodeDef = []}) => nodeDef)];
  return [
    ...outputs.filter(output => !within.has(nodeOf(output))).map(output => `its output '${output}' is no node there.`),
    ...all
      .filter(({name, op}) => op === 'Const' && !constants.has(name))
      .map(({name}) => `node '${name}' (Const) has no value among the constants.`),
  ];
}

/** A value out of JSON; undefined of what is none. */
function parsed(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch {
    return undefined;
  }
}

/** What is wrong with the graph that a segment was saved with. */
function graphProblemsOf(graph: unknown, constants: ReadonlySet<string>): string[] {
  const problems = NODE_SET(graph, 'graph');
  return problems.length > 0 ? problems : problemsOf(graph as NodeSet, constants).map(each => `graph: ${each}`);
}

/** What is wrong with weights that are to be trained. */
function weightProblems(weights: readonly SavedConstant[], {nodes}: NodeSet): string[] {
  const constants = new Set(nodes.filter(({op}) => op === 'Const').map(({name}) => name));
  return weights.flatMap(({name, dtype}, i) => [
    ...(constants.has(name) ? [] : [`weights[${i}] ('${name}') is no constant of the graph.`]),
    ...(dtype === 'float32' ? [] : [`weights[${i}] ('${name}') must be of float32, but is of ${dtype}.`]),
  ]);
}

function outputProblems(told: readonly SegmentOutput[], {outputs}: NodeSet): string[] {
  if (told.length === outputs.length) return [];
  return [`outputs must tell of ${outputs.length} outputs, as the graph has them, but tells of ${told.length}.`];
}

/** Says what is wrong with a saved segment, and which it is. */
function refuse(config: object, problems: readonly string[]): void {
  throwProblems(`Layer ${(config as SavedSegment).name} cannot be loaded`, problems);
}

/** What a segment was made of, by its config. */
export function argsOf(config: object): GraphSegmentArgs {
  const {version} = config as {version?: unknown};
  if (typeof version === 'number' && version > VERSION) {
    refuse(config, [
      `it was saved by a newer version of tfjs-quantization (format ${version}, this one reads up to ${VERSION}). ` +
        'Update tfjs-quantization to load it.',
    ]);
  }
  refuse(config, CONFIG(config, ''));
  const {name, trainable, batchInputShape, outputs, ...saved} = config as SavedSegment;
  const all = [...saved.constants, ...saved.weights];
  const graph = parsed(saved.graph.name) as NodeSet;
  refuse(config, graphProblemsOf(graph, new Set(all.map(each => each.name))));
  refuse(config, [
    ...weightProblems(saved.weights, graph),
    ...outputProblems(outputs, graph),
    ...segmentProblems(graph).map(problem => `graph: ${problem}`),
  ]);
  return {
    name,
    graph,
    outputs,
    constants: new Map(all.map(each => [each.name, loadedConstant(each)])),
    weights: saved.weights.map(each => each.name),
    reasons: (saved.reasons ?? []).map(({name: op, reason}) => ({op, reason: reason.name})),
    ...(trainable !== undefined && {trainable}),
    ...(batchInputShape && {batchInputShape}),
  };
}
