/** Against TensorFlow's own converter, on a network that its toolkit quantized and trained (test/tfmot). */
import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import '../../src/entries/qat';
import {toTFLite} from '../../src/entries/tflite';
import {readFile} from '../support/environment';
import {scoped} from '../support/scoped';
import {parse, run, type SchemaModel, type SchemaTensor, stopRuntimes} from './runtimes';

afterAll(stopRuntimes);

async function json<T>(path: string): Promise<T> {
  return JSON.parse(new TextDecoder().decode(await readFile(path))) as T;
}

async function convertedModel(): Promise<tfl.LayersModel> {
  const {modelTopology, weightsManifest} = await json<tf.io.ModelJSON>('test/tfmot/converted/model.json');
  const weightData = await readFile('test/tfmot/converted/group1-shard1of1.bin');
  return tfl.loadLayersModel(tf.io.fromMemory({modelTopology, weightSpecs: weightsManifest[0]!.weights, weightData}));
}

/** What flows between the operators, in order: their outputs, weights and biases. */
function tensorsOf({operators, tensors}: SchemaModel): SchemaTensor[][] {
  return operators.map(({inputs, outputs}) => [...inputs, ...outputs].map(i => tensors[i]!));
}

function relative(one: readonly number[], other: readonly number[]): number {
  return Math.max(0, ...one.map((each, i) => Math.abs(each / other[i]! - 1)));
}

describe("Beside TensorFlow's converter, toTFLite", () => {
  scoped();

  it('writes the same operators, grids and zero points, in no more bytes', async () => {
    const theirs = new Uint8Array(await readFile('test/tfmot/converted.tflite'));
    const ours = await toTFLite(await convertedModel());
    const [expected, found] = [await parse(theirs), await parse(ours)];
    expect(found.operators.map(({name, version}) => [name, version])).toEqual(
      expected.operators.map(({name, version}) => [name, version]),
    );
    const [wanted, got] = [tensorsOf(expected), tensorsOf(found)];
    let worst = 0;
    for (const [i, tensors] of got.entries()) {
      for (const [j, {type, shape, scale, zeroPoint, axis, name}] of tensors.entries()) {
        const other = wanted[i]![j]!;
        expect([type, shape, scale.length]).withContext(name).toEqual([other.type, other.shape, other.scale.length]);
        if (scale.length > 1) expect(axis).withContext(name).toBe(other.axis);
        expect(zeroPoint.every((each, c) => each === other.zeroPoint[c]))
          .withContext(`${name}: zero point`)
          .toBeTrue();
        worst = Math.max(worst, relative(scale, other.scale));
      }
    }
    expect(worst).toBeLessThan(1e-6);
    expect(ours.length / theirs.length).toBeLessThan(1.02);
  });

  it('gives the numbers that the converted file gives', async () => {
    const theirs = new Uint8Array(await readFile('test/tfmot/converted.tflite'));
    const ours = await toTFLite(await convertedModel());
    const {shape, x} = await json<{shape: number[]; x: number[]}>('test/tfmot/converted/expected.json');
    const size = x.length / shape[0]!;
    const images = Array.from({length: shape[0]!}, (_, i) => [Float32Array.from(x.slice(i * size, (i + 1) * size))]);
    for (const runtime of ['reference', 'xnnpack'] as const) {
      const [expected, found] = [await run(theirs, runtime, images), await run(ours, runtime, images)];
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
