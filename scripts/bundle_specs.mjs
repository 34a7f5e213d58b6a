/** Bundles the specs for Node or for a browser. */
import {readdirSync} from 'node:fs';
import {fileURLToPath} from 'node:url';
import {build} from 'esbuild';
import {esbuildShaders} from './shader_text.mjs';

const ROOT = fileURLToPath(new URL('../', import.meta.url));

/** This one leaves the backend unusable. */
const LAST = 'device_lost.spec.ts';

/** These talk to runtimes in other processes. */
const IN_NODE_ONLY = /^tflite/;

/**
 * The layers' specs compare whole networks, in which llvmpipe lets tfjs's own products round now one way, now another.
 * Firefox is there for a second compiler of shaders: the kernels' specs run in it.
 */
const NOT_IN_FIREFOX = /^qat/;

const LEFT_OUT = {
  node: () => false,
  chromium: file => IN_NODE_ONLY.test(file),
  firefox: file => IN_NODE_ONLY.test(file) || NOT_IN_FIREFOX.test(file),
};

/**
 * @param {'node' | 'chromium' | 'firefox'} place
 * @param {string} outfile
 * @param {string} only - the files whose names contain it; all by default
 */
export async function bundleSpecs(place, outfile, only = '') {
  const platform = place === 'node' ? 'node' : 'browser';
  const specs = readdirSync(`${ROOT}/test`, {recursive: true}).filter(
    file => file.endsWith('.spec.ts') && file !== LAST && !LEFT_OUT[place](file),
  );
  const imports = [...specs, LAST].filter(file => file.includes(only)).map(file => `() => import('./${file}')`);
  await build({
    stdin: {contents: `import {start} from './main';\nawait start([${imports}]);`, resolveDir: `${ROOT}/test`},
    bundle: true,
    format: 'esm',
    platform,
    mainFields: ['module', 'main'],
    external: ['node:*'],
    plugins: [esbuildShaders],
    sourcemap: 'inline',
    target: 'es2022',
    logLevel: 'error',
    // The wasm backend's Node build asks for these.
    banner: platform === 'node' ? {js: NODE_GLOBALS} : {},
    outfile,
  });
  return outfile;
}

const NODE_GLOBALS = `import {createRequire} from 'node:module';
import {fileURLToPath} from 'node:url';
const require = createRequire(import.meta.url);
const __filename = fileURLToPath(import.meta.url);
const __dirname = fileURLToPath(new URL('.', import.meta.url));`;
