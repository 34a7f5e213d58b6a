/** Bundles the specs for Node or for a browser. */
import {readdirSync} from 'node:fs';
import {fileURLToPath} from 'node:url';
import {build} from 'esbuild';
import {esbuildMinifiedShaders, esbuildShaders} from './shader_text.mjs';

const ROOT = fileURLToPath(new URL('../', import.meta.url));

/** This one leaves the backend unusable. */
const LAST = 'ops/device_lost.spec.ts';

/** These talk to runtimes in other processes, or read sources. */
const IN_NODE_ONLY = /^((docs|inference|onnx|site|tflite)\/|rooms|shaders)/;

/**
 * The parts in which specs run in browsers, by names of files. Those of layers, and of whole models that train, take minutes
 * of a software renderer each, and Firefox's lets tfjs's own products round now one way, now another. What is in files is the
 * same wherever it is computed, as is what is decided on the host by what many models predict. The kernels' run everywhere.
 */
const PARTS = Object.entries({
  models: /^(qat\/(learned|mobilenet|model|recurrent|small|tfmot|wrapping|zero_free)|import\/published)/,
  files: /^(import\/(bad_input|hostile|sources)|qat\/(analyze_(channels|faults)|choose_bits|distil_models))/,
  layers: /^(import|layers|qat)\//,
  kernels: /./,
});

/** These ask what a device does in ways of its own, and are in both parts that need layers. */
const IN_BOTH = /^qat\/(calibrate|kept)\./;

const partOf = file => PARTS.find(([, names]) => names.test(file))[0];

/** Node runs all specs; a browser those of one part, or of all. */
function isLeftOut(file, part) {
  if (IN_NODE_ONLY.test(file)) return true;
  if (!part || part === partOf(file)) return false;
  return !(IN_BOTH.test(file) && part === 'models');
}

/**
 * @param {'node' | 'browser'} platform
 * @param {string} outfile
 * @param {{only?: string, part?: 'files' | 'kernels' | 'layers' | 'models', minified?: boolean}} selection - the files whose names
 * contain `only`, of one part; all by default. `minified` is for shaders as users get them.
 */
export async function bundleSpecs(platform, outfile, {only = '', part, minified = false} = {}) {
  const specs = readdirSync(`${ROOT}/test`, {recursive: true}).filter(
    file => file.endsWith('.spec.ts') && file !== LAST && (platform === 'node' || !isLeftOut(file, part)),
  );
  const last = !part || part === 'kernels' ? [LAST] : [];
  const imports = [...specs, ...last].filter(file => file.includes(only)).map(file => `() => import('./${file}')`);
  await build({
    stdin: {contents: `import {start} from './support/main';\nawait start([${imports}]);`, resolveDir: `${ROOT}/test`},
    bundle: true,
    format: 'esm',
    platform,
    mainFields: ['module', 'main'],
    external: ['node:*'],
    plugins: [minified ? esbuildMinifiedShaders : esbuildShaders],
    sourcemap: 'inline',
    target: 'es2022',
    logLevel: 'error',
    // The wasm backend's Node build asks for these.
    banner: platform === 'node' ? {js: NODE_GLOBALS} : {},
    outfile,
  });
  return outfile;
}

const NODE_GLOBALS = `import {createRequire as requireFrom} from 'node:module';
import {fileURLToPath} from 'node:url';
const require = requireFrom(import.meta.url);
const __filename = fileURLToPath(import.meta.url);
const __dirname = fileURLToPath(new URL('.', import.meta.url));`;
