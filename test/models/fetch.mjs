/**
 * Published models, fetched from packages under the MIT license and kept in .cache/models: a NAME.json each, with its
 * weights beside it. Run by itself, it fetches those that the specs read. Imports nothing but Node.
 */
import {execFileSync} from 'node:child_process';
import {copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync} from 'node:fs';
import {createRequire} from 'node:module';
import {join} from 'node:path';
import {fileURLToPath} from 'node:url';
import {ROOT} from '../../lab/command.mjs';
import {npmPackage, pythonOf} from '../../lab/packages.mjs';

export const MODELS = join(ROOT, '.cache', 'models');

const HUMAN = '@vladmandic/human@3.3.5';
const NSFWJS = 'nsfwjs@4.4.0';
const FER = fileURLToPath(new URL('fer.py', import.meta.url));

function fromHuman(name) {
  const folder = join(npmPackage(HUMAN), 'models');
  for (const file of [`${name}.bin`, `${name}.json`]) copyFileSync(join(folder, file), join(MODELS, file));
}

/** Its models are modules that export a model.json, and files of weights as base64. */
function fromNsfwjs(name) {
  const require = createRequire(import.meta.url);
  const folder = join(npmPackage(NSFWJS), 'dist', 'models', name);
  const shards = readdirSync(folder).filter(file => file.startsWith('group1'));
  const bytes = shards.sort().map(file => Buffer.from(require(join(folder, file)), 'base64'));
  const json = require(join(folder, 'model.min.js'));
  const [group] = json.weightsManifest;
  writeFileSync(join(MODELS, `${name}.bin`), Buffer.concat(bytes));
  const manifest = [{...group, paths: [`${name}.bin`]}];
  writeFileSync(join(MODELS, `${name}.json`), JSON.stringify({...json, weightsManifest: manifest}));
}

/** The Keras model of fer, which is written as HDF5. */
export function hdf5OfFer() {
  const script =
    'from importlib.metadata import distribution; print(distribution("fer").locate_file("fer/data/emotion_model.hdf5"))';
  return execFileSync(pythonOf('test/models'), ['-c', script], {encoding: 'utf8'}).trim();
}

function fromFer() {
  execFileSync(pythonOf('test/models'), [FER, MODELS], {stdio: ['ignore', 2, 2]});
}

const SOURCES = {
  fer: fromFer,
  mobilenet_v2: fromNsfwjs,
  mobilenet_v2_mid: fromNsfwjs,
};

/** Those that the specs read. */
const TESTED = ['blazeface', 'emotion', 'facemesh', 'movenet-lightning', 'mobilenet_v2_mid', 'fer'];

/** Fetches models that are not there yet. */
export function fetchModels(names = TESTED) {
  mkdirSync(MODELS, {recursive: true});
  for (const name of names) if (!existsSync(join(MODELS, `${name}.json`))) (SOURCES[name] ?? fromHuman)(name);
}

/** The path of a model's model.json. */
export function pathOf(name) {
  fetchModels([name]);
  return join(MODELS, `${name}.json`);
}

/** A model's model.json, and all its weights. */
export function readModel(name) {
  const path = pathOf(name);
  const json = JSON.parse(readFileSync(path, 'utf8'));
  const parts = json.weightsManifest.flatMap(({paths}) => paths).map(file => readFileSync(join(MODELS, file)));
  return {json, weights: Buffer.concat(parts)};
}

if (process.argv[1] === fileURLToPath(import.meta.url)) fetchModels();
