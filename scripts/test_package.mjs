/** Tests the build as what users get: packed, installed in a project of its own, and used in every way that it offers. */
import {execFileSync} from 'node:child_process';
import {cpSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync} from 'node:fs';
import {fileURLToPath} from 'node:url';
import vm from 'node:vm';
import {gzipSync} from 'node:zlib';
import ts from 'typescript';

const ROOT = fileURLToPath(new URL('../', import.meta.url));

/** Within the repository, so that the project finds tfjs, its peer, where the repository has it. */
const PROJECT = `${ROOT}.cache/package`;

function run(program, args, cwd = PROJECT) {
  try {
    return execFileSync(program, args, {cwd, encoding: 'utf8', stdio: 'pipe'});
  } catch (error) {
    throw new Error(`${error.message}\n${error.stdout}\n${error.stderr}`, {cause: error});
  }
}

const tool = (name, ...args) => run(process.execPath, [`${ROOT}node_modules/${name}`, ...args]);

function buildAndInstall() {
  rmSync(PROJECT, {recursive: true, force: true});
  mkdirSync(PROJECT, {recursive: true});
  run('npm', ['run', 'build'], ROOT);
  run('npm', ['pack', '--ignore-scripts', '--pack-destination', PROJECT], ROOT);
  writeFileSync(`${PROJECT}/package.json`, JSON.stringify({name: 'user', private: true}));
  run('npm', ['install', '--offline', '--legacy-peer-deps', '--no-audit', '--no-fund', tarball()]);
}

function tarball() {
  return `${PROJECT}/${readdirSync(PROJECT).find(file => file.endsWith('.tgz'))}`;
}

/** Runs a script of the project; it throws where an answer is wrong. */
function script(name, text) {
  writeFileSync(`${PROJECT}/${name}`, text);
  return tool(`../.cache/package/${name}`);
}

/** 2 bits over [0, 3]: the levels are 0, 1, 2 and 3. */
const EXPECT = `
const check = (name, y, expected) => {
  const actual = String(Array.from(y.dataSync()));
  if (actual !== expected) throw new Error(name + ' gave ' + actual + ' instead of ' + expected);
};`;

const CHAINED = `
check('x.fakeQuant', tf.tensor1d([-1, 0.6, 2.4, 9]).fakeQuant(0, 3, {numBits: 2}), '0,1,2,3');
check('tf.grad', tf.grad(x => x.fakeQuant(0, 3))(tf.tensor1d([-1, 1, 4])), '0,1,0');`;

/** Of the ops' script, minified and compressed: three backends' kernels, their shaders and 3 kB of WebAssembly. */
const MOST_BYTES = 25_000;

const CHECKS = {
  'builds, packs and installs': buildAndInstall,

  'imports as an ES module': () =>
    script(
      'module.mjs',
      `import * as tf from '@tensorflow/tfjs';
       import {fakeQuant} from 'tfjs-quantization';
       ${EXPECT}
       check('fakeQuant', fakeQuant([0.6, 2.4], 0, 3, {numBits: 2}), '1,2');
       ${CHAINED}`,
    ),

  'imports with all of tfjs': () =>
    script(
      'all.mjs',
      `import * as tf from 'tfjs-quantization/tf';
       ${EXPECT}
       check('tf.fakeQuant', tf.fakeQuant(tf.tensor1d([0.6, 2.4]), 0, 3, {numBits: 2}), '1,2');
       ${CHAINED}`,
    ),

  'is required': () =>
    script(
      'module.cjs',
      `const tf = require('@tensorflow/tfjs');
       const {fakeQuant} = require('tfjs-quantization');
       const {registerGraphOps} = require('tfjs-quantization/graph-model');
       const all = require('tfjs-quantization/tf');
       ${EXPECT}
       check('fakeQuant', fakeQuant([0.6, 2.4], 0, 3, {numBits: 2}), '1,2');
       check('tf.fakeQuant', all.fakeQuant([0.6, 2.4], 0, 3, {numBits: 2}), '1,2');
       registerGraphOps();
       ${CHAINED}`,
    ),

  'writes .tflite files, as an ES module and in CommonJS': () => {
    const text = `
       const model = tf.sequential({layers: [tf.layers.dense({units: 2, inputShape: [3]})]});
       const q = quantizeModel(model);
       calibrate(q, tf.randomNormal([8, 3])).then(() => toTFLite(q)).then(bytes => {
         if (String.fromCharCode(...bytes.subarray(4, 8)) !== 'TFL3') throw new Error('no .tflite');
       });`;
    script(
      'tflite.mjs',
      `import * as tf from '@tensorflow/tfjs';
       import {calibrate, quantizeModel} from 'tfjs-quantization/qat';
       import {toTFLite} from 'tfjs-quantization/tflite';
       ${text}`,
    );
    return script(
      'tflite.cjs',
      `const tf = require('@tensorflow/tfjs');
       const {calibrate, quantizeModel} = require('tfjs-quantization/qat');
       const {toTFLite} = require('tfjs-quantization/tflite');
       ${text}`,
    );
  },

  'registers graph ops': () =>
    script(
      'graph.mjs',
      `import '@tensorflow/tfjs';
       import {registerGraphOps, mendGraph} from 'tfjs-quantization/graph-model';
       registerGraphOps();
       registerGraphOps();
       if (typeof mendGraph !== 'function') throw new Error('no mendGraph');`,
    ),

  'may be imported twice, as two copies': () =>
    script(
      'twice.mjs',
      `import {createRequire} from 'node:module';
       import * as tf from '@tensorflow/tfjs';
       const warnings = [];
       console.warn = message => warnings.push(message);
       const first = await import('tfjs-quantization');
       const kernels = tf.getKernelsForBackend('cpu').length;
       const second = createRequire(import.meta.url)('tfjs-quantization');
       if (first.fakeQuant === second.fakeQuant) throw new Error('this is one copy');
       if (tf.getKernelsForBackend('cpu').length !== kernels) throw new Error('registered twice');
       if (warnings.length > 0) throw new Error(warnings.join());
       ${EXPECT}
       for (const {fakeQuant} of [first, second]) check('fakeQuant', fakeQuant([0.6, 2.4], 0, 3, {numBits: 2}), '1,2');
       ${CHAINED}`,
    ),

  'works beside a second copy of tfjs-core': () => {
    const core = 'node_modules/@tensorflow/tfjs-core';
    mkdirSync(`${PROJECT}/other/${core}/dist`, {recursive: true});
    for (const file of ['package.json', 'dist/tf-core.node.js']) {
      cpSync(`${ROOT}${core}/${file}`, `${PROJECT}/other/${core}/${file}`);
    }
    script(
      'other/two_cores.cjs',
      `const other = require('@tensorflow/tfjs-core');
       const {createRequire} = require('node:module');
       const outer = createRequire(${JSON.stringify(`${PROJECT}/module.cjs`)});
       const tf = outer('@tensorflow/tfjs');
       const {fakeQuant} = outer('tfjs-quantization');
       if (other.Tensor === outer('@tensorflow/tfjs-core').Tensor) throw new Error('this is one copy');
       ${EXPECT}
       check('fakeQuant', fakeQuant(other.tensor1d([0.6, 2.4]), 0, 3, {numBits: 2}), '1,2');
       check('a tensor range', fakeQuant(other.tensor1d([0.6, 2.4]), other.scalar(0), other.scalar(3), {numBits: 2}), '1,2');
       check('x.fakeQuant', other.tensor1d([0.6, 2.4]).fakeQuant(0, 3, {numBits: 2}), '1,2');
       check('tf.grad', other.grad(x => fakeQuant(x, 0, 3))(other.tensor1d([-1, 1, 4])), '0,1,0');`,
    );
  },

  'extends the global tf as a script': () => scripts('.js'),
  'extends the global tf as a minified script': () => scripts('.min.js'),

  'has strict types, chained methods included': () => {
    writeFileSync(`${PROJECT}/types.mts`, TYPES.replace('$ENTRY', 'tfjs-quantization'));
    writeFileSync(
      `${PROJECT}/all_types.mts`,
      TYPES.replace(/import \* as tf .*\n/, '')
        .replace('$ENTRY', 'tfjs-quantization/tf')
        .replace('import {', 'import * as tf from "tfjs-quantization/tf";\nimport {'),
    );
    writeFileSync(`${PROJECT}/types.cts`, TYPES.replace('$ENTRY', 'tfjs-quantization'));
    const strict = [
      '--strict',
      '--exactOptionalPropertyTypes',
      '--noUncheckedIndexedAccess',
      '--noEmit',
      '--skipLibCheck',
    ];
    const files = ['types.mts', 'all_types.mts', 'types.cts'];
    tool('typescript/bin/tsc', ...strict, '--target', 'es2022', '--module', 'nodenext', '--types', 'node', ...files);
    const bundler = ['--module', 'esnext', '--moduleResolution', 'bundler'];
    tool('typescript/bin/tsc', ...strict, '--target', 'es2022', ...bundler, '--types', 'node', 'types.mts');
  },

  'documents every member of its types': () => {
    const entries = ['index', 'qat', 'tflite', 'graph-model'].map(name => `${ROOT}dist/${name}.d.mts`);
    const program = ts.createProgram(entries, {module: ts.ModuleKind.NodeNext, skipLibCheck: true});
    const checker = program.getTypeChecker();
    const hasNone = symbol => symbol.getDocumentationComment(checker).length === 0;
    const bare = entries.flatMap(entry =>
      checker.getExportsOfModule(checker.getSymbolAtLocation(program.getSourceFile(entry))).flatMap(exported => {
        const symbol = exported.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(exported) : exported;
        const members = [...(symbol.members?.values() ?? [])].filter(({name}) => !/^(__|#)/.test(name));
        return [symbol, ...members].filter(hasNone).map(({name}) => `${symbol.name}.${name}`);
      }),
    );
    if (bare.length > 0) throw new Error(`without a word: ${bare.join(', ')}`);
  },

  'is small as a script': () => {
    const size = gzipSync(readFileSync(`${ROOT}dist/tfjs-quantization.min.js`), {level: 9}).length;
    if (size > MOST_BYTES) throw new Error(`the ops are ${size} bytes, minified and compressed, not ${MOST_BYTES}`);
  },

  'passes publint': () => tool('publint/src/cli.js', '--strict', tarball()),
  'passes attw': () => tool('@arethetypeswrong/cli/dist/index.js', '--profile', 'node16', tarball()),
};

/** As a page would load them: tfjs, then the two scripts of this package. */
function scripts(ending) {
  const page = vm.createContext({console, setTimeout, performance, TextEncoder, TextDecoder, URL, fetch});
  vm.runInContext('globalThis.self = globalThis.window = globalThis; globalThis.document = {};', page);
  const dist = `${PROJECT}/node_modules/tfjs-quantization/dist`;
  for (const file of [
    `${ROOT}node_modules/@tensorflow/tfjs/dist/tf.min.js`,
    `${dist}/tfjs-quantization${ending}`,
    `${dist}/tfjs-quantization-graph-model${ending}`,
  ]) {
    vm.runInContext(readFileSync(file, 'utf8'), page, {filename: file});
  }
  const uses = `check('tf.fakeQuant', tf.fakeQuant([0.6, 2.4], 0, 3, {numBits: 2}), '1,2'); tf.registerGraphOps();`;
  vm.runInContext(`${EXPECT} tf.setBackend('cpu'); ${uses} ${CHAINED}`, page);
}

/** Must compile; each line after an expectation of an error must not. */
const TYPES = `
import * as tf from '@tensorflow/tfjs';
import {
  fakeQuant, fakeQuantWithMinMaxArgs, fakeQuantWithMinMaxVarsGradient, fakeQuantWithMinMaxVarsPerChannel,
  quantizeAndDequantizeV4, type FakeQuantOptions,
} from '$ENTRY';
const options: FakeQuantOptions = {numBits: 4};
const x: tf.Tensor2D = tf.tensor2d([[1, 2]]);
const a: tf.Tensor2D = fakeQuant(x, 0, 6, options);
const b: tf.Tensor2D = x.fakeQuant(0, 6).fakeQuantWithMinMaxArgs({min: -1, max: 1});
const c: tf.Tensor2D = x.fakeQuantWithMinMaxVars(tf.scalar(0), 1).fakeQuantWithMinMaxVarsPerChannel([0, 0], [1, 1], {axis: 1});
const d: tf.Tensor2D = x.quantizeAndDequantizeV4(0, 1, {roundMode: 'HALF_UP'});
const e: tf.Tensor2D = fakeQuantWithMinMaxVarsPerChannel(x, [0, 0], [1, 1]);
const [dx, dmin, dmax]: [tf.Tensor2D, tf.Scalar, tf.Scalar] = fakeQuantWithMinMaxVarsGradient(x, x, 0, 1);
const f: tf.Tensor = quantizeAndDequantizeV4([1, 2, 3]);
// @ts-expect-error no such rounding
quantizeAndDequantizeV4(x, 0, 1, {roundMode: 'HALF_DOWN'});
// @ts-expect-error the width is a number
fakeQuantWithMinMaxArgs(x, {numBits: '8'});
// @ts-expect-error a string is no tensor
x.fakeQuant(0, 6, {axis: 'last'});
export const all = [a, b, c, d, e, dx, dmin, dmax, f];
`;

const specs = [];
for (const [name, check] of Object.entries(CHECKS)) {
  try {
    check();
    specs.push({name, success: true});
  } catch (error) {
    specs.push({name, success: false, log: [String(error.message ?? error)]});
    if (check === buildAndInstall) break;
  }
}
if (process.env.RESULTS) writeFileSync(process.env.RESULTS, JSON.stringify({complete: true, specs}));
else for (const {name, success, log} of specs) console.log(success ? 'ok    ' : 'FAILED', name, log ?? '');
