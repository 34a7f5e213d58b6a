/** WebGPU: how tensors are bound, how wide a lane is, which thread visits what, how a sum is staged. */
import type {TensorInfo} from '@tensorflow/tfjs-core';
import type {WebGPUBackend} from '@tensorflow/tfjs-backend-webgpu';
import measureText from '../../shaders/webgpu/measure.wgsl';
import measureChannelsText from '../../shaders/webgpu/measure_channels.wgsl';
import roundToGridText from '../../shaders/webgpu/round_to_grid.wgsl';
import straightThroughText from '../../shaders/webgpu/straight_through.wgsl';
import sumText from '../../shaders/webgpu/sum.wgsl';
import {type Device, gradientOutputs} from '../device';
import type {Side} from '../grid';
import {type Grids, gridsOf} from './grids';
import {widthOf} from './lanes';
import {eachElement, type Pass, reduceChannels, simplest} from './passes';

/** tfjs's webgpu backend. */
export function webgpu(backend: WebGPUBackend): Device {
  return {
    roundToGrid(x, range, given, scheme) {
      const view = simplest(given);
      const width = widthOf(view);
      return eachElement(backend, view, x.shape, width, {
        name: 'roundToGrid',
        body: roundToGridText,
        constants: {
          ROUNDING: scheme.rounding.toUpperCase(),
          CLAMPED: String(scheme.clamped),
          RELU: String(scheme.relu !== undefined),
        },
        uniforms: {highest: ['f32', scheme.relu ?? Infinity]},
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
    measure(x, given) {
      const view = simplest(given);
      const shape = [2, ...view.rangeShape];
      return reduceChannels(backend, view, 'EXTREMES', [{rows: 2, shape}], () =>
        measuring(x, false, measureChannelsText),
      )[0]!;
    },
    dispose: ({dataId}) => {
      backend.disposeData(dataId);
    },
  };
}

/** A pass that finds extremes, and leaves them as `leaving` says: of channels, or in parts, as `measureParts` has them. */
export function measuring(x: TensorInfo, inParts: boolean, leaving: string): Pass {
  const constants = {IN_PARTS: String(inParts)};
  return {name: 'measure', body: measureText + leaving, constants, tensors: {x}};
}

/** A pass that sums one side, or two. */
export function sumOf(sides: readonly Side[], tensors: Pass['tensors'], grids: Grids): Pass {
  const [first, second] = sides.map(side => side.toUpperCase());
  return {name: 'sum', body: sumText, constants: {FIRST: first!, SECOND: second ?? 'NONE'}, tensors, grids};
}
