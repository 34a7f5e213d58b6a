/** Operations that move values, repeat them or choose among them. */
import {sizeOf} from '../../../inference/graph';
import {ints, isConstant, type Operand, scalar, typeIn} from '../../../inference/operation_view';
import type {ValueType} from '../../../inference/operators';
import {spansOf} from '../../../inference/spans';
import {MIRROR_MODES, type OperatorName, type Options, TENSOR_TYPES} from '../schema';
import type {OperationCall, Row} from './operation_call';

/** A row of what has no kernel for some types: in another that holds all of theirs. */
function inType(types: readonly ValueType[], row: (call: OperationCall, x: Operand, type: ValueType) => void): Row {
  return call => {
    const from = typeIn(call.x);
    const type = types.includes(from) ? from : types[types.length - 1]!;
    row(call, call.cast(call.x, type), type);
  };
}

const NUMBERS = ['float32', 'int32'] as const;
const FLOATS = ['float32'] as const;

/** The same numbers in another shape. */
const reshape: Row = call => {
  if (call.operands.length > 1) call.numbers(1, 'shape');
  call.give('RESHAPE', [call.x, ints(call.shape)]);
};

const squeeze: Row = call => call.give('RESHAPE', [call.x, ints(call.shape)]);

const slice: Row = call => {
  const {x} = call;
  call.atMost(5, x);
  const begin = call.operand(1);
  const sizes = call.numbers(2, 'size');
  if (!isConstant(begin) && sizes.includes(-1)) call.refuse('its size hangs on its begin, which is computed');
  call.give('SLICE', [x, begin, ints(call.shape)]);
};

const stridedSlice: Row = call => {
  const {x} = call;
  const spans = spansOf(call);
  const shape = spans.map(({count}) => count);
  if (sizeOf(shape) !== sizeOf(call.shape)) call.refuse('it takes other numbers than tfjs does');
  if (spans.every(({begin, count}, i) => begin === 0 && count === x.shape[i])) {
    call.giveAs(x);
    return;
  }
  call.atMost(5, x);
  const begin = ints(spans.map(each => each.begin));
  if (spans.every(({stride}) => stride === 1)) {
    call.giveIn('SLICE', [x, begin, ints(shape)], {shape});
    return;
  }
  const endMask = spans.reduce((mask, {end}, i) => (end === undefined ? mask | (1 << i) : mask), 0);
  const end = ints(spans.map(each => each.end ?? 0));
  const strides = ints(spans.map(({stride}) => stride));
  call.giveIn('STRIDED_SLICE', [x, begin, end, strides], {shape}, {endMask});
};

const transpose: Row = call => {
  call.atMost(6, call.x);
  if (call.x.shape.length < 2) {
    call.giveAs(call.x);
    return;
  }
  const permutation =
    call.operands.length > 1 ? call.numbers(1, 'permutation') : call.x.shape.map((_, i) => i).reverse();
  call.give('TRANSPOSE', [call.x, ints(permutation.map(axis => call.axis(axis)))]);
};

const pack: Row = call => {
  const axis = call.axis(call.attrs.int('axis'), call.shape);
  if (call.type !== 'bool') {
    call.give('PACK', call.operands, {valuesCount: call.operands.length, axis});
    return;
  }
  const parts = call.operands.map(x => call.reshaped(x, [...x.shape.slice(0, axis), 1, ...x.shape.slice(axis)]));
  if (parts.length === 1) call.giveAs(parts[0]!);
  else call.give('CONCATENATION', parts, {axis});
};

const unpack: Row = call => {
  const {x, outputs} = call;
  const axis = call.axis(call.attrs.int('axis'));
  const {length} = x.shape;
  if (length > 1 && length <= 4) {
    call.give('UNPACK', [x], {num: outputs.length, axis});
    return;
  }
  const [before, behind] = [sizeOf(x.shape.slice(0, axis)), sizeOf(x.shape.slice(axis + 1))];
  const image = call.reshaped(x, [before, outputs.length, behind]);
  outputs.forEach((output, i) => {
    const part = {shape: [before, 1, behind], type: output.type!};
    const taken = call.make('SLICE', [image, ints([0, i, 0]), ints(part.shape)], part);
    call.steps.push({operator: 'RESHAPE', inputs: [taken, ints(output.shape)], outputs: [output], options: {}});
  });
};

function splitInto(call: OperationCall, x: Operand, axis: number): void {
  const {outputs} = call;
  const type = typeIn(x) === 'bool' ? 'int32' : typeIn(x);
  const given = [call.cast(x, type), ints(outputs.map(({shape}) => shape[axis]!)), scalar('int32', axis)];
  const options = {numSplits: outputs.length};
  if (type === typeIn(x)) {
    call.give('SPLIT_V', given, options);
    return;
  }
  return call.refuse('it splits booleans, for which there is no operator');
}

const split: Row = call => splitInto(call, call.operand(1), call.axis(call.number(0, 'axis'), call.operand(1).shape));

const splitV: Row = call => splitInto(call, call.x, call.axis(call.number(2, 'axis')));

function gather(axisOf: (call: OperationCall) => number): Row {
  return call => {
    const {x} = call;
    const axis = call.axis(axisOf(call));
    const batchDims = call.attrs.int('batch_dims');
    const places = call.cast(call.operand(1), 'int32');
    const dims = batchDims < 0 ? batchDims + places.shape.length : batchDims;
    const version = dims > 0 ? 5 : typeIn(x) === 'bool' ? 3 : undefined;
    call.give('GATHER', [x, places], {axis, batchDims: dims}, version);
  };
}

const gatherNd = inType(NUMBERS, (call, x, type) =>
  call.giveIn('GATHER_ND', [x, call.cast(call.operand(1), 'int32')], {type}),
);

/** Several behind each other. */
function concatenated(call: OperationCall, parts: readonly Operand[], axis: number): void {
  const given = parts.filter(({shape}) => sizeOf(shape) > 0).map(x => call.cast(x, call.type));
  if (given.length === 1) call.giveAs(given[0]!);
  else call.give('CONCATENATION', given, {axis: call.axis(axis, call.shape)});
}

const concat: Row = call => concatenated(call, call.operands.slice(1), call.number(0, 'axis'));

const concatV2: Row = call => {
  const last = call.operands.length - 1;
  concatenated(call, call.operands.slice(0, last), call.number(last, 'axis'));
};

const tile: Row = call => call.give('TILE', [call.x, ints(call.numbers(1, 'multiples'))]);

const broadcastTo = inType(NUMBERS, (call, x, type) => {
  call.numbers(1, 'shape');
  call.giveIn('BROADCAST_TO', [x, ints(call.shape)], {type});
});

const fill: Row = call => {
  call.numbers(0, 'shape');
  call.give('FILL', [ints(call.shape), call.cast(call.operand(1), call.type)]);
};

function amountsOf(call: OperationCall): Operand {
  return ints(call.numbers(1, 'paddings'), [call.x.shape.length, 2]);
}

const pad = inType(NUMBERS, (call, x, type) => {
  call.atMost(5, x);
  call.giveIn('PAD', [x, amountsOf(call)], {type});
});

const padV2 = inType(NUMBERS, (call, x, type) => {
  call.atMost(5, x);
  const value = call.cast(call.operand(2), type);
  call.giveIn('PADV2', [x, amountsOf(call), call.reshaped(value, [])], {type});
});

const mirrorPad = inType(NUMBERS, (call, x, type) => {
  const mode = call.attrs.text('mode', 'REFLECT').toLowerCase() === 'symmetric' ? 'symmetric' : 'reflect';
  call.giveIn('MIRROR_PAD', [x, amountsOf(call)], {type}, {mode: MIRROR_MODES[mode]});
});

function resize(operator: OperatorName): Row {
  return inType(FLOATS, (call, x, type) => {
    const size = ints(call.numbers(1, 'size'));
    const flags = ['align_corners', 'half_pixel_centers'].map(name => (call.attrs.flag(name) ? 1 : 0));
    const [alignCorners, halfPixelCenters] = flags as [number, number];
    if (alignCorners && halfPixelCenters) call.refuse('it aligns corners and centers at once');
    const options = {alignCorners, halfPixelCenters};
    call.giveIn(operator, [x, size], {type}, options, halfPixelCenters ? 3 : undefined);
  });
}

/** Blocks of an image, and channels. */
function blocks(operator: OperatorName): Row {
  return inType(NUMBERS, (call, x, type) => {
    const format = call.attrs.text('data_format', 'NHWC').toUpperCase();
    if (format !== 'NHWC') call.refuse(`its images are in the format ${format}`);
    call.giveIn(operator, [x], {type}, {blockSize: call.attrs.int('block_size')});
  });
}

/** Blocks of an image, and the batch. */
function batches(operator: OperatorName, what: string): Row {
  return inType(NUMBERS, (call, x, type) => {
    const size = call.numbers(1, 'block shape');
    const {length} = x.shape;
    if (size.length !== length - 2 || length < 3 || length > 4) {
      call.refuse(`it has blocks of ${size.length} dimensions in ${length}, and an operator takes 1 in 3 or 2 in 4`);
    }
    const amounts = ints(call.numbers(2, what), [size.length, 2]);
    call.giveIn(operator, [x, ints(size), amounts], {type}, {}, length === 3 ? 3 : undefined);
  });
}

const oneHot: Row = call => {
  call.numbers(1, 'depth');
  const values = [call.operand(2), call.operand(3)].map(each => call.cast(call.reshaped(each, []), call.type));
  const depth = call.shape[call.shape.length - 1]!;
  // tfjs has the places in the last dimension, whatever the axis.
  call.give('ONE_HOT', [call.cast(call.x, 'int32'), scalar('int32', depth), ...values], {axis: -1});
};

const reverse: Row = call => {
  const {shape} = call;
  const axes = call.numbers(1, 'axis').map(axis => call.axis(axis));
  if (axes.length === 0) {
    call.giveAs(call.x);
    return;
  }
  const last = axes.pop()!;
  const type = typeIn(call.x);
  const x = axes.reduce(
    (given: Operand, axis) => call.make('REVERSE_V2', [given, ints([axis])], {shape, type}),
    call.x,
  );
  call.give('REVERSE_V2', [x, ints([last])], {}, type === 'bool' ? 2 : undefined);
};

const scatterNd: Row = call => {
  call.numbers(2, 'shape');
  const type = call.type === 'bool' ? 'int32' : call.type;
  const updates = call.cast(call.operand(1), type);
  call.giveIn('SCATTER_ND', [call.cast(call.x, 'int32'), updates, ints(call.shape)], {type});
};

/** The highest of the last dimension, and their places. */
const topK = inType(NUMBERS, (call, x) => {
  const count = call.operands.length > 1 ? call.number(1, 'k') : call.attrs.int('k');
  if (typeIn(x) !== typeIn(call.x)) call.refuse('it orders booleans, for which there is no operator');
  call.give('TOPK_V2', [x, scalar('int32', count)]);
});

/** The place of the highest or the lowest in a dimension. */
function argument(operator: OperatorName): Row {
  return inType(NUMBERS, (call, x) => {
    const axis = call.operands.length > 1 ? call.number(1, 'axis') : 0;
    const options: Options = {outputType: TENSOR_TYPES.int32};
    call.giveIn(operator, [x, ints([call.axis(axis)])], {type: 'int32'}, options);
  });
}

/** Over some dimensions. */
function reduction(operator: OperatorName, types: readonly ValueType[]): Row {
  return inType(types, (call, x, type) => {
    const axes = call.numbers(1, 'axes').map(axis => call.axis(axis));
    const keepDims = call.attrs.flag('keep_dims') ? 1 : 0;
    if (axes.length === 0) {
      call.giveAs(x);
      return;
    }
    call.giveIn(operator, [x, ints(axes)], {type}, {keepDims});
  });
}

const cumsum = inType(NUMBERS, (call, x, type) => {
  const axis = scalar('int32', call.axis(call.number(1, 'axis')));
  const [exclusive, reversed] = ['exclusive', 'reverse'].map(name => (call.attrs.flag(name) ? 1 : 0)) as [
    number,
    number,
  ];
  call.giveIn('CUMSUM', [x, axis], {type}, {exclusive, reverse: reversed});
});

export const MOVING: Readonly<Record<string, Row>> = {
  All: reduction('REDUCE_ALL', ['bool']),
  Any: reduction('REDUCE_ANY', ['bool']),
  ArgMax: argument('ARG_MAX'),
  ArgMin: argument('ARG_MIN'),
  BatchToSpaceND: batches('BATCH_TO_SPACE_ND', 'crops'),
  BroadcastTo: broadcastTo,
  Concat: concat,
  ConcatV2: concatV2,
  Cumsum: cumsum,
  DepthToSpace: blocks('DEPTH_TO_SPACE'),
  ExpandDims: squeeze,
  Fill: fill,
  Gather: gather(() => 0),
  GatherNd: gatherNd,
  GatherV2: gather(call => (call.operands.length > 2 ? call.number(2, 'axis') : 0)),
  Max: reduction('REDUCE_MAX', NUMBERS),
  Mean: reduction('MEAN', FLOATS),
  Min: reduction('REDUCE_MIN', NUMBERS),
  MirrorPad: mirrorPad,
  OneHot: oneHot,
  Pack: pack,
  Pad: pad,
  PadV2: padV2,
  Prod: reduction('REDUCE_PROD', NUMBERS),
  Reshape: reshape,
  ResizeBilinear: resize('RESIZE_BILINEAR'),
  ResizeNearestNeighbor: resize('RESIZE_NEAREST_NEIGHBOR'),
  ReverseV2: reverse,
  ScatterNd: scatterNd,
  Slice: slice,
  SpaceToBatchND: batches('SPACE_TO_BATCH_ND', 'paddings'),
  SpaceToDepth: blocks('SPACE_TO_DEPTH'),
  Split: split,
  SplitV: splitV,
  Squeeze: squeeze,
  StridedSlice: stridedSlice,
  Sum: reduction('SUM', NUMBERS),
  Tile: tile,
  TopKV2: topK,
  Transpose: transpose,
  Unpack: unpack,
};
