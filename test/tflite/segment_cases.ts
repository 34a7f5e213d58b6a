/** Graph segments of each operation that can be written. */
import * as tf from '@tensorflow/tfjs-core';
import type {LayersModel} from '@tensorflow/tfjs-layers';
import {type Attr, modelAround, Nodes, sample} from './segments';

type Build = (graph: Nodes) => string | readonly string[];

/** Nodes, and the values that they are given. */
interface Case {
  readonly build: Build;
  readonly samples: readonly (() => tf.Tensor)[];
}

const noise =
  (...shape: number[]) =>
  () =>
    sample(shape, 'float32', i => 2 * Math.sin(5 * i + 2));
const positive =
  (...shape: number[]) =>
  () =>
    sample(shape, 'float32', i => 1.1 + Math.sin(5 * i + 2));
const whole =
  (...shape: number[]) =>
  () =>
    sample(shape, 'int32', i => ((i * 7) % 11) - 5);
const counts =
  (below: number, ...shape: number[]) =>
  () =>
    sample(shape, 'int32', i => (i * 7) % below);
const flags =
  (...shape: number[]) =>
  () =>
    sample(shape, 'bool', i => ((i * 7) % 3 === 0 ? 1 : 0));

/** A node of an op on the inputs, and on constants that follow them. */
function one(
  op: string,
  attrs: Readonly<Record<string, Attr>>,
  samples: Case['samples'],
  others: (graph: Nodes) => string[] = () => [],
): Case {
  return {
    build: graph => graph.add(op, [...samples.map((_, i) => `x${i}`), ...others(graph)], attrs),
    samples,
  };
}

/** Several outputs. */
const all = (name: string, count: number) => Array.from({length: count}, (_, i) => (i === 0 ? name : `${name}:${i}`));

const FLOAT_UNARY =
  'Abs Neg Exp Square Sin Cos Floor Ceil Round Sigmoid Tanh Relu Relu6 Elu Selu Softplus Softmax LogSoftmax Sign';
const POSITIVE_UNARY = 'Log Sqrt Rsqrt Reciprocal';
const INT_UNARY = 'Abs Neg Square Relu';
const BINARY = 'Add AddV2 Sub Mul RealDiv FloorDiv FloorMod Maximum Minimum SquaredDifference';
const INT_BINARY = 'AddV2 Sub Mul FloorDiv FloorMod Maximum Minimum SquaredDifference RealDiv';
const COMPARISON = 'Equal NotEqual Less LessEqual Greater GreaterEqual';

export const CASES: Record<string, Case> = {};

function add(cases: Readonly<Record<string, Case>>): void {
  Object.assign(CASES, cases);
}

for (const op of FLOAT_UNARY.split(' ')) CASES[op] = one(op, {}, [noise(1, 4, 5)]);
for (const op of POSITIVE_UNARY.split(' ')) CASES[op] = one(op, {}, [positive(1, 4, 5)]);
for (const op of INT_UNARY.split(' ')) CASES[`${op} of int32`] = one(op, {}, [whole(1, 4, 5)]);
for (const op of BINARY.split(' ')) {
  CASES[op] = one(op, {}, [noise(1, 4, 5), positive(1, 4, 5)]);
  CASES[`${op}, repeated`] = one(op, {}, [noise(1, 4, 1, 3), positive(1, 1, 5, 3)]);
  CASES[`${op} by a constant`] = one(op, {}, [noise(1, 4, 5)], graph => [graph.floats([1, 2, 3, 4, 5])]);
  CASES[`${op} in five dimensions`] = one(op, {}, [noise(1, 2, 3, 2, 2), positive(1, 1, 1, 2, 2)]);
}
for (const op of INT_BINARY.split(' ')) {
  CASES[`${op} of int32`] = one(op, {}, [whole(1, 4, 5)], graph => [graph.ints([1, 2, 3, -4, 5])]);
}
for (const op of COMPARISON.split(' ')) {
  CASES[op] = one(op, {}, [noise(1, 4, 5), noise(1, 1, 5)]);
  CASES[`${op} of int32`] = one(op, {}, [whole(1, 4, 5)], graph => [graph.ints(2)]);
}
add({
  Pow: one('Pow', {}, [positive(1, 4, 5), noise(1, 4, 5)]),
  'Pow by a constant': one('Pow', {}, [noise(1, 4, 5)], graph => [graph.floats(2)]),
  LeakyRelu: one('LeakyRelu', {alpha: {f: 0.3}}, [noise(1, 4, 5)]),
  Prelu: one('Prelu', {}, [noise(1, 4, 5)], graph => [graph.floats([0.1, 0.2, 0.3, -0.4, 0.5])]),
  'Softmax in five dimensions': one('Softmax', {}, [noise(1, 2, 3, 2, 4)]),
  AddN: one('AddN', {N: 3}, [noise(1, 4), noise(1, 4), positive(1, 4)]),
  BiasAdd: one('BiasAdd', {}, [noise(1, 4, 5)], graph => [graph.floats([1, 2, 3, 4, 5])]),
  ClipByValue: one('ClipByValue', {}, [noise(1, 4, 5)], graph => [graph.floats(-0.5), graph.floats(1)]),
  LogicalAnd: one('LogicalAnd', {}, [flags(1, 4, 5), flags(1, 1, 5)]),
  LogicalOr: one('LogicalOr', {}, [flags(1, 4, 5), flags(1, 1, 5)]),
  LogicalNot: one('LogicalNot', {}, [flags(1, 4, 5)]),
  'Equal of bool': one('Equal', {}, [flags(1, 4, 5), flags(1, 1, 5)]),
  Select: one('Select', {}, [flags(1, 4), noise(1, 4), positive(1, 4)]),
  SelectV2: one('SelectV2', {}, [flags(1, 4, 1), noise(1, 4, 5), positive(1, 1, 5)]),
  'SelectV2 of int32': one('SelectV2', {}, [flags(1, 4, 1), whole(1, 4, 5)], graph => [graph.ints(7)]),
  'Cast to int32': one('Cast', {SrcT: {type: 'DT_FLOAT'}, DstT: {type: 'DT_INT32'}}, [noise(1, 4, 5)]),
  'Cast to float32': one('Cast', {SrcT: {type: 'DT_INT32'}, DstT: {type: 'DT_FLOAT'}}, [whole(1, 4, 5)]),
  'Cast to bool': one('Cast', {SrcT: {type: 'DT_FLOAT'}, DstT: {type: 'DT_BOOL'}}, [noise(1, 4, 5)]),
  'Cast of bool': one('Cast', {SrcT: {type: 'DT_BOOL'}, DstT: {type: 'DT_FLOAT'}}, [flags(1, 4, 5)]),

  Slice: one('Slice', {}, [noise(1, 4, 5)], graph => [graph.ints([0, 1, 2]), graph.ints([1, 2, -1])]),
  'Slice of bool': one('Slice', {}, [flags(1, 4, 5)], graph => [graph.ints([0, 1, 2]), graph.ints([1, 2, 3])]),
  'Slice from a computed place': {
    samples: [noise(1, 4, 5), counts(2, 3)],
    build: graph =>
      graph.add('Slice', ['x0', graph.add('Minimum', ['x1', graph.ints([0, 2, 2])]), graph.ints([1, 2, 3])]),
  },
});

const strided = (
  begin: number[],
  end: number[],
  strides: number[],
  masks: Record<string, number> = {},
  samples = [noise(1, 4, 5, 3)],
) => one('StridedSlice', masks, samples, graph => [graph.ints(begin), graph.ints(end), graph.ints(strides)]);

add({
  StridedSlice: strided([0, 1], [1, 3], [1, 1]),
  'StridedSlice with strides': strided([0, 0, 1], [1, 4, 5], [1, 2, 3]),
  'StridedSlice backwards': strided([0, 3, 4], [1, 0, 1], [1, -1, -2]),
  'StridedSlice backwards to the first': strided([0, 3, 0], [1, 0, 0], [1, -1, -2], {begin_mask: 4, end_mask: 6}),
  'StridedSlice from the end': strided([0, -3], [1, -1], [1, 1]),
  'StridedSlice with begin_mask and end_mask': strided([0, 2, 1], [0, 3, 0], [1, 1, 1], {begin_mask: 2, end_mask: 5}),
  'StridedSlice with shrink_axis_mask': strided([0, 2, -1], [1, 3, 0], [1, 1, 1], {shrink_axis_mask: 6}),
  'StridedSlice with ellipsis_mask': strided([0, 0, 1], [1, 0, 2], [1, 1, 1], {ellipsis_mask: 2, shrink_axis_mask: 4}),
  'StridedSlice with new_axis_mask': strided([0, 0, 1], [1, 0, 3], [1, 1, 1], {new_axis_mask: 2}),
  'StridedSlice of int32': strided([0, 1], [1, 4], [1, 2], {}, [whole(1, 4, 5)]),
  Transpose: one('Transpose', {}, [noise(1, 4, 5, 3)], graph => [graph.ints([0, 3, 1, 2])]),
  'Transpose of int32 in five dimensions': one('Transpose', {}, [whole(1, 2, 3, 2, 2)], graph => [
    graph.ints([0, 3, 1, 4, 2]),
  ]),
  Pack: one('Pack', {axis: 1, N: 3}, [noise(1, 4), noise(1, 4), positive(1, 4)]),
  'Pack behind': one('Pack', {axis: -1, N: 2}, [noise(1, 4, 2), positive(1, 4, 2)]),
  'Pack of int32': one('Pack', {axis: 0, N: 2}, [whole(1, 4), counts(9, 1, 4)]),
  'Pack of bool': one('Pack', {axis: 1, N: 2}, [flags(1, 4), flags(1, 4)]),
  Unpack: {samples: [noise(1, 4, 3)], build: graph => all(graph.add('Unpack', ['x0'], {axis: -1, num: 3}), 3)},
  'Unpack of numbers': {
    samples: [noise(1, 3)],
    build: graph => all(graph.add('Unpack', [graph.add('Squeeze', ['x0'])], {axis: 0, num: 3}), 3),
  },
  'Unpack of five dimensions': {
    samples: [noise(1, 2, 3, 2, 2)],
    build: graph => all(graph.add('Unpack', ['x0'], {axis: 2, num: 3}), 3),
  },
  'Unpack of one': {samples: [noise(1, 4, 3)], build: graph => graph.add('Unpack', ['x0'], {axis: 0, num: 1})},
  'Unpack, of which one is used': {
    samples: [whole(1, 4, 3)],
    build: graph => `${graph.add('Unpack', ['x0'], {axis: 1, num: 4})}:2`,
  },
  Split: {samples: [noise(1, 4, 6)], build: graph => all(graph.add('Split', [graph.ints(2), 'x0'], {num_split: 3}), 3)},
  SplitV: {
    samples: [noise(1, 4, 6)],
    build: graph => all(graph.add('SplitV', ['x0', graph.ints([1, 3, 2]), graph.ints(-1)], {num_split: 3}), 3),
  },
  GatherV2: one('GatherV2', {}, [noise(1, 4, 5), counts(4, 6)], graph => [graph.ints(1)]),
  'GatherV2 by constants': one('GatherV2', {}, [noise(1, 4, 5)], graph => [graph.ints([2, 0, 1]), graph.ints(2)]),
  'GatherV2 of one': one('GatherV2', {}, [noise(1, 4, 5)], graph => [graph.ints(3), graph.ints(1)]),
  'GatherV2 by batches': one('GatherV2', {batch_dims: 1}, [noise(2, 4, 5), counts(4, 2, 3)], graph => [graph.ints(1)]),
  GatherNd: one('GatherNd', {}, [noise(4, 4, 5), counts(4, 6, 2)]),
  'GatherNd of int32': one('GatherNd', {}, [whole(4, 4), counts(4, 1, 3, 2)]),
  ArgMax: one('ArgMax', {}, [noise(1, 4, 5)], graph => [graph.ints(-1)]),
  'ArgMax of int32 between': one('ArgMax', {}, [whole(1, 4, 5)], graph => [graph.ints(1)]),
  ArgMin: one('ArgMin', {}, [noise(1, 4, 5)], graph => [graph.ints(1)]),
  TopKV2: {samples: [noise(1, 9)], build: graph => all(graph.add('TopKV2', ['x0', graph.ints(4)], {sorted: true}), 2)},
  'TopKV2 with ties': {
    samples: [whole(2, 30)],
    build: graph => all(graph.add('TopKV2', ['x0', graph.ints(20)], {sorted: true}), 2),
  },
  'TopKV2, of which the places are used': {
    samples: [noise(1, 9)],
    build: graph => `${graph.add('TopKV2', ['x0', graph.ints(4)], {sorted: true})}:1`,
  },
  Pad: one('Pad', {}, [noise(1, 4, 5)], graph => [graph.ints([0, 0, 1, 2, 3, 0], [3, 2])]),
  'Pad of int32': one('Pad', {}, [whole(1, 4, 5)], graph => [graph.ints([0, 0, 1, 2, 3, 0], [3, 2])]),
  PadV2: one('PadV2', {}, [noise(1, 4, 5)], graph => [graph.ints([0, 0, 1, 2, 3, 0], [3, 2]), graph.floats(7.5)]),
  'MirrorPad, reflecting': one('MirrorPad', {mode: 'REFLECT'}, [noise(1, 4, 5)], graph => [
    graph.ints([0, 0, 1, 2, 3, 0], [3, 2]),
  ]),
  'MirrorPad, symmetric': one('MirrorPad', {mode: 'SYMMETRIC'}, [noise(1, 4, 5)], graph => [
    graph.ints([0, 0, 1, 2, 3, 0], [3, 2]),
  ]),
  Reshape: one('Reshape', {}, [noise(1, 4, 6)], graph => [graph.ints([2, -1, 3])]),
  'Reshape to a computed shape': {
    samples: [noise(1, 4, 6)],
    build: graph => {
      const shape = graph.add('Shape', ['x0']);
      const first = graph.add('StridedSlice', [shape, graph.ints([1]), graph.ints([2]), graph.ints([1])], {
        shrink_axis_mask: 1,
      });
      return graph.add('Reshape', ['x0', graph.add('Pack', [first, graph.ints(-1)], {axis: 0, N: 2})]);
    },
  },
  Squeeze: one('Squeeze', {squeeze_dims: [0, 2]}, [noise(1, 4, 1, 5)]),
  ExpandDims: one('ExpandDims', {}, [noise(1, 4, 5)], graph => [graph.ints(-1)]),
  ConcatV2: one('ConcatV2', {N: 2}, [noise(1, 4, 5), positive(1, 4, 2)], graph => [graph.ints(-1)]),
  'ConcatV2 with a constant': one('ConcatV2', {N: 2}, [whole(1, 4)], graph => [
    graph.ints([7, 8], [1, 2]),
    graph.ints(1),
  ]),
  Tile: one('Tile', {}, [noise(1, 4, 5)], graph => [graph.ints([2, 1, 3])]),
  'Tile of int32': one('Tile', {}, [whole(1, 4)], graph => [graph.ints([2, 3])]),
  BroadcastTo: one('BroadcastTo', {}, [noise(1, 4, 1)], graph => [graph.ints([2, 4, 3])]),
  ReverseV2: one('ReverseV2', {}, [noise(1, 4, 5)], graph => [graph.ints([1, 2])]),
  Cumsum: one('Cumsum', {exclusive: true, reverse: false}, [noise(1, 4, 5)], graph => [graph.ints(1)]),
  ScatterNd: one('ScatterNd', {}, [counts(6, 4, 1), noise(4, 3)], graph => [graph.ints([6, 3])]),
  OneHot: one('OneHot', {axis: -1, T: {type: 'DT_FLOAT'}}, [counts(6, 1, 4)], graph => [
    graph.ints(6),
    graph.floats(2),
    graph.floats(-1),
  ]),
  'Range and Fill': {
    samples: [noise(1, 4)],
    build: graph => {
      const range = graph.add('Range', [graph.ints(0), graph.ints(4), graph.ints(1)]);
      const filled = graph.add('Fill', [graph.ints([1, 4]), graph.floats(3)]);
      const floats = graph.add('Cast', [range], {DstT: {type: 'DT_FLOAT'}});
      const zeros = graph.add('ZerosLike', ['x0']);
      return graph.add('AddN', ['x0', filled, graph.add('Add', [zeros, floats])], {N: 3});
    },
  },
  'Fill by what is computed': {
    samples: [noise(1, 4)],
    build: graph => graph.add('Fill', [graph.ints([2, 3]), graph.add('Max', ['x0', graph.ints([0, 1])])]),
  },
  DepthToSpace: one('DepthToSpace', {block_size: 2, data_format: 'NHWC'}, [noise(1, 2, 3, 8)]),
  SpaceToBatchND: one('SpaceToBatchND', {}, [noise(1, 4, 5, 3)], graph => [
    graph.ints([2, 3]),
    graph.ints([0, 0, 1, 0], [2, 2]),
  ]),
  BatchToSpaceND: one('BatchToSpaceND', {}, [noise(6, 2, 2, 3)], graph => [
    graph.ints([2, 3]),
    graph.ints([0, 0, 1, 0], [2, 2]),
  ]),
  'a constant as output': {
    samples: [noise(1, 4)],
    build: graph => [graph.add('Neg', ['x0']), graph.add('Range', [graph.ints(0), graph.ints(4), graph.ints(1)])],
  },
  'a value given twice': {
    samples: [noise(1, 4)],
    build: graph => {
      const y = graph.add('Neg', ['x0']);
      return [y, graph.add('Identity', [y]), graph.add('Abs', [y])];
    },
  },
  'a scalar': {samples: [noise(1, 4)], build: graph => graph.add('Sum', ['x0', graph.ints([0, 1])])},
});

for (const op of ['Mean', 'Sum', 'Max', 'Min', 'Prod']) {
  CASES[op] = one(op, {keep_dims: false}, [noise(1, 4, 5)], graph => [graph.ints([1, -1])]);
  CASES[`${op} that keeps dimensions`] = one(op, {keep_dims: true}, [noise(1, 4, 5)], graph => [graph.ints(1)]);
}
for (const op of ['Sum', 'Max', 'Min', 'Prod', 'Mean']) {
  CASES[`${op} of int32`] = one(op, {keep_dims: false}, [whole(1, 4, 3)], graph => [graph.ints([1])]);
}
for (const op of ['Any', 'All']) CASES[op] = one(op, {keep_dims: false}, [flags(1, 4, 2)], graph => [graph.ints([2])]);

for (const op of ['ResizeBilinear', 'ResizeNearestNeighbor']) {
  for (const [how, align, half] of [
    ['', false, false],
    [', corners aligned', true, false],
    [', by centers', false, true],
  ] as const) {
    for (const size of [
      [7, 9],
      [2, 3],
    ]) {
      const attrs = {align_corners: align, half_pixel_centers: half};
      CASES[`${op} to ${size.join()}${how}`] = one(op, attrs, [noise(1, 4, 5, 2)], graph => [graph.ints(size)]);
    }
  }
}

const convolution = (
  op: string,
  attrs: Record<string, Attr>,
  filter: number[],
  more: (graph: Nodes) => string[] = () => [],
) =>
  one(
    op,
    {strides: [1, 1, 1, 1], padding: 'SAME', data_format: 'NHWC', dilations: [1, 1, 1, 1], ...attrs},
    [noise(1, 6, 7, 3)],
    graph => [graph.noise(filter), ...more(graph)],
  );

add({
  Conv2D: convolution('Conv2D', {}, [3, 3, 3, 4]),
  'Conv2D, dilated': convolution('Conv2D', {dilations: [1, 2, 2, 1]}, [3, 3, 3, 4]),
  'Conv2D with strides': convolution('Conv2D', {strides: [1, 2, 2, 1], padding: 'VALID'}, [2, 3, 3, 4]),
  'Conv2D with padding in numbers': convolution(
    'Conv2D',
    {padding: 'EXPLICIT', explicit_paddings: [0, 0, 1, 2, 0, 1, 0, 0]},
    [3, 3, 3, 4],
  ),
  'Conv2D by what is computed': {
    samples: [noise(1, 6, 7, 3), noise(3, 3, 3, 4)],
    build: graph =>
      graph.add('Conv2D', ['x0', graph.add('Neg', ['x1'])], {
        strides: [1, 1, 1, 1],
        dilations: [1, 1, 1, 1],
        padding: 'SAME',
        data_format: 'NHWC',
      }),
  },
  Conv3D: one(
    'Conv3D',
    {strides: [1, 1, 2, 1, 1], dilations: [1, 1, 1, 1, 1], padding: 'SAME', data_format: 'NDHWC'},
    [noise(2, 3, 4, 5, 2)],
    graph => [graph.noise([2, 3, 2, 2, 3])],
  ),
  _FusedConv2D: convolution('_FusedConv2D', {fused_ops: ['BiasAdd', 'Relu6'], num_args: 1}, [3, 3, 3, 4], graph => [
    graph.noise([4]),
  ]),
  '_FusedConv2D and Elu': convolution(
    '_FusedConv2D',
    {fused_ops: ['BiasAdd', 'Elu'], num_args: 1, dilations: [1, 2, 2, 1]},
    [3, 3, 3, 4],
    graph => [graph.noise([4])],
  ),
  '_FusedConv2D and Prelu': convolution(
    '_FusedConv2D',
    {fused_ops: ['BiasAdd', 'Prelu'], num_args: 2},
    [3, 3, 3, 4],
    graph => [graph.noise([4]), graph.noise([1, 1, 4])],
  ),
  '_FusedConv2D and LeakyRelu': convolution(
    '_FusedConv2D',
    {fused_ops: ['BiasAdd', 'LeakyRelu'], num_args: 1, leakyrelu_alpha: {f: 0.3}},
    [3, 3, 3, 4],
    graph => [graph.noise([4])],
  ),
  DepthwiseConv2dNative: convolution('DepthwiseConv2dNative', {dilations: [1, 2, 2, 1]}, [3, 3, 3, 2]),
  FusedDepthwiseConv2dNative: convolution(
    'FusedDepthwiseConv2dNative',
    {fused_ops: ['BiasAdd', 'Relu'], num_args: 1},
    [3, 3, 3, 1],
    graph => [graph.noise([3])],
  ),
  MaxPool: one('MaxPool', {ksize: [1, 2, 3, 1], strides: [1, 2, 2, 1], padding: 'SAME', data_format: 'NHWC'}, [
    noise(1, 6, 7, 3),
  ]),
  AvgPool: one('AvgPool', {ksize: [1, 2, 3, 1], strides: [1, 1, 2, 1], padding: 'VALID', data_format: 'NHWC'}, [
    noise(1, 6, 7, 3),
  ]),
  FusedBatchNormV3: one(
    'FusedBatchNormV3',
    {epsilon: {f: 0.01}, is_training: false, data_format: 'NHWC'},
    [noise(1, 6, 7, 3)],
    graph => [
      graph.floats([1, 2, 3]),
      graph.floats([4, 5, 6]),
      graph.floats([0.1, 0.2, 0.3]),
      graph.floats([1, 2, 0.5]),
    ],
  ),
  MatMul: one('MatMul', {}, [noise(2, 3)], graph => [graph.noise([3, 4])]),
  'MatMul transposed': one('MatMul', {transpose_a: true, transpose_b: true}, [noise(3, 2), noise(4, 3)]),
  'MatMul by a transposed constant': one('MatMul', {transpose_b: true}, [noise(2, 3)], graph => [graph.noise([4, 3])]),
  _FusedMatMul: one('_FusedMatMul', {fused_ops: ['BiasAdd', 'Relu'], num_args: 1}, [noise(2, 3)], graph => [
    graph.noise([3, 4]),
    graph.noise([4]),
  ]),
  BatchMatMulV2: one('BatchMatMulV2', {adj_y: true}, [noise(2, 3, 4), noise(2, 5, 4)]),
  'BatchMatMul by a constant': one('BatchMatMulV2', {}, [noise(1, 2, 3, 4)], graph => [graph.noise([1, 2, 4, 5])]),
});

/** A model around the segment of a case, and its samples. */
export function segmentModel({build, samples: make}: Case): {model: LayersModel; samples: tf.Tensor[]} {
  // A model is given samples: as many of each input.
  const samples = make.map(each => each()).map(x => (x.shape[0] === 1 ? x : tf.expandDims(x)));
  const graph = new Nodes();
  make.forEach((each, i) => {
    const {shape} = each();
    graph.nodes.push({name: `x${i}`, op: 'Reshape', input: [`given${i}`, graph.ints(shape)], attr: {}});
  });
  const built = build(graph);
  const outputs = typeof built === 'string' ? [built] : built;
  const names = samples.map((_, i) => `given${i}`);
  return {model: modelAround(graph.segment('segment', names, outputs, samples), samples), samples};
}
