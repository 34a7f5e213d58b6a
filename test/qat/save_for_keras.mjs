/**
 * The way back to Keras: quantizes a network as tfmot does, trains it here, and saves it with its predictions.
 *
 *     node test/qat/save_for_keras.mjs FOLDER
 *     VENV/bin/python test/tfmot/load_in_keras.py FOLDER/model.json FOLDER/expected.json
 */
import {mkdirSync, rmSync} from 'node:fs';
import {fileURLToPath, pathToFileURL} from 'node:url';
import {build} from 'esbuild';
import {esbuildShaders} from '../../scripts/shader_text.mjs';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const [folder] = process.argv.slice(2);
if (!folder) throw new Error('Name the folder to save to.');
mkdirSync(folder, {recursive: true});

const PROGRAM = `
import {writeFileSync} from 'node:fs';
import * as tf from '@tensorflow/tfjs';
import {quantizeModel} from './src/entries/qat';

const {layers} = tf;
const SIZE = 64;

function network() {
  const image = tf.input({shape: [8, 8, 1], name: 'image'});
  const after = (x, ...stack) => stack.reduce((value, layer) => layer.apply(value), x);
  const stem = after(image, layers.conv2d({filters: 8, kernelSize: 3, padding: 'same', useBias: false, name: 'stem'}),
    layers.batchNormalization({name: 'stem_norm'}), layers.reLU({name: 'stem_relu'}));
  const deep = after(stem, layers.depthwiseConv2d({kernelSize: 3, padding: 'same', name: 'depthwise', activation: 'relu'}),
    layers.conv2d({filters: 8, kernelSize: 1, name: 'pointwise'}));
  const joined = after(layers.add({name: 'joined'}).apply([stem, deep]), layers.activation({activation: 'relu', name: 'joined_relu'}));
  const classes = after(joined, layers.maxPooling2d({name: 'pool', poolSize: 2}), layers.flatten({name: 'flatten'}),
    layers.dense({units: 16, activation: 'tanh', name: 'hidden'}), layers.dense({units: 10, activation: 'softmax', name: 'classes'}));
  return tf.model({inputs: image, outputs: classes});
}

async function main(folder) {
  await tf.setBackend('cpu');
  const x = tf.randomUniform([SIZE, 8, 8, 1], 0, 1, 'float32', 1);
  const y = tf.oneHot(tf.range(0, SIZE, 1, 'int32').mod(10).toInt(), 10).toFloat();
  const q = quantizeModel(network(), {scheme: 'tfmot'});
  q.compile({optimizer: tf.train.adam(0.01), loss: 'categoricalCrossentropy'});
  await q.fit(x, y, {epochs: 5, batchSize: 16, verbose: 0});
  await q.save(tf.io.withSaveHandler(async ({modelTopology, weightSpecs, weightData}) => {
    const weightsManifest = [{paths: ['weights.bin'], weights: weightSpecs}];
    writeFileSync(folder + '/model.json', JSON.stringify({modelTopology, format: 'layers-model', weightsManifest}));
    writeFileSync(folder + '/weights.bin', new Uint8Array(tf.io.CompositeArrayBuffer.join(weightData)));
    return {modelArtifactsInfo: {dateSaved: new Date(), modelTopologyType: 'JSON'}};
  }));
  const predictions = [...q.predict(x).dataSync()];
  writeFileSync(folder + '/expected.json', JSON.stringify({shape: x.shape, x: [...x.dataSync()], predictions}));
}

await main(${JSON.stringify(folder)});
`;

const outfile = `${ROOT}.cache/save_here.mjs`;
await build({
  stdin: {contents: PROGRAM, resolveDir: ROOT},
  bundle: true,
  format: 'esm',
  platform: 'node',
  mainFields: ['module', 'main'],
  external: ['node:*'],
  plugins: [esbuildShaders],
  logLevel: 'error',
  // tfjs asks for Node's own modules.
  banner: {js: "import {createRequire} from 'node:module'; const require = createRequire(import.meta.url);"},
  outfile,
});
await import(pathToFileURL(outfile).href);
rmSync(outfile);
