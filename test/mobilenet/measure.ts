/** What becomes of MobileNet v2 on its way to int8, in Node on tfjs's wasm backend. */
import '@tensorflow/tfjs';
import * as tf from '@tensorflow/tfjs-core';
import type {LayersModel} from '@tensorflow/tfjs-layers';
import {best, relativeError, sameClasses, type Scores} from '../../lab/agreement';
import {startWasm} from '../../lab/wasm';
import {calibrate, quantizeModel} from '../../src/entries/qat';
import {toONNX} from '../../src/entries/onnx';
import {toTFLite} from '../../src/entries/tflite';
import * as onnx from '../onnx/runtimes';
import {type Runtime, runInTurn, stopRuntimes} from '../tflite/runtimes';
import {held, imagesOf, load, type Pretrained, SIZE} from './network';

const PIXELS = SIZE * SIZE * 3;
/** Images for the ranges; the rest is predicted. */
const CALIBRATION = 64;
const BATCH = 8;
/** How many images each runtime is given; the reference kernels take their time. */
const RUNS: readonly (readonly [Runtime, number])[] = [
  ['xnnpack', Infinity],
  ['reference', 16],
];

/** Images for each kind of file: some take seconds for one in a browser. */
const IMAGES_PER_KIND = 32;

export type OnProgress = (what: string, done: number, total: number) => void;

/** Numbers over the images that two predictions disagree about. A margin lies between the two likeliest classes. */
interface Comparison {
  readonly images: number;
  readonly sameClass: number;
  /** The length of the difference by the length of the original. */
  readonly relativeError: number;
  readonly medianMargin: number;
  readonly marginsOfOthers: number[];
}

async function predict(what: string, model: LayersModel, x: tf.Tensor4D, onProgress: OnProgress): Promise<Scores> {
  const total = x.shape[0];
  const scores: Float32Array[] = [];
  while (scores.length < total) {
    const y = tf.tidy(() =>
      model.predictOnBatch(tf.slice(x, scores.length, Math.min(BATCH, total - scores.length))),
    ) as tf.Tensor2D;
    scores.push(...(await y.array()).map(row => Float32Array.from(row)));
    y.dispose();
    onProgress(what, scores.length, total);
    await tf.nextFrame(); // lets the bar be drawn
  }
  return scores;
}

function marginOf(scores: Float32Array): number {
  const [first, second] = [...scores].sort((a, b) => b - a);
  return first! - second!;
}

function compare(found: Scores, expected: Scores): Comparison {
  const margins = expected.slice(0, found.length).map(marginOf);
  return {
    images: found.length,
    sameClass: sameClasses(found, expected),
    relativeError: relativeError(found, expected),
    medianMargin: [...margins].sort((a, b) => a - b)[margins.length >> 1]!,
    marginsOfOthers: margins.filter((_, i) => best(found[i]!) !== best(expected[i]!)),
  };
}

async function timed<T>(work: () => T | Promise<T>): Promise<[T, number]> {
  const started = performance.now();
  const result = await work();
  return [result, performance.now() - started];
}

type Told = (done: number) => void;

/** What a file gives for images, one after the other. */
type Runner = (file: Uint8Array, images: readonly Float32Array[], told: Told) => Promise<Scores>;

const inLiteRT =
  (runtime: Runtime): Runner =>
  async (file, images, told) => {
    const given = images.map(image => [image]);
    return (await runInTurn(file, runtime, given, told)).map(([row]) => row as Float32Array);
  };

const inONNX =
  (runtime: onnx.Runtime): Runner =>
  async (file, images, told) => {
    const scores: Float32Array[] = [];
    for (const image of images) {
      const x = tf.tensor4d(image, [1, SIZE, SIZE, 3]);
      const [output] = await onnx.run(file, runtime, [x]).finally(() => x.dispose());
      scores.push(output!.values as Float32Array);
      told(scores.length);
    }
    return scores;
  };

const RUNNERS: Readonly<Record<'.tflite' | 'ONNX', Readonly<Record<string, Runner>>>> = {
  '.tflite': {'LiteRT (XNNPACK)': inLiteRT('xnnpack'), 'LiteRT.js': inLiteRT('litert.js')},
  ONNX: {onnxruntime: inONNX('onnxruntime'), 'onnxruntime-web': inONNX('onnxruntime-web')},
};

/** A kind of file, and how it is written. */
interface Kind {
  readonly format: '.tflite' | 'ONNX';
  readonly numbers: string;
  readonly write: () => Promise<Uint8Array>;
}

/** What a kind of file is worth: its size by that of the float weights, and how it agrees with the float model. */
interface KindReport {
  readonly bytes: number;
  readonly byFloat: number;
  readonly runtimes: Readonly<Record<string, Comparison | {readonly refused: string}>>;
}

function kindsOf(model: LayersModel, q: LayersModel): readonly Kind[] {
  const weights = (type: 'float16' | 'int8' | 'int4') => () => toTFLite(model, {weights: type});
  return [
    {format: '.tflite', numbers: 'float32', write: () => toTFLite(model)},
    {format: '.tflite', numbers: 'float16', write: weights('float16')},
    {format: '.tflite', numbers: 'dynamic range, int8', write: weights('int8')},
    {format: '.tflite', numbers: 'dynamic range, int4', write: weights('int4')},
    {format: '.tflite', numbers: 'integers', write: () => toTFLite(q)},
    {format: 'ONNX', numbers: 'float32', write: () => toONNX(model)},
    {format: 'ONNX', numbers: 'integers', write: () => toONNX(q)},
  ];
}

async function measureKinds(
  kinds: readonly Kind[],
  floatBytes: number,
  images: readonly Float32Array[],
  expected: Scores,
  onProgress: OnProgress,
): Promise<Record<string, KindReport>> {
  const found: Record<string, KindReport> = {};
  for (const {format, numbers, write} of kinds) {
    const kind = `${format}, ${numbers}`;
    const file = await write();
    const runtimes: Record<string, KindReport['runtimes'][string]> = {};
    for (const [name, runner] of Object.entries(RUNNERS[format])) {
      const told: Told = done => onProgress(kind, done, images.length);
      runtimes[name] = await runner(file, images, told).then(
        scores => compare(scores, expected),
        (error: unknown) => ({refused: String(error).split('\n')[0]!}),
      );
    }
    found[kind] = {bytes: file.length, byFloat: file.length / floatBytes, runtimes};
  }
  onnx.stopRuntimes();
  return found;
}

/** Everything that a report holds, but the step of training. */
export async function measure(pretrained: Pretrained, pixels: Uint8Array, onProgress: OnProgress) {
  await startWasm();
  const model = await load(pretrained);
  const samples = imagesOf(pixels.subarray(0, CALIBRATION * PIXELS));
  const x = imagesOf(pixels.subarray(CALIBRATION * PIXELS));
  const float = await predict('float', model, x, onProgress);
  const before = held();
  const [q, quantizeMs] = await timed(() => quantizeModel(model));
  const [, calibrateMs] = await timed(() =>
    calibrate(q, samples, {
      method: 'minMax',
      batchSize: BATCH,
      onProgress: ({done, total}) => onProgress('calibrate', done, total!),
    }),
  );
  const quantized = await predict('fake-quantized', q, x, onProgress);
  const [file, exportMs] = await timed(() => toTFLite(q));
  const values = await x.data<'float32'>();
  const images = float.map((_, i) => values.subarray(i * PIXELS, (i + 1) * PIXELS));
  const floatBytes = 4 * model.countParams();
  const kinds = await measureKinds(kindsOf(model, q), floatBytes, images.slice(0, IMAGES_PER_KIND), float, onProgress);
  q.dispose();
  const after = held();
  const runtimes: Record<string, Comparison> = {};
  for (const [runtime, count] of RUNS) {
    const given = images.slice(0, count).map(image => [image]);
    const scores = await runInTurn(file, runtime, given, done => onProgress(runtime, done, given.length));
    runtimes[runtime] = compare(
      scores.map(([row]) => row as Float32Array),
      quantized,
    );
  }
  stopRuntimes();
  const classes = float.reduce<Record<number, number>>(
    (counts, row) => ({...counts, [best(row)]: (counts[best(row)] ?? 0) + 1}),
    {},
  );
  return {
    weights: model.countParams(),
    images: float.length,
    classes,
    quantizeMs,
    calibrateSeconds: calibrateMs / 1000,
    againstFloat: compare(quantized, float),
    exportMs,
    fileBytes: file.length,
    fileByFloat: file.length / floatBytes,
    runtimes,
    kinds,
    memory: {before, after},
  };
}
