/** What is known of the values of a graph before it is run. */
import {type DataType, tensor, type Tensor, tidy} from '@tensorflow/tfjs-core';
import type {NodeDef} from '../../graph_model/check_graph';
import {type Constant, NodeRun, type NodeSet} from '../../graph_model/node_run';
import type {GraphWeights} from '../../graph_model/weights';
import {type Edge, EdgeMap, type Graph, type GraphNode, type Known, referenceOf, type Shape} from './graph_reader';

/** What a node hangs on: constants alone; those and the shapes of other values; or values that are given. */
type Kind = 'constant' | 'sizes' | 'values';

/** Ops whose results are others each time, that hold something, or that tell where the graph goes on. */
const IMPURE =
  /Random|Multinomial|TruncatedNormal|Placeholder|TensorArray|TensorList|HashTable|Lookup|^(Stateless)?(If|While)$|^(Enter|Merge|Switch|Exit|NextIteration|LoopCond|Print|NoOp|Assert)$|Variable|Iterator/;

/** Ops that ask for no more than a shape. */
const ASKS_SHAPE = /^(Shape|Rank|Size)$/;

/** Ops that hand on what they take. FakeQuant rounds it: that becomes of the model, once it is made. */
const PASSES =
  /^(Identity|IdentityN|StopGradient|PreventGradient|Snapshot|CheckNumerics|FakeQuantWithMinMax(Args|Vars|VarsPerChannel))$/;

/** What stands for open dimensions: two numbers, so that one sees what hangs on them, far from each other because of what is clipped. */
const PROBES = [3, 640] as const;

/** A node as NodeSets have it: without what it waits for, and each reference in one form. */
export function defOf({def, inputs}: GraphNode): NodeDef {
  return {...def, input: inputs.map(referenceOf)};
}

/** The value of a tensor, which is read at once. */
function constantOf(value: Tensor): Constant {
  const {dtype, shape} = value;
  return {dtype, shape, values: value.dataSync<'float32'>()};
}

export function tensorOf({values, shape, dtype}: Constant): Tensor {
  return tensor(values, [...shape], dtype);
}

/** What nodes compute of constants; undefined where tfjs cannot. */
function computed(nodes: NodeSet, given: readonly Constant[]): Constant | undefined {
  let run: NodeRun | undefined;
  try {
    run = new NodeRun(nodes, new Map());
    const ready = run;
    const [value] = tidy(() => ready.run(given.map(tensorOf)));
    const constant = constantOf(value!);
    value!.dispose();
    return constant;
  } catch {
    return undefined;
  } finally {
    run?.dispose();
  }
}

/** Whether a node asks for the shape of what is not constant. */
function isShapeOfValue({op}: GraphNode, kind: Kind): boolean {
  return kind === 'sizes' && ASKS_SHAPE.test(op);
}

export class Facts implements Known {
  readonly #graph: Graph;
  readonly #weights: GraphWeights;
  readonly #kinds = new Map<GraphNode, Kind>();
  readonly #shapes = new EdgeMap<Shape>();
  readonly #dtypes = new EdgeMap<DataType>();
  readonly #constants = new EdgeMap<Constant | undefined>();
  readonly #integers = new EdgeMap<(number | null)[] | undefined>();

  constructor(graph: Graph, weights: GraphWeights) {
    this.#graph = graph;
    this.#weights = weights;
    for (const node of graph.nodes) this.#kinds.set(node, this.#kindOf(node));
  }

  #kindOf({op, inputs}: GraphNode): Kind {
    if (op === 'Const') return 'constant';
    if (IMPURE.test(op) || inputs.length === 0) return 'values';
    const kinds = inputs.map(({node}) => this.kind(node));
    if (kinds.every(kind => kind === 'constant')) return 'constant';
    return ASKS_SHAPE.test(op) || kinds.every(kind => kind !== 'values') ? 'sizes' : 'values';
  }

  kind(node: GraphNode): Kind {
    return this.#kinds.get(node) ?? 'values';
  }

  /** Notes what a value is. */
  note(edge: Edge, shape: Shape | undefined, dtype: DataType | undefined): void {
    if (shape) this.#shapes.set(edge, shape);
    if (dtype) this.#dtypes.set(edge, dtype);
  }

  shape(edge: Edge): Shape | undefined {
    return this.#shapes.get(edge) ?? this.value(edge)?.shape;
  }

  dtype(edge: Edge): DataType | undefined {
    return this.#dtypes.get(edge) ?? this.value(edge)?.dtype;
  }

  constant(edge: Edge | undefined): Constant | undefined {
    if (!edge || this.kind(edge.node) !== 'constant') return undefined;
    let source = edge;
    while (PASSES.test(source.node.op)) source = source.node.inputs[source.output]!;
    // Weights are not kept: each is decoded when it is wanted.
    if (source.node.op === 'Const') return this.#weights.get(source.node.name);
    const known = this.#constants.get(source);
    if (known) return known;
    const value = this.#evaluate(source, undefined);
    this.#constants.set(source, value);
    return value;
  }

  /** What a value is for any input: of constants, and of what hangs on known dimensions. */
  value(edge: Edge): Constant | undefined {
    if (this.kind(edge.node) === 'constant') return this.constant(edge);
    const integers = this.kind(edge.node) === 'sizes' ? this.integers(edge) : undefined;
    if (!integers?.every(each => each !== null)) return undefined;
    return {dtype: 'int32', shape: this.#shapes.get(edge) as number[], values: Int32Array.from(integers as number[])};
  }

  integers(edge: Edge | undefined): readonly (number | null)[] | undefined {
    if (!edge) return undefined;
    if (this.kind(edge.node) === 'constant') {
      const constant = this.constant(edge);
      return constant?.dtype === 'int32' ? [...constant.values] : undefined;
    }
    if (this.kind(edge.node) !== 'sizes') return undefined;
    const known = this.#integers.get(edge);
    if (known) return known;
    const [a, b] = PROBES.map(probe => this.#evaluate(edge, probe)) as [Constant | undefined, Constant | undefined];
    if (a?.dtype !== 'int32' || a.shape.join() !== b?.shape.join()) return undefined;
    const integers = Array.from(a.values, (each, i) => (each === b.values[i] ? each : null));
    this.#integers.set(edge, integers);
    this.note(edge, a.shape, 'int32');
    return integers;
  }

  /** What is there before anything runs, for an open dimension of this size; undefined of what is to be computed. */
  #leaf(edge: Edge, open: number | undefined): Constant | undefined {
    const {node} = edge;
    if (node.op === 'Const') return this.#weights.get(node.name);
    if (this.kind(node) === 'constant') return this.#constants.get(edge);
    if (!ASKS_SHAPE.test(node.op) || open === undefined) return undefined;
    const shape = this.#shapes.get(node.inputs[edge.output]!);
    if (!shape) return undefined;
    const sizes = shape.map((size, i) => size ?? open + 32 * i);
    if (node.op === 'Rank') return {dtype: 'int32', shape: [], values: Int32Array.of(sizes.length)};
    if (node.op === 'Size') {
      return {dtype: 'int32', shape: [], values: Int32Array.of(sizes.reduce((all, each) => all * each, 1))};
    }
    return {dtype: 'int32', shape: [sizes.length], values: Int32Array.from(sizes)};
  }

  /** Runs what a value hangs on, down to what is known. Undefined where tfjs cannot. */
  #evaluate(edge: Edge, open: number | undefined): Constant | undefined {
    const own = this.#leaf(edge, open);
    if (own) return own;
    const nodes = new Map<string, NodeDef>();
    const given = new Map<string, Constant>();
    const path = [edge];
    while (path.length > 0) {
      const next = path.pop()!;
      const {node} = next;
      const leaf = this.#leaf(next, open);
      if (leaf) given.set(referenceOf(next), leaf);
      if (leaf || nodes.has(node.name)) continue;
      if (this.kind(node) === 'values' || node.op === 'Const' || isShapeOfValue(node, this.kind(node)))
        return undefined;
      nodes.set(node.name, defOf(node));
      path.push(...node.inputs);
    }
    return computed({nodes: [...nodes.values()], inputs: [...given.keys()], outputs: [referenceOf(edge)]}, [
      ...given.values(),
    ]);
  }

  onlyTaker(node: GraphNode): GraphNode | undefined {
    if (this.#graph.isGiven(node)) return undefined;
    const takers = node.takers.filter(({op}) => !ASKS_SHAPE.test(op));
    return takers.length === 1 ? takers[0] : undefined;
  }
}
