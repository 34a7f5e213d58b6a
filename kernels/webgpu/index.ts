/** WebGPU: how tensors are bound, how wide a lane is, which thread visits what, how a sum is staged. */
import {getKernel, type TensorInfo, util} from '@tensorflow/tfjs-core';
import type {WebGPUBackend} from '@tensorflow/tfjs-backend-webgpu';
import histogramText from '../../shaders/webgpu/histogram.wgsl';
import measureText from '../../shaders/webgpu/measure.wgsl';
import observeText from '../../shaders/webgpu/observe.wgsl';
import roundToGridText from '../../shaders/webgpu/round_to_grid.wgsl';
import straightThroughText from '../../shaders/webgpu/straight_through.wgsl';
import sumText from '../../shaders/webgpu/sum.wgsl';
import {type Device, gradientOutputs} from '../device';
import type {Side} from '../grid';
import {BINS} from '../histogram';
import {OBSERVERS} from '../observe';
import {gridsOf} from './grids';
import {widthOf} from './lanes';
import {eachElement, type Pass, reduceChannels, simplest} from './passes';
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
      const passFor = (name: string, body: string, side: Side | 'both'): Pass => ({
        name,
        body,
        constants: {SIDE: side.toUpperCase()},
        tensors: {dy, x},
        grids,
      });
      const sumsOf = (sides: readonly Side[]) => {
        const rows = sides.map(() => ({rows: 1, shape: view.rangeShape}));
        const together = sides.length > 1 ? 'both' : sides[0]!;
        return reduceChannels(backend, view, 'SUM', rows, row =>
          passFor('sum', sumText, row === undefined ? together : sides[row]!),
        );
      };
      return gradientOutputs(outputs, sumsOf, side =>
        eachElement(backend, view, x.shape, width, passFor('straightThrough', straightThroughText, side)),
      );
    },
    measure(x, given, strict) {
      const view = simplest(given);
      const pass = {name: 'measure', body: measureText, constants: {STRICT: String(strict)}, tensors: {x}};
      return reduceChannels(backend, view, 'EXTREMES', [{rows: 2, shape: [2, ...view.rangeShape]}], () => pass)[0]!;
    },
    histogram(x, extremes) {
      const zeros = {inputs: {}, backend, attrs: {shape: [BINS], value: 0, dtype: 'int32'}};
      const counts = getKernel('Fill', 'webgpu')!.kernelFunc(zeros) as TensorInfo;
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
    dispose: ({dataId}) => {
      backend.disposeData(dataId);
    },
  };
}
