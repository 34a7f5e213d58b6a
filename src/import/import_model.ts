/** Models of any kind as LayersModels. */
import type {io} from '@tensorflow/tfjs-core';
import {type LayersModel, loadLayersModel} from '@tensorflow/tfjs-layers';
import {loadModel} from '../graph_model/model_source';
import {isLayersModel, openGraph, openLayers} from '../graph_model/open_model';
import {allOrNothing} from '../layers/all_or_nothing';
import {quantized} from './graph/fake_quant';
import {layersOfGraph} from './graph/layers_of_graph';
import {mendLayers} from './keras/mend_layers';

/** How far {@link importModel} is. */
export interface ImportProgress {
  /** 'load' while files arrive (done is of 1), 'convert' while nodes become layers (done of so many nodes). */
  readonly stage: 'load' | 'convert';
  readonly done: number;
  readonly total: number;
}

/** How a model is loaded: tf.io.LoadOptions, less its own onProgress. */
export interface ImportOptions extends Omit<io.LoadOptions, 'onProgress' | 'strict' | 'streamWeights'> {
  readonly onProgress?: (progress: ImportProgress) => void;
}

/** What importModel and mendLayers load: what tf.loadLayersModel and tf.loadGraphModel take, the synchronous ones included. */
export type ModelSource =
  string | io.IOHandler | io.IOHandlerSync | io.ModelArtifacts | [modelJSON: io.ModelJSON, weights: io.WeightData];

/**
 * Loads a model of any kind as a LayersModel.
 */
export async function importModel(source: ModelSource, options: ImportOptions = {}): Promise<LayersModel> {
  const {onProgress, ...loading} = options;
  const tell = (stage: ImportProgress['stage'], done: number, total: number) => onProgress?.({stage, done, total});
  const onLoad = (fraction: number) => tell('load', fraction, 1);
  const loaded = await loadModel('importModel', source, {...loading, onProgress: onLoad});
  if (isLayersModel(loaded)) return loadLayersModel(mendLayers(openLayers('importModel', loaded)));
  const {graph, weights} = openGraph('importModel', loaded);
  const onNode = (done: number, total: number) => tell('convert', done, total);
  return quantized(allOrNothing(() => layersOfGraph(graph, weights, loaded.artifacts, onNode)));
}
