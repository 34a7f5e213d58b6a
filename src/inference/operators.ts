/** The operators of a graph, named for what they compute on tensors whose last dimension is the channels. */
import {channelOf} from '../quantizer/levels';
import type {ValueGrid} from './grids';
import type {Pair, Window} from './window';

/** Numbers that are given. */
export interface Numbers {
  readonly values: Float32Array;
  readonly shape: readonly number[];
}

/** What a value is that is on no grid. */
export type ValueType = 'float32' | 'int32' | 'bool';

/** A value that is known. */
export interface Constant {
  readonly type: ValueType;
  readonly shape: readonly number[];
  readonly values: Float32Array | Int32Array | Uint8Array;
}

/** The attributes of one of TensorFlow's operations, by its names; a default where it is left out. */
export interface OperationAttrs {
  int(name: string, byDefault?: number): number;
  ints(name: string, byDefault?: readonly number[]): readonly number[];
  float(name: string, byDefault?: number): number;
  flag(name: string, byDefault?: boolean): boolean;
  text(name: string, byDefault?: string): string;
  texts(name: string): readonly string[];
}

type AttrValue = number | boolean | string | readonly number[] | readonly string[];

/** Attributes by name. */
export function attrsOf(values: Readonly<Record<string, AttrValue>>): OperationAttrs {
  const get = <T extends AttrValue>(name: string, byDefault: T) => (values[name] as T | undefined) ?? byDefault;
  return {
    int: (name, byDefault = 0) => get(name, byDefault),
    ints: (name, byDefault = []) => get(name, byDefault),
    float: (name, byDefault = 0) => get(name, byDefault),
    flag: (name, byDefault = false) => get(name, byDefault),
    text: (name, byDefault = '') => get(name, byDefault),
    texts: name => get<readonly string[]>(name, []),
  };
}

/** All by default. */
export const NO_ATTRS = /*#__PURE__*/ attrsOf({});

/** One of TensorFlow's operations, on floats, whole numbers and booleans. */
export interface Operation {
  /** Its name: 'StridedSlice'. */
  readonly op: string;
  /** The name of the node that it was in a graph. */
  readonly name: string;
  readonly attrs: OperationAttrs;
  /** What it takes that is known, by its place; the inputs are the others. */
  readonly constants: ReadonlyMap<number, Constant>;
}

/** What an operator multiplies with, and adds. */
export interface Filter {
  /** The weights in steps, as tfjs lays them out: whole numbers, or floats where nobody has rounded them. */
  levels: Int8Array | Float32Array;
  /**
   * [height, width, in, out] of a convolution, [height, width, in, multiplier] of a depthwise and [height, width, out, in] of
   * a transposed one, [in, out] of a dense layer.
   */
  readonly shape: readonly number[];
  /** The shape in which `axis` counts: the same, or [height * width, in * multiplier] of a depthwise one. */
  readonly view: readonly number[];
  /** The dimension of output channels. */
  readonly axis: number;
  /** The width that the weights were rounded to; undefined where they were not. */
  readonly bits: number | undefined;
  /** The step and the bias of each output channel. A step of 0 switches the channel off. */
  scale: Float64Array;
  bias: Float64Array;
}

export interface Convolution extends Window {
  readonly filter: Filter;
  readonly dilations: Pair;
}

export interface Pool extends Window {
  readonly size: Pair;
}

/** What a gate of an LSTM multiplies with: its input, and the output of the step before. The bias is the kernel's. */
export interface Gate {
  readonly kernel: Filter;
  readonly recurrentKernel: Filter;
}

/** All steps of an LSTM whose gates are sigmoids, and whose activation is tanh: from [batch, steps, in] to [batch, steps, out]. */
export interface LSTM {
  readonly gates: Readonly<Record<'input' | 'forget' | 'cell' | 'output', Gate>>;
  /** The grid of the state inside; undefined in float. The output of a step is what the next one is given, on its grid. */
  readonly cell: ValueGrid | undefined;
  /** Whether a call goes on where the last one ended; else each begins with zeros, or with what is given as further inputs. */
  readonly stateful: boolean;
}

/** How an image is stretched to its new size. */
interface Resize {
  /** Whether the centers of its corners stay where they are; else its upper left corner does. */
  readonly alignCorners: boolean;
}

type None = Readonly<Record<string, never>>;

/** The operators, and what each has beside its inputs and the shape of its output. */
export interface Attributes {
  conv2d: Convolution;
  depthwiseConv2d: Convolution;
  /** Padded as the convolution that would give its input from its output. */
  transposedConv2d: Convolution;
  dense: {readonly filter: Filter};
  lstm: LSTM;
  /** Of two values of matrices, one for each sample. */
  matmul: {readonly transposeX: boolean; readonly transposeY: boolean};
  add: None;
  subtract: None;
  multiply: None;
  maximum: None;
  minimum: None;
  concat: {readonly axis: number};
  averagePool: Pool;
  maxPool: Pool;
  /** Over all of some dimensions. */
  mean: {readonly axes: readonly number[]};
  max: {readonly axes: readonly number[]};
  resizeBilinear: Resize;
  resizeNearest: Resize;
  /** Zeros before and behind, in each dimension. */
  pad: {readonly amounts: readonly Pair[]};
  /** What begins there, as large as the output. */
  slice: {readonly begin: readonly number[]};
  /** The other way round, along one dimension. */
  reverse: {readonly axis: number};
  transpose: {readonly permutation: readonly number[]};
  reshape: None;
  /** Rows of a table, by their numbers. */
  lookup: {readonly table: Numbers};
  leakyRelu: {readonly slope: number};
  prelu: {readonly slopes: Numbers};
  elu: None;
  /** x times the share of a normal distribution below it: exactly, or as tanh has it nearly. */
  gelu: {readonly approximate: boolean};
  sigmoid: None;
  softmax: None;
  tanh: None;
  /** Nothing but the clamp that any operator may have. */
  clamp: None;
  /** The same on another grid; of floats and whole numbers, on one. */
  requantize: None;
  /** The floats that integers on a grid stand for. */
  dequantize: None;
  constant: Constant;
  operation: Operation;
}

export type Operator = keyof Attributes;

/** The output channel of each weight; all are one where there is no axis. */
export function channelsOf({
  view,
  axis,
}: Pick<Filter, 'view'> & {readonly axis: number | undefined}): (weight: number) => number {
  return channelOf(view, axis);
}

/** Numbers made of others, one by one: `Float32Array.from` holds all of them as objects for a while. */
export function floatsFrom(values: ArrayLike<number>, make: (value: number, index: number) => number): Float32Array {
  const made = new Float32Array(values.length);
  for (let i = 0; i < made.length; ++i) made[i] = make(values[i]!, i);
  return made;
}

/** Multiplies the output channels of a filter: their steps, and the signs of their levels. */
export function scaleChannels(filter: Filter, gain: Float64Array): void {
  if (gain.some(each => each < 0)) {
    const channel = channelsOf(filter);
    filter.levels = filter.levels.map((level, i) => (gain[channel(i)]! < 0 ? -level : level));
  }
  filter.scale = filter.scale.map((scale, c) => scale * Math.abs(gain[c]!));
}

/** Those of the output channels, in that order, of a filter whose last dimension they are. */
export function channelsFrom(filter: Filter, channels: readonly number[]): Filter {
  const {levels, shape, view, axis, bits, scale, bias} = filter;
  const before = view[axis]!;
  const chosen = levels.slice(0, (levels.length / before) * channels.length);
  chosen.forEach((_, i) => {
    chosen[i] = levels[Math.floor(i / channels.length) * before + channels[i % channels.length]!]!;
  });
  const resized = (dims: readonly number[]) => [...dims.slice(0, -1), channels.length];
  const picked = (values: Float64Array) => Float64Array.from(channels, c => values[c]!);
  return {
    levels: chosen,
    shape: resized(shape),
    view: resized(view),
    axis,
    bits,
    scale: picked(scale),
    bias: picked(bias),
  };
}

/** What multiplies each channel with a gain of its own, and adds an offset. */
export function diagonal(gain: Float64Array, offset: Float64Array): Filter {
  return {
    levels: Int8Array.from(gain, each => 127 * Math.sign(each)),
    shape: [1, 1, gain.length, 1],
    view: [1, gain.length],
    axis: 1,
    bits: 8,
    scale: gain.map(each => Math.abs(each) / 127),
    bias: offset,
  };
}
