/** From a model to one that trains quantized: its options are checked, its layers placed, and it is made again. */
import type {LayersModel} from '@tensorflow/tfjs-layers';
import {isRecord, throwProblems} from '../check/rules';
import {asContainer} from '../layers/graph';
import {checkModel} from '../layers/model';
import {rebuild} from '../layers/rebuild';
import {withCopiedStatistics} from './copied_statistics';
import {modelOptionProblems, quantizeProblems} from './options/check_options';
import type {QuantizeOptions, TfmotOptions} from './options/options';
import {optionsByLayer} from './options/options_by_layer';
import {pinnedRanges} from './placement/pinned_ranges';
import {PlacedModel} from './placement/placed_model';
import {Replacements} from './replacements';
import {quantizeAsTfmot} from './tfmot/quantize_as_tfmot';

/**
 * A copy of `model` that trains quantized: weights and activations are rounded wherever an integer runtime would round
 * them. The original is untouched; names, weights and trainable flags are kept.
 *
 * @param model - Sequential or functional, built; of any depth.
 * @param options - widths and schemes, for all and by layer.
 * @returns the quantized model, to compile, train, save and load as any other.
 * @throws with all offending layers at once.
 *
 * @example
 * ```js
 * import {calibrate, quantizeModel} from 'tfjs-quantization/qat';
 *
 * const q = quantizeModel(model, {
 *   weights: {numBits: 4},
 *   layers: {scores: {weights: {numBits: 8}}, pool: false},
 * });
 * await calibrate(q, images);
 * q.compile({optimizer: 'adam', loss: 'categoricalCrossentropy'});
 * await q.fit(images, labels, {epochs: 1, verbose: 0});
 * ```
 */
export function quantizeModel(model: LayersModel, options: QuantizeOptions | TfmotOptions = {}): LayersModel {
  checkModel('quantizeModel', model);
  if (!isRecord(options)) throwProblems('quantizeModel', quantizeProblems(options));
  if (options.scheme === 'tfmot') return withCopiedStatistics(quantizeAsTfmot(model, options));
  const container = asContainer(model);
  const own = optionsByLayer(container, options.layers ?? {});
  throwProblems('quantizeModel', modelOptionProblems(container, options, own));
  const placed = new PlacedModel(container, options, own);
  const pinned = pinnedRanges(placed);
  throwProblems('quantizeModel', [...pinned.problems, ...placed.unusedProblems]);
  const replacements = new Replacements(placed, pinned.ranges);
  const quantized = rebuild(model, {
    replace: layer => replacements.replace(layer),
    between: (value, taker) => replacements.between(value, taker),
  });
  return withCopiedStatistics(quantized);
}
