import {nodeResolve} from '@rollup/plugin-node-resolve';
import terser from '@rollup/plugin-terser';
import dts from 'rollup-plugin-dts';
import esbuild from 'rollup-plugin-esbuild';
import {rollupShaders} from './scripts/shader_text.mjs';
import {checkShaders} from './scripts/shaders.mjs';

const ENTRIES = {
  index: 'src/index.ts',
  tf: 'src/tf.ts',
  'graph-model': 'src/graph_model.ts',
  qat: 'src/qat/index.ts',
  tflite: 'src/tflite/index.ts',
};

/** tfjs is a peer and stays outside; so does the one dependency, of the entry tflite. */
const external = /^(@tensorflow\/|flatbuffers$)/;

const plugins = [
  {name: 'check-shaders', buildStart: () => checkShaders()},
  rollupShaders,
  nodeResolve(),
  esbuild({target: 'es2022'}),
];

function modules(format, ending) {
  const names = {entryFileNames: `[name].${ending}`, chunkFileNames: `[name]-chunk.${ending}`};
  return {dir: 'dist', format, sourcemap: true, ...names};
}

function types(ending) {
  return {dir: 'dist', entryFileNames: `[name].${ending}`, chunkFileNames: `[name]-chunk.${ending}`};
}

/** For a script tag after tfjs's own: `extend` adds the exports to the global `tf`. */
function script(name, input) {
  const umd = {format: 'umd', name: 'tf', extend: true, globals: () => 'tf', sourcemap: true};
  return {
    input,
    external,
    plugins,
    output: [
      {...umd, file: `dist/${name}.js`},
      {...umd, file: `dist/${name}.min.js`, plugins: [terser()]},
    ],
  };
}

export default [
  {input: ENTRIES, external, plugins, output: [modules('es', 'mjs'), modules('cjs', 'cjs')]},
  {input: ENTRIES, external, plugins: [dts()], output: [types('d.mts'), types('d.cts')]},
  script('tfjs-quantization', ENTRIES.index),
  script('tfjs-quantization-graph-model', ENTRIES['graph-model']),
];
