/**
 * What this room leans on in tfjs-converter and tfjs-core 4.22.0 beyond their typings, with the file in dist/ that has it.
 * test/graph_model/tfjs_internals.spec.ts asks tfjs itself, and fails where it changes one of them.
 */
import {type GraphModel, loadGraphModelSync} from '@tensorflow/tfjs-converter';
import {engine, getGradient, type NamedAttrMap, type Tensor} from '@tensorflow/tfjs-core';

interface MappedNode {
  /** Undefined of an op that is nowhere. */
  readonly category: string | undefined;
  /** Where each of its inputs stands; several up to `inputIndexEnd`, 0 for the last, if there is one. */
  readonly inputParams: Readonly<Record<string, {inputIndexStart: number; inputIndexEnd?: number}>>;
}

/** executor/graph_executor.js, operations/operation_mapper.js: mapNode */
interface Internals {
  readonly executor: {readonly graph: {readonly nodes: Readonly<Record<string, MappedNode>>}};
}

/** Which of these ops tfjs runs, its own and those that are registered. It tells when a graph runs; a node knows it before. */
export function opsOfTfjs(ops: Iterable<string>): Set<string> {
  return new Set(knownOps(ops).keys());
}

/** How many inputs at least tfjs takes for each of some ops; of an op that it does not know, and nobody registered, nothing. */
export function knownOps(ops: Iterable<string>): Map<string, number> {
  const names = [...new Set(ops)];
  const node = names.map((op, i) => ({name: `op_${i}`, op}));
  const modelTopology = {node, versions: {producer: 0, minConsumer: 0}};
  const model: GraphModel<never> = loadGraphModelSync({
    modelTopology,
    weightSpecs: [],
    weightData: new ArrayBuffer(0),
  });
  const {nodes} = (model as unknown as Internals).executor.graph;
  model.dispose();
  return new Map(
    names.flatMap((op, i) => {
      const {category, inputParams} = nodes[`op_${i}`]!;
      if (category === undefined) return [];
      const single = Object.values(inputParams).filter(({inputIndexEnd}) => inputIndexEnd === undefined);
      return [[op, Math.max(0, ...single.map(({inputIndexStart}) => inputIndexStart + 1))] as const];
    }),
  );
}

/** What tfjs records of a kernel that is run while gradients are asked for. */
export interface TapeNode {
  readonly kernel: string;
  readonly inputs: Readonly<Record<string, Tensor>>;
  readonly outputs: readonly Tensor[];
  /** What comes of what the outputs get, for each input by its name; null where there is no gradient, or tfjs finds it. */
  readonly gradient: Gradient | null;
  /** Kept tensors, which are freed with the tape. */
  readonly saved: readonly Tensor[];
  readonly attrs: NamedAttrMap;
}

type Gradient = (dy: Tensor | Tensor[]) => Readonly<Record<string, () => Tensor>>;

/** engine.js: Engine.addTapeNode */
interface Recorder {
  addTapeNode(
    kernel: string,
    inputs: TapeNode['inputs'],
    outputs: readonly Tensor[],
    gradient: Gradient | null,
    saved: readonly Tensor[],
    attrs: NamedAttrMap,
  ): void;
}

/** Runs something, with what tfjs records of its kernels changed; it is told whether each has a gradient. */
export function withTape<T>(change: (node: TapeNode, hasGradient: boolean) => TapeNode, run: () => T): T {
  const host = engine() as unknown as Recorder;
  const addTapeNode = host.addTapeNode.bind(host);
  host.addTapeNode = (kernel, inputs, outputs, gradient, saved, attrs) => {
    const hasGradient = gradient !== null || getGradient(kernel) !== undefined;
    const node = change({kernel, inputs, outputs, gradient, saved, attrs}, hasGradient);
    addTapeNode(node.kernel, node.inputs, node.outputs, node.gradient, node.saved, node.attrs);
  };
  try {
    return run();
  } finally {
    host.addTapeNode = addTapeNode;
  }
}
