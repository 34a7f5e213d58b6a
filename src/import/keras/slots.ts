/** The weights of Keras's layers, in Keras's order, and what tfjs calls them. */
import type {WeightSlot} from './parts';
import type {Config} from './topology';

type Named = readonly [to: string | undefined, names: readonly string[], isTrained?: boolean];

function slots(...named: readonly (Named | false)[]): WeightSlot[] {
  const there = named.filter(each => each !== false);
  return there.map(([to, names, isTrained = true], index) => {
    return {to, names, isTrained, index, within: [], hint: undefined};
  });
}

const same = (name: string): Named => [name, [name]];
const bias = (config: Config): Named | false => config['use_bias'] !== false && same('bias');
const kernel = (config: Config) => slots(same('kernel'), bias(config));
const recurrent = (config: Config) => slots(same('kernel'), same('recurrent_kernel'), bias(config));
const separable = (config: Config) => slots(same('depthwise_kernel'), same('pointwise_kernel'), bias(config));
const depthwise = (config: Config) => slots(['depthwise_kernel', ['depthwise_kernel', 'kernel']], bias(config));
const affine = (config: Config): (Named | false)[] => [
  config['scale'] !== false && same('gamma'),
  config['center'] !== false && same('beta'),
];

const WEIGHTS: Readonly<Record<string, (config: Config) => WeightSlot[]>> = {
  BatchNormalization: config =>
    slots(...affine(config), ['moving_mean', ['moving_mean'], false], ['moving_variance', ['moving_variance'], false]),
  Conv1D: kernel,
  Conv1DTranspose: kernel,
  Conv2D: kernel,
  Conv2DTranspose: kernel,
  Conv3D: kernel,
  Conv3DTranspose: kernel,
  ConvLSTM2D: recurrent,
  Dense: kernel,
  DepthwiseConv1D: depthwise,
  DepthwiseConv2D: depthwise,
  Embedding: () => slots(same('embeddings')),
  GRU: recurrent,
  GRUCell: recurrent,
  LSTM: recurrent,
  LSTMCell: recurrent,
  LayerScale: () =>
    slots(['depthwise_kernel', ['gamma', 'variable']]).map(slot => ({
      ...slot,
      reshaped: ([count]: readonly number[]) => [1, 1, count!, 1],
    })),
  LayerNormalization: config => slots(...affine(config)),
  Normalization: ({mean}) =>
    // Of a layer that was given them, they are no weights.
    mean === undefined || mean === null
      ? slots([undefined, ['mean'], false], [undefined, ['variance'], false], [undefined, ['count'], false])
      : [],
  PReLU: () => slots(same('alpha')),
  SeparableConv1D: separable,
  SeparableConv2D: separable,
  SimpleRNN: recurrent,
  SimpleRNNCell: recurrent,
};

/** Layers that have another inside, whose the weights are. */
const HAVE_CELLS = new Set(['LSTM', 'GRU', 'SimpleRNN', 'ConvLSTM2D']);

/** The weights of a layer of this class and config. */
export function slotsOf(className: string, config: Config): WeightSlot[] {
  const known = Object.hasOwn(WEIGHTS, className) ? WEIGHTS[className]!(config) : [];
  return HAVE_CELLS.has(className) ? known.map(slot => ({...slot, within: ['cell']})) : known;
}

/** The weights of a layer inside another. */
export function slotsWithin(
  inner: readonly WeightSlot[],
  within: readonly string[],
  prefix = '',
  hint?: string,
): WeightSlot[] {
  return inner.map(slot => ({
    ...slot,
    within: [...within, ...slot.within],
    hint: hint ?? slot.hint,
    to: slot.to === undefined ? undefined : `${prefix}${slot.to}`,
  }));
}
