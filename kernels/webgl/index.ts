/**
 * WebGL: how a tensor's texture is bound, how wide its texels are, and how a sum is staged. The arithmetic is in
 * shaders/webgl/quantize.glsl.
 *
 * Every program reads raw textures at places that it computes itself, from uniforms. So one program serves all shapes,
 * packed and unpacked inputs meet in one dispatch, and tfjs never repacks.
 */
import type {TensorInfo} from '@tensorflow/tfjs-core';
import type {MathBackendWebGL} from '@tensorflow/tfjs-backend-webgl';
import {host} from '../cpu';
import {type Device, gradientOutputs, learnedLayout, type Range, type Scheme, type View, viewOf} from '../device';
import type {Side} from '../grid';
import type {LearnRule} from '../learn';
import {OBSERVERS} from '../observe';
import {gridsPart} from './grids';
import {histogram} from './histogram';
import {joinParts, type Part, partOf} from './part';
import {eachTexel, type PartsFor, reduceChannels, reduceParts, type Subject} from './passes';
import {dispatch} from './program';
import {matrixOf, type TensorTexture, textureOf, texturesOf} from './textures';

/** tfjs's WebGL backend. */
export function webgl(backend: MathBackendWebGL): Device {
  const subjectOf = (x: TensorInfo, view: View, others = {}): Subject => ({
    shape: x.shape,
    view,
    textures: texturesOf(backend, {X: x, ...others}),
  });
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
    return reduceChannels(backend, ['sum', 'sumPartials'], subjectOf(x, view, {DY: dy}), partsFor, partOf({}), outputs);
  };
  /** A small dispatch over the ends of a learned range, which all tensors are as long as. */
  const learning = (
    program: 'learnGrid' | 'learnGradient',
    tensors: Readonly<Record<string, TensorInfo>>,
    rule: LearnRule,
  ): TensorInfo => {
    const {shape} = Object.values(tensors)[0]!;
    const {channels, second} = learnedLayout(shape, rule);
    const part = partOf({
      uniforms: {
        ...elementView(channels),
        second: ['int', [second]],
        rule: ['vec2', [rule.speed, rule.steps]],
      },
    });
    return dispatch(backend, program, [part, elementsPart(backend, tensors)], {shape, packed: false});
  };
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
          eachTexel(backend, 'straightThrough', subjectOf(x, view, {DY: dy}), (texelView, raster) => [
            partOf({defines: {SIDE: side.toUpperCase()}}),
            gridsPart(backend, range, scheme, texelView, raster),
          ]),
      );
    },
    sumPair: (dy, x, range, view, scheme, sides) =>
      sumsOf(dy, x, range, view, scheme, sides, [{rows: 2, shape: [2, ...view.rangeShape]}])[0]!,
    measure(x, view, strict) {
      const out = {shape: [2, ...view.rangeShape], packed: true, intermediate: true};
      const programs = ['measure', 'measurePartials'] as const;
      return reduceChannels(backend, programs, subjectOf(x, view), () => [], measuringPart(strict, view), [out])[0]!;
    },
    measureParts(x) {
      const view = viewOf(x.shape);
      return reduceParts(backend, 'measure', subjectOf(x, view), measuringPart(true, view));
    },
    histogram: (x, extremes) => histogram(backend, x, extremes) ?? host(backend).histogram(x, extremes),
    observe(measured, moving, {channels, rangeShape}, {observer, rate, debias, ratio}) {
      const part = partOf({
        uniforms: {
          ...elementView(channels),
          rule: ['ivec2', [OBSERVERS.indexOf(observer), debias ? 1 : 0]],
          steps: ['vec2', [rate, ratio]],
        },
      });
      const inputs = elementsPart(backend, {MEASURED: measured, MOVING: moving});
      return dispatch(backend, 'observe', [part, inputs], {shape: [3, ...rangeShape], packed: false});
    },
    learn: (trained, last, rule) => learning('learnGrid', {TRAINED: trained, LAST: last}, rule),
    learnGradient: (dy, grid, rule) => learning('learnGradient', {DY: dy, GRID: grid}, rule),
    dispose: tensor => backend.disposeIntermediateTensorInfo(tensor),
  };
}

function measuringPart(strict: boolean, {rangeShape}: View): Part {
  return partOf({
    defines: {STRICT: String(strict), ...(rangeShape.length === 0 && {PER_TENSOR: ''})},
    uniforms: {infinity: ['float', [Infinity]]},
  });
}

/** Small tensors, of which a program reads any element: see shaders/webgl/elements.glsl. */
function elementsPart(backend: MathBackendWebGL, tensors: Readonly<Record<string, TensorInfo>>): Part {
  const parts = Object.entries(tensors).map(([name, tensor]) => {
    const texture = textureOf(backend, tensor, false);
    const at = ['ivec4', elementsAt(texture, tensor)] as const;
    return {defines: {}, inputs: {[name]: texture}, uniforms: {[`${name.toLowerCase()}At`]: at}};
  });
  return joinParts(parts);
}

/** Where the elements of a small tensor are: its texture's size, its start, its columns if it is packed. */
function elementsAt({width, height, start, packed}: TensorTexture, {shape}: TensorInfo): number[] {
  return [width, height, start, packed ? matrixOf(shape).columns : 0];
}

/** A program that goes through elements, so many to a row. */
function elementView(columns: number): Part['uniforms'] {
  return {view: ['ivec3', [columns, 1, 0]], matrix: ['ivec2', [1, 1]]};
}

/** Which of a loop's two sums an output begins with, and how long a row of it is. */
function rowsPart(row: number, {channels}: View): Part {
  return partOf({uniforms: {rowAt: ['ivec2', [row, channels]]}});
}
