/** The programs, and how they are run. */
import type {TensorInfo} from '@tensorflow/tfjs-core';
import type {GPGPUProgram, MathBackendWebGL} from '@tensorflow/tfjs-backend-webgl';
import boundsText from '../../shaders/webgl/bounds.glsl';
import deriveGridsText from '../../shaders/webgl/derive_grids.glsl';
import elementsText from '../../shaders/webgl/elements.glsl';
import fragmentText from '../../shaders/webgl/fragment.glsl';
import gridsText from '../../shaders/webgl/grids.glsl';
import histogramCodesText from '../../shaders/webgl/histogram_codes.glsl';
import learnText from '../../shaders/webgl/learn.glsl';
import learnGradientText from '../../shaders/webgl/learn_gradient.glsl';
import learnGridText from '../../shaders/webgl/learn_grid.glsl';
import measureText from '../../shaders/webgl/measure.glsl';
import measurePartialsText from '../../shaders/webgl/measure_partials.glsl';
import observeText from '../../shaders/webgl/observe.glsl';
import partialsText from '../../shaders/webgl/partials.glsl';
import quantizeText from '../../shaders/webgl/quantize.glsl';
import roundToGridText from '../../shaders/webgl/round_to_grid.glsl';
import straightThroughText from '../../shaders/webgl/straight_through.glsl';
import stridedLoopText from '../../shaders/webgl/strided_loop.glsl';
import sumText from '../../shaders/webgl/sum.glsl';
import sumPartialsText from '../../shaders/webgl/sum_partials.glsl';
import texelsText from '../../shaders/webgl/texels.glsl';
import {directivesOf, joinParts, type Part, partOf, type Uniform} from './part';
import {DENSE, namedCode, withRawTextures, withVertexShader} from './tfjs_internals';
import {usesVertexGrid, vertexShaderOf} from './vertex_grid';

const GRIDS = [boundsText, gridsText, fragmentText];
const PARTIALS = [fragmentText, partialsText];
const LEARNED = [fragmentText, elementsText, learnText];

/** What each program's code is made of, after the arithmetic. */
const PROGRAMS = {
  roundToGrid: [...GRIDS, roundToGridText],
  straightThrough: [...GRIDS, straightThroughText],
  deriveGrids: [boundsText, deriveGridsText],
  sum: [...GRIDS, stridedLoopText, sumText],
  sumPartials: [...PARTIALS, sumPartialsText],
  measure: [fragmentText, stridedLoopText, measureText],
  measurePartials: [...PARTIALS, measurePartialsText],
  histogramCodes: [fragmentText, histogramCodesText],
  observe: [fragmentText, elementsText, observeText],
  learnGrid: [...LEARNED, learnGridText],
  learnGradient: [...LEARNED, learnGradientText],
};

export type ProgramName = keyof typeof PROGRAMS;

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
  /** In place of tfjs's, if it is to derive the grid. */
  readonly vertexShader: WebGLShader | undefined;

  constructor(gl: WebGLRenderingContext, key: string, name: ProgramName, part: Part, out: Output) {
    const {defines, inputs, uniforms} = part;
    const directives = directivesOf({...defines, ...(out.packed && {PACKED_OUTPUT: ''})});
    this.userCode = namedCode(key, () => [...directives, quantizeText, texelsText, ...PROGRAMS[name]].join('\n'));
    this.variableNames = Object.keys(inputs);
    this.customUniforms = Object.entries(uniforms).map(([name, [type]]) => ({name, type}));
    this.packedOutput = out.packed;
    if (out.texelShape) this.outPackingScheme = DENSE;
    if (usesVertexGrid(part)) this.vertexShader = vertexShaderOf(gl, part);
  }
}

const made = new WeakMap<WebGLRenderingContext, Map<string, QuantizationProgram>>();

/** Made once, as to put its code's name together at every run would take as long as the rest of a small tensor's run. */
function programOf(gl: WebGLRenderingContext, name: ProgramName, part: Part, out: Output): QuantizationProgram {
  let key: string = out.texelShape ? `${name},dense` : name;
  for (const define in part.defines) key += `,${define} ${part.defines[define]!}`;
  if (out.packed) key += ',PACKED_OUTPUT';
  let programs = made.get(gl);
  if (!programs) made.set(gl, (programs = new Map<string, QuantizationProgram>()));
  let program = programs.get(key);
  if (!program) programs.set(key, (program = new QuantizationProgram(gl, key, name, part, out)));
  program.outputShape = [...out.shape];
  return program;
}

/** A 0 that no compiler knows: see `rounded` in shaders/webgl/quantize.glsl. */
const OPAQUE_ZERO = partOf({uniforms: {opaqueZero: ['int', [0]]}});

/** Runs a program once, and frees what was made for its inputs. */
export function dispatch(
  backend: MathBackendWebGL,
  name: ProgramName,
  parts: readonly Part[],
  out: Output,
): TensorInfo {
  const part = joinParts([OPAQUE_ZERO, ...parts]);
  const {gpgpu} = backend;
  const program = programOf(gpgpu.gl, name, part, out);
  const textures = Object.values(part.inputs);
  const values = Object.values(part.uniforms).map(([, value]) => value as number[]);
  const texelShape = out.texelShape as [number, number] | undefined;
  const run = (inputs: TensorInfo[]) =>
    backend.runWebGLProgram(program, inputs, 'float32', values, out.intermediate ?? false, texelShape);
  try {
    const {vertexShader} = program;
    return withRawTextures(
      backend,
      textures.map(({data}) => data),
      inputs => (vertexShader ? withVertexShader(gpgpu, vertexShader, () => run(inputs)) : run(inputs)),
    );
  } finally {
    for (const {temporary} of textures) if (temporary) backend.disposeIntermediateTensorInfo(temporary);
  }
}
