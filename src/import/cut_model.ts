/** Parts of models. */
import {type LayersModel, model as newModel, type SymbolicTensor} from '@tensorflow/tfjs-layers';
import {shown, throwProblems} from '../check/rules';
import {asContainer, callsOf, type Container, graphOf, isContainer, type Layer} from '../layers/graph';
import {checkModel} from '../layers/model';
import {cloneLayer, rebuild} from '../layers/rebuild';
import {setTrainableFlag} from '../layers/tfjs_internals';

/**
 * Where a model is cut.
 *
 * @example
 * ```js
 * import {cutModel} from 'tfjs-quantization/import';
 *
 * const both = cutModel(model, {outputs: ['pool', 'scores']});
 * console.log(both.outputs.length); // 2
 * ```
 */
export interface CutOptions {
  /**
   * Layers whose outputs become the model's, in this order: of a layer with several outputs, or that is called several times,
   * all of them.
   */
  readonly outputs: readonly string[];
}

/** How many changes make one name of another: insertions, deletions, replacements. */
function distance(a: string, b: string): number {
  let row = Array.from({length: b.length + 1}, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      next.push(Math.min(row[j]! + 1, next[j - 1]! + 1, row[j - 1]! + Number(a[i - 1] !== b[j - 1])));
    }
    row = next;
  }
  return row[b.length]!;
}

/** Names to choose from, those first that have one in them that is not there, or are most like it. Of long ones, the beginnings are compared. */
function nearest(name: string, names: readonly string[]): string {
  const most = 20;
  const start = (text: string) => text.slice(0, 100);
  const sorted = names
    .map(each => ({each, far: each.includes(name) ? 0 : distance(start(name), start(each))}))
    .sort((a, b) => a.far - b.far)
    .map(({each}) => `'${each}'`);
  const more = sorted.length > most ? ` and ${sorted.length - most} more` : '';
  return `${sorted.slice(0, most).join(', ')}${more}`;
}

/** The model within, at any depth, that has a layer of this name; the models that lead there, outermost first. */
function pathTo(name: string, container: Container): string[] | undefined {
  for (const layer of graphOf(container).layers) {
    if (!isContainer(layer)) continue;
    if (graphOf(layer).layers.some(each => each.name === name)) return [layer.name];
    const deeper = pathTo(name, layer);
    if (deeper) return [layer.name, ...deeper];
  }
  return undefined;
}

/** The layers of a model, as its users see them and as its graph has them: what is within a Sequential's first is its own there. */
function layersOf(model: Container): Layer[] {
  return [...new Set([...model.layers, ...graphOf(model).layers])];
}

/** The outputs of all calls of a layer. */
function outputsOf(name: string, model: Container): SymbolicTensor[] {
  const graph = graphOf(model);
  const called = callsOf(graph).filter(({outboundLayer}) => outboundLayer.name === name);
  if (called.length > 0) return called.flatMap(({outputTensors}) => outputTensors);
  const layer = layersOf(model).find(each => each.name === name)!;
  return isContainer(layer) ? layer.outputs : graph.inputs.filter(({sourceLayer}) => sourceLayer === layer);
}

function nameProblem(name: unknown, i: number, outputs: readonly unknown[], model: Container): string | undefined {
  if (typeof name !== 'string') return `outputs[${i}] must be the name of a layer, but was ${shown(name)}.`;
  if (outputs.indexOf(name) < i) return `outputs names '${name}' twice. Leave one out.`;
  const names = layersOf(model).map(layer => layer.name);
  if (names.includes(name)) return undefined;
  const path = pathTo(name, model);
  if (path) {
    const within = path.reduce((code, each) => `${code}.getLayer('${each}')`, 'model');
    return `outputs[${i}]: '${name}' is a layer of the model '${path.at(-1)!}' within. Name that, or cut it: cutModel(${within}, …).`;
  }
  return `outputs[${i}]: model ${model.name} has no layer '${name}'. It has ${nearest(name, names)}.`;
}

function checkOutputs(model: LayersModel, options: unknown): void {
  const outputs: unknown = (options as Partial<CutOptions> | undefined)?.outputs;
  if (!Array.isArray(outputs) || outputs.length === 0) {
    const was = Array.isArray(outputs) ? 'an empty list' : shown(outputs);
    throwProblems('cutModel', [
      `outputs must be the names of layers, at least one, but was ${was}. See model.summary() for the names.`,
    ]);
  }
  const container = asContainer(model);
  const problems = (outputs as unknown[]).map((name, i) => nameProblem(name, i, outputs as unknown[], container));
  throwProblems(
    'cutModel',
    problems.filter(problem => problem !== undefined),
  );
}

/** The inputs that some tensors of a graph hang on, in the graph's order. */
function inputsOf(graph: Container, tensors: readonly SymbolicTensor[]): SymbolicTensor[] {
  const needed = new Set(tensors.map(({id}) => id));
  for (const call of callsOf(graph).reverse()) {
    if (call.outputTensors.some(({id}) => needed.has(id))) call.inputTensors.forEach(({id}) => needed.add(id));
  }
  return graph.inputs.filter(({id}) => needed.has(id));
}

/**
 * The model up to some of its layers, as a model of its own: layers and copies of weights, which share nothing with the
 * original, so that either can be trained or disposed of. Names, `trainable` flags, quantization and its ranges are kept;
 * inputs that no output needs any more are left out. It is not compiled.
 *
 * @example
 * ```js
 * import * as tf from '@tensorflow/tfjs';
 * import {cutModel} from 'tfjs-quantization/import';
 *
 * const features = cutModel(model, {outputs: ['pool']});
 * for (const layer of features.layers) layer.trainable = false;
 * const head = tf.layers.dense({units: 4, activation: 'softmax', name: 'classes'});
 * const transfer = tf.sequential({layers: [features, head]});
 * transfer.compile({optimizer: 'adam', loss: 'categoricalCrossentropy'});
 * await transfer.fit(images, labels, {epochs: 1, verbose: 0});
 * ```
 *
 * @param model - a Sequential or a functional model, imported, quantized or neither.
 * @param options - `outputs`: the names of layers of the model itself, not of models within.
 * @returns a model that belongs to the caller: dispose of it.
 * @throws if `model` is none or disposed, or `outputs` is empty or names a layer twice or one that is not there.
 */
export function cutModel(model: LayersModel, options: CutOptions): LayersModel {
  checkModel('cutModel', model);
  checkOutputs(model, options);
  const graph = graphOf(asContainer(model));
  const outputs = options.outputs.flatMap(name => outputsOf(name, asContainer(model)));
  const view = newModel({inputs: inputsOf(graph, outputs), outputs, name: model.name});
  // Of the layers it says nothing: they are the original's.
  setTrainableFlag(view, model.trainable);
  const metadata = model.getUserDefinedMetadata();
  if (metadata) view.setUserDefinedMetadata(metadata);
  return rebuild(view, {
    replace: layer => {
      const copy = cloneLayer(layer);
      return {layer: copy, variables: {from: layer, to: copy}};
    },
  });
}
