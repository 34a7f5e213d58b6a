/** Tensors on the GPU. */
import {env, getKernel, type TensorInfo, util} from '@tensorflow/tfjs-core';
import type {MathBackendWebGL} from '@tensorflow/tfjs-backend-webgl';
import {type TextureData, uploaded} from './tfjs_internals';

/** A tensor on the GPU, in texels: one element each, or 2x2 of the last two dimensions if packed. */
export interface TensorTexture {
  readonly data: TextureData;
  readonly packed: boolean;
  readonly width: number;
  readonly height: number;
  /** The texel where it starts: a slice shares its parent's texture. */
  readonly start: number;
  /** What was made to get there. */
  readonly temporary?: TensorInfo;
}

/** The matrix that a packed texel holds 2x2 of. */
export function matrixOf(shape: readonly number[]): {rows: number; columns: number} {
  return {rows: shape.at(-2) ?? 1, columns: shape.at(-1) ?? 1};
}

/** A tensor's texture. What is not on the GPU yet goes there, packed or not. */
export function textureOf(backend: MathBackendWebGL, tensor: TensorInfo, packed: boolean): TensorTexture {
  let data = uploaded(backend, tensor, packed);
  const temporary = data.isPacked ? reshaped(backend, tensor, data.shape) : undefined;
  if (temporary) data = backend.texData.get(temporary.dataId);
  const texelSide = data.isPacked ? 2 : 1;
  const [height = 1, width = 1] = data.texShape!.map(side => Math.ceil(side / texelSide));
  const start = data.slice?.flatOffset ?? 0;
  return {data, packed: !!data.isPacked, width, height, start, ...(temporary && {temporary})};
}

/** A packed texture holds the shape that it was made for. Where a tensor has since another, tfjs moves the texels. */
function reshaped(backend: MathBackendWebGL, tensor: TensorInfo, shape: number[]): TensorInfo | undefined {
  if (util.arraysEqual(shape.slice(-2), tensor.shape.slice(-2))) return undefined;
  const reshape = getKernel('Reshape', 'webgl');
  if (!reshape) return undefined;
  const x = {...tensor, shape};
  return reshape.kernelFunc({inputs: {x}, backend, attrs: {shape: tensor.shape}}) as TensorInfo;
}

/** Of x, and of dy. What is not on the GPU yet goes there as the other lies, or packed if tfjs packs at all. */
export function texturesOf(
  backend: MathBackendWebGL,
  tensors: Readonly<Record<string, TensorInfo>>,
): Record<string, TensorTexture> {
  const there = Object.values(tensors)
    .map(({dataId}) => backend.texData.get(dataId))
    .filter(data => data.texture != null);
  const packed = there[0] ? there.some(data => data.isPacked) : env().getBool('WEBGL_PACK');
  return Object.fromEntries(
    Object.entries(tensors).map(([name, tensor]) => [name, textureOf(backend, tensor, packed)]),
  );
}
