/** Switches of a quantized model: what is rounded, what is measured, whose statistics move. */
import {type Tensor, tidy} from '@tensorflow/tfjs-core';
import type {LayersModel} from '@tensorflow/tfjs-layers';
import {asContainer, type Layer} from './graph';
import {allLayers} from './quantize_model';
import {isQuantizing, type Quantizing, type Rounding, unwrapped} from './layer_wrapper';

/** The layers with quantizers, at any depth; throws if there are none. */
export function quantizingLayers(caller: string, model: LayersModel): Quantizing[] {
  const layers = allLayers(asContainer(model)).filter(isQuantizing);
  if (layers.length > 0) return layers;
  throw new Error(`${caller}: model ${model.name} is not quantized. Give it the model that quantizeModel returned.`);
}

/** Which quantizers a switch is for. */
export type QuantizerSelection = 'all' | 'weights' | 'activations';

function selected(caller: string, model: LayersModel, which: QuantizerSelection): Rounding[] {
  const all = quantizingLayers(caller, model).flatMap(({roundings}) => roundings);
  return all.filter(({of}) => which === 'all' || which === of);
}

/**
 * Switches rounding on or off. What is off passes values as they are; ranges still follow them in training.
 *
 * @param model - a quantized model.
 * @param on - whether values are rounded.
 * @param which - 'weights', 'activations' or, by default, 'all'.
 */
export function setFakeQuant(model: LayersModel, on: boolean, which: QuantizerSelection = 'all'): void {
  for (const {quantizer} of selected('setFakeQuant', model, which)) quantizer.quantizing = on;
}

/**
 * Freezes ranges where they are, or lets them move again. Activations' only, by default: weights' ranges follow the weights.
 *
 * @param model - a quantized model.
 * @param frozen - whether ranges stay as they are in training.
 * @param which - 'weights', 'all' or, by default, 'activations'.
 */
export function freezeRanges(model: LayersModel, frozen = true, which: QuantizerSelection = 'activations'): void {
  for (const {quantizer, fixed} of selected('freezeRanges', model, which)) quantizer.observing = !frozen && !fixed;
}

/**
 * Freezes the statistics of every BatchNormalization, which then normalizes in training as it will when deployed; or lets
 * them move again.
 *
 * @param model - a model.
 * @param frozen - whether the statistics stay as they are in training.
 */
export function freezeBatchNorm(model: LayersModel, frozen = true): void {
  for (const layer of batchNormsOf(model)) forceTraining(layer, frozen ? false : undefined);
}

function batchNormsOf(model: LayersModel): BatchNorm[] {
  const layers = allLayers(asContainer(model)).map(unwrapped);
  return layers.filter((layer): layer is BatchNorm => layer.getClassName() === 'BatchNormalization');
}

interface BatchNorm extends Layer {
  momentum: number;
}

/** Has this one layer called as in training, as in inference or, undefined, as the model is. Tells what it was before. */
function forceTraining(layer: Layer, training: boolean | undefined): boolean | undefined {
  const own = layer as unknown as {call?: Layer['call']; forced?: boolean};
  const before = own.forced;
  if (training === undefined) {
    delete own.call;
    delete own.forced;
    return before;
  }
  const ofClass = Object.getPrototypeOf(layer) as Layer;
  own.call = (inputs, kwargs) => ofClass.call.call(layer, inputs, {...kwargs, training});
  own.forced = training;
  return before;
}

/**
 * Measures the statistics of every BatchNormalization anew, as the mean over batches that pass the quantized network. A few
 * steps of training leave them behind the weights, which costs the more accuracy the fewer bits there are: call it after
 * training, with some hundreds of training samples.
 *
 * @param model - a model, quantized or not.
 * @param batches - tensors (or, of several inputs, arrays of them), as large as in training.
 */
export function reestimateBatchNorm(model: LayersModel, batches: Iterable<Tensor | Tensor[]>): void {
  const layers = batchNormsOf(model);
  const before = layers.map(layer => ({layer, momentum: layer.momentum, forced: forceTraining(layer, true)}));
  try {
    let seen = 0;
    for (const batch of batches) {
      // The momentum that makes a moving average the mean.
      for (const layer of layers) layer.momentum = seen / (seen + 1);
      tidy(() => void model.apply(batch));
      seen++;
    }
  } finally {
    for (const {layer, momentum, forced} of before) {
      layer.momentum = momentum;
      forceTraining(layer, forced);
    }
  }
}
