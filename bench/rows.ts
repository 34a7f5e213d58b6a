/** What each row runs: this package's op, the backend's own yardstick, and the composition, on the same tensors. */
import * as tf from '@tensorflow/tfjs-core';
import type {Wrt} from '../kernels/op_table';
import * as ops from '../src/entries/index';
import {fakeQuantWithMovingRange, type MovingRangeOptions} from '../src/ops/training';
import {type Agreement, checkAgreement, type Nearness} from './agreement';
import {type Case, isModelRow, type ModelRowName, type RowName} from './catalogue';
import * as composed from './composed';
import type {Contestants} from './contestants';
import {RANGE, ranges, resident, values} from './data';
import {contestantsOfModel} from './model_rows';

type T = tf.Tensor;

interface Contest extends Agreement {
  readonly yardstick: () => T[];
}

/** The tensors of a case, all on the device. */
interface Operands {
  readonly x: T;
  readonly dy: T;
  readonly min: T;
  readonly max: T;
  /** `min` and `max` in a shape that broadcasts against x. */
  readonly low: T;
  readonly high: T;
  /** The value of a step of a symmetric grid that ends at `max`, and in a shape that broadcasts. */
  readonly scale: T;
  readonly step: T;
  /** `min` and `max` as a moving range has them, if there is one per tensor. */
  readonly range: T;
  readonly axis: number | undefined;
}

function operandsOf({shape, axis}: Case): Operands {
  const size = tf.util.sizeFromShape([...shape]);
  const perChannel = axis === undefined ? undefined : ranges(shape[axis]!);
  const rangeShape = axis === undefined ? [] : [shape[axis]!];
  const min = resident(perChannel?.min ?? RANGE.min, rangeShape);
  const max = resident(perChannel?.max ?? RANGE.max, rangeShape);
  const scale = tf.div(max, 127);
  return {
    x: resident(values(size, 1), shape),
    dy: resident(values(size, 2), shape),
    min,
    max,
    low: composed.alongAxis(min, shape.length, axis),
    high: composed.alongAxis(max, shape.length, axis),
    scale,
    step: composed.alongAxis(scale, shape.length, axis),
    range: resident(Float32Array.of(RANGE.min, RANGE.max, 1), [3]),
    axis,
  };
}

function disposeOperands(operands: Operands): void {
  tf.dispose(Object.values(operands).filter(value => value instanceof tf.Tensor));
}

const STEP: Nearness = {kind: 'step', step: (1.2 * (RANGE.max - RANGE.min)) / 255};
const EQUAL: Nearness = {kind: 'equal'};

const MOVING: MovingRangeOptions = {
  numBits: 8,
  narrowRange: false,
  observer: 'movingAverage',
  decay: 0.99,
  debias: false,
  symmetric: false,
};

function learned({x, scale, axis}: Operands): T {
  return ops.fakeQuantWithLearnedScale(x, scale, {symmetric: true, ...(axis !== undefined && {axis})});
}

/** As tf.grad asks for it. */
function learnedScaleGradient({x, dy, scale, axis}: Operands): T[] {
  const attrs = {numBits: 8, narrowRange: false, symmetric: true, wrt: 'scale', ...(axis !== undefined && {axis})};
  return [tf.engine().runKernel<T>('FakeQuantWithLearnedScaleGradient', {gradients: dy, inputs: x, scale}, attrs)];
}

function sumOf({x, min}: Operands): Nearness {
  return {kind: 'sum', terms: x.size / min.size};
}

function relu({x}: Operands): T[] {
  return [tf.relu(x)];
}

/** As tfjs's registered gradient computes it. */
function reluGradient({x, dy}: Operands): T[] {
  return Object.values(tf.getGradient('Relu').gradFunc(dy, [x], {})).map(gradient => gradient());
}

function forward({x, min, max, axis}: Operands): T {
  return axis === undefined
    ? ops.fakeQuantWithMinMaxVars(x, min as tf.Scalar, max as tf.Scalar)
    : ops.fakeQuantWithMinMaxVarsPerChannel(x, min as tf.Tensor1D, max as tf.Tensor1D, {axis});
}

function gradient({x, dy, min, max, axis}: Operands): T[] {
  return axis === undefined
    ? ops.fakeQuantWithMinMaxVarsGradient(dy, x, min as tf.Scalar, max as tf.Scalar)
    : ops.fakeQuantWithMinMaxVarsPerChannelGradient(dy, x, min as tf.Tensor1D, max as tf.Tensor1D, {axis});
}

/** One output of the gradient kernel, as tf.grad asks for it. */
function gradientOf({x, dy, min, max, axis}: Operands, wrt: Wrt): T[] {
  const kernel = axis === undefined ? 'FakeQuantWithMinMaxVarsGradient' : 'FakeQuantWithMinMaxVarsPerChannelGradient';
  const attrs = {numBits: 8, narrowRange: false, wrt: [wrt], ...(axis === undefined ? {} : {axis})};
  return tf.engine().runKernel<T[]>(kernel, {gradients: dy, inputs: x, min, max}, attrs);
}

function bothRows(o: Operands): Contest {
  return {
    ours: () => [forward(o)],
    yardstick: () => relu(o),
    composed: () => [composed.fakeQuant(o.x, o.low, o.high)],
    near: [STEP],
  };
}

function gradientRows(o: Operands): Contest {
  return {
    ours: () => gradient(o),
    yardstick: () => reluGradient(o),
    composed: () => composed.gradient(o.dy, o.x, o.low, o.high, o.axis),
    near: [EQUAL, sumOf(o), sumOf(o)],
  };
}

const CONTESTS: Readonly<Record<Exclude<RowName, ModelRowName>, (operands: Operands) => Contest>> = {
  forward: bothRows,
  'forward-lean': o => ({...bothRows(o), composed: () => [composed.fakeQuantLean(o.x, o.low, o.high)]}),
  'per-channel': bothRows,
  dx: o => ({
    ours: () => gradientOf(o, 'inputs'),
    yardstick: () => reluGradient(o),
    composed: () => [composed.dx(o.dy, o.x, o.low, o.high)],
    near: [EQUAL],
  }),
  gradient: gradientRows,
  'gradient-per-channel': gradientRows,
  training: o => ({
    ours: () => tf.grads((x, min, max) => ops.fakeQuant(x, min, max))([o.x, o.min, o.max], o.dy),
    yardstick: () => [tf.grad(x => tf.relu(x))(o.x, o.dy)],
    composed: () => tf.grads((x, min, max) => composed.trainable(x, min, max))([o.x, o.min, o.max], o.dy),
    near: [EQUAL, sumOf(o), sumOf(o)],
  }),
  'v4-measured': o => ({
    ours: () => [ops.quantizeAndDequantizeV4(o.x)],
    yardstick: () => relu(o),
    composed: () => [composed.quantizeMeasured(o.x)],
    near: [{kind: 'step', step: 4 / 127}],
  }),
  'v4-given': o => ({
    ours: () => [ops.quantizeAndDequantizeV4(o.x, o.min, o.max, {rangeGiven: true})],
    yardstick: () => relu(o),
    composed: () => [composed.quantizeGiven(o.x, o.min, o.max)],
    near: [{kind: 'step', step: RANGE.max / 127}],
  }),
  sums: o => ({
    ours: () => gradientOf(o, 'min'),
    yardstick: () => relu(o),
    composed: () => [composed.dmin(o.dy, o.x, o.low, o.high, o.axis)],
    near: [sumOf(o)],
  }),
  'min-max': o => ({
    ours: () => [ops.minMax(o.x, o.axis)],
    yardstick: () => [tf.max(o.x, composed.othersOf(o.x.rank, o.axis))],
    composed: () => [tf.stack(composed.minMax(o.x, o.axis))],
    near: [EQUAL],
  }),
  'moving-range': o => ({
    ours: () => fakeQuantWithMovingRange(o.x, o.range, MOVING),
    yardstick: () => relu(o),
    composed: () => composed.quantizeMoving(o.x, o.min, o.max, 1 - MOVING.decay),
    near: [STEP],
  }),
  learned: o => ({
    ours: () => [learned(o)],
    yardstick: () => relu(o),
    composed: () => [composed.learned(o.x, o.step)],
    near: [{kind: 'step', step: (1.2 * RANGE.max) / 127}],
  }),
  'learned-scale': o => ({
    ours: () => learnedScaleGradient(o),
    yardstick: () => relu(o),
    composed: () => [composed.learnedScaleGradient(o.dy, o.x, o.step, o.axis)],
    // Outside of the range a term is some 100 times dy; where the composition rounds a tie the other way, it is off by dy.
    near: [{kind: 'sum', terms: (100 * o.x.size) / o.scale.size}],
  }),
};

export async function contestantsOf(row: RowName, each: Case): Promise<Contestants> {
  return isModelRow(row) ? contestantsOfModel(row, each) : opsOf(CONTESTS[row], each);
}

function opsOf(contestOf: (operands: Operands) => Contest, each: Case): Contestants {
  const operands = operandsOf(each);
  const contest = contestOf(operands);
  const freed = (run: () => T[]) => () => tf.dispose(tf.tidy(run));
  return {
    ours: freed(contest.ours),
    yardstick: freed(contest.yardstick),
    composed: freed(contest.composed),
    x: operands.x,
    check: () => checkAgreement(contest),
    dispose: () => disposeOperands(operands),
  };
}
