/** Checks the syntax of every shader, so that a slip stops the build and not a user's page. */
import {readdirSync, readFileSync} from 'node:fs';
import {fileURLToPath} from 'node:url';
import {parse} from '@shaderfrog/glsl-parser/index.js';
import {preprocess} from '@shaderfrog/glsl-parser/preprocessor/index.js';
import {WgslParser} from 'wgsl_reflect/wgsl_reflect.module.js';

const SHADERS = fileURLToPath(new URL('../shaders/', import.meta.url));

/** Good names that trip a parser: one takes an old keyword for its own, the other looks names up in a plain object. */
const TRIPPING = /\b(block|valueOf)\b/g;

/** What kernels/webgpu/lanes.ts makes a vector or a single value. */
const WIDE = /\b(LANE|CHANNEL)(?=<)/g;

const CHECKS = {
  '.glsl': text => {
    for (const source of readings(text)) parse(`precision highp float;${source}`, {quiet: true});
  },
  '.wgsl': text => new WgslParser().parse(text.replace(WIDE, 'vec4')),
};

/** Parses every file of a folder and of those in it; throws an error that names each file that is not a shader. */
export function checkShaders(folder = SHADERS) {
  const problems = readdirSync(folder, {recursive: true}).flatMap(file => {
    const check = Object.entries(CHECKS).find(([ending]) => file.endsWith(ending))?.[1];
    return check ? problemsOf(file, readFileSync(`${folder}/${file}`, 'utf8'), check) : [];
  });
  if (problems.length > 0) throw new Error(`Shader syntax:\n${problems.join('\n')}`);
}

function problemsOf(file, text, check) {
  try {
    check(text.replace(TRIPPING, '$1_'));
    return [];
  } catch (error) {
    const line = error.location?.start.line ?? error.token?.line;
    return [`shaders/${file}${line === undefined ? '' : `:${line}`}: ${error.message ?? error}`];
  }
}

/** GLSL with every #if taken, and with every #else taken. */
function readings(text) {
  return [1, 0].map(taken => preprocess(text.replace(/^#(if|elif)\b.*$/gm, `#$1 ${taken}`), {preserveComments: true}));
}
