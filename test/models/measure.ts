/** What becomes of a published model: as layers, quantized, and as a file. In Node, on tfjs's wasm backend. */
import '@tensorflow/tfjs';
import {type GraphModel, loadGraphModel} from '@tensorflow/tfjs-converter';
import * as tf from '@tensorflow/tfjs-core';
import type {LayersModel} from '@tensorflow/tfjs-layers';
import {largestDifference, relativeError, sameClasses, type Scores} from '../../lab/agreement';
import {startWasm} from '../../lab/wasm';
import {describeImport, importModel} from '../../src/entries/import';
import {calibrate, quantizeModel} from '../../src/entries/qat';
import {toTFLite} from '../../src/entries/tflite';
import {runInTurn, stopRuntimes} from '../tflite/runtimes';
import {inputsOf, PHOTO_BYTES, type Published, type Taken} from './published';

export {PUBLISHED} from './published';

/** Photos for the ranges; the others are predicted. */
const CALIBRATION = 32;
const BATCH = 8;
const TIMED = 5;

export type OnProgress = (what: string, done: number, total: number) => void;

/** How far two predictions of the photos agree. */
export interface Agreement {
  readonly photos: number;
  /** Photos that get the same best score, of models that give scores. */
  readonly sameBest?: number;
  /** The length of the difference by the length of what is expected, of all outputs together. */
  readonly relativeError: number;
}

/** What was measured, up to what went wrong. */
export interface Row {
  readonly name: string;
  readonly nodes?: number;
  readonly layers?: number;
  readonly segments?: number;
  /** Nodes in segments. */
  readonly segmented?: number;
  readonly reasons?: readonly string[];
  readonly importMs?: number;
  /** Of graph models: what tf.loadGraphModel takes. */
  readonly loadMs?: number;
  /** The time of a prediction by layers, as multiple of the graph's. */
  readonly slower?: number;
  /** The largest difference of any output from the graph's, by the largest of that output. */
  readonly difference?: number;
  /** Photos that ranges are of. */
  readonly calibrated?: number;
  /** The model rounded to 8 bits, and the float one. */
  readonly quantized?: Agreement;
  readonly fileBytes?: number;
  readonly fileByFloat?: number;
  /** The file in LiteRT, and the model rounded to 8 bits. */
  readonly file?: Agreement;
  readonly problem?: string;
}

/** For each output, what is predicted of each photo. */
type Outputs = Scores[];

type Predict = (batch: tf.Tensor) => tf.Tensor[] | Promise<tf.Tensor[]>;

const byLayers =
  (model: LayersModel): Predict =>
  batch =>
    [model.predictOnBatch(batch)].flat();

/** What finds as many values as there are makes a graph asynchronous, which it says by throwing. */
const byGraph =
  (model: GraphModel): Predict =>
  async batch => {
    try {
      return [model.execute(batch)].flat();
    } catch {
      return [await model.executeAsync(batch)].flat();
    }
  };

/** Photos, a batch at a time as a model takes them. */
class Photos {
  readonly count: number;
  readonly #bytes: Uint8Array;
  readonly #taken: Taken;
  readonly #published: Published;

  constructor(bytes: Uint8Array, taken: Taken, published: Published) {
    this.count = bytes.length / PHOTO_BYTES;
    this.#bytes = bytes;
    this.#taken = taken;
    this.#published = published;
  }

  batch(from: number, count: number): tf.Tensor4D {
    const bytes = this.#bytes.subarray(from * PHOTO_BYTES, (from + count) * PHOTO_BYTES);
    return inputsOf(bytes, this.#taken, this.#published);
  }

  /** The first `count`. Each batch lives until the next is asked for. */
  *batches(size: number, count = this.count): Generator<tf.Tensor4D> {
    for (let from = 0; from < count; from += size) {
      const batch = this.batch(from, size);
      try {
        yield batch;
      } finally {
        batch.dispose();
      }
    }
  }
}

async function outputsOf(
  predict: Predict,
  batches: Iterable<tf.Tensor4D>,
  onDone: (done: number) => void = () => undefined,
): Promise<Outputs> {
  const outputs: Float32Array[][] = [];
  for (const batch of batches) {
    const found = await predict(batch);
    const count = batch.shape[0];
    for (const [i, each] of found.entries()) {
      const values = Float32Array.from(await each.data());
      const size = values.length / count;
      for (let at = 0; at < count; ++at) (outputs[i] ??= []).push(values.subarray(at * size, (at + 1) * size));
    }
    tf.dispose(found);
    onDone(outputs[0]!.length);
    await tf.nextFrame(); // lets the bar be drawn
  }
  return outputs;
}

function agreementOf(found: Outputs, expected: Outputs, scores: number | undefined): Agreement {
  return {
    photos: found[0]!.length,
    ...(scores !== undefined && {sameBest: sameClasses(found[scores]!, expected[scores]!)}),
    relativeError: relativeError(found.flat(), expected.flat()),
  };
}

async function timed<T>(work: () => T | Promise<T>): Promise<[T, number]> {
  const started = performance.now();
  const result = await work();
  return [result, performance.now() - started];
}

/** The result of the first run and the shortest time of a few. */
async function shortest<T extends {dispose(): unknown}>(work: () => Promise<T>): Promise<[T, number]> {
  let [kept, least] = await timed(work);
  for (let i = 1; i < TIMED; ++i) {
    const [other, ms] = await timed(work);
    kept.dispose();
    kept = other;
    least = Math.min(least, ms);
  }
  return [kept, least];
}

/** By how much one prediction takes longer than another: the median of a few runs in turn. */
async function ratioOf(slow: Predict, fast: Predict, x: tf.Tensor): Promise<number> {
  const ratios: number[] = [];
  for (let i = 0; i <= TIMED; ++i) {
    const [mine, mineMs] = await timed(async () => settled(await slow(x)));
    const [theirs, theirsMs] = await timed(async () => settled(await fast(x)));
    tf.dispose([mine, theirs]);
    if (i > 0) ratios.push(mineMs / theirsMs); // the first run makes what later ones find
  }
  return ratios.sort((a, b) => a - b)[TIMED >> 1]!;
}

async function settled(outputs: tf.Tensor[]): Promise<tf.Tensor[]> {
  for (const each of outputs) await each.data();
  return outputs;
}

type Tell = (figures: Partial<Row>) => void;

async function measureImport(artifacts: tf.io.ModelArtifacts, tell: Tell): Promise<LayersModel> {
  const [model, importMs] = await shortest(() => importModel(artifacts));
  const {rows} = describeImport(model);
  const segments = rows.filter(({className}) => className.endsWith('GraphSegment'));
  const nodes = (artifacts.modelTopology as {node?: unknown[]}).node?.length;
  tell({
    ...(nodes && {nodes}),
    layers: model.layers.length - segments.length,
    segments: segments.length,
    segmented: segments.reduce((sum, segment) => sum + segment.nodes.length, 0),
    reasons: segments.flatMap(({note}) => note ?? []),
    importMs,
  });
  return model;
}

async function measureGraph(
  artifacts: tf.io.ModelArtifacts,
  predict: Predict,
  photos: Photos,
  tell: Tell,
): Promise<void> {
  const [graph, loadMs] = await shortest(() => loadGraphModel(tf.io.fromMemory(artifacts)));
  tell({loadMs});
  const size = graph.inputs[0]!.shape?.[0] ?? -1;
  const batch = size > 0 ? size : BATCH; // as layers, a batch of one may have become any
  const ours = await outputsOf(predict, photos.batches(batch, batch));
  const theirs = await outputsOf(byGraph(graph), photos.batches(batch, batch));
  tell({difference: Math.max(...ours.map((each, i) => largestDifference(each, theirs[i]!)))});
  const x = photos.batch(0, batch);
  tell({slower: await ratioOf(predict, byGraph(graph), x)});
  x.dispose();
  graph.dispose();
}

/** What LiteRT gives, one photo at a time. */
async function outputsOfFile(file: Uint8Array, photos: Photos, onDone: (done: number) => void): Promise<Outputs> {
  const runs = Array.from(photos.batches(1), image => [image.dataSync<'float32'>().slice()]);
  const byPhoto = await runInTurn(file, 'xnnpack', runs, onDone);
  return byPhoto[0]!.map((_, i) => byPhoto.map(outputs => Float32Array.from(outputs[i]!)));
}

/** Everything that a row holds, told as it is found. */
async function measureAll(
  published: Published,
  artifacts: tf.io.ModelArtifacts,
  bytes: Uint8Array,
  onProgress: OnProgress,
  tell: Tell,
): Promise<void> {
  const model = await measureImport(artifacts, tell);
  const [input] = model.inputs;
  const batch = input!.shape[0] ?? BATCH;
  const samples = new Photos(bytes.subarray(0, CALIBRATION * PHOTO_BYTES), input!, published);
  const photos = new Photos(bytes.subarray(CALIBRATION * PHOTO_BYTES), input!, published);
  const telling = (what: string) => (done: number) => onProgress(`${published.name}: ${what}`, done, photos.count);
  const predict = byLayers(model);
  if ('node' in artifacts.modelTopology!) await measureGraph(artifacts, predict, photos, tell);
  const float = await outputsOf(predict, photos.batches(batch), telling('float'));
  const q = quantizeModel(model);
  await calibrate(q, samples.batches(batch), {
    method: 'minMax',
    onProgress: ({done}) => telling('calibrating')(done),
  });
  const quantized = await outputsOf(byLayers(q), photos.batches(batch), telling('quantized'));
  tell({calibrated: samples.count, quantized: agreementOf(quantized, float, published.scores)});
  const file = await toTFLite(q);
  tell({fileBytes: file.length, fileByFloat: file.length / (4 * model.countParams())});
  const found = await outputsOfFile(file, photos, telling('LiteRT'));
  tell({file: agreementOf(found, quantized, published.scores)});
}

/** A row of the table. */
export async function measure(
  published: Published,
  artifacts: tf.io.ModelArtifacts,
  photos: Uint8Array,
  onProgress: OnProgress,
): Promise<Row> {
  await startWasm();
  let row: Row = {name: published.name};
  tf.engine().startScope();
  try {
    await measureAll(published, artifacts, photos, onProgress, figures => (row = {...row, ...figures}));
  } catch (error) {
    row = {...row, problem: error instanceof Error ? error.message : String(error)};
  } finally {
    tf.engine().endScope();
    tf.disposeVariables();
    stopRuntimes();
  }
  return row;
}
