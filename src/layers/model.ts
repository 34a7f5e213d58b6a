/** Models that functions are given: what they must be, also once others have had a turn. */
import type {LayersModel} from '@tensorflow/tfjs-layers';
import {shown, throwProblems} from '../check/rules';
import {asContainer, isContainer} from './graph';
import {referencesOf} from './tfjs_internals';

/** What has a layer's methods: tf.layers' classes, of whichever copy. */
function isLayer(value: unknown): value is LayersModel {
  return typeof value === 'object' && value !== null && typeof (value as LayersModel).getClassName === 'function';
}

function isGone(model: LayersModel): boolean {
  return referencesOf(model) === 0;
}

/** Runs what needs `model` until its end, and tells if somebody disposed of it meanwhile. */
export async function withModel<T>(caller: string, model: LayersModel, run: () => Promise<T>): Promise<T> {
  try {
    return await run();
  } catch (error) {
    if (!isGone(model)) throw error;
    const message = `${caller}: model ${model.name} was disposed of meanwhile. Keep it until this is done (await).`;
    throw new Error(message, {cause: error});
  }
}

function modelProblem(model: unknown): string | undefined {
  const wanted = 'model must be a tf.LayersModel: what tf.sequential, tf.model or tf.loadLayersModel give';
  if (typeof (model as PromiseLike<unknown> | undefined)?.then === 'function') {
    return `${wanted}, but was a Promise of one. Await it first: await tf.loadLayersModel(url).`;
  }
  if (typeof (model as {executeAsync?: unknown} | undefined)?.executeAsync === 'function') {
    return `${wanted}, but was a graph model. Make a LayersModel of it: importModel(url), of tfjs-quantization/import.`;
  }
  if (!isLayer(model)) return `${wanted}, but was ${shown(model)}.`;
  if (!isContainer(asContainer(model))) return `${wanted}, but was the layer ${model.name}. Put it into a model.`;
  const {inputs, layers, name} = model;
  if (isGone(model)) return `model ${name} is disposed. Keep it, or load it again.`;
  if (inputs.length > 0) return undefined;
  const remedy = layers.length > 0 ? 'Give its first layer an inputShape' : 'Add layers, the first with an inputShape';
  return `model ${name} is not built, so its layers have no weights yet. ${remedy}.`;
}

/** Throws unless `model` is a model that has its weights. */
export function checkModel(caller: string, model: unknown): void {
  const problem = modelProblem(model);
  throwProblems(caller, problem === undefined ? [] : [problem]);
}
