/** What nodes give that no layer computes: seen by running them on zeros. */
import {type DataType, type Tensor, tidy, zeros} from '@tensorflow/tfjs-core';
import {type Constant, NodeRun} from '../../graph_model/node_run';
import {onHost} from '../../graph_model/on_host';
import {defOf, type Facts, sized, type Sizes, SMALL_SIZES, tensorOf} from './facts';
import {type Edge, type GraphNode, referenceOf, type Shape} from './graph_reader';

/** What a node gives. */
export interface Given {
  readonly shape: Shape;
  readonly dtype: DataType;
}

/** Ops that give as much as there is of something in what they take. */
const GIVES_ANY = /^(Where|NonMaxSuppression|Unique|ListDiff|DynamicPartition|Sparse|Ragged|String)/;

/** Ops that give as much as is asked for by what they take: all of it, or all but the first. */
const ASKED_BY_ALL = /^(Fill|Range|LinSpace)$/;
const ASKED_BY_OTHERS =
  /^(Reshape|Slice|StridedSlice|Tile|Resize\w+|BroadcastTo|(Mirror)?Pad(V2)?|OneHot|SpaceToBatchND|BatchToSpaceND|CropAndResize|(Dense)?Bincount)$/;

/** What a node takes: values that are known for any sizes of open dimensions, or a shape. */
type Taken = ((sizes: Sizes) => Constant | undefined) | Given;

const isKnown = (taken: Taken): taken is Exclude<Taken, Given> => typeof taken === 'function';

/** Runs each kind of node once: what nodes of one op, the same attributes and inputs give is the same. */
export class Probe {
  readonly #facts: Facts;
  readonly #seen = new Map<string, readonly (Given | undefined)[]>();

  constructor(facts: Facts) {
    this.#facts = facts;
  }

  /** What a list of tensors is as one tensor, as far as the node says. */
  stacked(node: GraphNode): Given | undefined {
    const element = this.#facts.integers(node.inputs[1]);
    const dtype = node.attrs.dtype('element_dtype');
    if (node.op !== 'TensorListStack' || !element || !dtype) return undefined;
    const length = node.attrs.int('num_elements', -1);
    return {shape: [length, ...element].map(size => (size !== null && size >= 0 ? size : null)), dtype};
  }

  /** What the outputs of a node are of which something is taken; none if that cannot be seen. */
  outputsOf(node: GraphNode): readonly (Given | undefined)[] {
    const taken = node.inputs.map(edge => this.#taken(edge));
    if (!taken.every(each => each !== undefined)) return [];
    const key = JSON.stringify([node.op, node.def.attr, taken.map(keyOf), lastOutput(node)]);
    const seen = this.#seen.get(key) ?? look(node, taken);
    this.#seen.set(key, seen);
    return seen;
  }

  #taken(edge: Edge): Taken | undefined {
    const facts = this.#facts;
    const kind = facts.kind(edge.node);
    if (kind === 'constant') {
      const value = facts.constant(edge);
      return value && (() => value);
    }
    if (kind === 'sizes') return sizes => facts.valueAt(edge, sizes);
    const [shape, dtype] = [facts.shape(edge), facts.dtype(edge)];
    return shape && dtype && {shape, dtype};
  }
}

function keyOf(taken: Taken): unknown {
  if (!isKnown(taken)) return [taken.shape, taken.dtype];
  const [first, second] = SMALL_SIZES.map(taken);
  // Filters and tables: how much there is of them tells what is given.
  const listed = first && first.values.length <= 64 ? [[...first.values], [...(second?.values ?? [])]] : 'many';
  return [first?.dtype, first?.shape, listed];
}

/** The last of the outputs that something is taken of. */
function lastOutput(node: GraphNode): number {
  // Each once, however often it takes it.
  const edges = [...new Set(node.takers)].flatMap(({inputs}) => inputs.filter(({node: from}) => from === node));
  return edges.reduce((last, {output}) => Math.max(last, output), 0);
}

/** Whether how much a node gives is known no sooner than it is run. */
function givesAny({op}: GraphNode, taken: readonly Taken[]): boolean {
  if (GIVES_ANY.test(op)) return true;
  const asking = ASKED_BY_ALL.test(op) ? taken : ASKED_BY_OTHERS.test(op) ? taken.slice(1) : [];
  return !asking.every(isKnown);
}

function look(node: GraphNode, taken: readonly Taken[]): readonly (Given | undefined)[] {
  const [first, second] = SMALL_SIZES.map(sizes => ranOnZeros(node, taken, sizes));
  const anyLength = givesAny(node, taken);
  return (first ?? []).map((given, i) => {
    const other = second?.[i]?.shape;
    if (other?.length !== given.shape.length) return undefined;
    return {...given, shape: given.shape.map((size, k) => (anyLength || other[k] !== size ? null : size))};
  });
}

/** Where the page computes, as much may be to compute; else on the cpu, as some backends have no kernel, or wait for values. */
function ranOnZeros(node: GraphNode, taken: readonly Taken[], sizes: Sizes): readonly Given[] | undefined {
  const run = () => ranHere(node, taken, sizes);
  return run() ?? onHost(run);
}

function ranHere(node: GraphNode, taken: readonly Taken[], sizes: Sizes): readonly Given[] | undefined {
  const references = node.inputs.map(referenceOf);
  const outputs = Array.from({length: lastOutput(node) + 1}, (_, output) => referenceOf({node, output}));
  let run: NodeRun | undefined;
  try {
    run = new NodeRun({nodes: [defOf(node)], inputs: [...new Set(references)], outputs}, new Map());
    const ready = run;
    const given: Given[] = [];
    tidy(() => {
      const values = new Map(references.map((reference, i) => [reference, takenAs(taken[i]!, sizes)]));
      given.push(...ready.run([...values.values()]).map(({shape, dtype}) => ({shape, dtype})));
    });
    return given;
  } catch {
    return undefined;
  } finally {
    run?.dispose();
  }
}

function takenAs(taken: Taken, sizes: Sizes): Tensor {
  return isKnown(taken) ? tensorOf(taken(sizes)!) : zeros(sized(taken.shape, sizes), taken.dtype as 'float32');
}
