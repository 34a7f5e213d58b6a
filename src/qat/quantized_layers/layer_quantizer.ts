/** The quantizers of layers: their ranges are weights of a layer, what else they are stands in its config. */
import type {LayerVariable} from '@tensorflow/tfjs-layers';
import type {Config} from '../../layers/serialization';
import {FakeQuantizer} from '../../quantizer/fake_quantizer';
import type {NewCell} from '../../quantizer/range';
import type {QuantizerConfig} from '../options/options';

/** A quantizer's state that a saved model keeps beside its range. */
export type SavedQuantizer = QuantizerConfig & {
  readonly observing?: boolean;
  readonly quantizing?: boolean;
  /** Of weights: what is saved are their levels. */
  readonly levels?: boolean;
};

/** What of a config is no option of a quantizer's. */
const OF_THE_LAYER: ReadonlySet<string> = new Set([
  'fixed',
  'levels',
  'observing',
  'perChannel',
  'pinned',
  'quantizing',
]);

/** Channels that have a range each. */
export interface Channels {
  readonly axis: number;
  readonly count: number;
}

/**
 * A weight of a layer that has the layer forget what it keeps for predictions, once the weight is disposed of: around models that
 * it calls step by step, TimeDistributed disposes of weights and tells no layer.
 */
export function endingWith(weight: LayerVariable, forget: () => void): LayerVariable {
  const dispose = weight.dispose.bind(weight);
  weight.dispose = () => {
    forget();
    dispose();
  };
  return weight;
}

/** A quantizer as a config has it, whose range is in weights that `newCell` adds to a layer. */
export function quantizerFrom(
  config: SavedQuantizer,
  newCell: NewCell,
  name: string,
  channels?: Channels,
): FakeQuantizer {
  const {fixed, pinned, observing = true, quantizing = true, nonNegative = false} = config;
  const options = Object.fromEntries(Object.entries(config).filter(([key]) => !OF_THE_LAYER.has(key)));
  const own = {name, nonNegative: nonNegative && !config.symmetric, ...(channels && {axis: channels.axis})};
  const quantizer = FakeQuantizer.over(newCell, {...options, ...own}, channels?.count);
  quantizer.observing = observing && !fixed;
  quantizer.quantizing = quantizing;
  if (fixed && pinned) quantizer.setRange(...fixed);
  return quantizer;
}

/** A config with what has become of its quantizer since. */
export function savedQuantizer(config: SavedQuantizer | null, quantizer: FakeQuantizer | undefined): Config | null {
  if (!config) return null;
  const {observing, quantizing} = quantizer ?? {};
  return {...config, ...(quantizer && {observing, quantizing})};
}
