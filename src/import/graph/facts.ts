/** What is known of the values of a graph before it is run. */
import {type DataType, tensor, type Tensor} from '@tensorflow/tfjs-core';
import type {NodeDef} from '../../graph_model/check_graph';
import {type Constant, NodeRun, type NodeSet} from '../../graph_model/node_run';
import {onHost, readConstant} from '../../graph_model/on_host';
import type {GraphWeights} from '../../graph_model/weights';
import {type Edge, EdgeMap, type Graph, type GraphNode, type Known, referenceOf, type Shape} from './graph_reader';

/** What a node hangs on: constants alone; those and the shapes of other values; or values that are given. */
type Kind = 'constant' | 'sizes' | 'values';

/** Ops whose results are others each time, that hold something, or that tell where the graph goes on. */
const IMPURE =
  /Random|Multinomial|TruncatedNormal|Placeholder|TensorArray|TensorList|HashTable|Lookup|^(Stateless)?(If|While)$|^(Enter|Merge|Switch|Exit|NextIteration|LoopCond|Print|NoOp|Assert)$|Variable|Iterator/;

/** Ops that ask for no more than a shape. */
const ASKS_SHAPE = /^(Shape|Rank|Size)$/;

/** Ops that hand on what they take. */
const PASSES = /^(Identity|IdentityN|StopGradient|PreventGradient|Snapshot|CheckNumerics)$/;

/** Nodes that give another shape than what they take, so that it matters of which of them a shape is asked for. */
export const RESHAPES = /Pad|Space|Reshape|Squeeze|ExpandDims|Transpose|Mean|Pool/;

/** What stands for open dimensions. */
export interface Sizes {
  /** The first dimension. */
  readonly batch: number;
  readonly other: number;
}

/** So often something is computed to see what hangs on open dimensions: at last far from before, because of what is clipped. */
const SIZES = [
  {batch: 1, other: 32},
  {batch: 2, other: 40},
  {batch: 3, other: 640},
] as const satisfies Sizes[];

/** For what takes as long as there are values. */
export const SMALL_SIZES = /*#__PURE__*/ SIZES.slice(0, 2);

export function sized(shape: Shape, {batch, other}: Sizes): number[] {
  return shape.map((size, i) => size ?? (i === 0 ? batch : other));
}

/** A node as NodeSets have it: without what it waits for, and each reference in one form. */
export function defOf({def, inputs}: GraphNode): NodeDef {
  return {...def, input: inputs.map(referenceOf)};
}

export function tensorOf({values, shape, dtype}: Constant): Tensor {
  return tensor(values, [...shape], dtype);
}

/** What nodes compute of constants; undefined where tfjs cannot. */
function computed(nodes: NodeSet, given: readonly Constant[]): Constant | undefined {
  return onHost(() => {
    let run: NodeRun | undefined;
    try {
      run = new NodeRun(nodes, new Map());
      const [value] = run.run(given.map(tensorOf));
      return readConstant(value!);
    } catch {
      return undefined;
    } finally {
      run?.dispose();
    }
  });
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
    if (source.node.op === 'Const') return this.weight(source.node.name);
    if (!this.#constants.has(source)) this.#constants.set(source, this.#evaluate(source, undefined));
    return this.#constants.get(source);
  }

  /** A weight, which is decoded when it is read. */
  weight(name: string): Constant | undefined {
    return this.#weights.get(name);
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
    if (!this.#integers.has(edge)) this.#integers.set(edge, this.#integersOf(edge));
    return this.#integers.get(edge);
  }

  beginsWithBatch(edge: Edge): boolean {
    return SIZES.every(sizes => this.valueAt(edge, sizes)?.values[0] === sizes.batch);
  }

  #integersOf(edge: Edge): (number | null)[] | undefined {
    const [first, ...others] = SIZES.map(sizes => this.#evaluate(edge, sizes));
    if (first?.dtype !== 'int32' || others.some(each => each?.shape.join() !== first.shape.join())) return undefined;
    this.note(edge, first.shape, 'int32');
    return Array.from(first.values, (each, i) => (others.every(other => other!.values[i] === each) ? each : null));
  }

  /** What a value that hangs on shapes is if open dimensions are of these sizes. */
  valueAt(edge: Edge, sizes: Sizes): Constant | undefined {
    return this.kind(edge.node) === 'sizes' ? this.#evaluate(edge, sizes) : undefined;
  }

  /** What is there before anything runs; undefined of what is to be computed. */
  #leaf(edge: Edge, sizes: Sizes | undefined): Constant | undefined {
    const {node} = edge;
    if (node.op === 'Const') return this.weight(node.name);
    if (this.kind(node) === 'constant') return this.#constants.get(edge);
    if (!ASKS_SHAPE.test(node.op) || !sizes) return undefined;
    const shape = this.shape(node.inputs[0]!);
    if (!shape) return undefined;
    const values = Int32Array.from(sized(shape, sizes));
    if (node.op === 'Shape') return {dtype: 'int32', shape: [values.length], values};
    const one = node.op === 'Rank' ? values.length : values.reduce((all, each) => all * each, 1);
    return {dtype: 'int32', shape: [], values: Int32Array.of(one)};
  }

  /** Runs what a value hangs on, down to what is known. Undefined where tfjs cannot. */
  #evaluate(edge: Edge, sizes: Sizes | undefined): Constant | undefined {
    const own = this.#leaf(edge, sizes);
    if (own) return own;
    const nodes = new Map<string, NodeDef>();
    const given = new Map<string, Constant>();
    const path = [edge];
    while (path.length > 0) {
      const next = path.pop()!;
      const {node} = next;
      const leaf = this.#leaf(next, sizes);
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
    const takers = node.takers.filter(({op}) => RESHAPES.test(node.op) || !ASKS_SHAPE.test(op));
    return takers.length === 1 ? takers[0] : undefined;
  }
}
