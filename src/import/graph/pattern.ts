/** What a pattern of nodes becomes. */
import type {layers} from '@tensorflow/tfjs-layers';
import type {Constant} from '../../graph_model/node_run';
import type {Edge, GraphNode, Known} from './graph_reader';

type Layer = layers.Layer;

/** A layer that is to be. */
export interface LayerPlan {
  /** The node by whose name the layer goes. */
  readonly of: GraphNode;
  /** Where several layers go by one node: what stands behind its name. */
  readonly suffix?: string;
  /** What it is called on: by default what the one before gives, the first all that the match takes. */
  readonly takes?: readonly (Edge | LayerPlan)[];
  readonly make: (named: {readonly name: string}) => Layer;
  /** Its weights, in the order of `getWeights`. */
  readonly weights?: readonly Constant[];
}

/** A match: layers that compute what some nodes do. */
export interface Match {
  /** What comes from other nodes. */
  readonly takes: readonly Edge[];
  /** Called one after the other, of which the last gives the value; none if that is what is taken. */
  readonly layers: readonly LayerPlan[];
  /** All nodes that they stand for. The last one's output is theirs. */
  readonly nodes: readonly GraphNode[];
}

/** Why no layer computes a node, as words that follow its name. */
export interface NoLayer {
  readonly reason: string;
}

/** Looks at a node, and those behind it, for what layers compute. */
export type Pattern = (node: GraphNode, known: Known) => Match | NoLayer;
