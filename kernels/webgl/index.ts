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
export function subjectOf(backend: MathBackendWebGL, x: TensorInfo, view: View, others = {}): Subject {
  return {shape: x.shape, view, textures: texturesOf(backend, {X: x, ...others})};
}

/** tfjs's WebGL backend. */
export function webgl(backend: MathBackendWebGL): Device {
  return {
    roundToGrid(x, range, view, scheme) {
      const {rounding, clamped, relu} = scheme;
      const constants = partOf({
        defines: {ROUNDING: rounding.toUpperCase(), CLAMPED: String(clamped), ...(relu !== undefined && {RELU: ''})},
        uniforms: relu === undefined ? {} : {highest: ['float', [relu]]},
      });
      return eachTexel(backend, ROUND_TO_GRID, subjectOf(backend, x, view), (texelView, raster) => [
        constants,
        gridsPart(backend, range, scheme, texelView, raster),
      ]);
    },
    straightThrough(dy, x, range, view, scheme, outputs) {
      return gradientOutputs(
        outputs,
        sides =>
          sumsOf(
            backend,
            subjectOf(backend, x, view, {DY: dy}),
            range,
            scheme,
            sides,
            sides.map(() => view.rangeShape),
          ),
        side =>
          eachTexel(backend, STRAIGHT_THROUGH, subjectOf(backend, x, view, {DY: dy}), (texelView, raster) => [
            partOf({defines: {SIDE: side.toUpperCase()}}),
            gridsPart(backend, range, scheme, texelView, raster),
          ]),
      );
    },
    measure(x, view) {
      const out = {shape: [2, ...view.rangeShape], packed: true, intermediate: true};
      return reduceChannels(
        backend,
        [MEASURE, MEASURE_PARTIALS],
        subjectOf(backend, x, view),
        () => [],
        measuringPart(false, view),
        [out],
      )[0]!;
    },
    dispose: tensor => backend.disposeIntermediateTensorInfo(tensor),
  };
}

/** Sums of one side or two, in a tensor of each shape: one for each side, or one whose rows they are. */
export function sumsOf(
  backend: MathBackendWebGL,
  subject: Subject,
  range: Range,
  scheme: Scheme,
  sides: readonly Side[],
  shapes: readonly (readonly number[])[],
): TensorInfo[] {
  const [first, second] = sides.map(side => side.toUpperCase());
  const constants = partOf({defines: {FIRST: first!, SECOND: second ?? 'NONE'}});
  const partsFor: PartsFor = (texelView, raster) => [constants, gridsPart(backend, range, scheme, texelView, raster)];
  const outputs = shapes.map((shape, row) => ({shape, packed: false, part: rowsPart(row, subject.view)}));
  return reduceChannels(backend, [SUM, SUM_PARTIALS], subject, partsFor, partOf({}), outputs);
}

/** Of passes that find extremes: those of parts, or of each channel. */
export function measuringPart(inParts: boolean, {rangeShape}: View): Part {
  return partOf({
    defines: {IN_PARTS: String(inParts), ...(rangeShape.length === 0 && {PER_TENSOR: ''})},
    uniforms: {infinity: ['float', [Infinity]]},
  });
}

/** Which of a loop's two sums an output begins with, and how long a row of it is. */
function rowsPart(row: number, {channels}: View): Part {
  return partOf({uniforms: {rowAt: ['ivec2', [row, channels]]}});
}
