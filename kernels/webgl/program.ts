/** How programs are put together, and run. */
import type {TensorInfo} from '@tensorflow/tfjs-core';
import type {GPGPUProgram, MathBackendWebGL} from '@tensorflow/tfjs-backend-webgl';
import quantizeText from '../../shaders/webgl/quantize.glsl';
import texelsText from '../../shaders/webgl/texels.glsl';
import {directivesOf, joinParts, type Part, partOf, type Uniform} from './part';
import {DENSE, namedCode, withRawTextures, withVertexShader} from './tfjs_internals';
import {GRID_VERTEX, usesVertexGrid} from './vertex_grid';
import {vertexShaderOf} from './vertex_shader';

/** A program by its name, and what its code is made of after the arithmetic. */
export interface Program {
  readonly name: string;
  readonly texts: readonly string[];
  /** Of the vertex shader, where it is not tfjs's, nor one that derives a grid. */
  readonly vertex?: readonly string[];
}

/** What a program draws. */
export interface Output {
  readonly shape: readonly number[];
  readonly packed: boolean;
  readonly texelShape?: readonly [number, number] | undefined;
  readonly intermediate?: boolean;
}

/** A program as tfjs wants it. Named, so that profiles tell it from others. */
class QuantizationProgram implements GPGPUProgram {
  readonly variableNames: string[];
  readonly customUniforms: {name: string; type: Uniform}[];
  outputShape: number[] = [];
  readonly userCode: string;
  readonly packedOutput: boolean;
  /** Tells tfjs to take the texture's shape from us. */
  readonly outPackingScheme?: NonNullable<GPGPUProgram['outPackingScheme']>;
  /** tfjs's cache then tells programs apart by rank, not by shape. */
  readonly enableShapeUniforms = true;
  /** In place of tfjs's. */
  readonly vertexShader: WebGLShader | undefined;

  constructor(gl: WebGLRenderingContext, key: string, {texts, vertex}: Program, part: Part, out: Output) {
    const {defines, inputs, uniforms} = part;
    const directives = directivesOf({...defines, ...(out.packed && {PACKED_OUTPUT: ''})});
    this.userCode = namedCode(key, () => [...directives, quantizeText, texelsText, ...texts].join('\n'));
    this.variableNames = Object.keys(inputs);
    this.customUniforms = Object.entries(uniforms).map(([name, [type]]) => ({name, type}));
    this.packedOutput = out.packed;
    if (out.texelShape) this.outPackingScheme = DENSE;
    const own = usesVertexGrid(part) ? GRID_VERTEX : vertex;
    if (own) this.vertexShader = vertexShaderOf(gl, part, own);
  }
}

const programsOf = new WeakMap<WebGLRenderingContext, Map<string, QuantizationProgram>>();

/** Made once, as to put its code's name together at every run would take as long as the rest of a small tensor's run. */
function programOf(gl: WebGLRenderingContext, program: Program, part: Part, out: Output): QuantizationProgram {
  let key: string = out.texelShape ? `${program.name},dense` : program.name;
  for (const define in part.defines) key += `,${define} ${part.defines[define]!}`;
  if (out.packed) key += ',PACKED_OUTPUT';
  let programs = programsOf.get(gl);
  if (!programs) programsOf.set(gl, (programs = new Map<string, QuantizationProgram>()));
  let made = programs.get(key);
  if (!made) programs.set(key, (made = new QuantizationProgram(gl, key, program, part, out)));
  made.outputShape = [...out.shape];
  return made;
}

/** A 0 that no compiler knows: see `rounded` in shaders/webgl/quantize.glsl. */
const OPAQUE_ZERO = partOf({uniforms: {opaqueZero: ['int', [0]]}});

/** Runs a program once, and frees what was made for its inputs. */
export function dispatch(backend: MathBackendWebGL, program: Program, parts: readonly Part[], out: Output): TensorInfo {
  const part = joinParts([OPAQUE_ZERO, ...parts]);
  const {gpgpu} = backend;
  const made = programOf(gpgpu.gl, program, part, out);
  const textures = Object.values(part.inputs);
  const values = Object.values(part.uniforms).map(([, value]) => value as number[]);
  const texelShape = out.texelShape as [number, number] | undefined;
  const run = (inputs: TensorInfo[]) =>
    backend.runWebGLProgram(made, inputs, 'float32', values, out.intermediate ?? false, texelShape);
  try {
    const {vertexShader} = made;
    return withRawTextures(
      backend,
      textures.map(({data}) => data),
      inputs => (vertexShader ? withVertexShader(gpgpu, vertexShader, () => run(inputs)) : run(inputs)),
    );
  } finally {
    for (const {temporary} of textures) if (temporary) backend.disposeIntermediateTensorInfo(temporary);
  }
}
