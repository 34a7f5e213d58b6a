/** The width of each layer's weights within a budget. */
import type {LayersModel} from '@tensorflow/tfjs-layers';
import type {QuantizeOptions} from '../options/options';
import type {Samples} from '../tools/samples';

/** What {@link chooseBits} is to keep within: one of the first three. */
export interface ChooseBitsOptions {
  /** The most bytes that all weights may take. */
  readonly bytes?: number;
  /** The most bits that a weight may take on average. */
  readonly bitsPerWeight?: number;
  /** The most that may be lost of the agreement with the float model, as a share: 0.01 for a hundredth of the samples. */
  readonly maxLoss?: number;
}

/** What {@link chooseBits} found. */
export interface BitChoice {
  /** For quantizeModel. */
  readonly options: QuantizeOptions;
}

export async function chooseBits(
  _model: LayersModel,
  _samples: Samples,
  _options: ChooseBitsOptions,
): Promise<BitChoice> {
  return Promise.reject(new Error('not yet'));
}
