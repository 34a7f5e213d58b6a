/**
 * WebGL: how a tensor's texture is bound, how wide its texels are, and how a sum is staged. The arithmetic is in
 * shaders/webgl/quantize.glsl.
 *
 * Every program reads raw textures at places that it computes itself, from uniforms. So one program serves all shapes,
 * packed and unpacked inputs meet in one dispatch, and tfjs never repacks.
 */
import type {TensorInfo} from '@tensorflow/tfjs-core';
import type {MathBackendWebGL} from '@tensorflow/tfjs-backend-webgl';
import {type Device, gradientOutputs, type Range, type Scheme, type View} from '../device';
import type {Side} from '../grid';
import {gridsPart} from './grids';
import {type Part, partOf} from './part';
import {eachTexel, type PartsFor, reduceChannels, type Subject} from './passes';
import {MEASURE, MEASURE_PARTIALS, ROUND_TO_GRID, STRAIGHT_THROUGH, SUM, SUM_PARTIALS} from './programs';
import {texturesOf} from './textures';

/** x, and others of its shape. */
export function subject(backend: MathBackendWebGL, x: TensorInfo, view: View, others = {}): Subject {
  return {shape: x.shape, view, textures: texturesOf(backend, {X: x, ...others})};
}

/** tfjs's WebGL backend. */
export function webgl(backend: MathBackendWebGL): Device {
  const subjectOf = (x: TensorInfo, view: View, others = {}) => subject(backend, x, view, others);
  /** Sums of one side or two, in a tensor each or as rows of one. */
  const sumsOf = (
    dy: TensorInfo,
    x: TensorInfo,
    range: Range,
    view: View,
    scheme: Scheme,
    sides: readonly Side[],
    tensors: readonly {readonly rows: number; readonly shape: readonly number[]}[],
  ): TensorInfo[] => {
    const [first, second] = sides.map(side => side.toUpperCase());
    const constants = partOf({defines: {FIRST: first!, SECOND: second ?? 'NONE'}});
    const partsFor: PartsFor = (texelView, raster) => [constants, gridsPart(backend, range, scheme, texelView, raster)];
    const outputs = tensors.map(({shape}, row) => ({shape, packed: false, part: rowsPart(row, view)}));
    return reduceChannels(backend, [SUM, SUM_PARTIALS], subjectOf(x, view, {DY: dy}), partsFor, partOf({}), outputs);
  };
  return {
    roundToGrid(x, range, view, scheme) {
      const {rounding, clamped} = scheme;
      const constants = partOf({defines: {ROUNDING: rounding.toUpperCase(), CLAMPED: String(clamped)}});
      return eachTexel(backend, ROUND_TO_GRID, subjectOf(x, view), (texelView, raster) => [
        constants,
        gridsPart(backend, range, scheme, texelView, raster),
      ]);
    },
    straightThrough(dy, x, range, view, scheme, outputs) {
      const one = {rows: 1, shape: view.rangeShape};
      return gradientOutputs(
        outputs,
        sides =>
          sumsOf(
            dy,
            x,
            range,
            view,
            scheme,
            sides,
            sides.map(() => one),
          ),
        side =>
          eachTexel(backend, STRAIGHT_THROUGH, subjectOf(x, view, {DY: dy}), (texelView, raster) => [
            partOf({defines: {SIDE: side.toUpperCase()}}),
            gridsPart(backend, range, scheme, texelView, raster),
          ]),
      );
    },
    sumPair: (dy, x, range, view, scheme, sides) =>
      sumsOf(dy, x, range, view, scheme, sides, [{rows: 2, shape: [2, ...view.rangeShape]}])[0]!,
    measure(x, view, strict) {
      const out = {shape: [2, ...view.rangeShape], packed: true, intermediate: true};
      return reduceChannels(
        backend,
        [MEASURE, MEASURE_PARTIALS],
        subjectOf(x, view),
        () => [],
        measuringPart(strict, view),
        [out],
      )[0]!;
    },
    dispose: tensor => backend.disposeIntermediateTensorInfo(tensor),
  };
}

export function measuringPart(strict: boolean, {rangeShape}: View): Part {
  return partOf({
    defines: {STRICT: String(strict), ...(rangeShape.length === 0 && {PER_TENSOR: ''})},
    uniforms: {infinity: ['float', [Infinity]]},
  });
}

/** Which of a loop's two sums an output begins with, and how long a row of it is. */
function rowsPart(row: number, {channels}: View): Part {
  return partOf({uniforms: {rowAt: ['ivec2', [row, channels]]}});
}
