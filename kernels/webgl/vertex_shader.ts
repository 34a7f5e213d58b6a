/** Vertex shaders in the place of tfjs's: they compute what all fragments share, which else each would compute anew. */
import quantizeText from '../../shaders/webgl/quantize.glsl';
import texelsText from '../../shaders/webgl/texels.glsl';
import {directivesOf, type Part} from './part';

/** Numbers are highp in vertex shaders as they are. */
const PRELUDE = '#version 300 es\n#define IN_VERTEX\nprecision highp sampler2D;';

/** Made of `texts` after the arithmetic, with what the program's fragments are specialised by, and given. WebGL 2 alone has it. */
export function vertexShaderOf(
  gl: WebGLRenderingContext,
  {defines, inputs, uniforms}: Part,
  texts: readonly string[],
): WebGLShader {
  const samplers = Object.keys(inputs).map(name => `uniform sampler2D ${name};`);
  const others = Object.entries(uniforms).map(([name, [type]]) => `uniform ${type} ${name};`);
  const all = [PRELUDE, ...directivesOf(defines), ...samplers, ...others, quantizeText, texelsText, ...texts];
  const shader = gl.createShader(gl.VERTEX_SHADER)!;
  gl.shaderSource(shader, all.join('\n'));
  gl.compileShader(shader);
  return shader;
}
