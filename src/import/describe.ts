/** What became of a model that was imported. */
import type {LayersModel} from '@tensorflow/tfjs-layers';
import {callback, throwProblems} from '../check/rules';
import {tableOf} from '../check/table';
import {GraphSegment} from '../graph_model/segment';
import {allLayers, asContainer, isInput, type Layer} from '../layers/graph';
import {unwrapped} from '../layers/layer_wrapper';
import {checkModel} from '../layers/model';
import {QuantizedInput} from '../qat/quantized_layers/quantized_input';

/**
 * A layer of an imported model.
 *
 * @example
 * ```js
 * import {describeImport} from 'tfjs-quantization/import';
 *
 * for (const {layer, className, nodes, note} of describeImport(model).rows) {
 *   console.log(layer, className, `${nodes.length} nodes`, note ?? '');
 * }
 * ```
 */
export interface ImportRow {
  /** The name of the layer. */
  readonly layer: string;
  /** The class of the layer; 'GraphSegment' of nodes that have none. */
  readonly className: string;
  /** The nodes of the graph that it stands for, by name; of models of layers, none. */
  readonly nodes: readonly string[];
  /** Why it is a segment; what was folded into it; undefined if there is nothing to say. */
  readonly note: string | undefined;
}

/**
 * What {@link describeImport} gives.
 *
 * @example
 * ```js
 * import {describeImport} from 'tfjs-quantization/import';
 *
 * const {rows, print} = describeImport(model);
 * console.log(`${rows.length} layers`); // 5 layers
 * print();
 * ```
 */
export interface ImportDescription {
  /** The layers, in the order of the model. */
  readonly rows: readonly ImportRow[];
  /** Prints the rows as a table. */
  readonly print: (printLine?: (line: string) => void) => void;
}

/** What is known of a layer that its model does not hold. */
export interface Origin {
  readonly nodes: readonly string[];
  readonly note: string | undefined;
}

/** By the names of layers. */
export type Origins = ReadonlyMap<string, Origin>;

const ORIGINS = /*#__PURE__*/ new WeakMap<LayersModel, Origins>();
/** The models with origins, as far as they live. */
const IMPORTED = /*#__PURE__*/ new Set<WeakRef<LayersModel>>();

/** Remembers where the layers of a model come from. */
export function remember(model: LayersModel, origins: Origins): void {
  ORIGINS.set(model, origins);
  IMPORTED.add(new WeakRef(model));
}

/** What was remembered of a model. */
export function recalled(model: LayersModel): Origins {
  return ORIGINS.get(model) ?? new Map();
}

/** Where layers come from: of a model that was imported, or was made of one and has no other layers, as quantizeModel makes them. */
function originsOf(model: LayersModel, layers: readonly Layer[]): Origins | undefined {
  const own = ORIGINS.get(model);
  if (own) return own;
  for (const reference of IMPORTED) {
    const imported = reference.deref();
    if (!imported) IMPORTED.delete(reference);
    const origins = imported && ORIGINS.get(imported);
    const isKnown = (layer: Layer) => layer instanceof QuantizedInput || origins?.has(layer.name);
    if (origins && layers.every(isKnown)) return origins;
  }
  return undefined;
}

/** What a segment stands for, and why. */
export function ofSegment({graph, reasons}: Pick<GraphSegment, 'graph' | 'reasons'>): Origin {
  const nodes = graph.nodes.filter(({op}) => op !== 'Const').map(({name}) => name);
  return {nodes, note: reasons.map(({op, reason}) => `${op} ${reason}`).join('; ') || undefined};
}

function rowOf(layer: Layer, origins: Origins | undefined): ImportRow {
  const inner = unwrapped(layer);
  if (inner instanceof GraphSegment) return {layer: layer.name, className: 'GraphSegment', ...ofSegment(inner)};
  const {nodes, note} = origins?.get(layer.name) ?? {nodes: [], note: undefined};
  return {layer: layer.name, className: inner.getClassName(), nodes, note};
}

/**
 * Tells what became of a model that {@link importModel} loaded: which nodes of the graph each layer stands for, and of those
 * that are left as they are, in segments, why no layer computes them.
 *
 * It knows as long as the imported model lives, also of what quantizeModel has made of it. Of a model that was saved and is
 * loaded again elsewhere, segments alone tell which nodes they are of.
 *
 * @example
 * ```js
 * import {describeImport, importModel} from 'tfjs-quantization/import';
 *
 * const imported = await importModel('https://…/model.json');
 * describeImport(imported).print();
 * ```
 *
 * @param model - the model, or a quantized one.
 * @returns the rows, one a layer in the model's order, inputs left out, and a way to print them.
 * @throws if `model` is not a model of layers, or disposed of.
 */
export function describeImport(model: LayersModel): ImportDescription {
  checkModel('describeImport', model);
  const layers = allLayers(asContainer(model)).filter(layer => !isInput(layer));
  const origins = originsOf(model, layers);
  const rows = layers.map(layer => rowOf(layer, origins));
  return {
    rows,
    print: (printLine = console.log) => {
      throwProblems('describeImport', callback(printLine, 'printLine'));
      const cells = rows.map(({layer, className, nodes, note = ''}) => [layer, className, String(nodes.length), note]);
      tableOf(['layer', 'class', 'nodes', ''], cells).forEach(line => printLine(line));
    },
  };
}
