/** Layers of tfjs that stand for what it has no class for, or computes otherwise. */
import type {Ask} from './ask';
import {addOwn, isOne, isZero, mendConfig, type Rule} from './own';
import type {MadeWeight, Source, WeightSlot} from './parts';
import {slotsOf} from './slots';
import type {Config} from './topology';

export const dims = (value: unknown, rank: number): number[] =>
  Array.isArray(value) ? value.map(Number) : Array<number>(rank).fill(Number(value));

/** Adds a layer between a Reshape that gives rows of one column each, and one that takes the column away. */
function overColumns(
  ask: Ask,
  add: (takes: readonly Source[]) => string,
  channels: {before: number; after?: number},
): string {
  const columns = ask.parts.add('Reshape', {target_shape: [-1, 1, channels.before]}, [0]);
  const made = add([columns]);
  return ask.parts.add('Reshape', {target_shape: [-1, channels.after ?? channels.before]}, [made]);
}

const UNKNOWN_SHAPE = 'its input is of a shape that only Keras knows, and tfjs has its class for images alone';
const column = (field: unknown) => [dims(field, 1)[0]!, 1];
export const KERNEL_FIELDS = {
  kernel_initializer: undefined,
  kernel_regularizer: undefined,
  kernel_constraint: undefined,
  groups: undefined,
};

/** A layer over steps, as the one over images, whose kernel gets a dimension of one column. */
export function asImages(className: string, after: (channels: number, config: Config) => number): Rule {
  return ask => {
    const {channels, config} = ask;
    if (channels === undefined) return ask.refuse(UNKNOWN_SHAPE);
    const padding = config['padding'];
    if (padding === 'causal') return ask.refuseField('padding', 'tfjs has no such class');
    const weights = slotsOf(ask.layer.className, config).map(slot =>
      slot.to!.endsWith('kernel')
        ? {...slot, reshaped: ([size, ...others]: readonly number[]) => [size!, 1, ...others]}
        : slot,
    );
    const strides = dims(config['strides'] ?? 1, 1)[0]!;
    const square = className === 'SeparableConv2D' || className === 'DepthwiseConv2D';
    const changes = {
      kernel_size: column(config['kernel_size']),
      strides: square ? [strides, strides] : [strides, 1],
      dilation_rate: 'dilation_rate' in config ? column(config['dilation_rate']) : undefined,
      groups: undefined,
      ...(className === 'SeparableConv2D' && KERNEL_FIELDS),
    };
    const {behind} = mendConfig(ask);
    if (behind !== undefined) return ask.refuseField('activation', 'tfjs has no such function');
    return overColumns(ask, takes => addOwn(ask, {className, changes, takes, weights}), {
      before: channels,
      after: after(channels, config),
    });
  };
}

/** A layer over steps without weights, as the one over images. */
export function stepsAsImages(className: string, changesOf: (config: Config) => Config): Rule {
  return ask => {
    if (ask.channels === undefined) return ask.refuse(UNKNOWN_SHAPE);
    return overColumns(ask, takes => ask.parts.add(className, changesOf(ask.config), takes), {before: ask.channels});
  };
}

/** x * scale + offset, of numbers or lists of one for each channel. */
export function addAffine(ask: Ask, scale: unknown, offset: unknown): unknown {
  const [a, b] = [[scale].flat(2), [offset].flat(2)] as [number[], number[]];
  const isUniform = (values: number[]) => values.every(value => value === values[0]);
  if (isUniform(a) && isUniform(b)) return ask.parts.add('Rescaling', {scale: a[0], offset: b[0]}, [0]);
  const count = Math.max(a.length, b.length);
  if (ask.channels !== count) return ask.refuse('its numbers are not one for each of the last dimension');
  const spread = (values: number[]) =>
    Float32Array.from({length: count}, (_, i) => values[values.length === 1 ? 0 : i]!);
  return addPerChannel(ask, count, [
    {to: 'depthwise_kernel', shape: [1, 1, count, 1], values: () => spread(a)},
    {to: 'bias', shape: [count], values: () => spread(b)},
  ]);
}

/** A factor and a summand for each channel: as a convolution of single points, it stays what it is when a model is trained. */
function addPerChannel(
  ask: Ask,
  count: number,
  made: readonly MadeWeight[],
  weights: readonly WeightSlot[] = [],
): unknown {
  const rank = ask.shape!.length;
  const config = {kernel_size: [1, 1], depth_multiplier: 1, use_bias: true, padding: 'valid', trainable: false};
  const image = rank === 4 ? 0 : ask.parts.add('Reshape', {target_shape: [-1, 1, count]}, [0]);
  const scaled = ask.parts.add('DepthwiseConv2D', config, [image], {made, weights});
  if (rank === 4) return scaled;
  const known = ask.knownShape;
  if (rank > 3 && !known) return ask.refuse(UNKNOWN_SHAPE);
  const target = rank === 2 ? [count] : rank === 3 ? [-1, count] : known!;
  return ask.parts.add('Reshape', {target_shape: target}, [scaled]);
}

/** A factor for each channel, as keras.applications' ConvNeXt has it. */
export function layerScale(ask: Ask): unknown {
  const count = Number(ask.config['projection_dim']);
  if (ask.shape?.length !== 4 || !Number.isInteger(count)) return ask.refuse(UNKNOWN_SHAPE);
  const weights = slotsOf('LayerScale', ask.config);
  const config = {kernel_size: [1, 1], depth_multiplier: 1, use_bias: false, padding: 'valid'};
  return ask.parts.add('DepthwiseConv2D', config, [0], {weights});
}

const LEAST_DEVIATION = 1e-7;
export function normalization(ask: Ask): unknown {
  const {config, shape} = ask;
  const {axis, mean, variance, invert} = config;
  const axes = [axis ?? []].flat() as number[];
  const isLast = axes.length === 1 && (axes[0] === -1 || axes[0] === (shape?.length ?? NaN) - 1);
  const count = axes.length === 0 ? 1 : ask.channels;
  if (!isLast && axes.length > 0)
    return ask.refuseField('axis', 'only the last dimension can be put in terms of layers of tfjs');
  if (count === undefined || !shape) return ask.refuse(UNKNOWN_SHAPE);
  const given = (value: unknown) => Float32Array.from([value].flat(5) as number[]);
  const channels = ask.channels;
  if (channels === undefined) return ask.refuse(UNKNOWN_SHAPE);
  const read = (valuesOf: (name: string) => Float32Array, name: string, value: unknown) =>
    value === null || value === undefined ? valuesOf(name) : given(value);
  const affine = (valuesOf: (name: string) => Float32Array) => {
    const [means, variances] = [read(valuesOf, 'mean', mean), read(valuesOf, 'variance', variance)];
    return Array.from({length: channels}, (_, i) => {
      const m = means[means.length === 1 ? 0 : i]!;
      const deviation = Math.max(Math.sqrt(variances[variances.length === 1 ? 0 : i]!), LEAST_DEVIATION);
      return invert === true ? ([deviation, m] as const) : ([1 / deviation, -m / deviation] as const);
    });
  };
  const made: MadeWeight[] = [
    {
      to: 'depthwise_kernel',
      shape: [1, 1, channels, 1],
      values: valuesOf => Float32Array.from(affine(valuesOf), ([scale]) => scale),
    },
    {to: 'bias', shape: [channels], values: valuesOf => Float32Array.from(affine(valuesOf), ([, offset]) => offset)},
  ];
  return addPerChannel(ask, channels, made, slotsOf('Normalization', config));
}

export function relu(ask: Ask): unknown {
  const {max_value: max, negative_slope: slope, threshold} = ask.config;
  const isSloped = !isZero(slope);
  if (isZero(threshold) && !isSloped) return addOwn(ask, {changes: {}});
  if (!isZero(threshold) && (isSloped || Number(threshold) < 0))
    return ask.refuseField('threshold', 'tfjs takes no notice of that');
  const raw = isSloped
    ? ask.parts.add('LeakyReLU', {alpha: Number(slope)}, [0])
    : ask.parts.add('ThresholdedReLU', {theta: Number(threshold)}, [0]);
  if (max === null || max === undefined) return raw;
  // min(x, max) = max - relu(max - x)
  const below = ask.parts.add('Rescaling', {scale: -1, offset: Number(max)}, [raw]);
  return ask.parts.add('Rescaling', {scale: -1, offset: Number(max)}, [ask.parts.add('ReLU', {}, [below])]);
}

export function convolution(ask: Ask): unknown {
  const {groups, kernel_size: size} = ask.config;
  const count = Number(groups ?? 1);
  if (count === 1) return addOwn(ask);
  if (ask.layer.className !== 'Conv2D' || ask.channels !== count || !isOne(ask.config['dilation_rate'] ?? 1)) {
    return ask.refuseField('groups', 'tfjs convolves all channels with all, or each by itself');
  }
  const filters = Number(ask.config['filters']);
  const weights = slotsOf('Conv2D', ask.config).map(slot =>
    slot.to === 'kernel'
      ? {...slot, to: 'depthwise_kernel', reshaped: ([h, w]: readonly number[]) => [h!, w!, count, filters / count]}
      : slot,
  );
  const changes = {
    ...KERNEL_FIELDS,
    filters: undefined,
    kernel_size: size,
    depth_multiplier: filters / count,
    depthwise_regularizer: mendConfig(ask).config['kernel_regularizer'],
    depthwise_constraint: mendConfig(ask).config['kernel_constraint'],
  };
  return addOwn(ask, {className: 'DepthwiseConv2D', changes, weights});
}

export function conv1d(ask: Ask): unknown {
  const {padding, groups, kernel_size: size, dilation_rate: dilation} = ask.config;
  if (!isOne(groups ?? 1)) return ask.refuseField('groups', 'tfjs convolves all channels with all');
  if (padding !== 'causal') return addOwn(ask);
  const {channels} = ask;
  if (channels === undefined) return ask.refuseField('padding', UNKNOWN_SHAPE);
  const before = (dims(size, 1)[0]! - 1) * dims(dilation ?? 1, 1)[0]!;
  const padded = overColumns(
    ask,
    takes =>
      ask.parts.add(
        'ZeroPadding2D',
        {
          padding: [
            [before, 0],
            [0, 0],
          ],
        },
        takes,
      ),
    {before: channels},
  );
  return addOwn(ask, {changes: {padding: 'valid'}, takes: [padded]});
}

/** A pooling of all there is, whose dimensions may be kept. */
export function pooling(rank: number): Rule {
  return ask => {
    const {className} = ask.layer;
    const {keepdims, data_format: format} = ask.config;
    let pooled: string;
    if (rank === 3) {
      const {channels} = ask;
      if (channels === undefined || format === 'channels_first') return ask.refuse(UNKNOWN_SHAPE);
      const flat = ask.parts.add('Reshape', {target_shape: [-1, channels]}, [0]);
      pooled = ask.parts.add(className.replace('3D', '1D'), {}, [flat]);
    } else {
      if (rank === 1 && format === 'channels_first')
        return ask.refuseField('data_format', 'tfjs takes no notice of that');
      pooled = addOwn(ask, {changes: {keepdims: undefined}});
    }
    if (keepdims !== true) return pooled;
    const ones = Array<number>(rank).fill(1);
    const target = format === 'channels_first' ? [-1, ...ones] : [...ones, -1];
    return ask.parts.add('Reshape', {target_shape: target}, [pooled]);
  };
}

export function centerCrop(ask: Ask): unknown {
  const known = ask.knownShape;
  if (!known || known.length !== 3 || ask.config['data_format'] === 'channels_first') return ask.refuse(UNKNOWN_SHAPE);
  const [height, width] = known as [number, number];
  const [rows, columns] = [height - Number(ask.config['height']), width - Number(ask.config['width'])];
  if (rows < 0 || columns < 0) return ask.refuse('it enlarges what it is given');
  const around = (more: number) => [Math.floor(more / 2), more - Math.floor(more / 2)];
  return ask.parts.add('Cropping2D', {cropping: [around(rows), around(columns)]}, [0]);
}

export function subtract(ask: Ask): unknown {
  return ask.parts.add('Add', {}, [0, ask.parts.add('Rescaling', {scale: -1, offset: 0}, [1])]);
}

/** Hands on what it is given: of layers that do so too, or do otherwise in training alone. */
export const handOn: Rule = ask => ask.parts.add('Activation', {activation: 'linear'}, [0]);

export const spatialDropout =
  (noise_shape: readonly (number | null)[]): Rule =>
  ask => {
    if (ask.config['data_format'] === 'channels_first') return ask.refuseField('data_format', 'tfjs has no such one');
    return ask.parts.add('Dropout', {rate: ask.config['rate'], noise_shape, seed: ask.config['seed']}, [0]);
  };
