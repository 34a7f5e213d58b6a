/**
 * WebGL: how a tensor's texture is bound, how wide its texels are, and how a sum is staged. The arithmetic is in
 * shaders/webgl/quantize.glsl.
 *
 * Every program reads raw textures at places that it computes itself, from uniforms. So one program serves all shapes,
 * packed and unpacked inputs meet in one dispatch, and tfjs never repacks.
 */
import type {TensorInfo} from '@tensorflow/tfjs-core';
import type {MathBackendWebGL} from '@tensorflow/tfjs-backend-webgl';
import {type Device, gradientOutputs, type View} from '../device';
import {host} from '../cpu';
import {OBSERVERS} from '../observe';
import {gridsPart} from './grids';
import {histogram} from './histogram';
import {type Part, partOf} from './part';
import {eachTexel, type PartsFor, reduceChannels, type Subject} from './passes';
import {dispatch} from './program';
import {matrixOf, type TensorTexture, textureOf, texturesOf} from './textures';

/** tfjs's WebGL backend. */
export function webgl(backend: MathBackendWebGL): Device {
  const subjectOf = (x: TensorInfo, view: View, others = {}): Subject => ({
    shape: x.shape,
    view,
    textures: texturesOf(backend, {X: x, ...others}),
  });
  return {
    roundToGrid(x, range, view, scheme) {
      const {rounding, clamped} = scheme;
      const constants = partOf({defines: {ROUNDING: rounding.toUpperCase(), CLAMPED: String(clamped)}});
      return eachTexel(backend, 'roundToGrid', subjectOf(x, view), (texelView, raster) => [
        constants,
        gridsPart(backend, range, scheme, texelView, raster),
      ]);
    },
    straightThrough(dy, x, range, view, scheme, outputs) {
      const subject = () => subjectOf(x, view, {DY: dy});
      const partsFor =
        (side: string): PartsFor =>
        (texelView, raster) => [
          partOf({defines: {SIDE: side.toUpperCase()}}),
          gridsPart(backend, range, scheme, texelView, raster),
        ];
      return gradientOutputs(
        outputs,
        sides =>
          reduceChannels(
            backend,
            ['sum', 'sumPartials'],
            subject(),
            partsFor(sides.length > 1 ? 'both' : sides[0]!),
            partOf({}),
            sides.map((_, row) => ({shape: view.rangeShape, packed: false, part: rowPart(row)})),
          ),
        side => eachTexel(backend, 'straightThrough', subject(), partsFor(side)),
      );
    },
    measure(x, view, strict) {
      const shared = partOf({
        defines: {STRICT: String(strict), ...(view.rangeShape.length === 0 && {PER_TENSOR: ''})},
        uniforms: {infinity: ['float', [Infinity]]},
      });
      const out = {shape: [2, ...view.rangeShape], packed: true, intermediate: true};
      const programs = ['measure', 'measurePartials'] as const;
      return reduceChannels(backend, programs, subjectOf(x, view), () => [], shared, [out])[0]!;
    },
    histogram: (x, extremes) => histogram(backend, x, extremes) ?? host(backend).histogram(x, extremes),
    observe(measured, moving, {channels, rangeShape}, {observer, rate, debias, ratio}) {
      const [batch, before] = [textureOf(backend, measured, false), textureOf(backend, moving, false)];
      const part = partOf({
        inputs: {MEASURED: batch, MOVING: before},
        uniforms: {
          measuredAt: ['ivec4', elementsAt(batch, measured)],
          movingAt: ['ivec4', elementsAt(before, moving)],
          view: ['ivec3', [channels, 1, 0]],
          matrix: ['ivec2', [1, 1]],
          rule: ['ivec2', [OBSERVERS.indexOf(observer), debias ? 1 : 0]],
          steps: ['vec2', [rate, ratio]],
        },
      });
      return dispatch(backend, 'observe', [part], {shape: [3, ...rangeShape], packed: false});
    },
    dispose: tensor => backend.disposeIntermediateTensorInfo(tensor),
  };
}

/** Where the elements of a small tensor are: its texture's size, its start, its columns if it is packed. */
function elementsAt({width, height, start, packed}: TensorTexture, {shape}: TensorInfo): number[] {
  return [width, height, start, packed ? matrixOf(shape).columns : 0];
}

/** Which of a loop's two sums an output is. */
function rowPart(row: number): Part {
  return partOf({uniforms: {row: ['int', [row]]}});
}
