/** Histograms. Nothing in WebGL counts: a program tells each value's bin, and those are less to read than the values. */
import {env, type TensorInfo, util} from '@tensorflow/tfjs-core';
import type {MathBackendWebGL} from '@tensorflow/tfjs-backend-webgl';
import fragmentText from '../../shaders/webgl/fragment.glsl';
import histogramCodesText from '../../shaders/webgl/histogram_codes.glsl';
import histogramVertexText from '../../shaders/webgl/histogram_vertex.glsl';
import {CODES_EACH} from '../histogram';
import {partOf} from './part';
import {dispatch, type Program} from './program';
import {matrixOf, type TensorTexture, textureOf} from './textures';

const HISTOGRAM_CODES: Program = {
  name: 'histogramCodes',
  texts: [fragmentText, histogramCodesText],
  vertex: [histogramVertexText],
};

/** Values in a texel of bins. */
const VALUES = 4 * CODES_EACH;

/** Undefined where float32 cannot be drawn, read or taken apart: in WebGL 1, and on some phones. */
export function histogram(backend: MathBackendWebGL, x: TensorInfo, parts: TensorInfo): TensorInfo | undefined {
  const able = ['WEBGL_RENDER_FLOAT32_ENABLED', 'WEBGL_DOWNLOAD_FLOAT_ENABLED'].every(flag => env().getBool(flag));
  if (!able || env().getNumber('WEBGL_VERSION') < 2) return undefined;
  const size = util.sizeFromShape(x.shape);
  const [values, ends] = [textureOf(backend, x, true), textureOf(backend, parts, true)];
  const {rows, columns} = matrixOf(x.shape);
  const texels = (size / (rows * columns)) * Math.ceil(rows / 2) * Math.ceil(columns / 2);
  const fours = values.packed ? texels : Math.ceil(size / 4);
  const part = partOf({
    defines: values.packed ? {PACKED: ''} : {},
    inputs: {X: values, PARTS: ends},
    uniforms: {
      xAt: ['ivec3', placeOf(values)],
      partsAt: ['ivec3', placeOf(ends)],
      partCount: ['int', [util.sizeFromShape(parts.shape) / 4]],
      matrix: ['ivec2', [rows, columns]],
      count: ['int', [values.packed ? fours : size]],
    },
  });
  const out = {shape: [2, 2 * Math.ceil((4 * fours) / VALUES)], packed: true, intermediate: true};
  return dispatch(backend, HISTOGRAM_CODES, [part], out);
}

function placeOf({width, height, start}: TensorTexture): number[] {
  return [width, height, start];
}
