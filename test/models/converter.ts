/** Int8 files of this package against those of TensorFlow's converter, calibrated with the same images. In Node, on wasm. */
import '@tensorflow/tfjs';
import * as tf from '@tensorflow/tfjs-core';
import type {LayersModel} from '@tensorflow/tfjs-layers';
import {sameClasses, type Scores} from '../../lab/agreement';
import {startWasm} from '../../lab/wasm';
import {importModel} from '../../src/entries/import';
import {calibrate, type CalibrateOptions, quantizeModel} from '../../src/entries/qat';
import {toTFLite} from '../../src/entries/tflite';
import {runInTurn, stopRuntimes} from '../tflite/runtimes';
import {inputsOf, PHOTO_BYTES, PUBLISHED} from './published';

export const METHODS = ['minMax', 'percentile', 'mse'] as const satisfies CalibrateOptions['method'][];

/** Images of a set, and how many sets there are; the photos behind them are predicted. */
export const SET = 64;
export const SETS = 3;
const BATCH = 8;

type OnProgress = (what: string, done: number, total: number) => void;

/** Shares of the photos that get the class that the float model gives them, a number for each set. */
export interface ConverterReport {
  readonly photos: number;
  readonly theirs: number[];
  readonly ours: Readonly<Record<(typeof METHODS)[number], number[]>>;
}

/** Photos as the model takes them. */
function imagesOf(model: LayersModel, name: string, photos: Uint8Array): tf.Tensor4D {
  const published = PUBLISHED.find(each => each.name === name)!;
  return inputsOf(photos, model.inputs[0]!, published);
}

async function open(artifacts: tf.io.ModelArtifacts): Promise<LayersModel> {
  await startWasm();
  return importModel(artifacts);
}

/** What the converter is to be given. */
export async function calibrationSets(name: string, artifacts: tf.io.ModelArtifacts, photos: Uint8Array) {
  const model = await open(artifacts);
  const sets = imagesOf(model, name, photos.subarray(0, SETS * SET * PHOTO_BYTES));
  const values = await sets.data<'float32'>();
  sets.dispose();
  model.dispose();
  return values;
}

async function ourFile(model: LayersModel, images: tf.Tensor4D, method: (typeof METHODS)[number]): Promise<Uint8Array> {
  const q = quantizeModel(model);
  await calibrate(q, images, {method, batchSize: BATCH});
  const file = await toTFLite(q);
  q.dispose();
  return file;
}

/** @param theirs - the converter's files, one of each set. */
export async function compareFiles(
  name: string,
  artifacts: tf.io.ModelArtifacts,
  photos: Uint8Array,
  theirs: readonly Uint8Array[],
  onProgress: OnProgress,
): Promise<ConverterReport> {
  const model = await open(artifacts);
  const sets = imagesOf(model, name, photos.subarray(0, SETS * SET * PHOTO_BYTES));
  const x = imagesOf(model, name, photos.subarray(SETS * SET * PHOTO_BYTES));
  const [count, ...shape] = x.shape;
  const size = shape.reduce((product, length) => product * length);
  const values = await x.data<'float32'>();
  const images = Array.from({length: count}, (_, i) => [values.subarray(i * size, (i + 1) * size)]);
  const y = model.predict(x, {batchSize: BATCH}) as tf.Tensor2D;
  const float: Scores = (await y.array()).map(row => Float32Array.from(row));
  const total = SETS * (1 + METHODS.length);
  let done = 0;
  const agreement = async (file: Uint8Array) => {
    const outputs = await runInTurn(file, 'xnnpack', images);
    onProgress(name, ++done, total);
    const scores = outputs.map(([row]) => row as Float32Array);
    return sameClasses(scores, float) / count;
  };
  const report = {
    photos: count,
    theirs: [] as number[],
    ours: {minMax: [], percentile: [], mse: []} as Record<string, number[]>,
  };
  for (let i = 0; i < SETS; ++i) {
    report.theirs.push(await agreement(theirs[i]!));
    const images = tf.slice4d(sets, [i * SET, 0, 0, 0], [SET, -1, -1, -1]);
    for (const method of METHODS) report.ours[method]!.push(await agreement(await ourFile(model, images, method)));
    images.dispose();
  }
  tf.dispose([sets, x, y]);
  model.dispose();
  stopRuntimes();
  return report as ConverterReport;
}
