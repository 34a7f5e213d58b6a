/** Switches of a quantized model: what is rounded, what is measured, whose statistics move. */
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
  for (const layer of allLayers(asContainer(model))) {
    const inner = unwrapped(layer);
    if (inner.getClassName() !== 'BatchNormalization') continue;
    // On this one layer: `call` of its class, told that it is not training.
    const own = inner as unknown as {call?: Layer['call']};
    const ofClass = Object.getPrototypeOf(inner) as Layer;
    if (frozen) own.call = (inputs, kwargs) => ofClass.call.call(inner, inputs, {...kwargs, training: false});
    else delete own.call;
  }
}
