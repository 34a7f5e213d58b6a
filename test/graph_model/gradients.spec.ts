/** Gradients through segments: those of TensorFlow, where tfjs has others or none. */
import * as tf from '@tensorflow/tfjs-core';
import {input} from '@tensorflow/tfjs-layers';
import {GraphSegment} from '../../src/graph_model/segment';
import type {Constant} from '../../src/graph_model/constant';
import {flag, int, ints, text} from '../import/graphs';
import {onWebGPU} from '../support/environment';
import {needsTraining, scoped, skip} from '../support/scoped';

type Attr = Readonly<Record<string, unknown>>;

/** An op that is given floats, which are trained, and constants. */
interface Case {
  readonly op: string;
  readonly attr?: Readonly<Record<string, Attr>>;
  /** Shapes of what is trained, or constants. */
  readonly takes: readonly (readonly number[] | Constant)[];
  /** Which output is looked at. */
  readonly output?: number;
}

const whole = (shape: number[], ...values: number[]): Constant => ({
  dtype: 'int32',
  shape,
  values: Int32Array.from(values),
});
const list = (...values: number[]) => whole([values.length], ...values);
const one = (value: number) => whole([], value);

const masks = (begin = 0, end = 0, ellipsis = 0, newAxis = 0, shrink = 0) => ({
  begin_mask: int(begin),
  end_mask: int(end),
  ellipsis_mask: int(ellipsis),
  new_axis_mask: int(newAxis),
  shrink_axis_mask: int(shrink),
});

const isConstant = (taken: readonly number[] | Constant): taken is Constant => 'dtype' in taken;

/** Values between 0.1 and 0.9, far from each other. */
function distinct(shape: number[]): tf.Tensor {
  const size = tf.util.sizeFromShape(shape);
  return tf.tensor(
    Float32Array.from({length: size}, (_, i) => 0.1 + (0.8 * ((i * 11) % size)) / size),
    shape,
  );
}

function trainedBy({takes}: Case): number[][] {
  return takes.flatMap(taken => (isConstant(taken) ? [] : [[...taken]]));
}

/** A segment of one node. */
function segmentOf({op, attr = {}, takes, output = 0}: Case): GraphSegment {
  const names = takes.map((_, i) => `in${i}`);
  const given = names.filter((_, i) => !isConstant(takes[i]!));
  const constants = names.filter(name => !given.includes(name));
  return new GraphSegment({
    name: 'segment',
    graph: {
      nodes: [...constants.map(name => ({name, op: 'Const'})), {name: 'node', op, input: names, attr: attr}],
      inputs: given,
      outputs: [output === 0 ? 'node' : `node:${output}`],
    },
    outputs: [{shape: [null], dtype: 'float32'}],
    constants: new Map(constants.map(name => [name, takes[names.indexOf(name)] as Constant])),
  });
}

/** What a segment computes, as a number that hangs on all of its output. */
function lossOf(segment: GraphSegment, xs: readonly tf.Tensor[]): tf.Scalar {
  const y = segment.call([...xs]) as tf.Tensor;
  const weights = tf.add(tf.sin(tf.range(0, Math.max(1, y.size))), 2).reshape(y.shape);
  return tf.sum(tf.mul(y, weights));
}

function built(each: Case): GraphSegment {
  const segment = segmentOf(each);
  const shapes = trainedBy(each);
  segment.apply(shapes.map(batchShape => input({batchShape})));
  return segment;
}

const CASES: readonly Case[] = [
  {op: 'StridedSlice', attr: masks(), takes: [[4, 5], list(1, 0), list(4, 5), list(2, 3)]},
  {op: 'StridedSlice', attr: masks(), takes: [[4, 5], list(3, 4), list(0, 1), list(-1, -2)]},
  {op: 'StridedSlice', attr: masks(1, 2, 0, 0, 1), takes: [[4, 5], list(1, 1), list(2, 0), list(1, 1)]},
  {op: 'StridedSlice', attr: masks(0, 0, 1, 2, 4), takes: [[2, 3, 4], list(0, 0, 1), list(0, 0, 2), list(1, 1, 1)]},
  {op: 'GatherNd', takes: [[3, 4, 2], whole([3, 2], 0, 1, 2, 3, 0, 1)]},
  {op: 'GatherV2', takes: [[3, 4], list(2, 0, 2), one(1)], attr: {batch_dims: int(0)}},
  {op: 'ScatterNd', takes: [whole([3, 1], 1, 4, 1), [3, 2], list(5, 2)]},
  {op: 'TensorScatterUpdate', takes: [[4, 2], whole([2, 1], 3, 0), [2, 2]]},
  {op: 'TopKV2', takes: [[2, 5], one(3)], attr: {sorted: flag(true)}},
  {op: 'TopKV2', takes: [[6], one(2)], attr: {sorted: flag(true)}},
  {
    op: 'Einsum',
    attr: {equation: text('bij,bjk->bki')},
    takes: [
      [2, 3, 4],
      [2, 4, 2],
    ],
  },
  {
    op: 'Einsum',
    attr: {equation: text('ij,jk->ik')},
    takes: [
      [2, 3],
      [3, 4],
    ],
  },
  {op: 'Einsum', attr: {equation: text('ijk->ki')}, takes: [[2, 3, 4]]},
  {op: 'DepthToSpace', attr: {block_size: int(2), data_format: text('NHWC')}, takes: [[1, 2, 3, 8]]},
  {op: 'Cumprod', attr: {exclusive: flag(false), reverse: flag(false)}, takes: [[2, 4], one(1)]},
  {op: 'Cumprod', attr: {exclusive: flag(true), reverse: flag(true)}, takes: [[2, 4], one(1)]},
  {op: 'Cumsum', attr: {exclusive: flag(true), reverse: flag(true)}, takes: [[2, 4], one(1)]},
  {op: 'SparseToDense', takes: [whole([3, 1], 4, 0, 2), list(5), [3], []], attr: {validate_indices: flag(true)}},
  {op: 'SparseSegmentMean', takes: [[4, 2], list(3, 0, 3, 1), list(0, 0, 2, 2)]},
  {op: 'SparseSegmentSum', takes: [[4, 2], list(3, 0, 3, 1), list(0, 0, 2, 2)]},
  {
    op: 'MaxPoolWithArgmax',
    attr: {
      ksize: ints(1, 2, 2, 1),
      strides: ints(1, 2, 2, 1),
      padding: text('SAME'),
      include_batch_in_index: flag(false),
    },
    takes: [[1, 3, 4, 2]],
  },
  {op: 'Select', takes: [{dtype: 'bool', shape: [3], values: Uint8Array.of(1, 0, 1)}, [3], [3]]},
];

describe('Gradients through segments', () => {
  scoped();
  beforeEach(needsTraining);

  for (const [place, each] of CASES.entries()) {
    const shapes = each.takes.map(taken => (isConstant(taken) ? 'constant' : `[${taken.join()}]`));
    it(`are slopes, ${place}: ${each.op} of ${shapes.join(', ')}`, async () => {
      if (onWebGPU && each.op.startsWith('Sparse'))
        skip("tfjs's WebGPU backend reads their operands at once, and loses its device");
      const segment = built(each);
      const given = trainedBy(each).map(distinct);
      const before = tf.memory().numTensors;
      const found = tf.grads((...xs: tf.Tensor[]) => lossOf(segment, xs))(given);
      expect(tf.memory().numTensors).toBe(before + given.length);
      for (const [i, x] of given.entries()) {
        const slope = await found[i]!.data();
        const values = await x.data();
        const step = 1e-2;
        const at = async (k: number, by: number) => {
          const moved = values.slice();
          moved[k] = moved[k]! + by;
          const xs = given.map((one, j) => (j === i ? tf.tensor(moved, x.shape) : one));
          return (await tf.tidy(() => lossOf(segment, xs)).data())[0]!;
        };
        for (let k = 0; k < values.length; k++) {
          const wanted = ((await at(k, step)) - (await at(k, -step))) / (2 * step);
          expect(Math.abs(slope[k]! - wanted))
            .withContext(`${i}, ${k}: ${slope[k]} for ${wanted}`)
            .toBeLessThan(0.03 * Math.max(1, Math.abs(wanted)));
        }
      }
      segment.dispose();
    });
  }

  it('pass neither whole numbers nor truths', async () => {
    const graph = {
      nodes: [
        {name: 'axis', op: 'Const'},
        {name: 'highest', op: 'ArgMax', input: ['x', 'axis']},
        {name: 'rows', op: 'Cast', input: ['x'], attr: {DstT: {type: 'DT_INT32'}}},
        {name: 'back', op: 'Cast', input: ['rows'], attr: {DstT: {type: 'DT_FLOAT'}}},
        {name: 'more', op: 'Greater', input: ['x', 'back']},
        {name: 'taken', op: 'GatherV2', input: ['x', 'highest', 'axis'], attr: {batch_dims: int(0)}},
        {name: 'chosen', op: 'Select', input: ['more', 'x', 'back']},
        {name: 'all', op: 'AddV2', input: ['chosen', 'back']},
      ],
      inputs: ['x'],
      outputs: ['taken', 'all'],
    };
    const segment = new GraphSegment({
      name: 'segment',
      graph: graph,
      outputs: [
        {shape: [1], dtype: 'float32'},
        {shape: [3], dtype: 'float32'},
      ],
      constants: new Map([['axis', one(0)]]),
    });
    segment.apply(input({batchShape: [3]}));
    const sumOf = (x: tf.Tensor): tf.Tensor => {
      const [taken, all] = segment.call(x) as tf.Tensor[];
      return tf.add(tf.mul(tf.sum(taken!), 10), tf.sum(all!));
    };
    const slope = tf.grad(sumOf)(tf.tensor1d([0.5, 3, 1.5]));
    expect(Array.from(await slope.data())).toEqual([1, 10, 1]);
    segment.dispose();
  });
});
