/** How each operator of a graph is written: the table that a file's nodes are made by. */
import type {Node, Value} from '../../inference/graph';
import {sameGrid} from '../../inference/grids';
import type {Operator} from '../../inference/operators';
import {permuted} from '../../inference/permuted';
import type {Padding, Pair} from '../../inference/window';
import {type Filters, type Layout, multipliesFloats} from './filters';
import {axisIn, type Form, type Held, inForm, isFormless, orderOf} from './forms';
import type {Attributes as OnnxAttributes} from './model_proto';
import type {NodeList} from './node_list';
import {missingBehind} from './transposed';
import {resized} from './resize';
import {storageOf, stored} from './storage';
import type {Values} from './values';

/** What a row of the table writes with. */
interface Writing {
  readonly list: NodeList;
  readonly values: Values;
  readonly filters: Filters;
}

/** A row: gives the tensor that it computes, or nothing where it said itself what holds the value. */
type Row<Of extends Operator> = (node: Node<Of>, writing: Writing) => Held | undefined;

/** Those that are not operations of TensorFlow's; recurrent layers come step by step. */
export type Own = Exclude<Operator, 'lstm' | 'operation'>;

/** An operator that computes number by number, in whichever form its inputs are. */
function elementwise(op: string, attributes: OnnxAttributes = {}): Row<Own> {
  return ({inputs}, {list, values}) => {
    const form = values.commonForm(inputs);
    return {
      form,
      name: list.add(
        op,
        inputs.map(x => values.take(x, form)),
        attributes,
      ),
    };
  };
}

/** [before rows, before columns, behind rows, behind columns], with what a padding apart from it adds. */
function padsOf({amounts}: Padding, [rows, columns]: readonly [Pair, Pair] = [NONE, NONE]): number[] {
  const [[top, bottom], [left, right]] = amounts;
  return [top + rows[0], left + columns[0], bottom + rows[1], right + columns[1]];
}

const NONE: Pair = [0, 0];

/** The padding that a convolution takes into itself, and what is padded: see {@link absorbedBy}. */
function padded(x: Value, isAbsorbed: boolean): {readonly x: Value; readonly amounts?: readonly [Pair, Pair]} {
  const pad = x.producer;
  if (!isAbsorbed || pad?.operator !== 'pad') return {x};
  const [, rows, columns] = pad.attributes.amounts;
  return {x: pad.inputs[0]!, amounts: [rows!, columns!]};
}

/** The padding before a convolution that it can do as well. */
export function absorbedBy({operator, inputs}: Node): Node | undefined {
  const pad = inputs[0]?.producer;
  if ((operator !== 'conv2d' && operator !== 'depthwiseConv2d') || pad?.operator !== 'pad') return undefined;
  const [batch, , , channels] = pad.attributes.amounts;
  const isOfImages = [batch, channels].flat().every(amount => amount === 0);
  const keepsGrid = sameGrid(pad.output.grid, pad.inputs[0]!.grid);
  return isOfImages && keepsGrid && pad.output.uses === 1 ? pad : undefined;
}

function convolved(node: Node<'conv2d' | 'depthwiseConv2d'>, layout: Layout, group: number, writing: Writing): Held {
  const {attributes, inputs} = node;
  const {strides, dilations, padding, filter} = attributes;
  const {x, amounts} = padded(inputs[0]!, absorbedBy(node) !== undefined);
  const tensors = writing.filters.of(node, layout);
  const given = [writing.values.take(x, 'first'), ...tensors];
  const name = writing.list.add('Conv', given, {
    kernel_shape: filter.shape.slice(0, 2),
    strides,
    dilations,
    pads: padsOf(padding, amounts),
    group,
  });
  return {form: 'first', name};
}

const conv2d: Row<'conv2d'> = (node, writing) => {
  const [height, width, channels, outputs] = node.attributes.filter.shape as [number, number, number, number];
  const layout = {order: [3, 2, 0, 1], shape: [outputs, channels, height, width], axis: 0};
  return convolved(node, layout, 1, writing);
};

const depthwiseConv2d: Row<'depthwiseConv2d'> = (node, writing) => {
  const [height, width, channels, multiplier] = node.attributes.filter.shape as [number, number, number, number];
  const layout = {order: [2, 3, 0, 1], shape: [channels * multiplier, 1, height, width], axis: 0};
  return convolved(node, layout, channels, writing);
};

const transposedConv2d: Row<'transposedConv2d'> = (node, writing) => {
  const {attributes, inputs, output} = node;
  const {filter, strides, dilations, padding} = attributes;
  const [height, width, outputs, channels] = filter.shape as [number, number, number, number];
  const layout = {order: [3, 2, 0, 1], shape: [channels, outputs, height, width], axis: 1};
  const tensors = writing.filters.of(node, layout);
  const x = inputs[0]!;
  const missing = missingBehind({
    size: x.shape.slice(1, 3),
    whole: output.shape.slice(1, 3),
    window: [height, width],
    strides,
    dilations,
    amounts: padding.amounts,
  });
  const given = [writing.values.take(x, 'first'), ...tensors];
  const name = writing.list.add('ConvTranspose', given, {
    kernel_shape: [height, width],
    strides,
    dilations,
    pads: padsOf(padding),
    output_padding: missing,
  });
  return {form: 'first', name};
};

const dense: Row<'dense'> = (node, writing) => {
  const {list, values} = writing;
  const {shape} = node.attributes.filter;
  const isFlat = node.output.shape.length === 2;
  const isApart = multipliesFloats(node);
  const [weights, bias] = writing.filters.of(node, isApart ? apart(shape, isFlat) : {order: [0, 1], shape, axis: 1});
  const x = values.take(node.inputs[0]!, 'last');
  if (isFlat) {
    const attributes = isApart ? {transB: 1} : {};
    return {form: 'last', name: list.add('Gemm', [x, weights, ...(bias ? [bias] : [])], attributes)};
  }
  const product = list.add('MatMul', [x, weights]);
  return {form: 'last', name: bias ? list.add('Add', [product, bias]) : product};
};

/**
 * Weights in integers, for a product of floats, as onnxruntime does not join with it to MatMulNBits, which would round what it
 * takes to 8 bits.
 */
function apart([input, units]: readonly number[], isFlat: boolean): Layout {
  return isFlat
    ? {order: [1, 0], shape: [units!, input!], axis: 0}
    : {order: [0, 1], shape: [1, input!, units!], axis: 2};
}

function pool(op: string): Row<'averagePool' | 'maxPool'> {
  return ({inputs, attributes}, {list, values}) => {
    const {size, strides, padding} = attributes;
    const window = {kernel_shape: size, strides, pads: padsOf(padding)};
    return {form: 'first', name: list.add(op, [values.take(inputs[0]!, 'first')], window)};
  };
}

/** Over some dimensions, in whichever form, if nothing is left whose order it is. */
function reduction(op: string): Row<'max' | 'mean'> {
  return ({inputs, attributes: {axes}}, {list, values}) => {
    const x = inputs[0]!;
    const rank = x.shape.length;
    const form = axes.length === rank - 2 && !axes.includes(rank - 1) ? values.commonForm([x]) : 'last';
    const own = axes.map(axis => axisIn(form, axis, rank)).sort((a, b) => a - b);
    return {form: 'last', name: list.reduced(op, values.take(x, form), own, 0)};
  };
}

function resize(mode: 'linear' | 'nearest'): Row<'resizeBilinear' | 'resizeNearest'> {
  return ({inputs, output, attributes: {alignCorners}}, {list, values}) => {
    const x = inputs[0]!;
    const image = values.take(x, 'first');
    const [from, to] = [inForm(x.shape, 'first'), inForm(output.shape, 'first')];
    return {form: 'first', name: resized(list, image, [from, to], {mode, from: alignCorners ? 'corners' : 'edge'})};
  };
}

/** Whether two shapes differ in the dimensions between the first and the last alone. */
function keepsChannels(one: readonly number[], other: readonly number[]): boolean {
  return one[0] === other[0] && one[one.length - 1] === other[other.length - 1];
}

const reshape: Row<'reshape'> = ({inputs, output}, {list, values}) => {
  const x = inputs[0]!;
  const form: Form = keepsChannels(x.shape, output.shape) && !isFormless(x.shape) ? values.commonForm([x]) : 'last';
  const from = isFormless(x.shape) ? values.all(x)[0]!.name : values.take(x, form);
  return {form, name: list.add('Reshape', [from, values.dims(output.shape, form)])};
};

/** No node where another form of the input is the output in one of its forms. */
const transpose: Row<'transpose'> = ({inputs, output, attributes: {permutation}}, {list, values}) => {
  const x = inputs[0]!;
  const rank = x.shape.length;
  const held = values.all(x);
  if (sameGrid(x.grid, output.grid)) {
    for (const {name, form} of held) {
      for (const to of ['last', 'first'] as const) {
        const order = orderOf(to, rank).map(axis => axisIn(form, permutation[axis]!, rank));
        if (!order.every((axis, i) => axis === i)) continue;
        values.hold(output, {name, form: to});
        return undefined;
      }
    }
  }
  const {name, form} = held[0]!;
  return {form: 'last', name: list.add('Transpose', [name], {perm: permutation.map(axis => axisIn(form, axis, rank))})};
};

const pad: Row<'pad'> = ({inputs, attributes: {amounts}}, {list, values}) => {
  const x = inputs[0]!;
  const form = values.commonForm([x]);
  const own = inForm(amounts, form);
  const ends = list.ints([...own.map(([before]) => before), ...own.map(([, behind]) => behind)]);
  return {form, name: list.add('Pad', [values.take(x, form), ends])};
};

const slice: Row<'slice'> = ({inputs, output, attributes: {begin}}, {list, values}) => {
  const x = inputs[0]!;
  const form = values.commonForm([x]);
  const [from, all, size] = [begin, x.shape, output.shape].map(each => inForm(each, form)) as [
    number[],
    number[],
    number[],
  ];
  const cut = all.flatMap((dim, axis) => (size[axis] === dim ? [] : [axis]));
  const [starts, ends, axes] = [cut.map(i => from[i]!), cut.map(i => from[i]! + size[i]!), cut].map(each =>
    list.ints(each),
  );
  return {form, name: list.add('Slice', [values.take(x, form), starts!, ends!, axes!])};
};

const reverse: Row<'reverse'> = ({inputs, attributes: {axis}}, {list, values}) => {
  const x = inputs[0]!;
  const form = values.commonForm([x]);
  const [starts, ends, axes, steps] = [-1, -1 - x.shape[axis]!, axisIn(form, axis, x.shape.length), -1].map(each =>
    list.ints([each]),
  );
  return {form, name: list.add('Slice', [values.take(x, form), starts!, ends!, axes!, steps!])};
};

const concat: Row<'concat'> = ({inputs, output, attributes: {axis}}, {list, values}) => {
  const form = values.commonForm(inputs);
  const given = inputs.map(x => values.take(x, form));
  return {form, name: list.add('Concat', given, {axis: axisIn(form, axis, output.shape.length)})};
};

/** Rows of levels are looked up as they are stored: a table is large. */
const lookup: Row<'lookup'> = ({inputs, output, attributes: {table}}, {list, values}) => {
  const [x] = inputs as [Value];
  const places = list.cast(values.take(x, 'last'), values.typeOf(x), 'int32');
  const {grid} = output;
  const {values: numbers, shape} = table;
  if (!grid) {
    const rows = list.constant('float32', numbers, shape);
    return {form: 'last', name: list.add('Gather', [rows, places])};
  }
  const {scale, lowest, highest} = grid;
  const storage = storageOf(grid);
  const {type, zeroPoint} = storage;
  const size = numbers.length * (type === 'int16' ? 2 : 1);
  const bytes = () => {
    const levels = numbers.map(each => zeroPoint + Math.min(highest, Math.max(lowest, Math.round(each / scale))));
    return new Uint8Array(stored(levels, storage).buffer);
  };
  const rows = list.add('Gather', [list.tensor('table', {type, shape, size, bytes}), places]);
  values.hold(output, {form: 'last', name: values.dequantized(rows, grid)});
  return undefined;
};

const prelu: Row<'prelu'> = ({inputs, attributes: {slopes}}, {list, values}) => {
  const form = values.commonForm(inputs);
  // One dimension less than what they multiply: there is no batch.
  const order = orderOf(form, slopes.shape.length + 1)
    .slice(1)
    .map(axis => axis - 1);
  const given = list.floats(
    permuted(slopes.values, slopes.shape, order),
    order.map(axis => slopes.shape[axis]!),
  );
  return {form, name: list.add('PRelu', [values.take(inputs[0]!, form), given])};
};

const softmax: Row<'softmax'> = ({inputs, output}, {list, values}) => {
  const form = values.commonForm(inputs);
  const rank = output.shape.length;
  return {form, name: list.add('Softmax', [values.take(inputs[0]!, form)], {axis: axisIn(form, rank - 1, rank)})};
};

const matmul: Row<'matmul'> = ({inputs, attributes: {transposeX, transposeY}}, {list, values}) => {
  const [x, y] = inputs.map((each, i) => {
    const name = values.take(each, 'last');
    return [transposeX, transposeY][i] ? list.add('Transpose', [name], {perm: [0, 2, 1]}) : name;
  });
  return {form: 'last', name: list.add('MatMul', [x!, y!])};
};

/** Of operators that older opsets have. */
const gelu: Row<'gelu'> = ({inputs, attributes: {approximate}}, {list, values}) => {
  const form = values.commonForm(inputs);
  const x = values.take(inputs[0]!, form);
  if (list.opset >= 20) return {form, name: list.add('Gelu', [x], {approximate: approximate ? 'tanh' : 'none'})};
  const scaled = (y: string, by: number) => list.add('Mul', [y, list.float(by)]);
  const cubed = () => scaled(list.add('Mul', [x, list.add('Mul', [x, x])]), 0.044715);
  const share = approximate
    ? list.add('Tanh', [scaled(list.add('Add', [x, cubed()]), Math.sqrt(2 / Math.PI))])
    : list.add('Erf', [scaled(x, Math.SQRT1_2)]);
  return {form, name: list.add('Mul', [scaled(x, 0.5), list.add('Add', [share, list.float(1)])])};
};

/** Whatever is done to the value is done where it is given: a clamp, a rounding. */
const asItIs: Row<'clamp' | 'requantize'> = ({inputs}, {list, values}) => {
  const x = inputs[0]!;
  const form = values.commonForm([x]);
  return {form, name: list.cast(values.take(x, form), values.typeOf(x), 'float32')};
};

export const ROWS: {readonly [Name in Own]: Row<Name>} = {
  add: elementwise('Add'),
  averagePool: pool('AveragePool'),
  clamp: asItIs,
  concat,
  constant: ({attributes: {type, values: numbers, shape}}, {list}) => ({
    form: 'last',
    name: list.constant(type, numbers, shape),
  }),
  conv2d,
  dense,
  dequantize: ({inputs, output}, {values}) => {
    values.all(inputs[0]!).forEach(held => values.hold(output, held));
    return undefined;
  },
  depthwiseConv2d,
  elu: elementwise('Elu'),
  gelu,
  leakyRelu: (node, writing) => elementwise('LeakyRelu', {alpha: {float: node.attributes.slope}})(node, writing),
  lookup,
  max: reduction('ReduceMax'),
  matmul,
  maxPool: pool('MaxPool'),
  maximum: elementwise('Max'),
  mean: reduction('ReduceMean'),
  minimum: elementwise('Min'),
  multiply: elementwise('Mul'),
  pad,
  prelu,
  requantize: asItIs,
  reshape,
  reverse,
  resizeBilinear: resize('linear'),
  resizeNearest: resize('nearest'),
  sigmoid: elementwise('Sigmoid'),
  slice,
  softmax,
  subtract: elementwise('Sub'),
  tanh: elementwise('Tanh'),
  transpose,
  transposedConv2d,
};
