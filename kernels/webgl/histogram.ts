/**
 * Histograms. Nothing in WebGL counts: a program tells each value's bin, and those, which are less to read than the values, are
 * counted here.
 */
import {env, type TensorInfo, tensor1d, util} from '@tensorflow/tfjs-core';
import type {MathBackendWebGL} from '@tensorflow/tfjs-backend-webgl';
import {BINS} from '../histogram';
import {partOf} from './part';
import {dispatch} from './program';
import {matrixOf, type TensorTexture, textureOf} from './textures';
import {texelsRead} from './tfjs_internals';

/** Values in a texel of bins. */
const VALUES = 8;

/** Undefined where float32 cannot be drawn, read or taken apart: in WebGL 1, and on some phones. */
export function histogram(backend: MathBackendWebGL, x: TensorInfo, extremes: TensorInfo): TensorInfo | undefined {
  const able = ['WEBGL_RENDER_FLOAT32_ENABLED', 'WEBGL_DOWNLOAD_FLOAT_ENABLED'].every(flag => env().getBool(flag));
  if (!able || env().getNumber('WEBGL_VERSION') < 2) return undefined;
  const size = util.sizeFromShape(x.shape);
  const [values, ends] = [textureOf(backend, x, true), textureOf(backend, extremes, true)];
  const {rows, columns} = matrixOf(x.shape);
  const texels = (size / (rows * columns)) * Math.ceil(rows / 2) * Math.ceil(columns / 2);
  const fours = values.packed ? texels : Math.ceil(size / 4);
  const [height, width] = util.sizeToSquarishShape(Math.ceil((4 * fours) / VALUES));
  const part = partOf({
    defines: {...(values.packed && {PACKED: ''}), EXTREMES_PACKED: String(ends.packed)},
    inputs: {X: values, EXTREMES: ends},
    uniforms: {
      xAt: ['ivec3', placeOf(values)],
      extremesAt: ['ivec3', placeOf(ends)],
      matrix: ['ivec2', [rows, columns]],
      count: ['int', [values.packed ? fours : size]],
    },
  });
  const out = {shape: [2 * height, 2 * width], packed: true, intermediate: true};
  const made = dispatch(backend, 'histogramCodes', [part], out);
  const codes = texelsRead(backend, made);
  backend.disposeIntermediateTensorInfo(made);
  return tensor1d(countsOf(codes, size), 'int32');
}

function placeOf({width, height, start}: TensorTexture): number[] {
  return [width, height, start];
}

/** How often each bin comes. If there are lanes without a value, the last one is such. */
function countsOf(codes: Float32Array, size: number): Int32Array {
  const counts = new Int32Array(BINS);
  let last = 0;
  for (let i = 0; i < codes.length; ++i) {
    const code = codes[i]!;
    last = code % BINS;
    counts[(code / BINS) | 0]!++;
    counts[last]!++;
  }
  counts[last]! -= 2 * codes.length - size;
  return counts;
}
