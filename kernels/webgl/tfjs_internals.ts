/**
 * What the kernels know of tfjs-backend-webgl beyond its documentation, each with the place in 4.22.0 that it leans on
 * (`dist/` of the package). test/kernels/tfjs_internals.spec.ts fails where tfjs changes it.
 */
import {env, type TensorInfo, util} from '@tensorflow/tfjs-core';
import type {GPGPUProgram, MathBackendWebGL} from '@tensorflow/tfjs-backend-webgl';

/** What `backend.texData` holds of a tensor: TextureData in tex_util.d.ts. */
export type TextureData = ReturnType<MathBackendWebGL['texData']['get']>;

/**
 * `outPackingScheme` of a program whose texture's shape comes with the call. The enum is not exported, only its type:
 * PackingScheme.DENSE in tex_util.js, read by runWebGLProgram in backend_webgl.js.
 */
// eslint-disable-next-line @typescript-eslint/no-unsafe-enum-assignment
export const DENSE = 0 as NonNullable<GPGPUProgram['outPackingScheme']>;

/**
 * `userCode` of a program, which tfjs reads in two ways. To compile it, makeShader in shader_compiler.js joins it to the rest
 * of a shader. At every run makeShaderKey in gpgpu_math.js adds it to the key that programs are cached by, which a browser
 * then hashes: all of the code would take as long there as the rest of a small tensor's run, so a name stands for it, which
 * must tell it from all others.
 */
export function namedCode(name: string, code: () => string): string {
  return {toString: code, valueOf: () => name} as unknown as string;
}

/** Beyond this many elements tfjs packs in wrong places: it counts them in floats. EncodeMatrixPackedProgram. */
const MOST_PACKED = 2 ** 24;

/**
 * Puts a tensor on the GPU, if it is not there yet, in the layout that tfjs would give it for a packed or an unpacked
 * program: runWebGLProgram in backend_webgl.js marks it so before it calls uploadToGPU.
 */
export function uploaded(backend: MathBackendWebGL, {dataId, shape}: TensorInfo, packed: boolean): TextureData {
  const data = backend.texData.get(dataId);
  if (data.texture == null && packed && util.sizeFromShape(shape) <= MOST_PACKED) {
    data.isPacked = true;
    data.shape = shape;
  }
  backend.uploadToGPU(dataId);
  return data;
}

/** What a packed texture of float32 holds, on its way to the host. */
export interface Download {
  readonly buffer: WebGLBuffer;
  readonly size: number;
}

/**
 * Has the device send what a packed texture of float32 holds, texel by texel, in whatever order tfjs has elements there: as
 * readSync in backend_webgl.js does it, but without waiting, and with no program before that puts elements in order.
 */
export function download(backend: MathBackendWebGL, {dataId}: TensorInfo): Download {
  const {texture, texShape} = backend.texData.get(dataId);
  const [rows, columns] = texShape!.map(side => side / 2) as [number, number];
  const {gpgpu} = backend;
  const buffer = gpgpu.createBufferFromTexture(texture!.texture, rows, columns);
  gpgpu.gl.flush();
  return {buffer, size: 4 * rows * columns};
}

/** Waits until it is there. */
export function downloaded({gpgpu}: MathBackendWebGL, {buffer, size}: Download): Float32Array {
  const values = gpgpu.downloadFloat32MatrixFromBuffer(buffer, size);
  gpgpu.gl.deleteBuffer(buffer);
  return values;
}

/**
 * Has a packed texture that was drawn as a stack of matrices be of the tensor's shape, which lies alike. By another shape of as
 * many rows and columns conv2dByMatMul in kernels/Conv2D_impl.js would move the texels of images whose width is odd.
 */
export function tellShape(backend: MathBackendWebGL, {dataId, shape}: TensorInfo): void {
  backend.texData.get(dataId).shape = shape;
}

/** The first value of a tensor that has not left the CPU. */
export function valueOnCpu(backend: MathBackendWebGL, {dataId}: TensorInfo): number | undefined {
  const {texture, values} = backend.texData.get(dataId);
  const first = texture == null && values != null ? values[0] : undefined;
  return typeof first === 'number' ? first : undefined;
}

/**
 * Runs `work` with other names for textures, under which they hold 2 unpacked elements, whatever they hold: so
 * runWebGLProgram in backend_webgl.js neither repacks them nor compiles a program anew for their shapes.
 */
export function withRawTextures<T>(
  backend: MathBackendWebGL,
  textures: readonly TextureData[],
  work: (inputs: TensorInfo[]) => T,
): T {
  const inputs = textures.map((data): TensorInfo => {
    const dataId = {};
    const alias: TextureData = {...data, isPacked: false, shape: [2], texShape: [2, 2]};
    delete alias.slice;
    backend.texData.set(dataId, alias);
    return {dataId, shape: [2], dtype: 'float32'};
  });
  try {
    return work(inputs);
  } finally {
    for (const {dataId} of inputs) backend.texData.delete(dataId);
  }
}

/**
 * The texture that tfjs makes for a row: one row, unless that is too long. getTextureShapeFromLogicalShape in
 * webgl_util.js.
 */
export function rowTexture(size: number): {width: number; height: number} {
  const longest = env().getNumber('WEBGL_MAX_TEXTURE_SIZE');
  const given = env().getNumber('WEBGL_MAX_SIZE_FOR_NARROW_TEXTURE');
  const squarifies = given === Infinity && env().getBool('WEBGL_AUTO_SQUARIFY_NARROW_TEXTURE_SHAPE');
  if (size <= Math.min(longest, squarifies ? longest / 2 : given)) return {width: size, height: 1};
  const [height, width] = util.sizeToSquarishShape(size);
  return {width, height};
}

/**
 * Runs `work`, in which tfjs links what it compiles with another vertex shader than its own: createProgram in
 * gpgpu_context.js takes that of the context. Both draw what createVertexShader in gpgpu_util.js has for attributes.
 */
export function withVertexShader<T>(gpgpu: object, shader: WebGLShader, work: () => T): T {
  const context = gpgpu as {vertexShader: WebGLShader | undefined};
  const {vertexShader} = context;
  context.vertexShader = shader;
  try {
    return work();
  } finally {
    context.vertexShader = vertexShader;
  }
}
