/** The widths of layers within a budget. */
import type {LayersModel} from '@tensorflow/tfjs-layers';
import {cloneLayer, disposeMade, rebuild} from '../../layers/rebuild';
import {gathered} from '../tools/gather';
import {type Samples, warnOfFew} from '../tools/samples';
import type {BitChoice} from './choice';
import {BitChooser} from './chooser';
import {checkAll, type ChooseBitsOptions} from './options';

const WIDTHS = [2, 3, 4, 8];

function copyOf(model: LayersModel): LayersModel {
  return rebuild(model, {
    replace: from => {
      const layer = cloneLayer(from);
      return {layer, variables: {to: layer, from}};
    },
  });
}

/**
 * Chooses the width of each layer's weights, and of its activations if asked, so that least is lost within a budget, or as
 * few bytes are taken as a loss allows. What a layer loses at a width is measured by rounding its weights, or its activations,
 * alone: the divergence of the outputs from the float model's. Losses add up, nearly; so widths for all layers are a knapsack,
 * whose Pareto front is computed. The model stays as it is.
 *
 * It takes a pass over the samples for each layer and width and a few more; for activations as many again. Twice the time with
 * `reestimateBatchNorm`, which models with BatchNormalization want: what few bits do to a layer, new statistics after it
 * largely undo.
 *
 * Layers of one name, in different models within, have one width, as the options cannot tell them apart. What only has a fixed
 * range, as after a softmax, or one that `quantize.ranges` pins, stays as wide as `quantize` says.
 *
 * @param model - a float model.
 * @param samples - unlabelled samples, as {@link calibrate} takes them; 256 do.
 * @param options - the budget, and what else quantizeModel is to be told.
 * @returns the options for quantizeModel, what they take and lose, predicted and measured, and what else there would be.
 * @throws with all that is wrong at once; if no widths keep the budget, with the least that some take or lose; if the signal
 * is aborted, its reason.
 *
 * @example
 * ```js
 * import {calibrate, chooseBits, quantizeModel} from 'tfjs-quantization/qat';
 *
 * const options = {bitsPerWeight: 4, reestimateBatchNorm: true};
 * const bits = await chooseBits(model, images, options);
 * bits.print();
 * const q = quantizeModel(model, bits.options);
 * await calibrate(q, images, {reestimateBatchNorm: true});
 * ```
 */
export async function chooseBits(model: LayersModel, samples: Samples, options: ChooseBitsOptions): Promise<BitChoice> {
  checkAll(model, samples, options);
  const {samples: atMost = 256, batchSize = 32, widths = WIDTHS, signal} = options;
  signal?.throwIfAborted();
  const float = copyOf(model);
  try {
    const seen = await gathered('chooseBits', float, samples, {batchSize, atMost});
    try {
      signal?.throwIfAborted();
      warnOfFew('chooseBits', seen.samples, atMost);
      return await new BitChooser(float, seen.batches, {...options, widths}).choose();
    } finally {
      seen.dispose();
    }
  } finally {
    disposeMade(float);
  }
}
