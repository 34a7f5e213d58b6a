/** Imports of shader files, for esbuild and for rollup, as text: with their names, or as they are shipped, with short ones. */
import {readFile} from 'node:fs/promises';
import {basename, dirname} from 'node:path';
import {shortNames} from './shader_names.mjs';

const SHADER = /\.(glsl|wgsl)$/;

/** Without comments and needless space. Directives need lines of their own. */
export function compact(text) {
  const lines = text.replace(/\/\/.*$/gm, '').split('\n');
  return lines.map(compactLine).join('').replace(/\n+/g, '\n').trim();
}

function compactLine(line) {
  const words = line.trim().replace(/\s+/g, ' ');
  if (words.startsWith('#')) return `\n${words}\n`;
  const tight = words
    .replace(/ ?([^\w +-]) ?/g, '$1')
    // Not between two signs, which would be one.
    .replace(/(?<![+-]) ?([+-]) ?(?![+-])/g, '$1')
    .replace(/\b(\d+)\.0\b/g, '$1.');
  return /\w$/.test(tight) ? `${tight} ` : tight;
}

const shortened = new Map();

/** As it is shipped. All shaders of a backend get short names together, since TypeScript joins them. */
export function minified(file, text) {
  const backend = basename(dirname(file));
  if (!shortened.has(backend)) shortened.set(backend, shortNames(backend));
  return compact(text).replace(/\b[A-Za-z_]\w*/g, word => shortened.get(backend).get(word) ?? word);
}

/** For what runs from a checkout: names in a driver's complaints are those of the sources. */
export const esbuildShaders = esbuildShadersBy((_, text) => compact(text));

/** The same with what users get. */
export const esbuildMinifiedShaders = esbuildShadersBy(minified);

function esbuildShadersBy(textOf) {
  return {
    name: 'shaders',
    setup({onLoad}) {
      onLoad({filter: SHADER}, async ({path}) => ({
        contents: textOf(path, await readFile(path, 'utf8')),
        loader: 'text',
      }));
    },
  };
}

export const rollupShaders = {
  name: 'shaders',
  transform(text, id) {
    if (!SHADER.test(id)) return null;
    return {code: `export default ${JSON.stringify(minified(id, text))};`, map: {mappings: ''}};
  },
};
