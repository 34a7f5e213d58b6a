/**
 * A range that all texels share becomes a grid in the vertex shader, four times a dispatch, and not in the fragment shader,
 * for each texel. tfjs has no place for that: see `withVertexShader`. What it earns, on a software renderer, from 16k to
 * 4M elements of packed textures (unpacked): without it fakeQuant takes 2.8 to 3.4 (1.6 to 1.7) times as long where the range
 * is on the GPU, 1.4 to 1.7 (1.5 to 1.8) times where it is numbers, and dx 2.3 to 2.6 (1.2 to 1.5) times. Where each channel
 * has its grid it earned nothing.
 */
import {env} from '@tensorflow/tfjs-core';
import boundsText from '../../shaders/webgl/bounds.glsl';
import quantizeText from '../../shaders/webgl/quantize.glsl';
import texelsText from '../../shaders/webgl/texels.glsl';
import vertexText from '../../shaders/webgl/vertex.glsl';
import {directivesOf, type Part} from './part';

/** Numbers are highp in vertex shaders as they are. */
const PRELUDE = '#version 300 es\n#define IN_VERTEX\nprecision highp sampler2D;';

/** Asks for it. WebGL 1 has no way to hand values from the vertices to all fragments unchanged. */
export function vertexGridDefines(): Record<string, string> {
  return env().getNumber('WEBGL_VERSION') === 2 ? {VERTEX_GRID: ''} : {};
}

export function usesVertexGrid({defines}: Part): boolean {
  return 'VERTEX_GRID' in defines;
}

/** The vertex shader that derives the grid of a program's range. */
export function vertexShaderOf(gl: WebGLRenderingContext, {defines, inputs, uniforms}: Part): WebGLShader {
  const samplers = Object.keys(inputs).map(name => `uniform sampler2D ${name};`);
  const others = Object.entries(uniforms).map(([name, [type]]) => `uniform ${type} ${name};`);
  const texts = [
    PRELUDE,
    ...directivesOf(defines),
    ...samplers,
    ...others,
    quantizeText,
    texelsText,
    boundsText,
    vertexText,
  ];
  const shader = gl.createShader(gl.VERTEX_SHADER)!;
  gl.shaderSource(shader, texts.join('\n'));
  gl.compileShader(shader);
  return shader;
}
