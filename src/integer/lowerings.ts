/** What each class of layer becomes: one row for each, which adds its operators to the graph. */
import {gainOf} from '../layers/folding';
import type {Layer} from '../layers/graph';
import {activationOf} from '../layers/kinds';
import {channelOf, type WeightLevels} from '../quantizer/levels';
import {
  type Constant,
  type Filter,
  type Graph,
  type Grid,
  int32Constant,
  type Interval,
  isWide,
  type NodeArgs,
  type Operand,
  type Reach,
  refined,
  scaleChannels,
  sizeOf,
  type Value,
} from './graph';
import {type OperatorName, type Options, PADDINGS} from '../export/tflite/schema';

type Shape = readonly number[];

/** What is known of a layer: read from the device before. */
export interface LayerNumbers {
  /** Rounded weights, by attribute. */
  readonly weights: ReadonlyMap<string, WeightLevels>;
  /** Other variables, by attribute. */
  readonly values: ReadonlyMap<string, Float32Array>;
  /** Where the layer rounds activations: 'before activation', 'between', 'activation', 'output'. */
  readonly grids: ReadonlyMap<string, Grid>;
}

/** Variables of layers that are no rounded weights. */
export const VALUES = ['bias', 'gamma', 'beta', 'movingMean', 'movingVariance', 'alpha'] as const;

/** Outputs of these have a grid of their own in TensorFlow Lite, whatever the model's: in int8, and in int16. */
const UNIT: readonly [Grid, Grid] = [
  {scale: 1 / 256, lowest: 0, highest: 255},
  {scale: 1 / 32768, lowest: 0, highest: 32767},
];
const SIGNED_UNIT: readonly [Grid, Grid] = [
  {scale: 1 / 128, lowest: -128, highest: 127},
  {scale: 1 / 32768, lowest: -32768, highest: 32767},
];

/** One call of a layer. */
export class LayerCall {
  readonly graph: Graph;
  readonly layer: Layer;
  readonly numbers: LayerNumbers;
  readonly inputs: readonly Value[];
  readonly shape: Shape;

  constructor(graph: Graph, layer: Layer, numbers: LayerNumbers, inputs: readonly Value[], shape: Shape) {
    this.graph = graph;
    this.layer = layer;
    this.numbers = numbers;
    this.inputs = inputs;
    this.shape = shape;
  }

  /** An attribute of the layer. */
  get<T>(name: string): T {
    return (this.layer as unknown as Record<string, T>)[name]!;
  }

  /** A variable with as many values as there are channels, or `otherwise` for each. */
  perChannel(name: (typeof VALUES)[number], channels: number, otherwise: number): Float64Array {
    const values = this.numbers.values.get(name);
    return values ? Float64Array.from(values) : new Float64Array(channels).fill(otherwise);
  }

  round(x: Value, what: string): Value {
    return this.graph.round(x, this.numbers.grids.get(what));
  }

  /** That of a runtime's two grids which has enough levels for x, and for what the layer makes of it. */
  fixed(x: Value, [narrow, wide]: readonly [Grid, Grid]): Grid {
    return [x.grid, ...this.numbers.grids.values()].some(isWide) ? wide : narrow;
  }

  /** The layer's activation, between the roundings before and after it. */
  activate(x: Value): Value {
    const name = activationOf(this.layer);
    const rounded = this.round(x, 'before activation');
    return this.round(ACTIVATIONS[name]!(this, rounded), 'activation');
  }
}

type Row = (call: LayerCall, ...inputs: Value[]) => Value;

/** How a kernel is laid out: which of its dimensions TensorFlow Lite's are, and which of those has the output channels. */
interface Layout {
  readonly order: readonly number[];
  readonly shape: Shape;
  readonly axis: number;
}

function filterOf(call: LayerCall, attr: string, {order, shape, axis}: Layout, hasBias = true): Filter {
  const {levels, grid, view, gain} = call.numbers.weights.get(attr)!;
  const source = call.get<{shape: number[]}>(attr).shape;
  const strides = source.map((_, i) => sizeOf(source.slice(i + 1)));
  const [dims, steps] = [order.map(i => source[i]!), order.map(i => strides[i]!)];
  const outputs = shape[axis]!;
  const [channel, output] = [channelOf(view, grid.axis), channelOf(shape, axis)];
  const moved = new Int8Array(levels.length);
  const scale = new Float64Array(outputs);
  const index = dims.map(() => 0);
  let from = 0;
  for (let to = 0; to < moved.length; ++to) {
    moved[to] = levels[from]!;
    // A channel of zeros has no step: for tiny gains, it would be out of the runtimes' limits.
    if (levels[from] !== 0) scale[output(to)] = grid.scale[channel(from)]!;
    for (let dim = dims.length - 1; dim >= 0; --dim) {
      from += steps[dim]!;
      if (++index[dim]! < dims[dim]!) break;
      from -= steps[dim]! * dims[dim]!;
      index[dim] = 0;
    }
  }
  const bias = hasBias ? call.perChannel('bias', outputs, 0) : new Float64Array(outputs);
  const filter = {levels: moved, shape, axis, bits: grid.bits, scale, bias};
  // Whatever follows, also the BatchNormalization that they were rounded for, multiplies them again.
  const inverse = gain?.map(each => 1 / each);
  if (inverse) scaleChannels(filter, inverse);
  return filter;
}

type Pair = readonly [number, number];

const pairOf = (value: number | readonly number[]): Pair =>
  typeof value === 'number' ? [value, value] : [value[0]!, value[1] ?? value[0]!];

interface Window {
  readonly strides: Pair;
  readonly padding: 'same' | 'valid';
  readonly dilation: Pair;
}

function windowOptions({strides, padding, dilation}: Window): Options {
  const [strideH, strideW] = strides;
  return {padding: PADDINGS[padding], strideH, strideW, dilationHFactor: dilation[0], dilationWFactor: dilation[1]};
}

function windowOf(call: LayerCall): Window {
  const dilates = call.layer.getClassName() !== 'DepthwiseConv2D'; // tfjs ignores it there
  return {
    strides: pairOf(call.get<number | number[]>('strides')),
    padding: call.get<'same' | 'valid'>('padding'),
    dilation: dilates ? pairOf(call.get<number | number[] | undefined>('dilationRate') ?? 1) : [1, 1],
  };
}

/** What 'same' pads in front and behind, in one dimension. */
function samePadding(size: number, kernel: number, stride: number, dilation: number): Pair {
  const total = Math.max(0, (Math.ceil(size / stride) - 1) * stride + (kernel - 1) * dilation + 1 - size);
  return [Math.floor(total / 2), total - Math.floor(total / 2)];
}

/** Takes a padding into the convolution after it, where it is just what 'same' pads. */
function withoutPadding(graph: Graph, x: Value, kernel: Pair, window: Window): [Value, Window] {
  const pad = x.producer;
  if (pad?.operator !== 'PAD' || x.uses > 1 || window.padding !== 'valid') return [x, window];
  const [input, amounts] = pad.operands as [Value, Constant];
  const padding = new Int32Array(amounts.data.buffer);
  const isSame = [0, 1].every(i => {
    const size = input.shape[i + 1]!;
    const [before, after] = samePadding(size, kernel[i]!, window.strides[i]!, window.dilation[i]!);
    const [front, behind] = [padding[2 * i + 2]!, padding[2 * i + 3]!];
    const strides = Math.ceil(size / window.strides[i]!);
    const reach = (kernel[i]! - 1) * window.dilation[i]! + 1;
    const fits = Math.floor((size + front + behind - reach) / window.strides[i]!) + 1;
    return front === before && behind === after && fits === strides;
  });
  if (!isSame) return [x, window];
  graph.remove(pad);
  return [input, {...window, padding: 'same'}];
}

function product(call: LayerCall, operator: OperatorName, args: Omit<NodeArgs, 'rule'>): Value {
  return call.graph.add(operator, {...args, rule: 'own'});
}

const conv2d: Row = (call, x) => {
  const [height, width, inputs, outputs] = call.get<{shape: number[]}>('kernel').shape as [
    number,
    number,
    number,
    number,
  ];
  const [image, window] = withoutPadding(call.graph, x, [height, width], windowOf(call));
  const filter = filterOf(call, 'kernel', {order: [3, 0, 1, 2], shape: [outputs, height, width, inputs], axis: 0});
  const operands: Operand[] = [image, 'weights', 'bias'];
  return call.activate(product(call, 'CONV_2D', {operands, shape: call.shape, options: windowOptions(window), filter}));
};

function depthwise(call: LayerCall, x: Value, shape: Shape, hasBias: boolean): Value {
  const [height, width, channels, multiplier] = call.get<{shape: number[]}>('depthwiseKernel').shape as [
    number,
    number,
    number,
    number,
  ];
  const [image, window] = withoutPadding(call.graph, x, [height, width], windowOf(call));
  const layout = {order: [0, 1, 2, 3], shape: [1, height, width, channels * multiplier], axis: 3};
  const filter = filterOf(call, 'depthwiseKernel', layout, hasBias);
  const options = {...windowOptions(window), depthMultiplier: multiplier};
  return product(call, 'DEPTHWISE_CONV_2D', {operands: [image, 'weights', 'bias'], shape, options, filter});
}

const depthwiseConv2d: Row = (call, x) => call.activate(depthwise(call, x, call.shape, true));

const separableConv2d: Row = (call, x) => {
  const [, , inputs, outputs] = call.get<{shape: number[]}>('pointwiseKernel').shape as [
    number,
    number,
    number,
    number,
  ];
  const middle = call.round(depthwise(call, x, [...call.shape.slice(0, 3), inputs], false), 'between');
  const filter = filterOf(call, 'pointwiseKernel', {order: [3, 0, 1, 2], shape: [outputs, 1, 1, inputs], axis: 0});
  const options = windowOptions({strides: [1, 1], padding: 'valid', dilation: [1, 1]});
  const operands: Operand[] = [middle, 'weights', 'bias'];
  return call.activate(product(call, 'CONV_2D', {operands, shape: call.shape, options, filter}));
};

const conv1d: Row = (call, x) => {
  const [length, inputs, outputs] = call.get<{shape: number[]}>('kernel').shape as [number, number, number];
  const [batch, steps, channels] = x.shape as [number, number, number];
  const image = call.graph.reshape(x, [batch, 1, steps, channels]);
  const one = (name: string) => pairOf(call.get<number | number[]>(name))[0];
  const padding = call.get<'same' | 'valid'>('padding');
  const options = windowOptions({strides: [1, one('strides')], padding, dilation: [1, one('dilationRate')]});
  const filter = filterOf(call, 'kernel', {order: [2, 0, 1], shape: [outputs, 1, length, inputs], axis: 0});
  const shape = [batch, 1, ...call.shape.slice(1)];
  const y = product(call, 'CONV_2D', {operands: [image, 'weights', 'bias'], shape, options, filter});
  return call.graph.reshape(call.activate(y), call.shape);
};

const conv2dTranspose: Row = (call, x) => {
  const [height, width, outputs, inputs] = call.get<{shape: number[]}>('kernel').shape as [
    number,
    number,
    number,
    number,
  ];
  const filter = filterOf(call, 'kernel', {order: [2, 0, 1, 3], shape: [outputs, height, width, inputs], axis: 0});
  const options = windowOptions(windowOf(call));
  const operands: Operand[] = ['shape', 'weights', x, 'bias'];
  return call.activate(product(call, 'TRANSPOSE_CONV', {operands, shape: call.shape, options, filter}));
};

const dense: Row = (call, x) => {
  const [inputs, outputs] = call.get<{shape: number[]}>('kernel').shape as [number, number];
  const filter = filterOf(call, 'kernel', {order: [1, 0], shape: [outputs, inputs], axis: 0});
  const options = {keepNumDims: x.shape.length > 2 ? 1 : 0};
  const operands: Operand[] = [x, 'weights', 'bias'];
  return call.activate(product(call, 'FULLY_CONNECTED', {operands, shape: call.shape, options, filter}));
};

const batchNorm: Row = (call, x) => {
  const [axis] = [call.get<number | number[]>('axis')].flat(); // Keras saves a list
  if (axis !== -1 && axis !== x.shape.length - 1) {
    call.graph.problems.push(`layer ${call.layer.name}: it normalizes axis ${axis}, which must be the last one.`);
    return x;
  }
  const channels = x.shape[x.shape.length - 1]!;
  const of = (name: (typeof VALUES)[number], otherwise: number) => call.perChannel(name, channels, otherwise);
  const [gamma, beta, mean, variance] = [of('gamma', 1), of('beta', 0), of('movingMean', 0), of('movingVariance', 1)];
  const epsilon = call.get<number>('epsilon');
  const gain = gainOf(gamma, variance, epsilon);
  const offset = beta.map((each, c) => each - mean[c]! * gain[c]!);
  return call.graph.affine(x, gain, offset);
};

const rescaling: Row = (call, x) => {
  const channels = x.shape[x.shape.length - 1]!;
  const all = (value: number) => new Float64Array(channels).fill(value);
  return call.graph.affine(x, all(call.get<number>('scale')), all(call.get<number>('offset')));
};

/** The sum, product and so on of any number of inputs, two at a time. */
function merge(operator: OperatorName, reach?: Reach): Row {
  return ({graph, shape}, ...inputs) => {
    const aligned = inputs.map(x => {
      const missing = shape.length - x.shape.length;
      return graph.reshape(x, [x.shape[0]!, ...new Array<number>(missing).fill(1), ...x.shape.slice(1)]);
    });
    return aligned.reduce((sum, x, i) => {
      const both = sum.shape.map((dim, axis) => Math.max(dim, x.shape[axis]!));
      const isBetween = i < aligned.length - 1;
      return graph.add(operator, {
        operands: [sum, x],
        shape: both,
        rule: reach ? 'own' : 'same',
        ...(reach && isBetween && {reach}),
      });
    });
  };
}

function productReach(one: Interval, other: Interval): Interval {
  const corners = one.flatMap(a => other.map(b => a * b));
  return [Math.min(...corners), Math.max(...corners)];
}

const concatenate: Row = (call, ...inputs) => {
  const axis = call.get<number>('axis');
  const options = {axis: axis < 0 ? axis + call.shape.length : axis};
  return call.graph.add('CONCATENATION', {operands: inputs, shape: call.shape, options, rule: 'same'});
};

interface Pool extends Window {
  readonly size: Pair;
}

function poolOptions({size, ...window}: Pool): Options {
  const {padding, strideH, strideW} = windowOptions(window) as {padding: number; strideH: number; strideW: number};
  return {padding, strideH, strideW, filterHeight: size[0], filterWidth: size[1]};
}

/** Whether a pool with padding 'same' pads nothing. */
function padsNothing({padding, size, strides}: Pool, shape: Shape): boolean {
  return padding === 'valid' || [0, 1].every(i => samePadding(shape[i + 1]!, size[i]!, strides[i]!, 1)[1] === 0);
}

/** Pools images; rows of the same as images of one line. */
function pool(average: boolean, dims: 1 | 2): Row {
  return (call, x) => {
    const as2d = (name: string): Pair => {
      const [first, second] = pairOf(call.get<number | number[]>(name));
      return dims === 2 ? [first, second] : [1, first];
    };
    const line = (shape: Shape) => (dims === 2 ? shape : [shape[0]!, 1, ...shape.slice(1)]);
    const image = call.graph.reshape(x, line(x.shape));
    const padding = call.get<'same' | 'valid'>('padding');
    const window: Pool = {size: as2d('poolSize'), strides: as2d('strides'), padding, dilation: [1, 1]};
    const shape = line(call.shape);
    const isMean = average && padsNothing(window, image.shape);
    const y = isMean
      ? meanOfWindow(call, image, shape, window)
      : average
        ? call.graph.move('AVERAGE_POOL_2D', inSmallerSteps(call, image), shape, [], poolOptions(window))
        : call.graph.move('MAX_POOL_2D', image, shape, [], poolOptions(window));
    return call.graph.reshape(y, call.shape);
  };
}

/**
 * x in smaller steps, where the layer's output has more levels: TensorFlow Lite interpolates and averages on the grid of
 * what it is given.
 */
function inSmallerSteps(call: LayerCall, x: Value): Value {
  const [from, to] = [x.grid, call.numbers.grids.get('output')];
  return from && to && levelsOf(from) < levelsOf(to) ? call.graph.round(x, refined(from, isWide(to))) : x;
}

const levelsOf = ({lowest, highest}: Grid) => highest - lowest;

/** TensorFlow Lite's averages stay on the grid of what they average; as a product, they are on their own. */
function meanOfWindow(call: LayerCall, x: Value, shape: Shape, window: Pool): Value {
  const channels = x.shape[3]!;
  const [height, width] = window.size;
  const filter: Filter = {
    levels: new Int8Array(height * width * channels).fill(1),
    shape: [1, height, width, channels],
    axis: 3,
    bits: 8,
    scale: new Float64Array(channels).fill(1 / (height * width)),
    bias: new Float64Array(channels),
  };
  const options = {...windowOptions({...window, padding: 'valid'}), depthMultiplier: 1};
  return product(call, 'DEPTHWISE_CONV_2D', {operands: [x, 'weights', 'bias'], shape, options, filter});
}

function globalAverage(axes: readonly number[]): Row {
  return ({graph, shape}, x) => graph.add('MEAN', {operands: [x, int32Constant(axes)], shape, rule: 'own'});
}

function globalMax(axes: readonly number[]): Row {
  return ({graph, shape}, x) => {
    if (!isWide(x.grid)) return graph.move('REDUCE_MAX', x, shape, [int32Constant(axes)]);
    // Microcontrollers have no such operator of more than 8 bits.
    const [batch, channels] = shape as [number, number];
    const size: Pair = [sizeOf(x.shape.slice(1, -2)), x.shape[x.shape.length - 2]!];
    const image = graph.reshape(x, [batch, ...size, channels]);
    const options = poolOptions({size, strides: [1, 1], padding: 'valid', dilation: [1, 1]});
    return graph.reshape(graph.move('MAX_POOL_2D', image, [batch, 1, 1, channels], [], options), shape);
  };
}

const upSampling2d: Row = (call, x) => {
  const size = int32Constant(call.shape.slice(1, 3));
  return call.get<string>('interpolation') === 'bilinear'
    ? call.graph.move('RESIZE_BILINEAR', inSmallerSteps(call, x), call.shape, [size])
    : call.graph.move('RESIZE_NEAREST_NEIGHBOR', x, call.shape, [size]);
};

const zeroPadding2d: Row = (call, x) => {
  const [rows, columns] = call.get<[Pair, Pair]>('padding');
  return call.graph.move('PAD', x, call.shape, [int32Constant([0, 0, ...rows, ...columns, 0, 0], [4, 2])]);
};

const cropping2d: Row = (call, x) => {
  const [[top], [left]] = call.get<[Pair, Pair]>('cropping');
  const begin = int32Constant([0, top, left, 0]);
  return call.graph.move('SLICE', x, call.shape, [begin, int32Constant([-1, ...call.shape.slice(1)])]);
};

const permute: Row = (call, x) =>
  call.graph.move('TRANSPOSE', x, call.shape, [int32Constant([0, ...call.get<number[]>('dims')])]);

const embedding: Row = (call, x) => {
  const {levels, grid} = call.numbers.weights.get('embeddings')!;
  const {shape} = call.get<{shape: number[]}>('embeddings');
  const channel = channelOf(shape, grid.axis);
  const table = Float32Array.from(levels, (level, i) => level * grid.scale[channel(i)]!);
  const [scale, lowest, highest] = [grid.scale[0]!, grid.lowest[0]!, grid.highest[0]!];
  // Rows with steps of their own are on those that the output is rounded to.
  const rule =
    grid.axis === undefined
      ? {scale: scale || 1, lowest: Math.max(lowest, -128), highest: Math.max(highest, lowest + 1)}
      : 'own';
  return call.graph.add('GATHER', {operands: [{table, shape}, x], shape: call.shape, rule});
};

const leakyRelu: Row = (call, x) => {
  const options = {alpha: call.get<number>('alpha')};
  return call.graph.add('LEAKY_RELU', {operands: [x], shape: x.shape, options, rule: 'own'});
};

const prelu: Row = (call, x) => {
  const {shape} = call.get<{shape: number[]}>('alpha');
  const slopes = {factors: call.numbers.values.get('alpha')!, shape};
  return call.graph.add('PRELU', {operands: [x, slopes], shape: x.shape, rule: 'own'});
};

const activation: Row = (call, x) => call.activate(x);
const unchanged: Row = (_call, x) => x;
const reshaped: Row = (call, x) => call.graph.reshape(x, call.shape);

/** A layer called on each step: as good as called on all of them, if it looks at the last dimension only. */
const timeDistributed: Row = (call, x) => {
  const inner = call.get<Layer>('layer');
  const {graph, numbers, inputs, shape} = call;
  return dense(new LayerCall(graph, inner, numbers, inputs, shape), x);
};

/** The layers that can be written. */
export const LAYERS: Readonly<Record<string, Row>> = {
  Activation: activation,
  Add: merge('ADD', ([a, b], [c, d]) => [a + c, b + d]),
  AveragePooling1D: pool(true, 1),
  AveragePooling2D: pool(true, 2),
  BatchNormalization: batchNorm,
  Concatenate: concatenate,
  Conv1D: conv1d,
  Conv2D: conv2d,
  Conv2DTranspose: conv2dTranspose,
  Cropping2D: cropping2d,
  Dense: dense,
  DepthwiseConv2D: depthwiseConv2d,
  Dropout: unchanged,
  ELU: activation,
  Embedding: embedding,
  Flatten: reshaped,
  GaussianDropout: unchanged,
  GaussianNoise: unchanged,
  GlobalAveragePooling1D: globalAverage([1]),
  GlobalAveragePooling2D: globalAverage([1, 2]),
  GlobalMaxPooling1D: globalMax([1]),
  GlobalMaxPooling2D: globalMax([1, 2]),
  LeakyReLU: leakyRelu,
  MaxPooling1D: pool(false, 1),
  MaxPooling2D: pool(false, 2),
  Maximum: merge('MAXIMUM'),
  Minimum: merge('MINIMUM'),
  Multiply: merge('MUL', productReach),
  PReLU: prelu,
  Permute: permute,
  QuantizeLayer: unchanged,
  'tfjs-quantization>QuantizedInput': unchanged,
  ReLU: (call, x) => call.graph.clamp(x, [0, call.get<number | undefined>('maxValue') ?? Infinity]),
  Rescaling: rescaling,
  Reshape: reshaped,
  SeparableConv2D: separableConv2d,
  Softmax: activation,
  SpatialDropout1D: unchanged,
  Subtract: merge('SUB', ([a, b], [c, d]) => [a - d, b - c]),
  TimeDistributed: timeDistributed,
  UpSampling2D: upSampling2d,
  ZeroPadding2D: zeroPadding2d,
};

function fixed(operator: OperatorName, grids: readonly [Grid, Grid], options: Options = {}): Row {
  return (call, x) => call.graph.add(operator, {operands: [x], shape: x.shape, rule: call.fixed(x, grids), options});
}

const sigmoid = fixed('LOGISTIC', UNIT);

/** Activations by name; `ELU` as a layer is named so. */
const ACTIVATIONS: Readonly<Record<string, Row>> = {
  ELU: ({graph}, x) => graph.add('ELU', {operands: [x], shape: x.shape, rule: 'own'}),
  elu: ({graph}, x) => graph.add('ELU', {operands: [x], shape: x.shape, rule: 'own'}),
  hardSigmoid: (call, x) => {
    const {graph} = call;
    const all = (value: number) => new Float64Array(x.shape[x.shape.length - 1]!).fill(value);
    return graph.round(graph.clamp(graph.affine(x, all(0.2), all(0.5)), [0, 1]), call.fixed(x, UNIT));
  },
  linear: unchanged,
  relu: ({graph}, x) => graph.clamp(x, [0, Infinity]),
  relu6: ({graph}, x) => graph.clamp(x, [0, 6]),
  sigmoid,
  softmax: fixed('SOFTMAX', UNIT, {beta: 1}),
  swish: (call, x) => {
    x.uses++;
    const gate = sigmoid(call, x);
    return call.graph.add('MUL', {operands: [x, gate], shape: x.shape, rule: 'own'});
  },
  tanh: fixed('TANH', SIGNED_UNIT),
};

/** What is against writing a layer, beside its class; undefined if nothing. */
export function objectionTo(layer: Layer): string | undefined {
  const name = layer.getClassName();
  const of = <T>(attr: string) => (layer as unknown as Record<string, T | undefined>)[attr];
  if (!LAYERS[name])
    return `the class ${name} cannot be written in integers. Use other layers, or export a model of those that can`;
  if (of('dataFormat') === 'channelsFirst') return "its data format is channelsFirst. Build it with 'channelsLast'";
  if (name === 'TimeDistributed') {
    const inner = of<Layer>('layer')!;
    return inner.getClassName() === 'Dense' ? objectionTo(inner) : 'only a Dense layer can be called step by step';
  }
  const isActivated = of('activation') !== undefined || name === 'Activation' || name === 'Softmax';
  if (isActivated && !ACTIVATIONS[activationOf(layer)]) {
    return `the activation ${activationOf(layer)} has no integer operator. Use one of ${Object.keys(ACTIVATIONS).slice(1).join(', ')}`;
  }
  return undefined;
}
