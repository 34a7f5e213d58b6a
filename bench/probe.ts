/** What a measurement needs of a backend: to know when it is done, and what it did. */
import * as tf from '@tensorflow/tfjs-core';
import type {MathBackendWebGL} from '@tensorflow/tfjs-backend-webgl';
import type {WebGPUBackend} from '@tensorflow/tfjs-backend-webgpu';

/** Seen at the backend, while something ran. */
export interface Counts {
  /** Programs started on the device; kernels where there is none. */
  dispatches: number;
  /** Different ones among these. */
  programs: number;
  /** Bytes of all buffers or textures that the programs were given to read, and to write. */
  read: number;
  written: number;
  /** Bytes that tensors held at most, beyond those that were there before. */
  peak: number;
}

/** What tfjs's engine keeps of tensors' data, which its types hide. */
interface EngineInternals {
  readonly state: {readonly tensorInfo: WeakMap<object, {readonly bytes: number}>};
  trackTensor: (tensor: tf.Tensor, backend: unknown) => void;
  removeDataId: (dataId: object, backend: unknown) => void;
}

/**
 * Watches tensors come and go until it is stopped; the peak is the bytes that they held at most. tf.memory() counts those of
 * tensors that share their data, as a clone does, once for each.
 */
function watchTensors(): {stop(): void; peak(): number} {
  const engine = tf.engine() as unknown as EngineInternals;
  const [trackTensor, removeDataId] = [engine.trackTensor, engine.removeDataId];
  const bytesOf = (dataId: object) => engine.state.tensorInfo.get(dataId)?.bytes ?? 0;
  let [held, peak] = [0, 0];
  engine.trackTensor = (tensor, backend) => {
    const before = bytesOf(tensor.dataId);
    Reflect.apply(trackTensor, engine, [tensor, backend]);
    held += bytesOf(tensor.dataId) - before;
    peak = Math.max(peak, held);
  };
  engine.removeDataId = (dataId, backend) => {
    const before = bytesOf(dataId);
    Reflect.apply(removeDataId, engine, [dataId, backend]);
    held -= before - bytesOf(dataId);
  };
  return {
    stop: () => void Object.assign(engine, {trackTensor, removeDataId}),
    peak: () => peak,
  };
}

export interface Probe {
  /** Resolves when all work given to the device is done. */
  finish(): Promise<void>;
  /** What the device is asked to do while `run` runs. */
  count(run: () => void | Promise<void>): Promise<Counts>;
  /** How many programs have been compiled. */
  compiled(): number;
  /** Milliseconds on the device's own clock, where it has one. */
  readonly deviceTime?: (run: () => void) => Promise<number>;
  /** A plain copy of a tensor's memory, where the device has such a command. */
  readonly copier?: (x: tf.TensorInfo) => {readonly run: () => void; readonly dispose: () => void};
  /** What draws or computes. */
  readonly renderer: string;
  /** What the device complained about meanwhile. */
  readonly complaints: readonly string[];
}

/** Sums up what a backend is seen to do. */
class Tally {
  #counts = {dispatches: 0, read: 0, written: 0};
  #programs = new Set<unknown>();
  #counting = false;

  dispatched(program: unknown): void {
    this.#counts.dispatches += 1;
    this.#programs.add(program);
  }

  /** Asks how many bytes there are only while it counts: that takes a while. */
  moved(way: 'read' | 'written', bytes: () => number): void {
    if (this.#counting) this.#counts[way] += bytes();
  }

  readonly count = async (run: () => void | Promise<void>): Promise<Counts> => {
    this.#counts = {dispatches: 0, read: 0, written: 0};
    this.#programs.clear();
    this.#counting = true;
    const tensors = watchTensors();
    try {
      await run();
    } finally {
      this.#counting = false;
      tensors.stop();
    }
    return {...this.#counts, programs: this.#programs.size, peak: tensors.peak()};
  };
}

/** tfjs's clock of the device. */
async function kernelTime(run: () => void): Promise<number> {
  const {kernelMs} = await tf.time(run);
  return typeof kernelMs === 'number' ? kernelMs : NaN;
}

/** Parts of tfjs's WebGPU backend that its types hide. */
interface WebGPUInternals {
  readonly device: GPUDevice;
  readonly queue: GPUQueue;
  readonly adapterInfo: {vendor?: string; architecture?: string; device?: string; description?: string};
  readonly pipelineCache: Record<string, unknown>;
  readonly tensorMap: {get(id: object): {resource: GPUBuffer}};
  readonly supportTimestampQuery: boolean;
  commandEncoder: GPUCommandEncoder | null;
  ensureCommandEncoderReady(): void;
  endComputePassEncoder(): void;
  submitQueue(): void;
  recordAndSubmit(
    program: {shaderKey: string},
    output: tf.TensorInfo,
    inputs: tf.TensorInfo[],
    uniforms: unknown,
  ): void;
}

function probeWebGPU(backend: WebGPUInternals): Probe {
  const tally = new Tally();
  const complaints: string[] = [];
  const bytesOf = ({dataId}: tf.TensorInfo) => backend.tensorMap.get(dataId).resource.size;
  const record = backend.recordAndSubmit.bind(backend);
  backend.recordAndSubmit = (program, output, inputs, uniforms) => {
    tally.dispatched(program.shaderKey);
    for (const input of inputs) tally.moved('read', () => bytesOf(input));
    tally.moved('written', () => bytesOf(output));
    record(program, output, inputs, uniforms);
  };
  backend.device.addEventListener('uncapturederror', ({error}) => complaints.push(error.message));
  return {
    count: tally.count,
    compiled: () => Object.keys(backend.pipelineCache).length,
    complaints,
    renderer: rendererOf(backend.adapterInfo),
    ...(backend.supportTimestampQuery && {deviceTime: kernelTime}),
    async finish() {
      if (backend.commandEncoder) {
        backend.endComputePassEncoder();
        backend.submitQueue();
      }
      await backend.queue.onSubmittedWorkDone();
    },
    copier(x) {
      const {resource} = backend.tensorMap.get(x.dataId);
      const {size} = resource;
      const copy = backend.device.createBuffer({size, usage: GPUBufferUsage.COPY_DST});
      const run = () => {
        backend.ensureCommandEncoderReady();
        backend.endComputePassEncoder();
        backend.commandEncoder!.copyBufferToBuffer(resource, 0, copy, 0, size);
      };
      return {run, dispose: () => copy.destroy()};
    },
  };
}

function rendererOf({vendor, architecture, device, description}: WebGPUInternals['adapterInfo']): string {
  const words = [description, vendor, architecture, device].filter(word => word);
  return words.length > 0 ? words.join(' ') : 'unnamed WebGPU adapter';
}

/** Parts of tfjs's WebGL context, whose textures have their size in texels with them. */
interface GPGPU {
  readonly gl: WebGL2RenderingContext;
  readonly program: WebGLProgram;
  setInputMatrixTexture(texture: WebGLTexture, ...rest: unknown[]): void;
  setOutputMatrixTexture(texture: WebGLTexture, ...rest: unknown[]): void;
  setOutputPackedMatrixTexture(texture: WebGLTexture, ...rest: unknown[]): void;
  executeProgram(): void;
}

/** tfjs's textures in use by what tells them apart: rows, columns, kind and whether they are packed. */
interface TextureManager {
  readonly usedTextures: Readonly<
    Record<string, readonly {readonly texture: WebGLTexture; readonly texShape: readonly [number, number]}[]>
  >;
}

function probeWebGL(backend: MathBackendWebGL): Probe {
  const tally = new Tally();
  const gpgpu = backend.gpgpu as unknown as GPGPU;
  const {gl} = gpgpu;
  const {textureManager} = backend as unknown as {textureManager: TextureManager};
  const unpackedTexel = tf.env().getNumber('WEBGL_VERSION') === 2 ? 4 : 16;
  const bytesOf = (wanted: WebGLTexture) => {
    for (const [kind, textures] of Object.entries(textureManager.usedTextures)) {
      const found = textures.find(({texture}) => texture === wanted);
      if (found) return found.texShape[0] * found.texShape[1] * (kind.endsWith('true') ? 16 : unpackedTexel);
    }
    throw new Error("tfjs's texture manager does not know this texture.");
  };
  const countUse = (
    method: 'setInputMatrixTexture' | 'setOutputMatrixTexture' | 'setOutputPackedMatrixTexture',
    way: 'read' | 'written',
  ) => {
    const set = gpgpu[method].bind(gpgpu);
    gpgpu[method] = (texture, ...rest) => {
      tally.moved(way, () => bytesOf(texture));
      set(texture, ...rest);
    };
  };
  countUse('setInputMatrixTexture', 'read');
  countUse('setOutputMatrixTexture', 'written');
  countUse('setOutputPackedMatrixTexture', 'written');
  const execute = gpgpu.executeProgram.bind(gpgpu);
  gpgpu.executeProgram = () => {
    tally.dispatched(gpgpu.program);
    execute();
  };
  const {binaryCache} = backend as unknown as {binaryCache: Record<string, unknown>};

  const named = gl.getExtension('WEBGL_debug_renderer_info');
  const texel = new Float32Array(4);
  return {
    count: tally.count,
    compiled: () => Object.keys(binaryCache).length,
    complaints: [],
    renderer: String(gl.getParameter(named ? named.UNMASKED_RENDERER_WEBGL : gl.RENDERER)),
    ...(tf.env().getNumber('WEBGL_DISJOINT_QUERY_TIMER_EXTENSION_RELIABLE') > 0 && {deviceTime: kernelTime}),
    // Reading waits, and work is done in order. The framebuffer still holds the last output.
    finish() {
      gl.readPixels(0, 0, 1, 1, gl.RGBA, gl.FLOAT, texel);
      return Promise.resolve();
    },
  };
}

/** cpu and wasm: what the kernels got and gave, as tfjs's registry hands them through. */
function probeHost(backendName: string): Probe {
  const tally = new Tally();
  const bytesOf = ({shape, dtype}: tf.TensorInfo) => tf.util.sizeFromShape(shape) * tf.util.bytesPerElement(dtype);
  const total = (infos: readonly tf.TensorInfo[]) => infos.reduce((sum, info) => sum + bytesOf(info), 0);
  for (const kernel of tf.getKernelsForBackend(backendName)) {
    const {kernelFunc} = kernel;
    kernel.kernelFunc = params => {
      const outputs = kernelFunc(params);
      tally.dispatched(kernel.kernelName);
      tally.moved('read', () =>
        total(
          // Fused kernels have inputs that may be missing.
          Object.values(params.inputs).flatMap(input => (input as tf.TensorInfo | tf.TensorInfo[] | undefined) ?? []),
        ),
      );
      tally.moved('written', () => total(Array.isArray(outputs) ? outputs : [outputs]));
      return outputs;
    };
  }
  return {
    count: tally.count,
    compiled: () => 0,
    complaints: [],
    renderer: backendName,
    finish: () => Promise.resolve(),
  };
}

/** Looks into the current backend. To be called once. */
export function probe(): Probe {
  const backend = tf.backend();
  switch (tf.getBackend()) {
    case 'webgpu':
      return probeWebGPU(backend as unknown as WebGPUInternals & WebGPUBackend);
    case 'webgl':
      return probeWebGL(backend as MathBackendWebGL);
    default:
      return probeHost(tf.getBackend());
  }
}
