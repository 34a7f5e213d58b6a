/** What training needs, on WebGL. */
import type {TensorInfo} from '@tensorflow/tfjs-core';
import type {MathBackendWebGL} from '@tensorflow/tfjs-backend-webgl';
import elementsText from '../../shaders/webgl/elements.glsl';
import extremesText from '../../shaders/webgl/extremes.glsl';
import fragmentText from '../../shaders/webgl/fragment.glsl';
import learnText from '../../shaders/webgl/learn.glsl';
import learnGradientText from '../../shaders/webgl/learn_gradient.glsl';
import learnGridText from '../../shaders/webgl/learn_grid.glsl';
import observeText from '../../shaders/webgl/observe.glsl';
import {hostMemory} from '../cpu';
import {trainingOverMemory} from '../cpu/training';
import {type TrainingDevice, viewOf} from '../device';
import {learnedLayout, type LearnRule} from '../learn';
import {OBSERVERS} from '../observe';
import {countBins, histogram} from './histogram';
import {joinParts, type Part, partOf} from './part';
import {reduceChannels, reduceParts} from './passes';
import {dispatch, type Program} from './program';
import {MEASURE, PARTIALS} from './programs';
import {matrixOf, type TensorTexture, textureOf} from './textures';
import {measuringPart, subjectOf, sumsOf, webgl} from '.';

const OBSERVE: Program = {name: 'observe', texts: [...PARTIALS, extremesText, elementsText, observeText]};

const LEARNED = [fragmentText, elementsText, learnText];
const LEARN_GRID: Program = {name: 'learnGrid', texts: [...LEARNED, learnGridText]};
const LEARN_GRADIENT: Program = {name: 'learnGradient', texts: [...LEARNED, learnGradientText]};

export function webglTraining(backend: MathBackendWebGL): TrainingDevice {
  return {
    ...webgl(backend),
    sumPair(dy, x, range, view, scheme, sides) {
      const shapes = [[2, ...view.rangeShape]];
      return sumsOf(backend, subjectOf(backend, x, view, {DY: dy}), range, scheme, sides, shapes)[0]!;
    },
    measureParts(x) {
      const view = viewOf(x.shape);
      return reduceParts(backend, MEASURE, subjectOf(backend, x, view), measuringPart(true, view));
    },
    histogram: (x, parts) =>
      histogram(backend, x, parts) ?? trainingOverMemory(hostMemory(backend)).histogram(x, parts),
    countBins: (bins, size) => countBins(backend, bins, size),
    observe(x, moving, view, {observer, rate, debias, ratio}) {
      const part = partOf({
        uniforms: {
          channelCount: ['int', [view.channels]],
          rule: ['ivec2', [OBSERVERS.indexOf(observer), debias ? 1 : 0]],
          steps: ['vec2', [rate, ratio]],
        },
      });
      const out = {
        shape: [3, ...view.rangeShape],
        packed: false,
        part: joinParts([part, elementsPart(backend, {MOVING: moving})]),
      };
      const programs = [MEASURE, OBSERVE] as const;
      return reduceChannels(backend, programs, subjectOf(backend, x, view), () => [], measuringPart(false, view), [
        out,
      ])[0]!;
    },
    learn: (trained, last, rule) => learning(backend, LEARN_GRID, {TRAINED: trained, LAST: last}, rule),
    learnGradient: (dy, grid, rule) => learning(backend, LEARN_GRADIENT, {DY: dy, GRID: grid}, rule),
  };
}

/** A small dispatch over the ends of a learned range, which all tensors are as long as. */
function learning(
  backend: MathBackendWebGL,
  program: Program,
  tensors: Readonly<Record<string, TensorInfo>>,
  rule: LearnRule,
): TensorInfo {
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
