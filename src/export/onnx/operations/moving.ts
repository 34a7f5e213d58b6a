/** Operations that move values, repeat them or choose among them, with channels last unless they are of images. */
import {sizeOf} from '../../../inference/graph';
import {isConstant} from '../../../inference/operation_view';
import type {ValueType} from '../../../inference/operators';
import {spansOf} from '../../../inference/spans';
import {inForm} from '../forms';
import type {Attributes} from '../model_proto';
import {resized} from '../resize';
import {floats, type Made, type OperationCall, type Row} from './operation_call';

/** Behind all that there is, or before it. */
const END = 2 ** 31 - 1;

const reshaped = (call: OperationCall, x: string, shape = call.shape): string =>
  call.add('Reshape', [x, call.dims(shape)]);

/** The same numbers in another shape. */
const reshape: Row = call => ({name: reshaped(call, call.take(0)), type: call.typeOf(0)});

function sliced(
  call: OperationCall,
  x: string,
  spans: readonly {readonly axis: number; readonly begin: number; readonly end: number; readonly stride: number}[],
): string {
  if (spans.length === 0) return x;
  const lists = [spans.map(each => each.begin), spans.map(each => each.end), spans.map(({axis}) => axis)];
  const steps = spans.every(({stride}) => stride === 1) ? [] : [spans.map(({stride}) => stride)];
  return call.add('Slice', [x, ...[...lists, ...steps].map(each => call.list.ints(each))]);
}

const slice: Row = call => {
  const {shape} = call;
  const sizes = call.numbers(2, 'size');
  const x = call.take(0);
  if (!isConstant(call.operand(1))) {
    if (sizes.includes(-1)) call.refuse('its size hangs on its begin, which is computed');
    const begin = call.take(1, 'int32');
    const end = call.add('Add', [begin, call.list.constant('int32', Int32Array.from(shape))]);
    return {name: call.add('Slice', [x, begin, end]), type: call.typeOf(0)};
  }
  const begin = call.numbers(1, 'begin');
  const spans = shape.flatMap((size, axis) =>
    size === call.x.shape[axis] ? [] : [{axis, begin: begin[axis]!, end: begin[axis]! + size, stride: 1}],
  );
  return {name: sliced(call, x, spans), type: call.typeOf(0)};
};

const stridedSlice: Row = call => {
  const found = spansOf(call);
  if (sizeOf(found.map(({count}) => count)) !== sizeOf(call.shape))
    call.refuse('it takes other numbers than tfjs does');
  const spans = found.flatMap(({begin, end, stride, count}, axis) =>
    begin === 0 && stride === 1 && count === call.x.shape[axis] ? [] : [{axis, begin, end: end ?? -END, stride}],
  );
  return {name: reshaped(call, sliced(call, call.take(0), spans)), type: call.typeOf(0)};
};

const transpose: Row = call => {
  const {length} = call.x.shape;
  const order = call.operands.length > 1 ? call.numbers(1, 'permutation') : [...Array(length).keys()].reverse();
  return {
    name: call.add('Transpose', [call.take(0)], {perm: order.map(axis => call.axis(axis))}),
    type: call.typeOf(0),
  };
};

const pack: Row = call => {
  const axis = call.axis(call.attrs.int('axis'), call.shape);
  const axes = call.list.ints([axis]);
  const parts = call.operands.map((_, i) => call.add('Unsqueeze', [call.take(i, call.type), axes]));
  return {name: call.add('Concat', parts, {axis})};
};

const unpack: Row = call => {
  const axis = call.axis(call.attrs.int('axis'));
  const x = call.take(0);
  return call.outputs.map((_, i) => ({
    name: call.add('Gather', [x, call.list.ints([i], [])], {axis}),
    type: call.typeOf(0),
  }));
};

function splitInto(call: OperationCall, index: number, axis: number): Made[] {
  const sizes = call.list.ints(call.outputs.map(({shape}) => shape[axis]!));
  const parts = call.list.several('Split', [call.take(index), sizes], call.outputs.length, {axis});
  return parts.map(name => ({name, type: call.typeOf(index)}));
}

const split: Row = call => splitInto(call, 1, call.axis(call.number(0, 'axis'), call.operand(1).shape));

const splitV: Row = call => splitInto(call, 0, call.axis(call.number(2, 'axis')));

/** Places that runtimes count with: those of several dimensions are int64. */
const places = (call: OperationCall, index: number) => call.list.cast(call.take(index, 'int32'), 'int32', 'int64');

function gather(axisOf: (call: OperationCall) => number): Row {
  return call => {
    const axis = call.axis(axisOf(call));
    const {length} = call.operand(1).shape;
    const given = call.attrs.int('batch_dims');
    const batch = given < 0 ? given + length : given;
    const [x, at] = [call.take(0), places(call, 1)];
    if (batch === 0) return {name: call.add('Gather', [x, at], {axis}), type: call.typeOf(0)};
    if (batch !== axis) call.refuse(`it looks up along axis ${axis}, ${batch} dimensions at a time`);
    const rows = call.add('Unsqueeze', [at, call.list.ints([length])]);
    return {name: call.add('GatherND', [x, rows], {batch_dims: batch}), type: call.typeOf(0)};
  };
}

const gatherNd: Row = call => ({name: call.add('GatherND', [call.take(0), places(call, 1)]), type: call.typeOf(0)});

function concatenated(call: OperationCall, indices: readonly number[], axis: number): Made {
  const given = indices.filter(i => sizeOf(call.operand(i).shape) > 0);
  const isOfImages = given.every(i => !isConstant(call.operand(i)));
  const form = isOfImages ? call.commonForm(given) : 'last';
  const parts = given.map(i => call.take(i, call.type, form));
  return {name: call.add('Concat', parts, {axis: call.axisIn(form, call.axis(axis, call.shape))}), form};
}

const indicesOf = (call: OperationCall) => [...call.operands.keys()];

const concat: Row = call => concatenated(call, indicesOf(call).slice(1), call.number(0, 'axis'));

const concatV2: Row = call => {
  const last = call.operands.length - 1;
  return concatenated(call, indicesOf(call).slice(0, last), call.number(last, 'axis'));
};

const tile: Row = call => {
  const times = call.list.ints(call.numbers(1, 'multiples'));
  return {name: call.add('Tile', [call.take(0), times]), type: call.typeOf(0)};
};

/** A shape that is all numbers: nothing of it comes from what is given. */
function fixedShape(call: OperationCall): string {
  call.isFixed = true;
  return call.list.ints(call.shape);
}

const broadcastTo: Row = call => ({name: call.add('Expand', [call.take(0), fixedShape(call)]), type: call.typeOf(0)});

const fill: Row = call => ({name: call.add('Expand', [call.take(1, call.type), fixedShape(call)])});

/** What is put before and behind each dimension. */
function amountsOf(call: OperationCall): [before: number, behind: number][] {
  const numbers = call.numbers(1, 'paddings');
  return call.x.shape.map((_, axis) => [numbers[2 * axis]!, numbers[2 * axis + 1]!]);
}

/** Runtimes pad no booleans. */
const padded =
  (value: (call: OperationCall, type: ValueType) => readonly string[], attributes: Attributes = {}): Row =>
  call => {
    const type = call.typeOf(0) === 'bool' ? 'int32' : call.typeOf(0);
    const form = call.commonForm([0]);
    const amounts = inForm(amountsOf(call), form);
    const ends = call.list.ints([0, 1].flatMap(side => amounts.map(pair => pair[side]!)));
    return {name: call.add('Pad', [call.take(0, type, form), ends, ...value(call, type)], attributes), type, form};
  };

const pad = padded(() => []);

const padV2 = padded((call, type) => [call.add('Reshape', [call.take(2, type), call.list.ints([], [0])])]);

const mirrored = padded(() => [], {mode: 'reflect'});

/** The numbers at the ends are there twice, for which there is no operator: each dimension is looked up. */
const symmetric: Row = call => {
  const amounts = amountsOf(call);
  const name = amounts.reduce((x, [before, behind], axis) => {
    if (before === 0 && behind === 0) return x;
    const size = call.x.shape[axis]!;
    const at = Array.from({length: before + size + behind}, (_, i) => {
      const place = i - before;
      return place < 0 ? -1 - place : place < size ? place : 2 * size - 1 - place;
    });
    return call.add('Gather', [x, call.list.ints(at)], {axis});
  }, call.take(0));
  return {name, type: call.typeOf(0)};
};

const mirrorPad: Row = call =>
  call.attrs.text('mode', 'REFLECT').toLowerCase() === 'symmetric' ? symmetric(call) : mirrored(call);

function resize(mode: 'linear' | 'nearest'): Row {
  return call => {
    call.numbers(1, 'size');
    const [alignCorners, halfPixelCenters] = [call.attrs.flag('align_corners'), call.attrs.flag('half_pixel_centers')];
    if (alignCorners && halfPixelCenters) call.refuse('it aligns corners and centers at once');
    const shapes = [inForm(call.x.shape, 'first'), inForm(call.shape, 'first')] as const;
    const from = alignCorners ? 'corners' : halfPixelCenters ? 'middle' : 'edge';
    const name = resized(call.list, call.take(0, 'float32', 'first'), shapes, {mode, from});
    return floats(name, 'first');
  };
}

/** Blocks of an image, and channels. */
function blocks(op: string): Row {
  return call => {
    const format = call.attrs.text('data_format', 'NHWC').toUpperCase();
    if (format !== 'NHWC') call.refuse(`its images are in the format ${format}`);
    return floats(call.add(op, [call.take(0, 'float32', 'first')], {blocksize: call.attrs.int('block_size')}), 'first');
  };
}

/** [batch, ...images, ...others] as they are seen, in numbers. */
const spaceToBatch: Row = call => {
  call.isFixed = true;
  const size = call.numbers(1, 'block shape');
  const amounts = call.numbers(2, 'paddings');
  const {list} = call;
  const [batch, ...dims] = call.x.shape as [number, ...number[]];
  const others = dims.slice(size.length);
  const ends = (side: number) => [0, ...size.map((_, i) => amounts[2 * i + side]!), ...others.map(() => 0)];
  const x = call.add('Pad', [call.take(0, 'float32'), list.ints([...ends(0), ...ends(1)])]);
  const parts = size.map((block, i) => (dims[i]! + amounts[2 * i]! + amounts[2 * i + 1]!) / block);
  const seen = call.add('Reshape', [
    x,
    list.ints([batch, ...size.flatMap((block, i) => [parts[i]!, block]), ...others]),
  ]);
  const rank = 1 + 2 * size.length + others.length;
  const all = [...Array(rank).keys()];
  const order = [
    ...size.map((_, i) => 2 + 2 * i),
    0,
    ...size.map((_, i) => 1 + 2 * i),
    ...all.slice(1 + 2 * size.length),
  ];
  return floats(call.add('Reshape', [call.add('Transpose', [seen], {perm: order}), list.ints(call.shape)]));
};

const batchToSpace: Row = call => {
  call.isFixed = true;
  const size = call.numbers(1, 'block shape');
  const crops = call.numbers(2, 'crops');
  const {list} = call;
  const [batch, ...dims] = call.x.shape as [number, ...number[]];
  const blocksOf = sizeOf(size);
  const others = dims.slice(size.length);
  const images = dims.slice(0, size.length);
  const seen = call.add('Reshape', [call.take(0, 'float32'), list.ints([...size, batch / blocksOf, ...dims])]);
  const order = [
    size.length,
    ...size.flatMap((_, i) => [size.length + 1 + i, i]),
    ...others.map((_, i) => 2 * size.length + 1 + i),
  ];
  const whole = [batch / blocksOf, ...images.map((dim, i) => dim * size[i]!), ...others];
  const large = call.add('Reshape', [call.add('Transpose', [seen], {perm: order}), list.ints(whole)]);
  const spans = size.map((_, i) => ({
    axis: i + 1,
    begin: crops[2 * i]!,
    end: whole[i + 1]! - crops[2 * i + 1]!,
    stride: 1,
  }));
  return floats(sliced(call, large, spans));
};

/** Numbers outside have no place, so each is compared with all places. tfjs has these in the last dimension. */
const oneHot: Row = call => {
  const depth = call.shape[call.shape.length - 1]!;
  const x = call.add('Unsqueeze', [call.take(0, 'int32'), call.list.ints([call.x.shape.length])]);
  const all = call.list.constant(
    'int32',
    Int32Array.from({length: depth}, (_, i) => i),
  );
  return {name: call.add('Where', [call.add('Equal', [x, all]), call.take(2, call.type), call.take(3, call.type)])};
};

const reverse: Row = call => {
  const spans = call.numbers(1, 'axis').map(axis => ({axis: call.axis(axis), begin: -1, end: -END, stride: -1}));
  return {name: sliced(call, call.take(0), spans), type: call.typeOf(0)};
};

/** What has one place is added up. */
const scatterNd: Row = call => {
  if (call.list.opset < 16) call.refuse('it adds what has one place, for which there is an operator from opset 16 on');
  const type = call.type === 'bool' ? 'int32' : call.type;
  const zeros = call.add('Expand', [call.list.cast(call.list.float(0), 'float32', type), fixedShape(call)]);
  return {name: call.add('ScatterND', [zeros, places(call, 0), call.take(1, type)], {reduction: 'add'}), type};
};

/** The highest of the last dimension, and their places. */
const topK: Row = call => {
  const type = call.typeOf(0) === 'bool' ? 'int32' : call.typeOf(0);
  const count = call.operands.length > 1 ? call.number(1, 'k') : call.attrs.int('k');
  const [highest, at] = call.list.several('TopK', [call.take(0, type), call.list.ints([count])], 2);
  return [
    {name: highest!, type},
    {name: at!, type: 'int64'},
  ];
};

const numbersOf = (call: OperationCall): ValueType => (call.typeOf(0) === 'float32' ? 'float32' : 'int32');

/** The place of the highest or the lowest in a dimension. */
function argument(op: string): Row {
  return call => {
    const axis = call.operands.length > 1 ? call.axis(call.number(1, 'axis')) : 0;
    return {name: call.add(op, [call.take(0, numbersOf(call))], {axis, keepdims: 0}), type: 'int64'};
  };
}

/** Over some dimensions. */
function reduction(op: string, typeFor = numbersOf): Row {
  return call => {
    const type = typeFor(call);
    const axes = call.numbers(1, 'axes').map(axis => call.axis(axis));
    const x = call.take(0, type);
    if (axes.length === 0) return {name: x, type};
    return {name: call.list.reduced(op, x, axes, call.attrs.flag('keep_dims') ? 1 : 0), type};
  };
}

const cumsum: Row = call => {
  const type = numbersOf(call);
  const axis = call.list.ints([call.axis(call.number(1, 'axis'))], []);
  const [exclusive, reversed] = ['exclusive', 'reverse'].map(name => (call.attrs.flag(name) ? 1 : 0));
  return {name: call.add('CumSum', [call.take(0, type), axis], {exclusive: exclusive!, reverse: reversed!}), type};
};

export const MOVING: Readonly<Record<string, Row>> = {
  All: reduction('ReduceMin', () => 'int32'),
  Any: reduction('ReduceMax', () => 'int32'),
  ArgMax: argument('ArgMax'),
  ArgMin: argument('ArgMin'),
  BatchToSpaceND: batchToSpace,
  BroadcastTo: broadcastTo,
  Concat: concat,
  ConcatV2: concatV2,
  Cumsum: cumsum,
  DepthToSpace: blocks('DepthToSpace'),
  ExpandDims: reshape,
  Fill: fill,
  Gather: gather(() => 0),
  GatherNd: gatherNd,
  GatherV2: gather(call => (call.operands.length > 2 ? call.number(2, 'axis') : 0)),
  Max: reduction('ReduceMax'),
  Mean: reduction('ReduceMean', () => 'float32'),
  Min: reduction('ReduceMin'),
  MirrorPad: mirrorPad,
  OneHot: oneHot,
  Pack: pack,
  Pad: pad,
  PadV2: padV2,
  Prod: reduction('ReduceProd'),
  Reshape: reshape,
  ResizeBilinear: resize('linear'),
  ResizeNearestNeighbor: resize('nearest'),
  ReverseV2: reverse,
  ScatterNd: scatterNd,
  Slice: slice,
  SpaceToBatchND: spaceToBatch,
  SpaceToDepth: blocks('SpaceToDepth'),
  Split: split,
  SplitV: splitV,
  Squeeze: reshape,
  StridedSlice: stridedSlice,
  Sum: reduction('ReduceSum'),
  Tile: tile,
  TopKV2: topK,
  Transpose: transpose,
  Unpack: unpack,
};
