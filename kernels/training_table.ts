/** The ops that only training needs, row by row as in op_table.ts. */
import {clone, type Tensor, tensor2d, zeros} from '@tensorflow/tfjs-core';
import {type Range, type Scheme, type TrainingDevice, viewOf} from './device';
import {fakeQuantLevels} from './grid';
import {BINS} from './histogram';
import type {LearnRule} from './learn';
import type {ObserveRule} from './observe';
import {
  gradient,
  input,
  isEmpty,
  learned,
  LEARNED_OPS,
  type LearnedAttrs,
  learnedGradient,
  type LearnedWrt,
  type OpRow,
} from './op_table';

/** The attributes of the kernels beyond TensorFlow, whose range is one tensor: rows of lows, of highs, and of weights. */
export interface RangeAttrs {
  /** Counted from 0; left out for one range per tensor. */
  axis?: number;
  numBits: number;
  narrowRange: boolean;
  /** See {@link RELU_OPS}. */
  relu?: number;
}

/** Per tensor as Vars computes, per channel as PerChannel does. */
function rangeScheme({axis, numBits, narrowRange, relu}: RangeAttrs): Scheme {
  const rounding = axis === undefined ? 'divide' : 'multiply';
  const levels = fakeQuantLevels(numBits, narrowRange);
  return {fit: 'nudge', rounding, levels, clamped: true, ...(relu !== undefined && {relu})};
}

export const MEASURING_OPS: readonly OpRow<unknown, TrainingDevice>[] = [
  {
    kernelName: 'MinMaxOfParts',
    kernel(device, inputs) {
      const x = input(inputs, 'x');
      return isEmpty(x) ? tensor2d([[Infinity, -Infinity]]) : device.measureParts(x);
    },
  },
  {
    kernelName: 'HistogramAboutParts',
    kernel(device, inputs) {
      const x = input(inputs, 'x');
      return isEmpty(x) ? zeros([BINS], 'int32') : device.histogram(x, input(inputs, 'parts'));
    },
  },
];

export const COUNTING_OPS: readonly OpRow<{size: number}, TrainingDevice>[] = [
  {
    kernelName: 'CountBins',
    kernel: (device, inputs, {size}) => device.countBins!(input(inputs, 'bins'), size),
  },
];

export const RANGE_OPS: readonly OpRow<RangeAttrs & ObserveRule, TrainingDevice>[] = [
  {
    kernelName: 'FakeQuantWithRange',
    kernel(device, inputs, attrs) {
      const x = input(inputs, 'inputs');
      const range: Range = {kind: 'rows', rows: input(inputs, 'range')};
      return isEmpty(x)
        ? zeros(x.shape)
        : device.roundToGrid(x, range, viewOf(x.shape, attrs.axis), rangeScheme(attrs));
    },
  },
  {
    kernelName: 'FakeQuantWithRangeGradient',
    kernel(device, inputs, attrs) {
      const x = input(inputs, 'inputs');
      const range: Range = {kind: 'rows', rows: input(inputs, 'range')};
      const view = viewOf(x.shape, attrs.axis);
      return gradient(device, input(inputs, 'gradients'), x, range, view, rangeScheme(attrs), ['inputs'])[0]!;
    },
  },
  {
    // Measures, moves the range and rounds with the moved one: [y, range].
    kernelName: 'FakeQuantWithMovingRange',
    kernel(device, inputs, attrs) {
      const [x, before] = [input(inputs, 'inputs'), input(inputs, 'range')];
      if (isEmpty(x)) return [zeros(x.shape), clone(before as Tensor)];
      const view = viewOf(x.shape, attrs.axis);
      const rows = device.observe(x, before, view, attrs);
      return [device.roundToGrid(x, {kind: 'rows', rows}, view, rangeScheme(attrs)), rows];
    },
  },
];

/** Scales and low ends are rows of one tensor, and so are their gradients. */
export const LEARNED_GRID_OPS: readonly OpRow<LearnedAttrs, TrainingDevice>[] = learned<TrainingDevice, LearnedWrt>(
  'FakeQuantWithLearnedGrid',
  'anchored',
  inputs => ({kind: 'rows', rows: input(inputs, 'grid')}),
  (device, dy, placed, wrt) => {
    if (wrt !== 'grid') return learnedGradient(device, dy, placed, wrt);
    const [, , {rangeShape}] = placed;
    return isEmpty(dy) ? zeros([2, ...rangeShape]) : device.sumPair(dy, ...placed, ['scale', 'outside']);
  },
);

/** Rounding what a ReLU gives, whose highest value is an attribute, in one pass: for predictions, as they have no gradients. */
export const RELU_OPS: readonly OpRow<never, TrainingDevice>[] = [...RANGE_OPS, ...LEARNED_OPS]
  .filter(({kernelName}) => kernelName === 'FakeQuantWithRange' || kernelName === 'FakeQuantWithLearnedScale')
  .map(({kernelName, kernel}) => ({kernelName: `${kernelName}OfRelu`, kernel: kernel as OpRow<never>['kernel']}));

export const LEARNING_OPS: readonly OpRow<LearnRule, TrainingDevice>[] = [
  {
    kernelName: 'LearnGrid',
    kernel: (device, inputs, rule) => device.learn(input(inputs, 'trained'), input(inputs, 'last'), rule),
  },
  {
    kernelName: 'LearnGridGradient',
    kernel: (device, inputs, rule) => device.learnGradient(input(inputs, 'gradients'), input(inputs, 'grid'), rule),
  },
];
