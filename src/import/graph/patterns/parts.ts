/** What the patterns are made of. */
import {layers} from '@tensorflow/tfjs-layers';
import type {Constant} from '../../../graph_model/node_run';
import type {Edge, GraphNode, Known, Shape} from '../graph_reader';
import type {LayerPlan, Match, NoLayer, Pattern} from '../pattern';

/** Ops that give what they take, where nothing is trained. */
export const PASSING_ON: ReadonlySet<string> = new Set([
  'CheckNumerics',
  'EnsureShape',
  'Identity',
  'PreventGradient',
  'Snapshot',
  'StopGradient',
]);

export function noLayer(reason: string): NoLayer {
  return {reason};
}

/** One layer for one node. */
export function oneLayer(
  node: GraphNode,
  takes: readonly Edge[],
  make: LayerPlan['make'],
  weights?: readonly Constant[],
): Match {
  return {takes, layers: [{of: node, make, ...(weights && {weights})}], nodes: [node]};
}

/** Layers called one after the other, of which the last goes by the name of the node. */
export function severalLayers(
  of: GraphNode,
  takes: readonly Edge[],
  makes: readonly LayerPlan['make'][],
  nodes: readonly GraphNode[] = [of],
): Match {
  return {takes, layers: makes.map((make, i) => ({of, make, ...suffixOf(i, makes)})), nodes};
}

/** What stands behind the name of one of several layers of a node; nothing for the last. */
export function suffixOf(i: number, {length}: {readonly length: number}): {suffix?: string} {
  return i < length - 1 ? {suffix: `/part_${i}`} : {};
}

/** A node whose value is what it takes. */
export function unchanged(node: GraphNode, taken: Edge = node.inputs[0]!): Match {
  return {takes: [taken], layers: [], nodes: [node]};
}

/** A pattern for nodes whose first input that is no constant is a float of a known rank, as all that layers compute. */
export function onFloats(pattern: (node: GraphNode, known: Known, shape: Shape, x: Edge) => Match | NoLayer): Pattern {
  return (node, known) => {
    const x = node.inputs.find(each => !known.constant(each));
    if (!x) return noLayer('takes nothing');
    const reason = whyNoFloat(x, known);
    return reason ? noLayer(reason) : pattern(node, known, known.shape(x)!, x);
  };
}

/** Why a layer cannot take a value; undefined if it can. */
export function whyNoFloat(edge: Edge, known: Known): string | undefined {
  const dtype = known.dtype(edge);
  if (dtype !== 'float32') return dtype ? `takes ${dtype}, and layers compute with floats` : 'takes an unknown type';
  const shape = known.shape(edge);
  if (!shape) return 'takes a value of unknown rank';
  return shape.length === 0 ? 'takes a scalar, and layers take batches' : undefined;
}

/** Where the channels of images are, and where their rows, columns and so on. */
export interface Layout {
  readonly channelAxis: number;
  readonly space: readonly number[];
  readonly dataFormat: 'channelsFirst' | 'channelsLast';
}

/** How the values of a node lie; undefined for formats of special hardware. */
export function layoutOf(node: GraphNode, rank: number): Layout | undefined {
  const format = node.attrs.text('data_format', 'NHWC');
  if (format.includes('VECT')) return undefined;
  const isFirst = format.startsWith('NC');
  const space = Array.from({length: rank - 2}, (_, i) => i + (isFirst ? 2 : 1));
  return isFirst
    ? {channelAxis: 1, space, dataFormat: 'channelsFirst'}
    : {channelAxis: rank - 1, space, dataFormat: 'channelsLast'};
}

/** The entries of a list of one per dimension that are of space; undefined if the others are not 1. */
export function inSpace(list: readonly number[], {space}: Layout): number[] | undefined {
  const others = list.filter((_, axis) => !space.includes(axis));
  return others.every(each => each === 1) ? space.map(axis => list[axis] ?? 1) : undefined;
}

/** The only number of a constant. */
export function scalarOf(constant: Constant | undefined): number | undefined {
  return constant?.values.length === 1 ? constant.values[0] : undefined;
}

/** Whole numbers that are known for sure. */
export function knownIntegers(edge: Edge | undefined, known: Known): readonly number[] | undefined {
  const integers = known.integers(edge);
  return integers?.every(each => each !== null) ? integers : undefined;
}

/** Axes counted from the front, each once, in order. */
export function axesFromFront(axes: readonly number[], rank: number): number[] {
  return [...new Set(axes.map(axis => (axis < 0 ? axis + rank : axis)))].sort((a, b) => a - b);
}

/** The product of dimensions; null if one of them is open. */
export function sizeOf(dims: Shape): number | null {
  return dims.reduce<number | null>((size, dim) => (size === null || dim === null ? null : size * dim), 1);
}

export function isSameShape(a: Shape, b: Shape): boolean {
  return a.length === b.length && a.every((dim, i) => dim === b[i]);
}

/** A Reshape to these dimensions, behind the batch. */
export function reshaped(targetShape: Shape): LayerPlan['make'] {
  return name => layers.reshape({...name, targetShape: [...targetShape]});
}

/** Nodes from one on, each of which is all that takes of the one before. */
export class Chain {
  readonly #known: Known;
  readonly #nodes: GraphNode[];
  #named: GraphNode;

  constructor(start: GraphNode, known: Known) {
    this.#known = known;
    this.#nodes = [start];
    this.#named = start;
  }

  get nodes(): readonly GraphNode[] {
    return this.#nodes;
  }

  /** The last that does something, by which a layer goes. */
  get named(): GraphNode {
    return this.#named;
  }

  get last(): GraphNode {
    return this.#nodes.at(-1)!;
  }

  /** The nodes up to the next that does something. */
  next(): readonly GraphNode[] | undefined {
    const path: GraphNode[] = [];
    for (let node = this.#known.onlyTaker(this.last); node; node = this.#known.onlyTaker(node)) {
      path.push(node);
      if (!PASSING_ON.has(node.op)) return path;
    }
    return undefined;
  }

  take(path: readonly GraphNode[]): void {
    this.#nodes.push(...path);
    this.#named = path.at(-1)!;
  }
}
