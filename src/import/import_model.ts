/** Models of any kind as LayersModels. */
import {type io, ready} from '@tensorflow/tfjs-core';
import {type LayersModel, loadLayersModel} from '@tensorflow/tfjs-layers';
import {givenOptions} from '../check/options';
import {anything, callback, flag, type Rules, text} from '../check/rules';
import {loadModel, type ModelSource} from '../graph_model/model_source';
import {isLayersModel, openGraph, openLayers} from '../graph_model/open_model';
import {allOrNothing} from '../layers/all_or_nothing';
import {asContainer, leavesOf} from '../layers/graph';
import {tellAll} from '../layers/serialization';
import {quantized} from './graph/fake_quant';
import {layersOfGraph} from './graph/layers_of_graph';
import {mendLayers} from './keras/mend_layers';

/**
 * How far {@link importModel} is.
 *
 * @example
 * ```js
 * import {importModel} from 'tfjs-quantization/import';
 *
 * const onProgress = ({stage, done, total}) => {
 *   console.log(stage, `${Math.round((100 * done) / total)} %`);
 * };
 * const imported = await importModel('https://…/model.json', {onProgress});
 * ```
 */
export interface ImportProgress {
  /** 'load' while files arrive (done is of 1), 'convert' while nodes become layers (done of so many nodes). */
  readonly stage: 'load' | 'convert';
  /** How much is done, of `total`. */
  readonly done: number;
  /** How much there is to do. */
  readonly total: number;
}

/**
 * How a model is loaded: tf.io.LoadOptions, less its own onProgress.
 *
 * @example
 * ```js
 * import {importModel} from 'tfjs-quantization/import';
 *
 * const imported = await importModel('https://…/model.json', {
 *   requestInit: {credentials: 'include'},
 *   onProgress: ({stage, done, total}) => console.log(`${stage}: ${done} of ${total}`),
 * });
 * ```
 */
export interface ImportOptions extends Omit<io.LoadOptions, 'onProgress' | 'strict' | 'streamWeights'> {
  /** Is told how far the import is, from the start of each stage to its end. Nobody by default. */
  readonly onProgress?: (progress: ImportProgress) => void;
}

const RULES: Rules<ImportOptions> = {
  onProgress: callback,
  requestInit: anything,
  fetchFunc: callback,
  weightPathPrefix: text,
  weightUrlConverter: callback,
  fromTFHub: flag,
};

/** Has a model's layers tell all of their configs, of which tfjs saves a part, so that it loads again. */
function savable(model: LayersModel): LayersModel {
  leavesOf(asContainer(model)).forEach(tellAll);
  return model;
}

/**
 * Loads a model of any kind as a LayersModel, which trains, is quantized, calibrated, saved and exported as any other: a graph
 * model, or a layers model of Keras 2 or 3, as {@link mendLayers} mends it.
 *
 * Of a graph, patterns of nodes become tfjs's own layers with their weights; what no layer computes stays as it is, in layers
 * that run the nodes (of class GraphSegment). {@link describeImport} tells which and why. Layers go by the names of nodes; the
 * names and the order of inputs and outputs are those of `tf.loadGraphModel`, less a ':0' at the end. Weights are trainable, and
 * a batch norm that was folded into them stays so. Where all is layers, a graph that takes one example at a time becomes a model
 * that takes any number. A graph with FakeQuant nodes becomes a quantized model with their ranges and widths.
 *
 * @example
 * ```js
 * import {describeImport, importModel} from 'tfjs-quantization/import';
 * import {quantizeModel} from 'tfjs-quantization/qat';
 *
 * const imported = await importModel('https://…/model.json');
 * describeImport(imported).print();
 * const q = quantizeModel(imported);
 * ```
 *
 * @param source - the model's URL, an IOHandler (`tf.io.browserFiles(files)`, ...), ModelArtifacts, or `[modelJSON, weights]`.
 * @param options - how it is loaded, as `tf.loadGraphModel` takes them (`requestInit`, `fromTFHub`, ...), and `onProgress`.
 * @returns the model, which is the caller's to dispose of.
 * @throws if it cannot be loaded, is no model, or is malformed: the error names file, node, op and remedy, all problems at once,
 * and no tensor is left.
 */
export async function importModel(source: ModelSource, options: ImportOptions = {}): Promise<LayersModel> {
  const {onProgress, ...loading} = givenOptions('importModel', options, RULES);
  const tell = (stage: ImportProgress['stage'], done: number, total: number) => onProgress?.({stage, done, total});
  const onLoad = (fraction: number) => tell('load', fraction, 1);
  // Nothing can be made while the page's backend is still starting.
  await ready();
  const loaded = await loadModel('importModel', source, {...loading, onProgress: onLoad});
  if (isLayersModel(loaded)) return savable(await loadLayersModel(mendLayers(openLayers('importModel', loaded))));
  const {graph, weights} = openGraph('importModel', loaded);
  const onNode = (done: number, total: number) => tell('convert', done, total);
  return savable(await quantized(allOrNothing(() => layersOfGraph(graph, weights, loaded.artifacts, onNode))));
}
