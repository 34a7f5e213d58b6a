/** Against TensorFlow's own converter, on networks that its toolkit quantized and trained (test/tfmot, test/import). */
import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import '../../src/entries/qat';
import {importModel} from '../../src/entries/import';
import {toTFLite} from '../../src/entries/tflite';
import {readFile} from '../support/environment';
import {scoped} from '../support/scoped';
import {parse, run, type SchemaModel, type SchemaTensor, stopRuntimes} from './runtimes';

afterAll(stopRuntimes);

async function json<T>(path: string): Promise<T> {
  return JSON.parse(new TextDecoder().decode(await readFile(path))) as T;
}

/** A model and what TensorFlow's converter made of it. */
interface Converted {
  readonly model: () => Promise<tfl.LayersModel>;
  readonly file: string;
  readonly images: () => Promise<Float32Array[][]>;
}

async function artifactsIn(folder: string): Promise<tf.io.ModelArtifacts> {
  const {modelTopology, weightsManifest, signature} = await json<tf.io.ModelJSON>(`${folder}/model.json`);
  const weightData = await readFile(`${folder}/group1-shard1of1.bin`);
  return {modelTopology, weightSpecs: weightsManifest[0]!.weights, weightData, ...(signature && {signature})};
}

async function digits(): Promise<Float32Array[][]> {
  const {shape, x} = await json<{shape: number[]; x: number[]}>('test/tfmot/converted/expected.json');
  const size = x.length / shape[0]!;
  return Array.from({length: shape[0]!}, (_, i) => [Float32Array.from(x.slice(i * size, (i + 1) * size))]);
}

/** Images in sixteenths, as those that the network was trained on. */
function noise(): Promise<Float32Array[][]> {
  const size = 12 * 12 * 3;
  const values = tf.tidy(() => tf.randomUniform([16 * size], 0, 16, 'int32', 3).dataSync());
  const image = (i: number) => Float32Array.from(values.subarray(i * size, (i + 1) * size), value => value / 16);
  return Promise.resolve(Array.from({length: 16}, (_, i) => [image(i)]));
}

const CONVERTED: Readonly<Record<string, Converted>> = {
  'a Keras model': {
    model: async () => tfl.loadLayersModel(tf.io.fromMemory(await artifactsIn('test/tfmot/converted'))),
    file: 'test/tfmot/converted.tflite',
    images: digits,
  },
  'a graph model': {
    model: async () => importModel(await artifactsIn('test/import/qat_graph')),
    file: 'test/import/qat_graph/model.tflite',
    images: noise,
  },
};

/** What flows between the operators, in order: their outputs, weights and biases. */
function tensorsOf({operators, tensors}: SchemaModel): SchemaTensor[][] {
  return operators.map(({inputs, outputs}) => [...inputs, ...outputs].map(i => tensors[i]!));
}

function relative(one: readonly number[], other: readonly number[]): number {
  return Math.max(0, ...one.map((each, i) => Math.abs(each / other[i]! - 1)));
}

for (const [what, {model, file, images}] of Object.entries(CONVERTED)) {
  describe(`Beside TensorFlow's converter, of ${what}, toTFLite`, () => {
    scoped();

    it('writes the same operators, grids, zero points and weights, in no more bytes', async () => {
      const theirs = new Uint8Array(await readFile(file));
      const ours = await toTFLite(await model());
      const [expected, found] = [await parse(theirs), await parse(ours)];
      expect(found.operators.map(({name, version}) => [name, version])).toEqual(
        expected.operators.map(({name, version}) => [name, version]),
      );
      const [wanted, got] = [tensorsOf(expected), tensorsOf(found)];
      let worst = 0;
      for (const [i, tensors] of got.entries()) {
        for (const [j, {type, shape, scale, zeroPoint, axis, name, digest}] of tensors.entries()) {
          const other = wanted[i]![j]!;
          expect([type, shape, scale.length]).withContext(name).toEqual([other.type, other.shape, other.scale.length]);
          if (scale.length > 1) expect(axis).withContext(name).toBe(other.axis);
          expect(zeroPoint.every((each, c) => each === other.zeroPoint[c]))
            .withContext(`${name}: zero point`)
            .toBeTrue();
          // Biases are rounded to steps that differ in their last bits.
          if (type === 'INT8') expect(digest).withContext(`${name}: levels`).toBe(other.digest);
          worst = Math.max(worst, relative(scale, other.scale));
        }
      }
      expect(worst).toBeLessThan(1e-6);
      expect(ours.length / theirs.length).toBeLessThan(1.02);
    });

    it('gives the numbers that the converted file gives', async () => {
      const theirs = new Uint8Array(await readFile(file));
      const ours = await toTFLite(await model());
      const inputs = await images();
      for (const runtime of ['reference', 'xnnpack'] as const) {
        const [expected, found] = [await run(theirs, runtime, inputs), await run(ours, runtime, inputs)];
        const off = found.flatMap(([row], i) => Array.from(row!, (each, j) => Math.abs(each - expected[i]![0]![j]!)));
        expect(off.filter(each => each === 0).length / off.length)
          .withContext(runtime)
          .toBeGreaterThanOrEqual(0.98);
        expect(Math.max(...off))
          .withContext(runtime)
          .toBeLessThanOrEqual(1 / 256);
      }
    });
  });
}
