/** What the kernels lean on in tfjs, beyond its documentation: kernels' tfjs_internals.ts, one `it` for each part of them. */
import * as tf from '@tensorflow/tfjs-core';
import type {MathBackendCPU} from '@tensorflow/tfjs-backend-cpu';
import type {BackendWasm} from '@tensorflow/tfjs-backend-wasm';
import type {GPGPUProgram} from '@tensorflow/tfjs-backend-webgl';
import {heapOf, valuesInPlace} from '../../kernels/cpu/tfjs_internals';
import {
  DENSE,
  download,
  downloaded,
  namedCode,
  rowTexture,
  uploaded,
  valueOnCpu,
  withRawTextures,
  withVertexShader,
} from '../../kernels/webgl/tfjs_internals';
import {run} from '../../kernels/webgpu/program';
import {flat} from '../../kernels/webgpu/tfjs_internals';
import {fakeQuant} from '../../src/entries/index';
import {onWebGL, onWebGPU, setup, valuesOf, webgl, webgpu} from '../support/environment';
import {skip} from '../support/scoped';

/** What `make` returns, read and freed. */
async function read(made: tf.TensorInfo): Promise<number[]> {
  const tensor = tf.engine().makeTensorFromTensorInfo(made);
  const values = [...(await valuesOf(tensor))];
  tensor.dispose();
  return values;
}

if (setup.backend === 'cpu') {
  describe('of the cpu backend', () => {
    it('values lie in an array', () => {
      const x = tf.tensor1d([1, 2, 3]);
      const values = valuesInPlace(tf.backend() as MathBackendCPU, x);
      expect(values).toEqual(Float32Array.of(1, 2, 3));
      values[1] = 7;
      expect([...x.dataSync()]).toEqual([1, 7, 3]);
      x.dispose();
    });
  });
}

if (setup.backend === 'wasm') {
  describe('of the wasm backend', () => {
    it('the memory of tensors is found, and gives room', () => {
      const backend = tf.backend() as BackendWasm;
      const heap = heapOf(backend)!;
      const x = tf.tensor1d([1, 2, 3]);
      const address = heap.allocate(64);
      expect(address).toBeGreaterThan(0);
      expect(backend.typedArrayFromHeap(x).buffer).toBe(heap.memory.buffer);
      expect(address + 64).toBeLessThanOrEqual(heap.memory.buffer.byteLength);
      x.dispose();
    });
  });
}

if (onWebGPU) {
  describe('of the webgpu backend', () => {
    it('a shader finds its inputs, its uniforms, Infinity, and where to write', async () => {
      const x = tf.tensor1d([7]);
      const made = run(webgpu(), {
        key: 'names',
        code: () => `fn main(index: i32) {
        if (index == 0) { result[0] = given[0]; }
        if (index == 1) { result[1] = uniforms.own; }
        if (index == 2) { result[2] = uniforms.INFINITY; }
      }`,
        inputs: [{name: 'given', tensor: x, components: 1}],
        uniforms: {own: ['f32', 5]},
        threads: 3,
        components: 1,
        shape: [3],
      });
      expect(await read(made)).toEqual([7, 5, Infinity]);
      x.dispose();
    });

    it('uniforms lie one after the other, however many there are and whatever is bound', async () => {
      for (const [count, bound] of [1, 2, 3, 5, 6, 7, 12].flatMap(count =>
        [1, 2, 3].map(bound => [count, bound] as const),
      )) {
        const values = Array.from({length: count}, (_, i) => (i % 2 ? -1.5 * i : i + 1));
        const uniforms = Object.fromEntries(
          values.map((value, i) => [`u${i}`, [i % 2 ? 'f32' : 'u32', value] as const]),
        );
        const xs = Array.from({length: bound}, (_, i) => tf.tensor1d([i]));
        const made = run(webgpu(), {
          key: `gapless_${count}_${bound}`,
          // What is bound must be read.
          code: () => `fn main(index: i32) {
            let none = 0.0 * (${xs.map((_, i) => `given${i}[0]`).join(' + ')});
            if (index == 0) { ${values.map((_, i) => `result[${i}] = f32(uniforms.u${i}) + none;`).join(' ')} }
          }`,
          inputs: xs.map((tensor, i) => ({name: `given${i}`, tensor, components: 1})),
          uniforms,
          threads: 1,
          components: 1,
          shape: [count],
        });
        expect(await read(made))
          .withContext(`${count} uniforms, ${bound} inputs`)
          .toEqual(values);
        tf.dispose(xs);
      }
    });

    it('a flat tensor is the same buffer, and serves all ranks with one pipeline', () => {
      const {pipelineCache} = tf.backend() as unknown as {pipelineCache: object};
      const shapes = [[16], [4, 4], [2, 2, 4], [2, 2, 2, 2]];
      const xs = shapes.map(shape => tf.ones(shape));
      const before = Object.keys(pipelineCache).length;
      tf.tidy(() => {
        xs.forEach(x => fakeQuant(x, 0, 3, {numBits: 3}));
      });
      expect(Object.keys(pipelineCache).length - before).toBeLessThanOrEqual(1);
      expect(flat(xs[0]!).dataId).toBe(xs[0]!.dataId);
      tf.dispose(xs);
    });
  });
}

/** A program that writes what `value` says to every texel. */
class SpecProgram implements GPGPUProgram {
  readonly variableNames: string[];
  readonly outputShape: number[];
  readonly userCode: string;
  readonly packedOutput = true;
  readonly enableShapeUniforms = true;
  readonly outPackingScheme = DENSE;

  constructor(outputShape: number[], value: string, variableNames: string[] = []) {
    this.outputShape = outputShape;
    this.variableNames = variableNames;
    this.userCode = `${variableNames.length === 0 ? 'flat in vec4 given;' : ''} void main() { setOutput(${value}); }`;
  }
}

if (onWebGL) {
  describe('of the webgl backend', () => {
    const isNew = setup.backend === 'webgl2';
    const texel = isNew ? 'texelFetch(X, ivec2(1, 1), 0)' : 'texture2D(X, vec2(0.75, 0.75))';
    const program = () => new SpecProgram([1, 2, 2], texel, ['X']);

    it('a tensor is uploaded packed or not, as asked for', async () => {
      for (const packed of [true, false]) {
        const x = tf.tensor2d([1, 2, 3, 4, 5, 6, 7, 8, 9], [3, 3]);
        const data = uploaded(webgl(), x, packed);
        expect(!!data.isPacked).toBe(packed);
        expect(data.texShape).toEqual(packed ? [4, 4] : [3, 3]);
        expect(data.texture).toBeTruthy();
        expect([...(await valuesOf(x))]).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9]);
        x.dispose();
      }
    });

    it('a value that has not left the CPU is known', () => {
      const x = tf.scalar(3);
      expect(valueOnCpu(webgl(), x)).toBe(3);
      uploaded(webgl(), x, true);
      expect(valueOnCpu(webgl(), x)).toBeUndefined();
      x.dispose();
    });

    it('a raw texture is read as it is, in one dispatch, and an output has the texture that is asked for', async () => {
      const backend = webgl();
      const x = tf.tensor2d([1, 2, 3, 4, 5, 6, 7, 8, 9], [3, 3]);
      const data = uploaded(backend, x, true);
      const execute = spyOn(backend.gpgpu, 'executeProgram').and.callThrough();
      const made = withRawTextures(backend, [data], inputs =>
        backend.runWebGLProgram(program(), inputs, 'float32', undefined, true, [1, 1]),
      );
      expect(execute).toHaveBeenCalledTimes(1);
      expect(backend.texData.get(made.dataId).texShape).toEqual([2, 2]);
      const wide = withRawTextures(backend, [data], inputs =>
        backend.runWebGLProgram(program(), inputs, 'float32', undefined, true, [3, 5]),
      );
      expect(backend.texData.get(wide.dataId).texShape).toEqual([6, 10]);
      backend.disposeIntermediateTensorInfo(wide);
      // The last texel of a 3x3 matrix holds its last element.
      expect((await read(made))[0]).toBe(9);
      x.dispose();
    });

    it('code is compiled whole, and cached by its name', async () => {
      const backend = webgl();
      const {binaryCache} = backend as unknown as {binaryCache: object};
      const make = async (name: string, value: string) => {
        const plain = new SpecProgram([1, 2, 2], value, ['X']);
        const code = plain.userCode;
        const named = Object.assign(plain, {userCode: namedCode(name, () => code)});
        const x = tf.scalar(0);
        const data = uploaded(backend, x, true);
        const made = withRawTextures(backend, [data], inputs =>
          backend.runWebGLProgram(named, inputs, 'float32', undefined, true, [1, 1]),
        );
        x.dispose();
        return read({...made, shape: [2, 2]});
      };
      expect(await make('one', 'vec4(1.0)')).toEqual([1, 1, 1, 1]);
      expect(await make('two', 'vec4(2.0)')).toEqual([2, 2, 2, 2]);
      expect(await make('one', 'vec4(1.0)')).toEqual([1, 1, 1, 1]);
      const keys = Object.keys(binaryCache).filter(key => /_(one|two)\d$/.test(key));
      expect(keys.length).toBe(2);
    });

    it('the code of an op is no part of the key of its programs', () => {
      const {binaryCache} = webgl() as unknown as {binaryCache: object};
      tf.dispose(tf.tidy(() => fakeQuant(tf.ones([3]), 0, 3)));
      const keys = Object.keys(binaryCache).filter(key => key.includes('roundToGrid'));
      expect(keys.length).toBeGreaterThan(0);
      for (const key of keys) expect(key).not.toContain('main');
    });

    it('texels are read as they lie', () => {
      if (!isNew) skip('WebGL 1 has no buffers to read into');
      const x = tf.tensor2d([1, 2, 3, 4, 5, 6, 7, 8, 9], [3, 3]);
      uploaded(webgl(), x, true);
      const [once, again] = [0, 1].map(() => download(webgl(), x)).map(each => downloaded(webgl(), each));
      expect(once?.length).toBe(16);
      // What lies outside of the matrix may be anything.
      expect([0, 1, 2, 3, 4, 6, 8, 9, 12].map(i => once?.[i])).toEqual([1, 2, 4, 5, 3, 6, 7, 8, 9]);
      expect(again).toEqual(once);
      x.dispose();
    });

    it('images of odd width, once they are rounded, pass a pointwise convolution without being moved', async () => {
      const backend = webgl();
      const x = tf.tidy(() => tf.relu(tf.reshape<tf.Rank.R4>(tf.range(0, 72), [2, 3, 3, 4])));
      expect(backend.texData.get(x.dataId).isPacked).toBeTrue();
      const rounded = fakeQuant(x, 0, 255);
      const filter = tf.ones<tf.Rank.R4>([1, 1, 4, 2]);
      const run = spyOn(backend, 'runWebGLProgram').and.callThrough();
      const y = tf.conv2d(rounded, filter, 1, 'valid');
      const names = run.calls.allArgs().map(([{constructor}]) => constructor.name);
      expect(names.filter(name => name.includes('Reshape'))).toEqual([]);
      expect(names.filter(name => name.includes('MatMul')).length).toBe(1);
      const sums = Array.from({length: 18}, (_, i) => 4 * (4 * i) + 6);
      expect([...(await valuesOf(y))]).toEqual(sums.flatMap(sum => [sum, sum]));
      tf.dispose([x, rounded, filter, y]);
    });

    it('a row has the texture that is expected', () => {
      const longest = tf.env().getNumber('WEBGL_MAX_TEXTURE_SIZE');
      for (const size of [1, 5, 4096, longest / 2, longest / 2 + 1, longest, longest + 1, 4 * longest + 3]) {
        const x = tf.zeros([size]);
        const [height, width] = uploaded(webgl(), x, false).texShape!;
        expect(rowTexture(size)).withContext(String(size)).toEqual({height, width});
        x.dispose();
      }
    });

    it('programs are linked with the vertex shader of the context, which is given back', async () => {
      if (!isNew) skip('the vertex shader is left alone on WebGL 1');
      const backend = webgl();
      const {gl} = backend.gpgpu;
      const context = backend.gpgpu as unknown as {vertexShader: WebGLShader};
      tf.dispose(tf.tidy(() => tf.ones([3]).sin()));
      const before = context.vertexShader;
      for (const name of ['clipSpacePos', 'uv', 'resultUV']) expect(gl.getShaderSource(before)).toContain(name);
      const shader = gl.createShader(gl.VERTEX_SHADER)!;
      const code = `#version 300 es
      in vec3 clipSpacePos; in vec2 uv; out vec2 resultUV; flat out vec4 given;
      void main() { gl_Position = vec4(clipSpacePos, 1); resultUV = uv; given = vec4(1, 2, 3, 4); }`;
      gl.shaderSource(shader, code);
      gl.compileShader(shader);
      const made = withVertexShader(backend.gpgpu, shader, () =>
        backend.runWebGLProgram(new SpecProgram([1, 2, 2], 'given'), [], 'float32', undefined, true, [1, 1]),
      );
      expect(await read({...made, shape: [2, 2]})).toEqual([1, 2, 3, 4]);
      expect(context.vertexShader).toBe(before);
    });
  });
}
