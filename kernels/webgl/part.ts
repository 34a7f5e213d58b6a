/** What programs are put together from. */
import type {GPGPUProgram} from '@tensorflow/tfjs-backend-webgl';
import type {TensorTexture} from './textures';

export type Uniform = NonNullable<GPGPUProgram['customUniforms']>[number]['type'];

/** A part of a program: what its code is specialised by, the inputs by the name of their sampler, the uniforms by theirs. */
export interface Part {
  readonly defines: Readonly<Record<string, string>>;
  readonly inputs: Readonly<Record<string, TensorTexture>>;
  readonly uniforms: Readonly<Record<string, readonly [Uniform, readonly number[]]>>;
}

/** A part of what is given; the rest is empty. */
export function partOf(part: Partial<Part>): Part {
  return {defines: {}, inputs: {}, uniforms: {}, ...part};
}

export function joinParts(parts: readonly Part[]): Part {
  const joined = {defines: {}, inputs: {}, uniforms: {}};
  for (const {defines, inputs, uniforms} of parts) {
    Object.assign(joined.defines, defines);
    Object.assign(joined.inputs, inputs);
    Object.assign(joined.uniforms, uniforms);
  }
  return joined;
}

/** As the preprocessor of GLSL wants them. */
export function directivesOf(defines: Part['defines']): string[] {
  return Object.entries(defines).map(([name, value]) => `#define ${name} ${value}`);
}
