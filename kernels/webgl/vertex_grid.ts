/**
 * A range that all texels share becomes a grid in the vertex shader, four times a dispatch, and not in the fragment shader,
 * for each texel. tfjs has no place for that: see vertex_shader.ts. What it earns, on a software renderer, from 16k to
 * 4M elements of packed textures (unpacked): without it fakeQuant takes 2.8 to 3.4 (1.6 to 1.7) times as long where the range
 * is on the GPU, 1.4 to 1.7 (1.5 to 1.8) times where it is numbers, and dx 2.3 to 2.6 (1.2 to 1.5) times. Where each channel
 * has its grid it earned nothing.
 */
import {env} from '@tensorflow/tfjs-core';
import boundsText from '../../shaders/webgl/bounds.glsl';
import vertexText from '../../shaders/webgl/vertex.glsl';
import type {Part} from './part';

/** What derives the grid of a program's range. */
export const GRID_VERTEX = [boundsText, vertexText];

/** Asks for it. WebGL 1 has no way to hand values from the vertices to all fragments unchanged. */
export function vertexGridDefines(): Record<string, string> {
  return env().getNumber('WEBGL_VERSION') === 2 ? {VERTEX_GRID: ''} : {};
}

export function usesVertexGrid({defines}: Part): boolean {
  return 'VERTEX_GRID' in defines;
}
