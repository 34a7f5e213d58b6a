/** A converted graph, read: nodes linked to those that they take from, their attributes, their constants. */
import type {DataType} from '@tensorflow/tfjs-core';
import type {NodeDef} from '../../graph_model/check_graph';
import type {Constant} from '../../graph_model/node_run';

/** One of the outputs of a node. */
export interface Edge {
  readonly node: GraphNode;
  readonly output: number;
}

export interface GraphNode {
  readonly name: string;
  readonly op: string;
  /** What it takes; those that it only waits for are left out. */
  readonly inputs: readonly Edge[];
  /** The nodes that take something of it, each once for each time. */
  readonly takers: readonly GraphNode[];
  readonly attrs: Attrs;
  readonly def: NodeDef;
}

/** The attributes of a node, or TensorFlow's defaults, which the converter may leave out. */
export interface Attrs {
  int(name: string, byDefault?: number): number;
  ints(name: string, byDefault?: readonly number[]): readonly number[];
  float(name: string, byDefault?: number): number;
  flag(name: string, byDefault?: boolean): boolean;
  text(name: string, byDefault?: string): string;
  texts(name: string): readonly string[];
}

/** A shape as far as it is known; null for a dimension that is any. */
export type Shape = readonly (number | null)[];

/** What patterns may ask of the graph, beside its nodes. */
export interface Known {
  /** The shape of a value; undefined if not even its rank is known. */
  shape(edge: Edge): Shape | undefined;
  dtype(edge: Edge): DataType | undefined;
  /** The value of what hangs on constants alone. */
  constant(edge: Edge | undefined): Constant | undefined;
  /** Whole numbers that hang on constants and shapes alone, such as the shape that is given to a Reshape; null where one hangs on an open dimension. */
  integers(edge: Edge | undefined): readonly (number | null)[] | undefined;
  /** The one node that takes a node's (only) output; undefined if there are others, or if it is an output of the model. */
  onlyTaker(node: GraphNode): GraphNode | undefined;
}
