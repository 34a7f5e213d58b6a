/** A layer that runs nodes of a graph as they are. */
import {type DataType, type serialization, type Tensor, tensor, tidy} from '@tensorflow/tfjs-core';
import {type initializers, layers as tfLayers, type LayerVariable, type Shape} from '@tensorflow/tfjs-layers';
import {type Constant, savedConstant} from './constant';
import {differentiably} from './gradients';
import {NodeRun, type NodeSet} from './node_run';
import {argsOf, type GraphSegmentArgs, type Reason, SEGMENT, type SegmentOutput, VERSION} from './saved_segment';
import {calledFunctions} from './segment_problems';

export type {GraphSegmentArgs} from './saved_segment';

type Tensors = Tensor | Tensor[];
type Initializer = ReturnType<typeof initializers.zeros>;

/** Characters that a variable's name must not have, as tfjs has it. */
const NO_NAME = /^[^A-Za-z0-9]|[^-A-Za-z0-9._/]/g;

/** Names for variables: those of the nodes, as far as tfjs takes them. */
function variableNames(nodes: readonly string[]): string[] {
  const names = new Set<string>();
  for (const node of nodes) {
    let name = node.replace(NO_NAME, '_').replace(/^_/, 'w_');
    while (names.has(name)) name += '_';
    names.add(name);
  }
  return [...names];
}

const SEGMENT_MARK: unique symbol = Symbol.for('tfjs-quantization.GraphSegment');

/**
 * A layer that runs nodes of a graph model, as tfjs does: what no layer computes. Gradients pass where they pass its ops. One
 * output is given as a tensor, several as a list. It is saved with its nodes and constants; its weights are the layer's.
 */
export class GraphSegment extends tfLayers.Layer {
  static readonly className = SEGMENT;

  /** A page or a process may hold this package twice, as an ES module and in CommonJS. */
  static override [Symbol.hasInstance](value: unknown): boolean {
    return typeof value === 'object' && value !== null && SEGMENT_MARK in value;
  }

  readonly [SEGMENT_MARK] = true;
  /** What it runs. */
  readonly graph: NodeSet;
  /** What it gives. */
  readonly outputTypes: readonly SegmentOutput[];
  /** The constants that are not weights, by the names of their nodes. */
  readonly constants: ReadonlyMap<string, Constant>;
  /** The names of the nodes whose values the weights are, in the order of `getWeights`. */
  readonly weightNames: readonly string[];
  /** Why there is no layer for what it runs. */
  readonly reasons: readonly Reason[];
  readonly #initial: Map<string, Constant>;
  readonly #variables: LayerVariable[] = [];
  #run: NodeRun | undefined;

  constructor({graph, outputs, constants, weights = [], reasons = [], ...args}: GraphSegmentArgs) {
    super(args);
    const isWeight = new Set(weights);
    const {library, ...others} = graph;
    const called = calledFunctions(graph.nodes, library);
    // A library is that of the whole graph.
    this.graph = {...others, ...(called.length > 0 && {library: {function: called}})};
    this.outputTypes = outputs;
    this.constants = new Map([...constants].filter(([name]) => !isWeight.has(name)));
    this.weightNames = weights;
    this.reasons = reasons;
    this.#initial = new Map([...constants].filter(([name]) => isWeight.has(name)));
  }

  override build(): void {
    const names = variableNames(this.weightNames);
    this.weightNames.forEach((node, i) => {
      const {shape, values} = this.#initial.get(node)!;
      const initializer = {apply: () => tensor(values as Float32Array, [...shape])} as unknown as Initializer;
      this.#variables.push(this.addWeight(names[i]!, [...shape], 'float32', initializer));
    });
    this.#run = this.#runOf(this.graph.outputs);
    this.#initial.clear();
    this.built = true;
  }

  override apply(...args: Parameters<tfLayers.Layer['apply']>): ReturnType<tfLayers.Layer['apply']> {
    const outputs = super.apply(...args);
    // tfjs takes the outputs of all layers for float32.
    [outputs].flat().forEach((output, i) => {
      if (!('rankType' in output)) (output as {dtype: DataType}).dtype = this.outputTypes[i]!.dtype;
    });
    return outputs;
  }

  override call(inputs: Tensors): Tensors {
    const outputs = this.#outputsOf(this.#run!, [inputs].flat());
    return outputs.length === 1 ? outputs[0]! : outputs;
  }

  /** What nodes of its graph give for these inputs, by references. */
  valuesOf(references: readonly string[], inputs: readonly Tensor[]): Tensor[] {
    const run = this.#runOf(references);
    try {
      return this.#outputsOf(run, inputs);
    } finally {
      run.dispose();
    }
  }

  override computeOutputShape(): Shape | Shape[] {
    const shapes = this.outputTypes.map(({shape}) => [...shape]);
    return shapes.length === 1 ? shapes[0]! : shapes;
  }

  override computeMask(): Tensors {
    return null as unknown as Tensors;
  }

  override getConfig(): serialization.ConfigDict {
    const weights = this.weightNames.map((name, i) => {
      const {shape} = this.#initial.get(name) ?? this.#variables[i]!;
      return savedConstant(name, {dtype: 'float32', shape: shape as number[], values: new Float32Array(0)}, false);
    });
    return {
      ...super.getConfig(),
      version: VERSION,
      // As text: tfjs-layers changes the names within objects, and all text that is not under `name`.
      graph: {name: JSON.stringify(this.graph)},
      outputs: this.outputTypes,
      constants: [...this.constants].map(([name, constant]) => savedConstant(name, constant, true)),
      weights,
      reasons: this.reasons.map(({op, reason}) => ({name: op, reason: {name: reason}})),
    } as unknown as serialization.ConfigDict;
  }

  static override fromConfig<T extends serialization.Serializable>(
    cls: serialization.SerializableConstructor<T>,
    config: serialization.ConfigDict,
  ): T {
    return new cls(argsOf(config));
  }

  protected override disposeWeights(): number {
    this.#run?.dispose();
    return super.disposeWeights();
  }

  #runOf(outputs: readonly string[]): NodeRun {
    const inputs = [...this.graph.inputs, ...this.weightNames];
    return new NodeRun({...this.graph, inputs, outputs}, this.constants);
  }

  #outputsOf(run: NodeRun, inputs: readonly Tensor[]): Tensor[] {
    const given = [...inputs, ...this.#variables.map(variable => variable.read())];
    return differentiably(`Layer ${this.name}`, () => tidy(() => run.run(given)));
  }
}
