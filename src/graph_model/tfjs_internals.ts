/**
 * What this room leans on in tfjs-converter 4.22.0 beyond its typings, with the file in its dist/ that has it.
 * test/graph_model/tfjs_internals.spec.ts asks tfjs itself, and fails where it changes one of them.
 */
import {loadGraphModelSync} from '@tensorflow/tfjs-converter';

/** executor/graph_executor.js, operations/operation_mapper.js: mapNode */
interface Executor {
  readonly graph: {readonly nodes: Readonly<Record<string, {readonly category?: string}>>};
}

/** Which of these ops tfjs runs, its own and those that are registered. It tells when a graph runs; a node knows it before. */
export function opsOfTfjs(ops: Iterable<string>): Set<string> {
  const listed = [...new Set(ops)];
  const node = listed.map((op, i) => ({name: `op${i}`, op, input: [], attr: {}}));
  const model = loadGraphModelSync({
    modelTopology: {node, versions: {producer: 0, minConsumer: 0}},
    weightSpecs: [],
    weightData: new ArrayBuffer(0),
  });
  const {nodes} = (model as unknown as {executor: Executor}).executor.graph;
  return new Set(listed.filter((_, i) => nodes[`op${i}`]?.category !== undefined));
}
