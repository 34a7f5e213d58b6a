import {fileURLToPath} from 'node:url';
import {nodeResolve} from '@rollup/plugin-node-resolve';
import terser from '@rollup/plugin-terser';
import dts from 'rollup-plugin-dts';
import esbuild from 'rollup-plugin-esbuild';
import {ENTRIES} from './scripts/entries.mjs';
import {rollupShaders} from './scripts/shader_text.mjs';
import {checkShaders} from './scripts/shaders.mjs';

const TFJS = /^@tensorflow\//;

/** tfjs is a peer and stays outside; so do the dependencies: of the entries tflite and onnx, one each. */
const external = [TFJS, 'flatbuffers', '@bufbuild/protobuf/wire'];

const plugins = [
  {name: 'check-shaders', buildStart: () => checkShaders()},
  rollupShaders,
  // Before the other, which takes all modules but those that package.json lists for free of effects.
  esbuild({target: 'es2022'}),
  nodeResolve(),
];

const entryOf = new Map(
  Object.entries(ENTRIES).map(([name, file]) => [fileURLToPath(new URL(file, import.meta.url)), name]),
);

/** Module by module, so that bundlers leave out what is not used: see `sideEffects` in package.json. */
const esModules = {
  dir: 'dist',
  format: 'es',
  preserveModules: true,
  preserveModulesRoot: 'src',
  entryFileNames: ({facadeModuleId}) => `${entryOf.get(facadeModuleId) ?? '[name]'}.mjs`,
  sourcemap: true,
};

const commonJs = {
  dir: 'dist',
  format: 'cjs',
  entryFileNames: '[name].cjs',
  chunkFileNames: '[name]-chunk.cjs',
  sourcemap: true,
};

function types(ending) {
  return {
    dir: 'dist',
    entryFileNames: `[name].${ending}`,
    chunkFileNames: `[name]-chunk.${ending}`,
    // An import of all of tfjs stays where it stands, in the entry tf.
    hoistTransitiveImports: false,
  };
}

/** What comes out smallest, compressed once more on its way. */
const COMPRESSION = {passes: 3, sequences: false, arrows: false, lhs_constants: false, pure_getters: true};

/** What a script tag in the wrong order says. Modules get their tfjs by import. */
function checkTfjs(needed) {
  const found = needed.map(name => `globalThis.tf?.${name}`).join(' && ');
  return `if (typeof exports !== 'object' && typeof define !== 'function' && !(${found})) throw new Error(
  'tfjs-quantization: load tfjs before this script: <script src="https://unpkg.com/@tensorflow/tfjs@4.22.0"></script>');`;
}

/** For a script tag after tfjs's own, whole: `extend` adds the exports to the global `tf`. */
function script(name, input, needed) {
  const umd = {
    format: 'umd',
    name: 'tf',
    extend: true,
    globals: () => 'tf',
    sourcemap: true,
    banner: checkTfjs(needed),
  };
  return {
    input,
    external: [TFJS],
    plugins,
    output: [
      {...umd, file: `dist/${name}.js`},
      {...umd, file: `dist/${name}.min.js`, plugins: [terser({ecma: 2020, compress: COMPRESSION})]},
    ],
  };
}

export default [
  {input: ENTRIES, external, plugins, output: [esModules, commonJs]},
  {
    input: ENTRIES,
    external,
    plugins: [dts({compilerOptions: {stripInternal: true}})],
    output: [types('d.mts'), types('d.cts')],
  },
  script('tfjs-quantization', ENTRIES.index, ['op']),
  script('tfjs-quantization-graph-model', ENTRIES['graph-model'], ['registerOp']),
  script('tfjs-quantization.all', 'src/entries/all.ts', ['registerOp', 'layers']),
];
