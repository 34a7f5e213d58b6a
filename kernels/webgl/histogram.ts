/** Histograms. Nothing in WebGL counts: a program tells each value's bin, and those are less to read than the values. */
import {type DataId, env, tensor1d, type TensorInfo, util} from '@tensorflow/tfjs-core';
import type {MathBackendWebGL} from '@tensorflow/tfjs-backend-webgl';
import fragmentText from '../../shaders/webgl/fragment.glsl';
import histogramCodesText from '../../shaders/webgl/histogram_codes.glsl';
import histogramVertexText from '../../shaders/webgl/histogram_vertex.glsl';
import {CODES_EACH, countsOf} from '../histogram';
import {partOf} from './part';
import {dispatch, type Program} from './program';
import {matrixOf, type TensorTexture, textureOf} from './textures';
import {type Download, download, downloaded} from './tfjs_internals';

const HISTOGRAM_CODES: Program = {
  name: 'histogramCodes',
  texts: [fragmentText, histogramCodesText],
  vertex: [histogramVertexText],
};

/** Values in a texel of bins. */
const VALUES = 4 * CODES_EACH;

/** Bins on their way to the host, by a tensor that stands for them. */
const downloads = new WeakMap<DataId, Download>();

/** Undefined where float32 cannot be drawn, read or taken apart: in WebGL 1, and on some phones. */
export function histogram(backend: MathBackendWebGL, x: TensorInfo, parts: TensorInfo): TensorInfo | undefined {
  const able = ['WEBGL_RENDER_FLOAT32_ENABLED', 'WEBGL_DOWNLOAD_FLOAT_ENABLED'].every(flag => env().getBool(flag));
  if (!able || env().getNumber('WEBGL_VERSION') < 2) return undefined;
  const [values, ends] = [textureOf(backend, x, true), textureOf(backend, parts, true)];
  const {packed, width, height} = values;
  const {rows, columns} = matrixOf(x.shape);
  const size = util.sizeFromShape(x.shape);
  const texels = packed ? (size / (rows * columns)) * Math.ceil(rows / 2) * Math.ceil(columns / 2) : size;
  const each = VALUES / (packed ? 4 : 1);
  const part = partOf({
    defines: {
      EACH: String(each),
      ...(packed && {PACKED: ''}),
      ...(packed && (rows % 2 === 1 || columns % 2 === 1) && {RAGGED: ''}),
    },
    inputs: {X: values, PARTS: ends},
    uniforms: {
      xAt: ['ivec3', placeOf(values)],
      partsAt: ['ivec3', placeOf(ends)],
      partCount: ['int', [util.sizeFromShape(parts.shape) / 4]],
      matrix: ['ivec2', [rows, columns]],
      count: ['int', [texels]],
    },
  });
  // Where something is told beside values, it has to be told last. Before a slice there are others'.
  const texelShape = [height + (values.start > 0 ? 1 : 0), Math.ceil(width / each)] as const;
  const out = {shape: [2, 2 * texelShape[0] * texelShape[1]], packed: true, texelShape, intermediate: true};
  const told = dispatch(backend, HISTOGRAM_CODES, [part], out);
  const bins = backend.makeTensorInfo(told.shape, 'float32');
  downloads.set(bins.dataId, download(backend, told));
  backend.disposeIntermediateTensorInfo(told);
  return bins;
}

/** Counts, on the host, bins that {@link histogram} told. */
export function countBins(backend: MathBackendWebGL, {dataId}: TensorInfo, size: number): TensorInfo {
  const told = downloads.get(dataId)!;
  downloads.delete(dataId);
  return tensor1d(countsOf(downloaded(backend, told), size), 'int32');
}

function placeOf({width, height, start}: TensorTexture): number[] {
  return [width, height, start];
}
