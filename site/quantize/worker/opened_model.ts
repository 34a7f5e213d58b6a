/** A model that is open: what it is made of, and what the page is told of it. */
import {describeImport, importModel} from 'tfjs-quantization/import';
import {dequantizeModel, describeQuantization, quantizeModel} from 'tfjs-quantization/qat';
import * as tf from 'tfjs-quantization/tf';
import type {GivenFile, LayerInfo, ModelInfo, PortInfo, Scaling} from './contract';
import {disposeModel} from './disposal';
import type {Job} from './job';
import {type ModelFiles, readModelFiles} from './model_files';
import {isRounded, leavesOf} from './quantizing';
import type {Wanted} from './samples/sample_set';

type Layer = tf.layers.Layer;

export interface OpenedModel {
  /** The model that all is compared with. */
  readonly float: tf.LayersModel;
  /** Of a model that came quantized: itself. */
  readonly own: tf.LayersModel | undefined;
  readonly info: ModelInfo;
  readonly wanted: Wanted;
  readonly files: readonly GivenFile[];
  dispose(): void;
}

/** What is known of a model beside its files. */
export interface Known {
  readonly name?: string;
  readonly scaling?: {readonly scaling: Scaling; readonly because: string};
}

export async function openFiles(given: readonly GivenFile[], known: Known, job: Job): Promise<OpenedModel> {
  const files = await readModelFiles(given, job);
  await job.turn();
  const model = await imported(files, job);
  const isQuantized = isRounded(model);
  const float = isQuantized ? dequantizeModel(model) : model;
  const dispose = () => {
    disposeModel(model);
    if (float !== model) disposeModel(float);
  };
  try {
    await job.turn();
    const info = await infoOf(float, isQuantized ? model : undefined, files, known);
    await job.turn();
    const wanted = {inputs: info.inputs, classes: classCount(info), labels: info.labels};
    return {float, own: isQuantized ? model : undefined, info, wanted, files: files.files, dispose};
  } catch (error) {
    dispose();
    throw error;
  }
}

async function imported({json, weights}: ModelFiles, job: Job): Promise<tf.LayersModel> {
  let model: tf.LayersModel;
  try {
    model = await importModel([json, weights], {
      onProgress: ({stage, done, total}) => job.tell(stage === 'load' ? 'Loading' : 'Making layers', done, total),
    });
  } catch (error) {
    const [, layer] = /^Unknown layer: (\w+)/.exec((error as Error).message) ?? [];
    if (layer === undefined) throw error;
    throw new Error(
      `Its layer ${layer} is of Python alone. Convert the model to a graph, which has the layer's operations instead: tensorflowjs_converter --output_format tfjs_graph_model.`,
      {cause: error},
    );
  }
  if (weights.length > 0 || model.countParams() === 0) return model;
  disposeModel(model);
  throw new Error(
    'The model.json names no weight files: it was saved without weights. Save the whole model: model.save().',
  );
}

/** Of the first output, if there is but one: those of its last dimension, or no and yes. */
function classCount({outputs}: ModelInfo): number | undefined {
  const [output, other] = outputs;
  if (other || output?.shape.length !== 2) return undefined;
  const last = output.shape[1]!;
  return last === 1 ? 2 : (last ?? undefined);
}

function portsOf(tensors: readonly tf.SymbolicTensor[], names: readonly string[]): PortInfo[] {
  return tensors.map(({shape, dtype}, i) => ({name: names[i]!, shape, dtype}));
}

async function infoOf(
  float: tf.LayersModel,
  own: tf.LayersModel | undefined,
  {json, metadata, notes, name}: ModelFiles,
  known: Known,
): Promise<ModelInfo> {
  const {teachableMachine} = metadata;
  const parameters = float.countParams();
  const outputs = portsOf(float.outputs, float.outputNames);
  const classes = outputs[0]!.shape.at(-1);
  const hasLabels =
    metadata.labels !== undefined &&
    (metadata.labels.length === classes || (classes === 1 && metadata.labels.length === 2));
  const told = [...notes];
  if (metadata.labels && !hasLabels)
    told.push(
      `Its metadata names ${metadata.labels.length} classes, but it has ${classes ?? 'any number of'} outputs: the names are left out.`,
    );
  if (own)
    told.push('It came quantized: its own ranges and widths are kept, and compared with the same weights in float.');
  if (teachableMachine === 'pose')
    told.push(
      'This is the part that Teachable Machine trained: it takes what PoseNet gives, not images. Bring its inputs as .npy.',
    );
  if (teachableMachine === 'audio') told.push('It takes spectrograms, not sound. Bring them as .npy.');
  return {
    name: known.name ?? metadata.name ?? name ?? float.name,
    kind: kindOf(json, teachableMachine),
    inputs: portsOf(float.inputs, float.inputNames),
    outputs,
    parameters,
    bytes: 4 * parameters,
    layers: await layersOf(float, own),
    labels: hasLabels ? metadata.labels : undefined,
    scaling: known.scaling ?? metadata.scaling,
    isQuantized: own !== undefined,
    notes: told,
  };
}

function kindOf({format, generatedBy}: tf.io.ModelJSON, teachableMachine: string | undefined): string {
  if (teachableMachine) return `Teachable Machine ${teachableMachine} model`;
  if (format === 'graph-model') return 'graph model';
  const [, version] = /keras v?(\d+)/i.exec(generatedBy ?? '') ?? [];
  return version ? `layers model of Keras ${version}` : 'layers model';
}

/** Why each layer that stays float in a quantized model does. */
async function reasonsOf(float: tf.LayersModel, own: tf.LayersModel | undefined): Promise<Map<string, string>> {
  const q = own ?? quantizeModel(float);
  try {
    if (!isRounded(q)) throw new Error('The model has no layer that can be quantized. Bring one with weights.');
    const rows = await describeQuantization(q).read();
    const rounded = new Set(rows.filter(({numBits}) => numBits !== undefined).map(({layer}) => layer));
    const staying = rows.filter(
      ({layer, what, note}) =>
        note.startsWith(NOT_ROUNDED) && (what === 'weights' || (!rounded.has(layer) && IN_FLOAT.test(note))),
    );
    return new Map(staying.map(({layer, note}) => [layer, note.slice(NOT_ROUNDED.length)]));
  } finally {
    if (!own) disposeModel(q);
  }
}

const NOT_ROUNDED = 'not rounded: ';

/** Others move values only, or what they give is rounded elsewhere. */
const IN_FLOAT = /computed in float|it is not quantized/;

async function layersOf(float: tf.LayersModel, own: tf.LayersModel | undefined): Promise<LayerInfo[]> {
  const reasons = await reasonsOf(float, own);
  const imported = new Map(describeImport(float).rows.map(row => [row.layer, row]));
  return leavesOf(float)
    .filter(layer => layer.getClassName() !== 'InputLayer')
    .map(layer => ({
      name: layer.name,
      className: imported.get(layer.name)?.className ?? layer.getClassName(),
      outputShape: outputShapeOf(layer),
      parameters: layer.countParams(),
      float: reasons.get(layer.name) && (imported.get(layer.name)?.note ?? reasons.get(layer.name)),
      hasWeights: layer.countParams() > 0 && !reasons.has(layer.name) && layer.getClassName() !== 'BatchNormalization',
    }));
}

function outputShapeOf({inboundNodes}: Layer): string {
  const shapes = inboundNodes[0]?.outputShapes ?? [];
  const all = Array.isArray(shapes[0]) ? (shapes as (number | null)[][]) : [shapes as (number | null)[]];
  return all.map(shape => `[${shape.map(dim => dim ?? 'any').join(', ')}]`).join(', ');
}

/** How many integers each input has a meaning for: those of the Embedding that takes it. */
export function vocabulariesOf(model: tf.LayersModel): (number | undefined)[] {
  return model.inputNames.map(name => {
    const taking = leavesOf(model).filter(layer =>
      layer.inboundNodes.some(({inboundLayers}) => inboundLayers.some(each => each.name === name)),
    );
    const embedding = taking.find(layer => layer.getClassName() === 'Embedding') as
      (Layer & {inputDim?: number}) | undefined;
    return embedding?.inputDim;
  });
}
