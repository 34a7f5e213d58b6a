/** Imports of shader files, for esbuild and for rollup: as text, and as what is shipped, so that tests run what users run. */
import {readFile} from 'node:fs/promises';

const SHADER = /\.(glsl|wgsl)$/;

/** Without comments and needless space. Directives need lines of their own, and so do the aliases that kernels narrow. */
function compact(text) {
  const lines = text.replace(/\/\/.*$/gm, '').split('\n');
  return lines.map(compactLine).join('').replace(/\n+/g, '\n').trim();
}

function compactLine(line) {
  const words = line.trim().replace(/\s+/g, ' ');
  if (/^(#|alias\b)/.test(words)) return `\n${words}\n`;
  const tight = words
    .replace(/ ?([^\w +-]) ?/g, '$1')
    // Not between two signs, which would be one.
    .replace(/(?<![+-]) ?([+-]) ?(?![+-])/g, '$1')
    .replace(/\b(\d+)\.0\b/g, '$1.');
  return /\w$/.test(tight) ? `${tight} ` : tight;
}

export const esbuildShaders = {
  name: 'shaders',
  setup({onLoad}) {
    onLoad({filter: SHADER}, async ({path}) => ({contents: compact(await readFile(path, 'utf8')), loader: 'text'}));
  },
};

export const rollupShaders = {
  name: 'shaders',
  transform(text, id) {
    if (!SHADER.test(id)) return null;
    return {code: `export default ${JSON.stringify(compact(text))};`, map: {mappings: ''}};
  },
};
