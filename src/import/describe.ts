/** What became of a model that was imported. */
import type {LayersModel} from '@tensorflow/tfjs-layers';

/** A layer of an imported model. */
export interface ImportRow {
  readonly layer: string;
  /** The class of the layer; 'GraphSegment' of nodes that have none. */
  readonly className: string;
  /** The nodes of the graph that it stands for, by name; of models of layers, none. */
  readonly nodes: readonly string[];
  /** Why it is a segment; what was folded into it; undefined if there is nothing to say. */
  readonly note: string | undefined;
}

export interface ImportDescription {
  readonly rows: readonly ImportRow[];
  print(): void;
}

export function describeImport(model: LayersModel): ImportDescription {
  throw new Error(`describeImport: to be written for ${model.name}`);
}
