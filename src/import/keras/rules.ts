/** What each of Keras's classes of layers becomes. */
import {inJson} from '../../graph_model/model_json';
import {addActivation} from './activations';
import type {Ask} from './ask';
import {
  dtypeOf,
  isClassed,
  isRegistered,
  mendConstraint,
  mendInitializer,
  mendRegularizer,
  ownActivation,
  activationOf,
} from './fields';
import type {MadeWeight, Part, Source, WeightSlot} from './parts';
import {slotsOf, slotsWithin} from './slots';
import {Ask as AskClass} from './ask';
import type {Config, KerasLayer} from './topology';

type Rule = (ask: Ask) => unknown;

/** A class that tfjs has, too. */
interface Row {
  /** The fields that it reads. */
  readonly reads: string;
  /** Values of further fields that change nothing, and of fields that it ignores. */
  readonly harmless?: Readonly<Record<string, (value: unknown) => boolean>>;
  /** Makes the parts; the layer itself, if left out. */
  readonly rule?: Rule;
}

/** What all layers have, and what is of training alone. */
const COMMON = new Set(
  'name trainable dtype batch_input_shape batch_shape input_dtype autocast seed shared_object_id registered_name module'.split(
    ' ',
  ),
);
const ALWAYS: Readonly<Record<string, (value: unknown) => boolean>> = {
  implementation: () => true,
  noise_shape: value => value === null,
  renorm_momentum: () => true,
  synchronized: () => true,
  data_format: value => value === 'channels_last',
};

const isTelling = (value: unknown) =>
  !(
    value === null ||
    value === undefined ||
    value === false ||
    value === '' ||
    (Array.isArray(value) && value.length === 0)
  );
const isOne = (value: unknown): boolean => value === 1 || (Array.isArray(value) && value.every(isOne));
const isZero = (value: unknown): boolean => Number(value ?? 0) === 0;

/** The config as tfjs reads it, and the activation that has to be computed behind, if it cannot be in the layer. */
export function mendConfig(ask: Ask): {config: Config; behind: string | undefined} {
  const config: Record<string, unknown> = {...ask.config};
  let behind: string | undefined;
  const dtype = dtypeOf(config['dtype']);
  if (!dtype)
    ask.refuseField(
      'dtype',
      'tfjs computes with float32, int32 and bool',
      'Save the model with a dtype policy of float32',
    );
  else if ('dtype' in config) config['dtype'] = dtype;
  for (const [field, value] of Object.entries(config)) {
    if (value === null || value === undefined) continue;
    if (field.endsWith('initializer')) {
      const known = mendInitializer(value);
      if (known === undefined) delete config[field];
    } else if (field.endsWith('regularizer') || field.endsWith('constraint')) {
      const mended = field.endsWith('constraint') ? mendConstraint(value) : mendRegularizer(value);
      if ('problem' in mended) ask.refuseField(field, mended.problem, 'Save the model without it');
      else config[field] = mended.value;
    } else if (field === 'activation' || field === 'recurrent_activation') {
      const activation = activationOf(value);
      const own = activation && !activation.config ? ownActivation(activation.name, ask.isKeras3) : undefined;
      if (own !== undefined) config[field] = own;
      else if (field === 'activation') {
        config[field] = 'linear';
        behind = field;
      } else ask.refuseField(field, 'tfjs has no such function for the gates', 'Train the model with sigmoid gates');
    }
  }
  return {config, behind};
}

/** Refuses what tfjs would not look at. */
function refuseUnread(ask: Ask, {reads, harmless = {}}: Row): void {
  const read = new Set(reads.split(' '));
  for (const [field, value] of Object.entries(ask.config)) {
    const rule = harmless[field];
    if (rule ? rule(value) : read.has(field) || COMMON.has(field) || !isTelling(value) || ALWAYS[field]?.(value))
      continue;
    ask.refuseField(field, 'tfjs takes no notice of that');
  }
}

/** How a layer's own class is written; what is inside it is given in `changes`. */
interface Own {
  readonly className?: string;
  readonly changes?: Config;
  readonly takes?: readonly Source[];
  readonly weights?: readonly WeightSlot[];
}

/** All inputs of the layer. */
export const ALL = -1;

/** Adds the layer itself, and its activation behind it where tfjs has no such one. */
export function addOwn(ask: Ask, own: Own = {}): string {
  const {className = ask.layer.className, changes = {}, takes = [ALL]} = own;
  const {config, behind} = mendConfig(ask);
  const written: Record<string, unknown> = {...config};
  for (const [field, value] of Object.entries(changes)) {
    if (value === undefined) delete written[field];
    else written[field] = value;
  }
  const weights = own.weights ?? slotsOf(ask.layer.className, ask.config);
  const name = ask.parts.add(className, written, takes, {weights});
  return behind === undefined ? name : addActivation(ask, ask.config[behind], name);
}

const dims = (value: unknown, rank: number): number[] =>
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

/** A layer over steps, as the one over images, whose kernel gets a dimension of one column. */
function asImages(className: string, after: (channels: number, config: Config) => number): Rule {
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
    overColumns(ask, takes => addOwn(ask, {className, changes, takes, weights}), {
      before: channels,
      after: after(channels, config),
    });
  };
}

/** A layer over steps without weights, as the one over images. */
function stepsAsImages(className: string, changesOf: (config: Config) => Config): Rule {
  return ask => {
    if (ask.channels === undefined) return ask.refuse(UNKNOWN_SHAPE);
    overColumns(ask, takes => ask.parts.add(className, changesOf(ask.config), takes), {before: ask.channels});
  };
}

const KERNEL_FIELDS = {
  kernel_initializer: undefined,
  kernel_regularizer: undefined,
  kernel_constraint: undefined,
  groups: undefined,
};

/** x * scale + offset, of numbers or lists of one for each channel. */
function addAffine(ask: Ask, scale: unknown, offset: unknown): unknown {
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
function layerScale(ask: Ask): unknown {
  const count = Number(ask.config['projection_dim']);
  if (ask.shape?.length !== 4 || !Number.isInteger(count)) return ask.refuse(UNKNOWN_SHAPE);
  const weights = slotsOf('LayerScale', ask.config);
  const config = {kernel_size: [1, 1], depth_multiplier: 1, use_bias: false, padding: 'valid'};
  return ask.parts.add('DepthwiseConv2D', config, [0], {weights});
}

const LEAST_DEVIATION = 1e-7;

function normalization(ask: Ask): unknown {
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

function relu(ask: Ask): unknown {
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

/** A class inside a layer: {class_name, config}, mended, as the one part that it has to be. */
function inner(ask: Ask, field: string, value: unknown): Part | undefined {
  if (!isClassed(value))
    return ask.refuse(`${field} must be a layer, with class_name and config, but was ${inJson(value)}`);
  const config = value.config;
  const name = typeof config['name'] === 'string' ? config['name'] : value.class_name;
  const layer: KerasLayer = {className: value.class_name, name, config, calls: [], model: undefined};
  const within = new AskClass(layer, ask.around, [...ask.path, ask.layer.name]);
  applyRule(within);
  const [part, ...others] = within.parts.finished();
  if (others.length > 0)
    return ask.refuse(`the ${value.class_name} within becomes several layers in tfjs, which cannot be within`);
  return part;
}

const written = ({className, config}: Part) => ({class_name: className, config});

function timeDistributed(ask: Ask): unknown {
  const {layer} = ask.config;
  if (isClassed(layer) && (layer.class_name === 'Sequential' || 'output_layers' in layer.config)) {
    const model = ask.around.read(layer.class_name, layer.config, [...ask.path, ask.layer.name]);
    const {config} = mendConfig(ask);
    return model && ask.parts.add('TimeDistributed', config, [ALL], {model});
  }
  const part = inner(ask, 'layer', layer);
  if (!part) return undefined;
  return addOwn(ask, {changes: {layer: written(part)}, weights: slotsWithin(part.weights ?? [], ['layer'])});
}

/** The config of a direction, but what tells it from the other. */
function directionless({config}: {config: Config}): string {
  const told = Object.entries(config).filter(
    ([field]) => !['name', 'go_backwards', 'shared_object_id', 'seed'].includes(field),
  );
  return JSON.stringify(
    told.sort(([a], [b]) => (a < b ? -1 : 1)),
    (key, value: unknown) => (key === 'shared_object_id' || key === 'build_config' ? undefined : value),
  );
}

function bidirectional(ask: Ask): unknown {
  const {layer, backward_layer: backward} = ask.config;
  const part = inner(ask, 'layer', layer);
  if (!part) return undefined;
  if (isClassed(backward)) {
    const isSame =
      isClassed(layer) && backward.class_name === layer.class_name && directionless(backward) === directionless(layer);
    if (!isSame) return ask.refuse('backward_layer is another than layer, but tfjs makes both of one');
  }
  // tfjs puts the direction in front.
  const name = part.name.replace(/^forward_/, '');
  const direction = (prefix: string) =>
    slotsWithin(part.weights ?? [], [`${prefix}_layer`], `${prefix}_${name}/`, `${prefix}_`);
  const changes = {layer: {class_name: part.className, config: {...part.config, name}}, backward_layer: undefined};
  return addOwn(ask, {changes, weights: [...direction('forward'), ...direction('backward')]});
}

function snake(className: string): string {
  return className
    .replace(/\W+/g, '')
    .replace(/(.)([A-Z][a-z]+)/g, '$1_$2')
    .replace(/([a-z])([A-Z])/g, '$1_$2')
    .toLowerCase();
}

/** Names as Keras's files give them to several of a class. */
export function filed(classNames: readonly string[]): string[] {
  const counts = new Map<string, number>();
  return classNames.map(className => {
    const name = snake(className);
    const count = counts.get(name) ?? 0;
    counts.set(name, count + 1);
    return count > 0 ? `${name}_${count}` : name;
  });
}

function rnn(ask: Ask): unknown {
  const {cell} = ask.config;
  const cells = isClassed(cell) && cell.class_name === 'StackedRNNCells' ? cell.config['cells'] : undefined;
  if (!Array.isArray(cells)) {
    const part = inner(ask, 'cell', cell);
    return part && addOwn(ask, {changes: {cell: written(part)}, weights: slotsWithin(part.weights ?? [], ['cell'])});
  }
  const parts = cells.map(each => inner(ask, 'cell', each));
  if (parts.some(part => !part)) return undefined;
  const names = filed((parts as Part[]).map(({className}) => className));
  const weights = (parts as Part[]).flatMap((part, i) =>
    slotsWithin(part.weights ?? [], ['cell', 'cells', names[i]!], `RNNCell_${i}/`, part.name),
  );
  const stacked = {
    class_name: 'StackedRNNCells',
    config: {...(cell as {config: Config}).config, dtype: 'float32', cells: (parts as Part[]).map(written)},
  };
  return addOwn(ask, {changes: {cell: stacked}, weights});
}

function convolution(ask: Ask): unknown {
  const {groups, kernel_size: size, depth_multiplier: _} = ask.config;
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

function conv1d(ask: Ask): unknown {
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
function pooling(rank: number): Rule {
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

/** Adds rows (or columns) like the outermost ones, `count` at either end. */
function addEdges(ask: Ask, from: string, axis: 1 | 2, length: number, count: number): string {
  const cropped = (before: number, after: number) => {
    const cropping =
      axis === 1
        ? [
            [before, after],
            [0, 0],
          ]
        : [
            [0, 0],
            [before, after],
          ];
    return ask.parts.add('Cropping2D', {cropping}, [from]);
  };
  return ask.parts.add('Concatenate', {axis}, [cropped(0, length - count), from, cropped(length - count, 0)]);
}

/** The weights with which points that were repeated `size` times are averaged to what lies on lines between them. */
function triangle(size: number): number[] {
  if (size % 2 === 1) return Array<number>(size).fill(1 / size);
  return Array.from({length: size + 1}, (_, i) => (i === 0 || i === size ? 1 : 2) / (2 * size));
}

/** Keras takes a pixel for its middle, tfjs for its corner: so points are repeated, and averaged. */
function upSampling(ask: Ask): unknown {
  const {interpolation, data_format: format, size} = ask.config;
  if ((interpolation ?? 'nearest') === 'nearest') return addOwn(ask);
  const known = ask.knownShape;
  if (interpolation !== 'bilinear' || format === 'channels_first')
    return ask.refuseField('interpolation', 'tfjs has no such one');
  if (!known)
    return ask.refuseField(
      'interpolation',
      'tfjs computes it otherwise than Keras, and the size of its input is not known',
    );
  const [height, width, channels] = known as [number, number, number];
  const [rows, columns] = dims(size ?? 2, 2) as [number, number];
  let points = ask.parts.add('UpSampling2D', {size: [rows, columns]}, [0]);
  if (rows > 1) points = addEdges(ask, points, 1, rows * height, Math.floor(rows / 2));
  if (columns > 1) points = addEdges(ask, points, 2, columns * width, Math.floor(columns / 2));
  const [down, across] = [triangle(rows), triangle(columns)];
  const values = () => Float32Array.from(down.flatMap(a => across.flatMap(b => Array<number>(channels).fill(a * b))));
  const shape = [down.length, across.length, channels, 1];
  const config = {
    kernel_size: [down.length, across.length],
    depth_multiplier: 1,
    use_bias: false,
    padding: 'valid',
    trainable: false,
  };
  return ask.parts.add('DepthwiseConv2D', config, [points], {made: [{to: 'depthwise_kernel', shape, values}]});
}

function centerCrop(ask: Ask): unknown {
  const known = ask.knownShape;
  if (!known || known.length !== 3 || ask.config['data_format'] === 'channels_first') return ask.refuse(UNKNOWN_SHAPE);
  const [height, width] = known as [number, number];
  const [rows, columns] = [height - Number(ask.config['height']), width - Number(ask.config['width'])];
  if (rows < 0 || columns < 0) return ask.refuse('it enlarges what it is given');
  const around = (more: number) => [Math.floor(more / 2), more - Math.floor(more / 2)];
  return ask.parts.add('Cropping2D', {cropping: [around(rows), around(columns)]}, [0]);
}

function subtract(ask: Ask): unknown {
  return ask.parts.add('Add', {}, [0, ask.parts.add('Rescaling', {scale: -1, offset: 0}, [1])]);
}

/** Hands on what it is given: of layers that do so too, or do otherwise in training alone. */
const handOn: Rule = ask => ask.parts.add('Activation', {activation: 'linear'}, [0]);

const spatialDropout =
  (noise_shape: readonly (number | null)[]): Rule =>
  ask => {
    if (ask.config['data_format'] === 'channels_first') return ask.refuseField('data_format', 'tfjs has no such one');
    return ask.parts.add('Dropout', {rate: ask.config['rate'], noise_shape, seed: ask.config['seed']}, [0]);
  };

const CONV =
  'filters kernel_size strides padding data_format dilation_rate groups activation use_bias kernel_initializer bias_initializer ' +
  'kernel_regularizer bias_regularizer activity_regularizer kernel_constraint bias_constraint';
const DEPTHWISE = `${CONV} depth_multiplier depthwise_initializer depthwise_regularizer depthwise_constraint`;
const SEPARABLE = `${DEPTHWISE} pointwise_initializer pointwise_regularizer pointwise_constraint`;
const CELL =
  'units activation recurrent_activation use_bias kernel_initializer recurrent_initializer bias_initializer unit_forget_bias ' +
  'kernel_regularizer recurrent_regularizer bias_regularizer activity_regularizer kernel_constraint recurrent_constraint ' +
  'bias_constraint dropout recurrent_dropout';
const RNN = `${CELL} return_sequences return_state go_backwards stateful unroll time_distributed input_length input_dim`;
const NORM =
  'axis epsilon center scale beta_initializer gamma_initializer beta_regularizer gamma_regularizer beta_constraint gamma_constraint';
const POOL = 'pool_size strides padding data_format';

const noDilation = {dilation_rate: isOne};
const noGroups = {groups: isOne};

const layerNormalization: Rule = ask => {
  const {axis} = ask.config;
  const axes = [axis ?? -1].flat() as number[];
  for (const field of ['beta_constraint', 'gamma_constraint']) {
    if (ask.config[field]) ask.refuseField(field, 'tfjs takes no notice of that', 'Save the model without it');
  }
  return addOwn(ask, {changes: {axis: axes.length === 1 ? axes[0] : axes}});
};

const batchNormalization: Rule = ask => {
  const {axis} = ask.config;
  if (!Array.isArray(axis)) return addOwn(ask);
  if (axis.length !== 1) return ask.refuseField('axis', 'tfjs normalizes along one');
  return addOwn(ask, {changes: {axis: axis[0] as unknown}});
};

const gru: Rule = ask => {
  // Left out, it was not there: Keras before 2.1.
  if (ask.config['reset_after'] === true) {
    return ask.refuseField(
      'reset_after',
      'tfjs has no such GRU',
      `Train it with reset_after=False; or c${AS_GRAPH_TAIL}`,
    );
  }
  return addOwn(ask);
};
const AS_GRAPH_TAIL =
  'onvert the model to a graph model (tensorflowjs_converter --output_format=tfjs_graph_model), and import that';

const ROWS: Readonly<Record<string, Row>> = {
  Activation: {
    reads: 'activation',
    rule: ask => {
      const activation = activationOf(ask.config['activation']);
      const own = activation && !activation.config ? ownActivation(activation.name, ask.isKeras3) : undefined;
      return own === undefined ? addActivation(ask, ask.config['activation'], 0) : addOwn(ask);
    },
  },
  ActivityRegularization: {reads: 'l1 l2', rule: handOn},
  Add: {reads: ''},
  AlphaDropout: {reads: 'rate noise_shape'},
  Average: {reads: ''},
  AveragePooling1D: {reads: POOL.replace(' data_format', '')},
  AveragePooling2D: {reads: POOL},
  AveragePooling3D: {reads: POOL},
  BatchNormalization: {
    reads: `${NORM} momentum moving_mean_initializer moving_variance_initializer`,
    rule: batchNormalization,
  },
  Bidirectional: {reads: 'layer merge_mode backward_layer', rule: bidirectional},
  CategoryEncoding: {reads: 'num_tokens output_mode'},
  CenterCrop: {reads: 'height width data_format', rule: centerCrop},
  Concatenate: {reads: 'axis'},
  Conv1D: {reads: CONV.replace(' data_format', ''), rule: conv1d},
  Conv1DTranspose: {
    reads: CONV,
    harmless: {
      dilation_rate: isOne,
      output_padding: value => value === null,
      data_format: value => value === 'channels_last',
    },
    rule: asImages('Conv2DTranspose', (_, {filters}) => Number(filters)),
  },
  Conv2D: {reads: CONV, rule: convolution},
  Conv2DTranspose: {reads: CONV, harmless: {...noDilation, ...noGroups}},
  Conv3D: {reads: CONV, harmless: noGroups},
  Conv3DTranspose: {reads: CONV, harmless: {...noDilation, ...noGroups}},
  ConvLSTM2D: {reads: `${RNN} ${CONV}`, harmless: noGroups},
  Cropping1D: {
    reads: 'cropping',
    rule: stepsAsImages('Cropping2D', ({cropping}) => ({cropping: [dims(cropping, 2), [0, 0]]})),
  },
  Cropping2D: {reads: 'cropping data_format'},
  Dense: {reads: `${CELL} input_dim`},
  DepthwiseConv1D: {
    reads: DEPTHWISE,
    harmless: {...noDilation, data_format: value => value === 'channels_last'},
    rule: asImages('DepthwiseConv2D', (channels, config) => channels * Number(config['depth_multiplier'] ?? 1)),
  },
  DepthwiseConv2D: {reads: DEPTHWISE, harmless: {...noDilation, ...noGroups}},
  Dot: {reads: 'axes normalize'},
  Dropout: {reads: 'rate noise_shape'},
  ELU: {reads: 'alpha', harmless: {alpha: isOne}},
  Embedding: {
    reads:
      'input_dim output_dim embeddings_initializer embeddings_regularizer activity_regularizer embeddings_constraint mask_zero input_length',
  },
  Flatten: {reads: 'data_format'},
  GRU: {reads: RNN, rule: gru},
  GRUCell: {reads: CELL, rule: gru},
  GaussianDropout: {reads: 'rate'},
  GaussianNoise: {reads: 'stddev'},
  GlobalAveragePooling1D: {reads: 'data_format keepdims', rule: pooling(1)},
  GlobalAveragePooling2D: {reads: 'data_format keepdims', rule: pooling(2)},
  GlobalAveragePooling3D: {reads: 'data_format keepdims', rule: pooling(3)},
  GlobalMaxPooling1D: {reads: 'data_format keepdims', rule: pooling(1)},
  GlobalMaxPooling2D: {reads: 'data_format keepdims', rule: pooling(2)},
  GlobalMaxPooling3D: {reads: 'data_format keepdims', rule: pooling(3)},
  Identity: {reads: '', rule: handOn},
  LSTM: {reads: RNN},
  LSTMCell: {reads: CELL},
  LayerNormalization: {reads: NORM, rule: layerNormalization},
  LayerScale: {reads: 'init_values projection_dim', rule: layerScale},
  LeakyReLU: {
    reads: 'alpha negative_slope',
    rule: ask => {
      const {negative_slope: slope, alpha} = ask.config;
      return addOwn(ask, {changes: {negative_slope: undefined, alpha: slope ?? alpha}});
    },
  },
  Masking: {reads: 'mask_value'},
  MaxPooling1D: {reads: POOL.replace(' data_format', '')},
  MaxPooling2D: {reads: POOL},
  MaxPooling3D: {reads: POOL},
  Maximum: {reads: ''},
  Minimum: {reads: ''},
  Multiply: {reads: ''},
  Normalization: {reads: 'axis mean variance invert', rule: normalization},
  PReLU: {reads: 'alpha_initializer alpha_regularizer alpha_constraint shared_axes'},
  Permute: {reads: 'dims'},
  RNN: {reads: `${RNN} cell`, rule: rnn},
  ReLU: {reads: 'max_value negative_slope threshold', rule: relu},
  RepeatVector: {reads: 'n'},
  Rescaling: {
    reads: 'scale offset',
    rule: ask => {
      const {scale, offset} = ask.config;
      return Array.isArray(scale) || Array.isArray(offset) ? addAffine(ask, scale, offset ?? 0) : addOwn(ask);
    },
  },
  Reshape: {reads: 'target_shape'},
  SeparableConv1D: {
    reads: SEPARABLE,
    harmless: {...noGroups, data_format: value => value === 'channels_last'},
    rule: asImages('SeparableConv2D', (_, {filters}) => Number(filters)),
  },
  SeparableConv2D: {
    reads: SEPARABLE,
    harmless: {...noGroups, data_format: value => value === 'channels_last'},
    rule: ask => addOwn(ask, {changes: KERNEL_FIELDS}),
  },
  SimpleRNN: {reads: RNN},
  SimpleRNNCell: {reads: CELL},
  Softmax: {reads: 'axis'},
  SpatialDropout1D: {reads: 'rate'},
  SpatialDropout2D: {reads: 'rate data_format', rule: spatialDropout([null, 1, 1, null])},
  SpatialDropout3D: {reads: 'rate data_format', rule: spatialDropout([null, 1, 1, 1, null])},
  Subtract: {reads: '', rule: subtract},
  ThresholdedReLU: {reads: 'theta'},
  TimeDistributed: {reads: 'layer', rule: timeDistributed},
  UpSampling1D: {
    reads: 'size',
    rule: stepsAsImages('UpSampling2D', ({size}) => ({size: [dims(size, 1)[0], 1]})),
  },
  UpSampling2D: {reads: 'size data_format interpolation', rule: upSampling},
  ZeroPadding1D: {
    reads: 'padding',
    harmless: {data_format: value => value === 'channels_last'},
    rule: stepsAsImages('ZeroPadding2D', ({padding}) => ({padding: [dims(padding, 2), [0, 0]]})),
  },
  ZeroPadding2D: {reads: 'padding data_format'},
};

/** What is random while a model is trained, and hands on what it is given when it predicts: augmentations of images, above all. */
const AUGMENTING = new Set(
  (
    'AugMix AutoContrast CutMix Equalization MixUp RandAugment RandomBrightness RandomColorDegeneration RandomColorJitter ' +
    'RandomContrast RandomElasticTransform RandomErasing RandomFlip RandomGaussianBlur RandomGrayscale RandomHeight RandomHue ' +
    'RandomInvert RandomPerspective RandomPosterization RandomRotation RandomSaturation RandomSharpness RandomShear ' +
    'RandomTranslation RandomWidth RandomZoom StochasticDepth'
  ).split(' '),
);

/** tfjs's classes that compute something else than Keras's of the same name. */
const OTHERS = new Set(['Resizing']);

/** Makes the parts of a layer. */
export function applyRule(ask: Ask): void {
  const {className} = ask.layer;
  if (Object.hasOwn(ROWS, className)) {
    const row = ROWS[className]!;
    const {zero_output_for_mask: zeroes} = ask.config;
    const harmless = {zero_output_for_mask: () => zeroes !== true || !ask.around.hasMasks, ...row.harmless};
    refuseUnread(ask, {...row, harmless});
    if (row.rule) row.rule(ask);
    else addOwn(ask);
  } else if (AUGMENTING.has(className)) handOn(ask);
  else if (isRegistered(className) && !OTHERS.has(className)) addOwn(ask);
  else {
    const bare = className.split('>').at(-1)!;
    if (bare !== className && isRegistered(bare)) addOwn(ask, {className: bare});
    else
      ask.refuse(
        'tfjs has no such class',
        `Register it with tf.serialization.registerClass, leave it out (cut the model in Keras), or c${AS_GRAPH_TAIL}`,
      );
  }
}

/** Whether a class is none of Keras's, so that nobody here knows its weights. */
export function isCustom(className: string): boolean {
  return !Object.hasOwn(ROWS, className) && !AUGMENTING.has(className) && className !== 'InputLayer';
}
