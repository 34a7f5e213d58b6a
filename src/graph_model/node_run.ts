/** Some nodes of a graph on their own, run by tfjs. */
import {type GraphModel, loadGraphModelSync} from '@tensorflow/tfjs-converter';
import {type io, type Tensor, tidy} from '@tensorflow/tfjs-core';
import type {GraphDef, NodeDef} from './check_graph';
import type {Constant} from './constant';

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

/** A NodeSet that is ready to run. */
export class NodeRun {
  readonly #model: GraphModel<io.IOHandlerSync>;
  readonly #names: readonly string[];
  readonly #outputs: readonly string[];

  /** @param constants - by the names of the nodes of op Const. */
  constructor({nodes, library, inputs, outputs}: NodeSet, constants: ReadonlyMap<string, Constant>) {
    const taken = new Set(nodes.map(({name}) => name));
    this.#names = inputs.map((_, i) => {
      let name = `input_${i}`;
      while (taken.has(name)) name += '_';
      return name;
    });
    this.#outputs = outputs;
    const renamed = new Map(inputs.map((reference, i) => [reference, this.#names[i]!]));
    const placeholders = this.#names.map(name => ({name, op: 'Placeholder', attr: {}}));
    const own = nodes.map(node => ({...node, input: (node.input ?? []).map(each => renamed.get(each) ?? each)}));
    const versions = {producer: 0, minConsumer: 0};
    const topology = {node: [...placeholders, ...own], versions, ...(library && {library})};
    const weights = own.flatMap(({name}) => {
      const constant = constants.get(name);
      return constant ? [{name, ...constant}] : [];
    });
    this.#model = loadGraphModelSync({
      modelTopology: topology,
      weightSpecs: weights.map(({name, dtype, shape}) => ({name, dtype, shape}) as io.WeightsManifestEntry),
      weightData: weights.map(({values}) => values.slice().buffer),
    });
  }

  /** The outputs for these inputs, in the order of the set. */
  run(inputs: readonly Tensor[]): Tensor[] {
    return tidy(() => {
      const given = Object.fromEntries(this.#names.map((name, i) => [name, inputs[i]!]));
      const found = this.#model.execute(given, [...this.#outputs]);
      return [found].flat();
    });
  }

  dispose(): void {
    this.#model.dispose();
  }
}
