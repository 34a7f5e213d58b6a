/** Whether a model that was loaded is one, told before anything is made of it. */
import type {io} from '@tensorflow/tfjs-core';
import {isRecord, must, number, oneOf, shownAll, throwProblems} from '../check/rules';
import {
  asGraph,
  attrKindProblems,
  type GraphDef,
  graphProblems,
  isOfLayers,
  nodeOf,
  type OpRules,
  refuseGraph,
} from './check_graph';
import {GRAPH_OPS} from './mend_graph';
import {inJson} from './model_json';
import type {LoadedModel} from './model_source';
import {OWN_OPS} from './own_ops';
import {knownOps} from './tfjs_internals';
import {GraphWeights, weightDataFor} from './weights';

/** A graph without problems, and its weights. */
export interface OpenGraph {
  readonly graph: GraphDef;
  readonly weights: GraphWeights;
}

/** What no device holds, and what a file would have this package ask memory for. */
const MOST_VALUES = 2 ** 28;

const sizes = (count: number) =>
  must(
    `a list of ${count} integers above 0`,
    (value: unknown) =>
      Array.isArray(value) && value.length === count && value.every(each => Number.isInteger(each) && each > 0),
    shownAll,
  );

const dimensions = /*#__PURE__*/ must(
  `a list of sizes (-1 for any) of at most ${MOST_VALUES} values`,
  (value: unknown) =>
    Array.isArray(value) &&
    value.every(each => Number.isInteger(each) && each >= -1) &&
    (value as number[]).reduce((product, each) => product * Math.abs(each), 1) <= MOST_VALUES,
  shownAll,
);

/** As valueOf hands strings on. */
const PADDING = {padding: /*#__PURE__*/ oneOf('same', 'valid', 'explicit')};
const IMAGES = {
  ...PADDING,
  strides: /*#__PURE__*/ sizes(4),
  dilations: /*#__PURE__*/ sizes(4),
  data_format: /*#__PURE__*/ oneOf('nhwc', 'nchw'),
};
const VOLUMES = {
  ...PADDING,
  strides: /*#__PURE__*/ sizes(5),
  dilations: /*#__PURE__*/ sizes(5),
  data_format: /*#__PURE__*/ oneOf('ndhwc', 'ncdhw'),
};
const NORM = {epsilon: number, data_format: /*#__PURE__*/ oneOf('nhwc', 'nchw')};

const spatial = (attrs: OpRules['attrs'], ...more: string[]): OpRules => ({
  inputs: [],
  attrs,
  needs: ['strides', 'padding', ...more],
});

/** What layers are made of. Of other ops, what they hold is for tfjs to run. */
const RULES: Readonly<Record<string, OpRules>> = {
  ...GRAPH_OPS,
  Placeholder: {inputs: [], attrs: {shape: dimensions}},
  Conv2D: /*#__PURE__*/ spatial(IMAGES),
  _FusedConv2D: /*#__PURE__*/ spatial(IMAGES),
  DepthwiseConv2dNative: /*#__PURE__*/ spatial(IMAGES),
  FusedDepthwiseConv2dNative: /*#__PURE__*/ spatial(IMAGES),
  Conv2DBackpropInput: /*#__PURE__*/ spatial(IMAGES),
  Conv3D: /*#__PURE__*/ spatial(VOLUMES),
  MaxPool: /*#__PURE__*/ spatial({...IMAGES, ksize: /*#__PURE__*/ sizes(4)}, 'ksize'),
  AvgPool: /*#__PURE__*/ spatial({...IMAGES, ksize: /*#__PURE__*/ sizes(4)}, 'ksize'),
  MaxPool3D: /*#__PURE__*/ spatial({...VOLUMES, ksize: /*#__PURE__*/ sizes(5)}, 'ksize'),
  AvgPool3D: /*#__PURE__*/ spatial({...VOLUMES, ksize: /*#__PURE__*/ sizes(5)}, 'ksize'),
  FusedBatchNorm: {inputs: [], attrs: NORM},
  FusedBatchNormV2: {inputs: [], attrs: NORM},
  FusedBatchNormV3: {inputs: [], attrs: NORM},
};

/** All nodes of a graph: its own, and those of its functions. */
function* nodesOf({node, library}: GraphDef) {
  yield* node;
  for (const {nodeDef = []} of library?.function ?? []) yield* nodeDef;
}

/** Nodes that tfjs could not run, and constants without a value. */
function opProblems(graph: GraphDef, weights: GraphWeights): string[] {
  const nodes = [...nodesOf(graph)];
  const known = knownOps(nodes.map(({op}) => op));
  return nodes.flatMap(({name, op, input = []}) => {
    const node = `node '${name}' (${op}): `;
    if (op === 'Const') {
      return weights.has(name) ? [] : [`${node}the weights manifest has no weight of that name.`];
    }
    // Those of this package, which NodeRun runs.
    if (Object.hasOwn(GRAPH_OPS, op) || Object.hasOwn(OWN_OPS, op)) return [];
    const least = known.get(op);
    if (least === undefined)
      return [`${node}tfjs has no such op. Register it (tf.registerOp) before the model is loaded.`];
    const given = input.filter(reference => !reference.startsWith('^')).length;
    return given < least ? [`${node}it takes ${least} inputs, but has ${given}.`] : [];
  });
}

/** What a signature says that is not so. */
function signatureProblems(signature: unknown, graph: GraphDef): string[] {
  if (!isRecord(signature)) return [];
  const names = new Set(graph.node.map(({name}) => name));
  return ['inputs', 'outputs'].flatMap(side => {
    const ends = signature[side];
    if (ends === undefined || ends === null) return [];
    if (!isRecord(ends)) return [`the signature's ${side} must be named, but were ${inJson(ends)}.`];
    return Object.entries(ends).flatMap(([key, end]) => {
      const name = isRecord(end) ? end['name'] : undefined;
      if (typeof name === 'string' && names.has(nodeOf(name))) return [];
      return [`the signature's ${side} have '${key}', which is ${inJson(end)}, no node there.`];
    });
  });
}

/** Whether a model is one of layers, for tf.loadLayersModel to read. */
export function isLayersModel({artifacts}: LoadedModel): boolean {
  return isOfLayers(artifacts.modelTopology);
}

/**
 * The artifacts of a layers model, as tf.loadLayersModel takes them.
 *
 * @throws if its weights are not those that it lists.
 */
export function openLayers(caller: string, {artifacts, files}: LoadedModel): io.ModelArtifacts {
  throwProblems(caller, new GraphWeights(artifacts.weightSpecs, artifacts.weightData, files).problems);
  const {weightData} = artifacts;
  return Array.isArray(weightData) ? {...artifacts, weightData: weightDataFor(weightData)} : artifacts;
}

/** Weights of one name; layers tell theirs apart by their order. */
function twins(weightSpecs: readonly io.WeightsManifestEntry[] = []): string[] {
  const names = new Set<string>();
  return weightSpecs.flatMap(({name}) => {
    if (names.has(name)) return [`two weights are called '${name}'.`];
    names.add(name);
    return [];
  });
}

/**
 * Opens a graph model.
 *
 * @throws if it is none or malformed: all problems at once, each with node, op and what to do.
 */
export function openGraph(caller: string, {artifacts, files}: LoadedModel): OpenGraph {
  const {modelTopology, weightSpecs, weightData, signature, userDefinedMetadata} = artifacts;
  const graph = asGraph(modelTopology);
  if (typeof graph === 'string') throw new Error(`${caller}: ${graph}`);
  const weights = new GraphWeights(weightSpecs, weightData, files);
  const malformed = [...graphProblems(graph, RULES), ...attrKindProblems(graph)];
  refuseGraph(caller, [
    ...malformed,
    ...weights.problems,
    ...(weights.problems.length > 0 ? [] : twins(weightSpecs)),
    ...(malformed.length + weights.problems.length > 0 ? [] : opProblems(graph, weights)),
    ...(malformed.length > 0 ? [] : signatureProblems(userDefinedMetadata?.['signature'] ?? signature, graph)),
  ]);
  return {graph, weights};
}
