/** What training needs, on WebGPU. */
import {getKernel, type TensorInfo, util} from '@tensorflow/tfjs-core';
import type {WebGPUBackend} from '@tensorflow/tfjs-backend-webgpu';
import histogramText from '../../shaders/webgpu/histogram.wgsl';
import learnText from '../../shaders/webgpu/learn.wgsl';
import learnGradientText from '../../shaders/webgpu/learn_gradient.wgsl';
import learnGridText from '../../shaders/webgpu/learn_grid.wgsl';
import measurePartsText from '../../shaders/webgpu/measure_parts.wgsl';
import observeText from '../../shaders/webgpu/observe.wgsl';
import {type TrainingDevice, viewOf} from '../device';
import {BINS} from '../histogram';
import {learnedLayout, type LearnRule} from '../learn';
import {OBSERVERS} from '../observe';
import {gridsOf} from './grids';
import {widthOf} from './lanes';
import {reduceChannels, reduceParts, simplest} from './passes';
import {run, WORKGROUP_SIZE} from './program';
import {measuring, sumOf, webgpu} from '.';

/** A workgroup that counts values has bins of its own, which it adds up in the end: it has to take many. */
const VALUES_EACH = 256;
const MOST_GROUPS = 512;

export function webgpuTraining(backend: WebGPUBackend): TrainingDevice {
  const device = webgpu(backend);
  return {
    ...device,
    sumPair(dy, x, range, given, scheme, sides) {
      const view = simplest(given);
      const pass = sumOf(sides, {dy, x}, gridsOf(range, scheme, widthOf(view)));
      return reduceChannels(backend, view, 'SUM', [{rows: 2, shape: [2, ...view.rangeShape]}], () => pass)[0]!;
    },
    measureParts: x => reduceParts(backend, viewOf(x.shape), measuring(x, true, measurePartsText)),
    histogram(x, parts) {
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
          {name: 'parts', tensor: parts, components: 1},
        ],
        uniforms: {
          count: ['u32', count],
          threads: ['u32', threads],
          partCount: ['u32', util.sizeFromShape(parts.shape) / 2],
        },
        threads,
        components: 1,
        shape: [BINS],
        addsTo: counts,
      });
    },
    observe(x, moving, view, {observer, rate, debias, ratio}) {
      const {channels, rangeShape} = view;
      const measured = device.measure(x, view);
      const next = run(backend, {
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
      device.dispose(measured);
      return next;
    },
    learn: (trained, last, rule) => learning(backend, 'learnGrid', learnGridText, {trained, last}, rule),
    learnGradient: (dy, grid, rule) => learning(backend, 'learnGradient', learnGradientText, {dy, grid}, rule),
  };
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
