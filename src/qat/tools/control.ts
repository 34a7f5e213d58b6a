/** Switches of a quantized model: what is rounded, what is measured. */
import type {LayersModel} from '@tensorflow/tfjs-layers';
import {flag, oneOf, throwProblems} from '../../check/rules';
import {quantizingLayers, type Rounding} from '../quantized_layers/quantizing';

/**
 * Which quantizers a switch is for.
 *
 * @example
 * ```js
 * import {freezeRanges, setFakeQuant} from 'tfjs-quantization/qat';
 *
 * freezeRanges(q, true, 'all');
 * setFakeQuant(q, false, 'weights');
 * ```
 */
export type QuantizerSelection = 'all' | 'weights' | 'activations';

const SELECTION = oneOf('all', 'weights', 'activations');

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
 * @throws if the model is not quantized, or an argument is none of its values.
 *
 * @example
 * ```js
 * import {setFakeQuant} from 'tfjs-quantization/qat';
 *
 * setFakeQuant(q, false, 'activations'); // what do the weights alone cost?
 * const scores = q.predict(images);
 * setFakeQuant(q, true);
 * ```
 */
export function setFakeQuant(model: LayersModel, on: boolean, which: QuantizerSelection = 'all'): void {
  throwProblems('setFakeQuant', [...flag(on, 'on'), ...SELECTION(which, 'which')]);
  for (const {quantizer} of selected('setFakeQuant', model, which)) quantizer.quantizing = on;
}

/**
 * Freezes ranges where they are, or lets them move again. Activations' only, by default: weights' ranges follow the weights.
 *
 * @param model - a quantized model.
 * @param frozen - whether ranges stay as they are in training.
 * @param which - 'weights', 'all' or, by default, 'activations'.
 * @throws if the model is not quantized, or an argument is none of its values.
 *
 * @example
 * ```js
 * import {freezeRanges} from 'tfjs-quantization/qat';
 *
 * freezeRanges(q); // the activations'
 * q.compile({optimizer: 'adam', loss: 'categoricalCrossentropy'});
 * await q.fit(images, labels, {epochs: 1, verbose: 0});
 * ```
 */
export function freezeRanges(model: LayersModel, frozen = true, which: QuantizerSelection = 'activations'): void {
  throwProblems('freezeRanges', [...flag(frozen, 'frozen'), ...SELECTION(which, 'which')]);
  for (const {quantizer, fixed} of selected('freezeRanges', model, which)) quantizer.observing = !frozen && !fixed;
}
