/** Tests the build as what users get: packed, installed in a project of its own, and used in every way that it offers. */
import {execFile} from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import {availableParallelism, tmpdir} from 'node:os';
import {dirname, join} from 'node:path';
import {fileURLToPath} from 'node:url';
import {parseArgs, promisify} from 'node:util';
import vm from 'node:vm';
import {gzipSync} from 'node:zlib';
import {nodeResolve} from '@rollup/plugin-node-resolve';
import {build} from 'esbuild';
import {rollup} from 'rollup';
import ts from 'typescript';

const ROOT = fileURLToPath(new URL('../', import.meta.url));

/** Within the repository, so that the project finds tfjs, its peer, where the repository has it. */
const PROJECT = `${ROOT}.cache/package`;

/** The package as it lies there. */
const INSTALLED = `${PROJECT}/node_modules/tfjs-quantization`;

async function run(program, args, cwd = PROJECT) {
  try {
    const {stdout} = await promisify(execFile)(program, args, {cwd, encoding: 'utf8', maxBuffer: 2 ** 24});
    return stdout;
  } catch (error) {
    throw new Error(`${error.message}\n${error.stdout}\n${error.stderr}`, {cause: error});
  }
}

const tool = (name, ...args) => run(process.execPath, [`${ROOT}node_modules/${name}`, ...args]);

async function buildAndInstall() {
  rmSync(PROJECT, {recursive: true, force: true});
  mkdirSync(PROJECT, {recursive: true});
  await run('npm', ['run', 'build'], ROOT);
  await run('npm', ['pack', '--ignore-scripts', '--pack-destination', PROJECT], ROOT);
  writeFileSync(`${PROJECT}/package.json`, JSON.stringify({name: 'user', private: true}));
  await run('npm', ['install', '--prefer-offline', '--legacy-peer-deps', '--no-audit', '--no-fund', tarball()]);
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

/** Of the ops' script, minified and compressed: three backends' kernels, their shaders and 2 kB of WebAssembly. */
const MOST_BYTES = 23_600;

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

  'quantizes, trains and analyzes without the chained methods of tfjs': () => script('core.mjs', CORE_ALONE),

  'writes .tflite files, as an ES module and in CommonJS': async () => {
    const text = `
       const model = tf.sequential({layers: [tf.layers.dense({units: 2, inputShape: [3]})]});
       const q = quantizeModel(model);
       calibrate(q, tf.randomNormal([8, 3])).then(() => toTFLite(q)).then(bytes => {
         if (String.fromCharCode(...bytes.subarray(4, 8)) !== 'TFL3') throw new Error('no .tflite');
       });`;
    await script(
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

  'writes ONNX files, as an ES module and in CommonJS': async () => {
    const text = `
       const model = tf.sequential({layers: [tf.layers.dense({units: 2, inputShape: [3]})]});
       toONNX(model).then(bytes => {
         if (!new TextDecoder().decode(bytes).includes('tfjs-quantization')) throw new Error('no ONNX');
       });`;
    await script(
      'onnx.mjs',
      `import * as tf from '@tensorflow/tfjs';
       import {toONNX} from 'tfjs-quantization/onnx';
       ${text}`,
    );
    return script(
      'onnx.cjs',
      `const tf = require('@tensorflow/tfjs');
       const {toONNX} = require('tfjs-quantization/onnx');
       ${text}`,
    );
  },

  'imports graph models, as an ES module and in CommonJS': async () => {
    const text = `
       const node = [{name: 'x', op: 'Placeholder', attr: {dtype: {type: 'DT_FLOAT'}, shape: {shape: {dim: [{size: '-1'}, {size: '2'}]}}}},
         {name: 'w', op: 'Const', attr: {dtype: {type: 'DT_FLOAT'}}},
         {name: 'y', op: 'MatMul', input: ['x', 'w'], attr: {T: {type: 'DT_FLOAT'}}}];
       const weightSpecs = [{name: 'w', shape: [2, 1], dtype: 'float32'}];
       const weightData = new Float32Array([1, -1]).buffer;
       importModel({modelTopology: {node, versions: {}}, weightSpecs, weightData}).then(model => {
         check('imported', model.predict(tf.tensor2d([[3, 1]])), '2');
         if (describeImport(model).rows[0].className !== 'Dense') throw new Error('no Dense');
       });`;
    await script(
      'import.mjs',
      `import * as tf from '@tensorflow/tfjs';
       import {describeImport, importModel} from 'tfjs-quantization/import';
       ${EXPECT}
       ${text}`,
    );
    return script(
      'import.cjs',
      `const tf = require('@tensorflow/tfjs');
       const {describeImport, importModel} = require('tfjs-quantization/import');
       ${EXPECT}
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

  'quantizes models with both builds in one process': () => script('both.mjs', BOTH_BUILDS),

  'works beside a second copy of tfjs-core': () => {
    const core = 'node_modules/@tensorflow/tfjs-core';
    mkdirSync(`${PROJECT}/other/${core}/dist`, {recursive: true});
    for (const file of ['package.json', 'dist/tf-core.node.js']) {
      cpSync(`${ROOT}${core}/${file}`, `${PROJECT}/other/${core}/${file}`);
    }
    return script(
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
  'holds everything as one script': () => allScript('.js'),
  'holds everything as one minified script': () => allScript('.min.js'),
  'asks for tfjs where a script comes before it': () => {
    const needsTfjs = /^tfjs-quantization: load tfjs before this script: <script src="https:.*"><\/script>$/;
    for (const name of SCRIPTS) {
      for (const ending of ['.js', '.min.js']) {
        const empty = page();
        expectError(`${name}${ending} without tfjs`, () => load(empty, `${DIST}/${name}${ending}`), needsTfjs);
        if (vm.runInContext('"tf" in globalThis', empty)) throw new Error(`${name}${ending} left a tf behind`);
      }
    }
    // tfjs-core alone has no layers.
    const core = page();
    load(core, `${ROOT}node_modules/@tensorflow/tfjs-core/dist/tf-core.min.js`);
    load(core, `${DIST}/tfjs-quantization.min.js`);
    expectError('everything beside tfjs-core', () => load(core, `${DIST}/tfjs-quantization.all.min.js`), needsTfjs);
  },

  'is typed wherever TypeScript looks for modules': async () => {
    const all = Object.keys(ENTRY_TYPES);
    const peers = ['tfjs', ...PARTS.map(part => `tfjs-${part}`)];
    await Promise.all(Object.entries(RESOLUTIONS).map(([name, options]) => checkTypes(name, peers, all, options)));
  },
  'is typed where only its peers are installed': async () => {
    const both = ['tfjs-converter', 'tfjs-layers'];
    const peersOf = {
      index: [],
      'graph-model': ['tfjs-converter'],
      qat: ['tfjs-layers'],
      import: both,
      tflite: ['tfjs-layers'],
      onnx: ['tfjs-layers'],
    };
    for (const [entry, peers] of Object.entries(peersOf)) {
      await checkTypes(entry, ['tfjs-core', ...peers], [entry], RESOLUTIONS.nodenext);
    }
  },

  'exports every type and constant that it shows': () => {
    const entries = Object.keys(ENTRY_TYPES).map(entry => readFileSync(`${DIST}/${entry}.d.mts`, 'utf8'));
    const exported = entries.flatMap(text =>
      [...text.matchAll(/^export (?:type )?\{(.*?)\}/gms)].flatMap(([, names]) => names.split(',')),
    );
    const names = new Set(exported.map(name => name.trim().split(' ').at(-1)));
    for (const file of readdirSync(DIST).filter(name => name.endsWith('.d.mts'))) {
      const declared = readFileSync(`${DIST}/${file}`, 'utf8').matchAll(
        /^(?:declare )?(?:interface|type|(?:abstract )?class|const) (\w+)/gm,
      );
      for (const [, name] of declared)
        if (!names.has(name)) throw new Error(`${file} shows ${name}, which no entry exports`);
    }
  },

  'documents every member of its types': () => {
    const entries = ['index', 'qat', 'import', 'tflite', 'onnx', 'graph-model'].map(
      name => `${ROOT}dist/${name}.d.mts`,
    );
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
    const size = gzipSync(readFileSync(`${DIST}/tfjs-quantization.min.js`), {level: 9}).length;
    if (size > MOST_BYTES) throw new Error(`the ops are ${size} bytes, minified and compressed, not ${MOST_BYTES}`);
  },

  'bundles what is imported, and little else': async () => {
    for (const [entry, name, most] of BUNDLED) {
      const text = await bundled(`export {${name}} from 'tfjs-quantization${entry}';`);
      const size = gzipSync(text, {level: 9}).length;
      if (size > most) throw new Error(`${name} alone is ${size} bytes, minified and compressed, not ${most}`);
    }
  },
  'keeps its effects in bundles': bundledEffects,
  'lists every module that has effects': listedEffects,

  'names the tfjs that its peers are wherever it names tfjs by a URL or a command': () => {
    const {peerDependencies} = JSON.parse(readFileSync(`${INSTALLED}/package.json`, 'utf8'));
    const minor = peerDependencies['@tensorflow/tfjs'].match(/^~(\d+\.\d+)\.0$/)[1];
    const named = /(?:npm install .*|https:\/\/\S*\/)@tensorflow\/tfjs(?![-\w])@?([\d.]*)/g;
    for (const file of ['README.md', 'docs/getting-started.md', ...SCRIPTS.map(name => `dist/${name}.min.js`)]) {
      const versions = [...readFileSync(`${INSTALLED}/${file}`, 'utf8').matchAll(named)].map(([, version]) => version);
      if (versions.length === 0) throw new Error(`${file} names no tfjs`);
      const other = versions.find(version => version !== minor && version !== `${minor}.0`);
      if (other !== undefined) throw new Error(`${file} names tfjs ${other || 'of any version'}, not ${minor}`);
    }
  },

  'has in it what its documents link to': () => {
    for (const file of readdirSync(INSTALLED, {recursive: true}).filter(name =>
      /^(?!node_modules).*\.md$/.test(name),
    )) {
      const links = readFileSync(`${INSTALLED}/${file}`, 'utf8').matchAll(/\]\(([^)#\s]+)|<img src="([^"]+)"/g);
      for (const [, link, image] of links) {
        const target = link ?? image;
        if (/^\w+:/.test(target) || existsSync(join(dirname(`${INSTALLED}/${file}`), target))) continue;
        throw new Error(`${file} links to ${target}, which is not in the package`);
      }
    }
  },

  'passes publint': () => tool('publint/src/cli.js', '--strict', tarball()),
  'passes attw': () => tool('@arethetypeswrong/cli/dist/index.js', '--profile', 'node16', tarball()),
};

const DIST = `${INSTALLED}/dist`;
const SCRIPTS = ['tfjs-quantization', 'tfjs-quantization-graph-model', 'tfjs-quantization.all'];

/** What a page has before its scripts. */
function page() {
  const globals = {
    console,
    setTimeout,
    performance,
    TextEncoder,
    TextDecoder,
    URL,
    fetch,
    btoa,
    atob,
    Blob,
    WebAssembly,
  };
  const context = vm.createContext(globals);
  vm.runInContext('globalThis.self = globalThis.window = globalThis; globalThis.document = {};', context);
  return context;
}

/** A script tag. */
function load(context, file) {
  vm.runInContext(readFileSync(file, 'utf8'), context, {filename: file});
}

function pageWithTfjs() {
  const context = page();
  load(context, `${ROOT}node_modules/@tensorflow/tfjs/dist/tf.min.js`);
  vm.runInContext(`${EXPECT} tf.setBackend('cpu');`, context);
  return context;
}

const SCRIPT_USES = `
check('tf.fakeQuant', tf.fakeQuant([0.6, 2.4], 0, 3, {numBits: 2}), '1,2');
tf.registerGraphOps();
${CHAINED}`;

/** As a page would load them: tfjs, then the two scripts of the ops and of graph models. */
function scripts(ending) {
  const context = pageWithTfjs();
  load(context, `${DIST}/tfjs-quantization${ending}`);
  load(context, `${DIST}/tfjs-quantization-graph-model${ending}`);
  vm.runInContext(SCRIPT_USES, context);
}

/** All there is, from a network to its .tflite file, beside what the other two scripts do. */
async function allScript(ending) {
  const context = pageWithTfjs();
  load(context, `${DIST}/tfjs-quantization.all${ending}`);
  vm.runInContext(SCRIPT_USES, context);
  await vm.runInContext(
    `(async () => {
      const {calibrate, fakeQuant, mendGraph, packInt4, quantizedSaveHandler, quantizeModel, toONNX, toTFLite} = tf.quantization;
      check('tf.quantization.fakeQuant', fakeQuant([0.6, 2.4], 0, 3, {numBits: 2}), '1,2');
      if (String(packInt4(new Int8Array([1, 2]))) !== '33') throw new Error('packInt4');
      const model = tf.sequential({layers: [tf.layers.dense({units: 2, inputShape: [3]})]});
      const q = quantizeModel(model);
      await calibrate(q, tf.randomNormal([8, 3]));
      const bytes = await toTFLite(q);
      if (String.fromCharCode(...bytes.subarray(4, 8)) !== 'TFL3') throw new Error('no .tflite');
      if ((await toONNX(q))[0] !== 8) throw new Error('no ONNX');
      let saved;
      await q.save(quantizedSaveHandler({save: async artifacts => (saved = artifacts)}, {fakeQuant: true}));
      const loaded = await tf.loadLayersModel({load: async () => saved});
      const x = tf.tensor2d([[0.1, -0.2, 0.3]]);
      check('the loaded model', loaded.predict(x), String(Array.from(q.predict(x).dataSync())));
      mendGraph({modelTopology: {node: []}}).load();
    })()`,
    context,
  );
}

function expectError(name, act, message) {
  let error;
  try {
    act();
  } catch (thrown) {
    error = thrown;
  }
  if (!message.test(error?.message ?? '')) throw new Error(`${name}: ${error?.message ?? 'no error'}`);
}

/** Bytes, minified and compressed, of what a bundler makes of a name alone. What takes a model needs the kernels of all backends. */
const BUNDLED = [
  ['', 'fakeQuant', MOST_BYTES],
  ['', 'minMax', MOST_BYTES],
  ['/tflite', 'packInt4', 700],
  ['/tflite', 'operatorsOf', 5_000],
  ['/tflite', 'arenaSize', 9_000],
  ['/tflite', 'cSource', 11_000],
  ['/tflite', 'arduinoSketch', 14_000],
  // With every layer class, in float and in integers, and every kind of weights.
  ['/tflite', 'toTFLite', 91_500],
  ['/onnx', 'toONNX', 83_000],
  ['/import', 'cutModel', 66_000],
  ['/import', 'mendLayers', 84_000],
  ['/import', 'importModel', 109_000],
  ['/qat', 'calibrate', 56_500],
  ['/qat', 'quantizeModel', 59_000],
];

const PEERS = ['@tensorflow/*', 'flatbuffers', '@bufbuild/*'];
const PEER = /^(@tensorflow\/|@bufbuild\/|flatbuffers$)/;

async function bundled(contents) {
  const stdin = {contents, resolveDir: PROJECT};
  // By what is installed, not by the paths of this repository's tsconfig.
  const options = {
    bundle: true,
    minify: true,
    format: 'esm',
    write: false,
    external: PEERS,
    tsconfigRaw: {},
    logLevel: 'error',
  };
  const {outputFiles} = await build({stdin, ...options});
  return outputFiles[0].text;
}

/** Kernels, methods and layer classes, from bundles of nothing but the import, and of a name. */
async function bundledEffects() {
  const x = `${EXPECT}\n${CHAINED}`;
  const classes = `for (const name of ['QuantizedLayer', 'QuantizedInput', 'QuantizeWrapperV2']) {
    const known = Object.keys(tf.serialization.SerializationMap.getMap().classNameMap);
    if (!known.some(each => each.endsWith(name))) throw new Error(name + ' is not registered');
  }`;
  const USES = {
    "import 'tfjs-quantization';": x,
    "import 'tfjs-quantization/tf';": x,
    "import 'tfjs-quantization/qat';": x + classes,
    "import 'tfjs-quantization/import';": x + classes,
    "import {toTFLite} from 'tfjs-quantization/tflite'; if (!toTFLite) throw new Error();": x + classes,
    "import {toONNX} from 'tfjs-quantization/onnx'; if (!toONNX) throw new Error();": x + classes,
    "import {quantizedSaveHandler} from 'tfjs-quantization/qat'; quantizedSaveHandler({save: () => undefined});":
      x + classes,
    "import {FakeQuantizer} from 'tfjs-quantization/qat'; new FakeQuantizer();": x + classes,
  };
  for (const [i, [imports, uses]] of Object.entries(USES).entries()) {
    const text = `import * as tf from '@tensorflow/tfjs';\n${imports}\n${uses}`;
    await script(`effects${i}.mjs`, await bundled(text));
  }
  const source = `${PROJECT}/rolled_source.mjs`;
  writeFileSync(source, `import * as tf from '@tensorflow/tfjs';\nimport 'tfjs-quantization/qat';\n${x}\n${classes}`);
  await script('rolled.mjs', await rolled({input: source, plugins: [nodeResolve()]}));
}

async function rolled(options) {
  const bundle = await rollup({external: PEER, ...options});
  const {output} = await bundle.generate({format: 'es'});
  return output[0].code;
}

/** Whoever imports nothing from the others needs nothing of tfjs: no registration, and no op that is not said to be pure. */
async function listedEffects() {
  const {sideEffects} = JSON.parse(readFileSync(`${INSTALLED}/package.json`, 'utf8'));
  const listed = sideEffects.filter(each => each.endsWith('.mjs')).map(each => join(INSTALLED, each));
  const missing = listed.filter(file => !existsSync(file));
  if (missing.length > 0) throw new Error(`sideEffects lists ${missing}, which are not there`);
  const modules = readdirSync(DIST, {recursive: true}).filter(file => file.endsWith('.mjs'));
  const others = modules.map(file => join(DIST, file)).filter(file => !listed.includes(file));
  const source = `${DIST}/others.mjs`;
  writeFileSync(source, others.map(file => `import ${JSON.stringify(file)};`).join('\n'));
  const external = id => PEER.test(id) || listed.some(file => id.endsWith(file));
  const text = await rolled({input: source, external, treeshake: {propertyReadSideEffects: false}});
  const used = text.match(/^import {.*} from '@tensorflow.*$/m);
  if (used) throw new Error(`modules that sideEffects does not list use this on import: ${used[0]}\n${text}`);
}

const PARTS = ['core', 'layers', 'converter', 'data', 'backend-cpu', 'backend-webgl'];

/** The ways in which TypeScript finds modules, and the kinds of modules that look for them so. */
const RESOLUTIONS = {
  node10: {module: 'commonjs', moduleResolution: 'node10', endings: ['ts']},
  node16: {module: 'node16', moduleResolution: 'node16', endings: ['mts', 'cts']},
  nodenext: {module: 'nodenext', moduleResolution: 'nodenext', endings: ['mts', 'cts']},
  bundler: {module: 'esnext', moduleResolution: 'bundler', endings: ['ts']},
};

/** What npm installs along with tfjs-core. */
const TFJS_TYPES = ['long', 'offscreencanvas', 'seedrandom'];

/** tfjs-layers' own declarations are wrong under `strict`. */
const FAULTS_OF_TFJS = /^node_modules\/@tensorflow\/[^]*?(?=^\S|(?![^]))/gm;

/** Compiles uses of some entries, declarations included, in a project that has some packages of tfjs and no others. */
async function checkTypes(name, packages, entries, {endings, ...options}) {
  const project = mkdtempSync(join(tmpdir(), 'tfjs-quantization-'));
  const link = (target, path) => {
    mkdirSync(dirname(`${project}/node_modules/${path}`), {recursive: true});
    symlinkSync(target, `${project}/node_modules/${path}`, 'dir');
  };
  try {
    for (const each of packages) link(`${ROOT}node_modules/@tensorflow/${each}`, `@tensorflow/${each}`);
    for (const each of TFJS_TYPES) link(`${ROOT}node_modules/@types/${each}`, `@types/${each}`);
    link(INSTALLED, 'tfjs-quantization');
    for (const entry of entries) {
      for (const ending of endings) {
        writeFileSync(`${project}/${entry}.${ending}`, ENTRY_TYPES[entry]);
      }
    }
    const strict = {strict: true, exactOptionalPropertyTypes: true, noUncheckedIndexedAccess: true, noEmit: true};
    const compilerOptions = {...strict, target: 'es2022', preserveSymlinks: true, skipLibCheck: false, ...options};
    writeFileSync(`${project}/tsconfig.json`, JSON.stringify({compilerOptions, include: ['*']}));
    const tsc = [`${ROOT}node_modules/typescript/bin/tsc`, '--pretty', 'false'];
    const errors = await run(process.execPath, tsc, project).catch(error => error.cause.stdout);
    const ours = errors.replace(FAULTS_OF_TFJS, '').trim();
    if (ours) throw new Error(`${name}: ${ours}`);
  } finally {
    rmSync(project, {recursive: true});
  }
}

/** What moves numbers, for those who import tfjs-core, tfjs-layers and a backend, but not tfjs. */
const CORE_ALONE = `
import '@tensorflow/tfjs-backend-cpu';
import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import {analyzeQuantization, calibrate, chooseBits, distil, quantizationSchedule, quantizeModel} from 'tfjs-quantization/qat';
if ('add' in tf.Tensor.prototype) throw new Error('tfjs is here after all');
const L = tfl.layers;
const model = tfl.sequential({layers: [
  L.conv2d({inputShape: [4, 4, 1], filters: 2, kernelSize: 3, useBias: false}), L.batchNormalization(), L.reLU(),
  L.flatten(), L.dense({units: 2, activation: 'softmax'}),
]});
const x = tf.randomNormal([64, 4, 4, 1]);
const y = tf.oneHot(Array.from({length: 64}, (_, i) => i % 2), 2);
const {options} = await chooseBits(model, x, {bitsPerWeight: 4});
for (const each of [options, {recipe: 'minMax'}, {scheme: 'tfmot'}, {weights: {numBits: 2}, activations: {numBits: 4}}]) {
  const q = quantizeModel(model, each);
  await calibrate(q, x, {reestimateBatchNorm: true});
  await distil(q, model, x, {steps: 2});
  q.compile({optimizer: 'adam', loss: 'categoricalCrossentropy'});
  await q.fit(x, y, {verbose: 0, epochs: 1, callbacks: quantizationSchedule({freezeRangesAfter: 1})});
  const {agreement} = await analyzeQuantization(q, model, x);
  if (!Number.isFinite(agreement.divergence)) throw new Error('no numbers of ' + JSON.stringify(each));
}`;

/** What one build makes, the other must know for what it is. */
const BOTH_BUILDS = `
import {createRequire} from 'node:module';
import * as tf from '@tensorflow/tfjs';
const require = createRequire(import.meta.url);
const builds = [
  {...(await import('tfjs-quantization/qat')), ...(await import('tfjs-quantization/tflite'))},
  {...require('tfjs-quantization/qat'), ...require('tfjs-quantization/tflite')},
];
if (builds[0].quantizeModel === builds[1].quantizeModel) throw new Error('this is one copy');
const expect = (what, is) => { if (!is) throw new Error(what); };
const L = tf.layers;
const model = tf.sequential({layers: [
  L.conv2d({inputShape: [4, 4, 1], filters: 2, kernelSize: 3, name: 'conv'}),
  L.batchNormalization({name: 'norm'}), L.flatten(), L.dense({units: 2, activation: 'softmax', name: 'dense'}),
]});
const x = tf.randomNormal([8, 4, 4, 1]);
const values = (each, ...inputs) => String(each.predict(...inputs).dataSync());
for (const [makes, uses] of [builds, [...builds].reverse()]) {
  for (const options of [{}, {weights: {perChannel: false}}, {scheme: 'tfmot'}]) {
    const q = makes.quantizeModel(model, options);
    await uses.reestimateBatchNorm(q, x, {samples: 8});
    uses.freezeBatchNorm(q);
    await uses.calibrate(q, x);
    const rows = await uses.describeQuantization(q).read();
    expect('describeQuantization', JSON.stringify(rows) === JSON.stringify(await makes.describeQuantization(q).read()));
    const [float, own] = [uses.dequantizeModel(q), makes.dequantizeModel(q)];
    expect('dequantizeModel', float.layers.length === own.layers.length && values(float, x) === values(own, x));
    const {weights, activations} = await uses.quantizedWeights(q);
    expect('quantizedWeights', weights.length === 2 && activations.length > 1);
    expect('toTFLite', String(await uses.toTFLite(q)) === String(await makes.toTFLite(q)));
    const refusal = await Promise.resolve().then(() => uses.quantizeModel(q)).catch(error => error.message);
    expect('quantizeModel of a quantized model', /quantized already/.test(refusal));
    const before = values(q, x);
    for (const handler of [each => each, uses.quantizedSaveHandler]) {
      let artifacts;
      await q.save(handler(tf.io.withSaveHandler(saved => ({...(artifacts = saved), modelArtifactsInfo: {}}))));
      const loaded = await tf.loadLayersModel(tf.io.fromMemory(artifacts));
      if (handler !== uses.quantizedSaveHandler) expect('saved and loaded', values(loaded, x) === before);
      if (handler !== uses.quantizedSaveHandler) expect('of a loaded model', values(makes.dequantizeModel(loaded), x) === values(own, x));
    }
    uses.setFakeQuant(q, false);
    expect('setFakeQuant', values(q, x) !== before);
    if (options.weights) continue;
    q.compile({optimizer: 'sgd', loss: 'meanSquaredError'});
    await q.fit(x, tf.zeros([8, 2]), {verbose: 0, epochs: 1, callbacks: uses.quantizationSchedule({freezeRangesAfter: 1})});
  }
  const quantizer = new makes.FakeQuantizer({initialRange: [-1, 1]});
  expect('quantizedValues', (await uses.quantizedValues(tf.tensor1d([-1, 1]), quantizer)).levels.length === 2);
}`;

/** Must compile for each entry; each line after an expectation of an error must not. */
const OPS_TYPES = `
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

const OPS_NAMES = `
  fakeQuant, fakeQuantWithMinMaxArgs, fakeQuantWithMinMaxVarsGradient, fakeQuantWithMinMaxVarsPerChannel,
  quantizeAndDequantizeV4, type FakeQuantOptions,
`;

const ENTRY_TYPES = {
  index: `
import * as tf from '@tensorflow/tfjs-core';
import {${OPS_NAMES}} from 'tfjs-quantization';
${OPS_TYPES}`,
  tf: `
import * as tf from 'tfjs-quantization/tf';
import {${OPS_NAMES}} from 'tfjs-quantization/tf';
${OPS_TYPES}
export const y: tf.Tensor2D = tf.fakeQuant(x, 0, 6);
export const model: tf.LayersModel = tf.sequential();`,
  'graph-model': `
import {loadGraphModel, loadGraphModelSync} from '@tensorflow/tfjs-converter';
import {io} from '@tensorflow/tfjs-core';
import {mendGraph, registerGraphOps} from 'tfjs-quantization/graph-model';
registerGraphOps();
declare const artifacts: io.ModelArtifacts;
declare const json: io.ModelJSON;
export const models = [
  loadGraphModel(mendGraph('model.json', {onProgress: () => undefined})),
  loadGraphModel(mendGraph(io.fromMemory(artifacts))),
  loadGraphModelSync(mendGraph(io.fromMemorySync(artifacts))),
  loadGraphModelSync(mendGraph(artifacts)),
  loadGraphModelSync(mendGraph([json, new ArrayBuffer(4)])),
];
// @ts-expect-error a URL is not loaded at once
loadGraphModelSync(mendGraph('model.json'));
// @ts-expect-error nothing to load from
mendGraph(7);`,
  qat: `
import * as tf from '@tensorflow/tfjs-layers';
import {tensor2d, type Tensor2D} from '@tensorflow/tfjs-core';
import {calibrate, FakeQuantizer, packInt4, quantizeModel} from 'tfjs-quantization/qat';
const q: tf.LayersModel = quantizeModel(tf.sequential(), {weights: {numBits: 4}});
const quantizer = new FakeQuantizer({numBits: 4});
const x: Tensor2D = quantizer.apply(tensor2d([[1, 2]])).fakeQuant(0, 1);
export const all = [x, calibrate(q, x), packInt4(new Int8Array(2))];
// @ts-expect-error where a range lives is no one else's business
new FakeQuantizer({}, {});
// @ts-expect-error likewise
FakeQuantizer.over;
// @ts-expect-error no such option
quantizeModel(q, {weight: {numBits: 4}});`,
  import: `
import type {LayersModel} from '@tensorflow/tfjs-layers';
import {loadLayersModel} from '@tensorflow/tfjs-layers';
import {io} from '@tensorflow/tfjs-core';
import {cutModel, describeImport, importModel, type ImportProgress, mendLayers} from 'tfjs-quantization/import';
declare const artifacts: io.ModelArtifacts;
declare const json: io.ModelJSON;
const onProgress = ({stage, done, total}: ImportProgress) => console.log(stage === 'load', done / total);
export const models: Promise<LayersModel>[] = [
  importModel('model.json', {onProgress, requestInit: {}}),
  importModel(io.fromMemory(artifacts)),
  importModel(io.fromMemorySync(artifacts)),
  importModel(artifacts),
  importModel([json, new ArrayBuffer(4)]),
  loadLayersModel(mendLayers('model.json')),
];
declare const model: LayersModel;
describeImport(cutModel(model, {outputs: ['features']})).print();
// @ts-expect-error nothing to load from
importModel(7);
// @ts-expect-error what to cut at has a name
cutModel(model, {outputs: [7]});`,
  tflite: `
import type {LayersModel} from '@tensorflow/tfjs-layers';
import {arduinoSketch, arenaSize, cSource, operatorsOf, packInt4, toTFLite} from 'tfjs-quantization/tflite';
declare const q: LayersModel;
declare const file: Uint8Array;
export const bytes: Promise<Uint8Array> = toTFLite(q, {inputType: 'int8'});
export const packed: Uint8Array = packInt4(new Int8Array(2));
export const total: number = arenaSize(file).total + operatorsOf(file)[0]!.count;
export const texts: Map<string, string>[] = [cSource(file, {name: 'm', labels: ['a']}), arduinoSketch(file, {name: 'm'})];
// @ts-expect-error what is written has a name
cSource(file);`,
  onnx: `
import type {LayersModel} from '@tensorflow/tfjs-layers';
import {toONNX} from 'tfjs-quantization/onnx';
declare const q: LayersModel;
export const bytes: Promise<Uint8Array> = toONNX(q, {opset: 21, layout: 'NCHW', batchSize: null});
// @ts-expect-error no such layout
toONNX(q, {layout: 'NHCW'});`,
};

/** Runs what is asked for, after what all of it needs: a few checks at a time. */
async function runAll() {
  const specs = [];
  const check = async ([name, act]) => {
    try {
      await act();
      specs.push({name, success: true});
    } catch (error) {
      specs.push({name, success: false, log: [String(error.message ?? error)]});
    }
  };
  // The others need what the first one does.
  const [first, ...rest] = Object.entries(CHECKS);
  const others = rest.filter(([name]) => name.includes(options.grep));
  if (others.length === 0 && !first[0].includes(options.grep)) return specs;
  await check(first);
  const next = async () => {
    for (let one = others.shift(); one; one = others.shift()) await check(one);
  };
  if (specs[0]?.success) await Promise.all(Array.from({length: availableParallelism()}, next));
  return specs;
}

const {values: options} = parseArgs({options: {specs: {type: 'string'}, grep: {type: 'string', default: ''}}});

const specs = await runAll();
if (process.env.RESULTS) writeFileSync(process.env.RESULTS, JSON.stringify({complete: true, specs}));
else {
  for (const {name, success, log} of specs) console.log(success ? 'ok    ' : 'FAILED', name, log ?? '');
  process.exitCode = specs.every(({success}) => success) ? 0 : 1;
}
