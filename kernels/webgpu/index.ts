/** WebGPU: how tensors are bound, how wide a lane is, which thread visits what, how a sum is staged. */
import {getKernel, type TensorInfo, util} from '@tensorflow/tfjs-core';
import type {WebGPUBackend} from '@tensorflow/tfjs-backend-webgpu';
import histogramText from '../../shaders/webgpu/histogram.wgsl';
import learnText from '../../shaders/webgpu/learn.wgsl';
import learnGradientText from '../../shaders/webgpu/learn_gradient.wgsl';
import learnGridText from '../../shaders/webgpu/learn_grid.wgsl';
import measureText from '../../shaders/webgpu/measure.wgsl';
import observeText from '../../shaders/webgpu/observe.wgsl';
import roundToGridText from '../../shaders/webgpu/round_to_grid.wgsl';
import straightThroughText from '../../shaders/webgpu/straight_through.wgsl';
import sumText from '../../shaders/webgpu/sum.wgsl';
import {type Device, gradientOutputs, learnedLayout, viewOf} from '../device';
import type {Side} from '../grid';
import {BINS} from '../histogram';
import type {LearnRule} from '../learn';
import {OBSERVERS} from '../observe';
import {type Grids, gridsOf} from './grids';
import {widthOf} from './lanes';
import {eachElement, type Pass, reduceChannels, reduceParts, simplest} from './passes';
import {run, WORKGROUP_SIZE} from './program';

/** A workgroup that counts values has bins of its own, which it adds up in the end: it has to take many. */
const VALUES_EACH = 256;
const MOST_GROUPS = 512;

/** tfjs's webgpu backend. */
export function webgpu(backend: WebGPUBackend): Device {
  return {
    roundToGrid(x, range, given, scheme) {
      const view = simplest(given);
      const width = widthOf(view);
      return eachElement(backend, view, x.shape, width, {
        name: 'roundToGrid',
        body: roundToGridText,
        constants: {ROUNDING: scheme.rounding.toUpperCase(), CLAMPED: String(scheme.clamped)},
        tensors: {x},
        grids: gridsOf(range, scheme, width),
      });
    },
    straightThrough(dy, x, range, given, scheme, outputs) {
      const view = simplest(given);
      const width = widthOf(view);
      const grids = gridsOf(range, scheme, width);
      const sumsOf = (sides: readonly Side[]) => {
        const rows = sides.map(() => ({rows: 1, shape: view.rangeShape}));
        return reduceChannels(backend, view, 'SUM', rows, row =>
          sumOf(row === undefined ? sides : [sides[row]!], {dy, x}, grids),
        );
      };
      return gradientOutputs(outputs, sumsOf, side =>
        eachElement(backend, view, x.shape, width, {
          name: 'straightThrough',
          body: straightThroughText,
          constants: {SIDE: side.toUpperCase()},
          tensors: {dy, x},
          grids,
        }),
      );
    },
    sumPair(dy, x, range, given, scheme, sides) {
      const view = simplest(given);
      const pass = sumOf(sides, {dy, x}, gridsOf(range, scheme, widthOf(view)));
      return reduceChannels(backend, view, 'SUM', [{rows: 2, shape: [2, ...view.rangeShape]}], () => pass)[0]!;
    },
    measure(x, given, strict) {
      const view = simplest(given);
      const shape = [2, ...view.rangeShape];
      return reduceChannels(backend, view, 'EXTREMES', [{rows: 2, shape}], () => measuring(x, strict, false))[0]!;
    },
    measureParts: x => reduceParts(backend, viewOf(x.shape), measuring(x, true, true)),
    histogram(x, extremes) {
      const zeros = {inputs: {}, backend, attrs: {shape: [BINS], value: 0, dtype: 'int32'}};
      const counts = getKernel('Fill', 'webgpu').kernelFunc(zeros) as TensorInfo;
      const count = util.sizeFromShape(x.shape);
      const groups = Math.min(MOST_GROUPS, Math.ceil(count / (WORKGROUP_SIZE * VALUES_EACH)));
      const threads = groups * WORKGROUP_SIZE;
      return run(backend, {
        key: 'histogram',
        code: () => histogramText,
        inputs: [
          {name: 'x', tensor: x, components: 1},
          {name: 'extremes', tensor: extremes, components: 1},
        ],
        uniforms: {count: ['u32', count], threads: ['u32', threads]},
        threads,
        components: 1,
        shape: [BINS],
        addsTo: counts,
      });
    },
    observe(measured, moving, {channels, rangeShape}, {observer, rate, debias, ratio}) {
      return run(backend, {
        key: 'observe',
        code: () => observeText,
        inputs: [
          {name: 'measured', tensor: measured, components: 1},
          {name: 'moving', tensor: moving, components: 1},
        ],
        uniforms: {
          channels: ['u32', channels],
          observer: ['u32', OBSERVERS.indexOf(observer)],
          debias: ['u32', debias ? 1 : 0],
          rate: ['f32', rate],
          ratio: ['f32', ratio],
        },
        threads: channels,
        components: 1,
        shape: [3, ...rangeShape],
      });
    },
    learn: (trained, last, rule) => learning(backend, 'learnGrid', learnGridText, {trained, last}, rule),
    learnGradient: (dy, grid, rule) => learning(backend, 'learnGradient', learnGradientText, {dy, grid}, rule),
    dispose: ({dataId}) => {
      backend.disposeData(dataId);
    },
  };
}

/** A pass that finds extremes: each thread's, or, of a single channel, each workgroup's. */
function measuring(x: TensorInfo, strict: boolean, together: boolean): Pass {
  const constants = {STRICT: String(strict), TOGETHER: String(together)};
  return {name: 'measure', body: measureText, constants, tensors: {x}};
}

/** A pass that sums one side, or two. */
function sumOf(sides: readonly Side[], tensors: Pass['tensors'], grids: Grids): Pass {
  const [first, second] = sides.map(side => side.toUpperCase());
  return {name: 'sum', body: sumText, constants: {FIRST: first!, SECOND: second ?? 'NONE'}, tensors, grids};
}

/** A small dispatch over the ends of a learned range, which all tensors are as long as. */
function learning(
  backend: WebGPUBackend,
  key: string,
  text: string,
  tensors: Readonly<Record<string, TensorInfo>>,
  rule: LearnRule,
): TensorInfo {
  const {shape} = Object.values(tensors)[0]!;
  const {channels, second} = learnedLayout(shape, rule);
  return run(backend, {
    key,
    code: () => [learnText, text].join('\n'),
    inputs: Object.entries(tensors).map(([name, tensor]) => ({name, tensor, components: 1})),
    uniforms: {
      channels: ['u32', channels],
      second: ['u32', second],
      speed: ['f32', rule.speed],
      steps: ['f32', rule.steps],
    },
    threads: channels,
    components: 1,
    shape,
  });
}
