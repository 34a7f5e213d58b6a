/** How far distil brings a published classifier at few bits, on crops of photos. Any backend that trains. */
import * as tf from '@tensorflow/tfjs-core';
import type {LayersModel} from '@tensorflow/tfjs-layers';
import {sameClasses, type Scores} from '../../lab/agreement';
import {calibrate, distil, type DistilResult, type QuantizeOptions, quantizeModel} from '../../src/entries/qat';
import {inputsOf, PHOTO_BYTES, PUBLISHED} from './published';

/** Widths of weights and activations. */
const WIDTHS: Readonly<Record<string, QuantizeOptions>> = {
  w8a8: {weights: {numBits: 8}},
  w4a8: {weights: {numBits: 4}},
  'w4a8, ends at 8': {weights: {numBits: 4}, keepEnds8bit: true},
  w4a4: {weights: {numBits: 4}, activations: {numBits: 4}},
  w2a8: {weights: {numBits: 2}},
};

/** Photos that crops are of, in turn. In each set every third of them is not trained on, another third each time. */
const PHOTOS = 25;
export const SETS = 3;
const TRAIN = 512;
const TEST = 168;
const CALIBRATION = 256;

/** How long each is trained. */
export interface DistilPlan {
  readonly steps: number;
  readonly batchSize: number;
  /** 'w4a8' and the like; all by default. */
  readonly widths?: readonly string[];
}

/** Shares of crops that get the class of the float model. */
interface Shares {
  /** Other crops of the photos that were trained on. */
  readonly seen: number;
  /** Crops of other photos. */
  readonly unseen: number;
}

/** One network at one width on one set of photos. */
export interface DistilRow {
  readonly name: string;
  readonly widths: string;
  readonly set: number;
  readonly calibrated: Shares;
  readonly distilled: Shares;
  /** What distil's trial chose. */
  readonly rate: DistilResult['rate'];
  /** How long a step of training took. */
  readonly stepSeconds: number;
}

type OnProgress = (what: string, done: number, total: number) => void;

/** Crops as the model takes them; resized one by one, as all at their full size are more than a renderer bears. */
function cropsOf(model: LayersModel, name: string, bytes: Uint8Array, ids: readonly number[]): tf.Tensor4D {
  const published = PUBLISHED.find(each => each.name === name)!;
  const crop = (id: number) => bytes.subarray(id * PHOTO_BYTES, (id + 1) * PHOTO_BYTES);
  return tf.tidy(() =>
    tf.concat4d(
      ids.map(id => inputsOf(crop(id), model.inputs[0]!, published)),
      0,
    ),
  );
}

/** The crops of a set. */
function cropsOfSet(model: LayersModel, name: string, bytes: Uint8Array, set: number) {
  const ids = Array.from({length: bytes.length / PHOTO_BYTES}, (_, id) => id);
  const isUnseen = (id: number) => (id % PHOTOS) % SETS === set;
  const [seen, unseen] = [ids.filter(id => !isUnseen(id)), ids.filter(isUnseen)];
  const some = (from: readonly number[]) => cropsOf(model, name, bytes, from);
  return {train: some(seen.slice(0, TRAIN)), seen: some(seen.slice(-TEST)), unseen: some(unseen.slice(-TEST))};
}

async function scoresOf(model: LayersModel, x: tf.Tensor, batchSize: number): Promise<Scores> {
  const y = model.predict(x, {batchSize}) as tf.Tensor2D;
  const rows = await y.array();
  y.dispose();
  return rows.map(row => Float32Array.from(row));
}

/** A network at all widths on one set of photos. */
export async function distilSet(
  model: LayersModel,
  name: string,
  bytes: Uint8Array,
  set: number,
  {steps, batchSize, widths = Object.keys(WIDTHS)}: DistilPlan,
  onProgress: OnProgress,
  onRow: (row: DistilRow) => void,
): Promise<void> {
  const {train, seen, unseen} = cropsOfSet(model, name, bytes, set);
  const expected = {seen: await scoresOf(model, seen, batchSize), unseen: await scoresOf(model, unseen, batchSize)};
  const sharesOf = async (q: LayersModel): Promise<Shares> => ({
    seen: sameClasses(await scoresOf(q, seen, batchSize), expected.seen) / TEST,
    unseen: sameClasses(await scoresOf(q, unseen, batchSize), expected.unseen) / TEST,
  });
  for (const width of widths) {
    const q = quantizeModel(model, WIDTHS[width]);
    const tell = (done: number) => onProgress(`${name} ${width}, set ${set + 1}`, done, steps);
    tell(0);
    await calibrate(q, train, {samples: CALIBRATION, batchSize});
    const calibrated = await sharesOf(q);
    let started = performance.now();
    const {rate} = await distil(q, model, train, {
      steps,
      batchSize,
      // They were trained long, on faces: with statistics of these photos the float networks themselves decide otherwise.
      reestimateBatchNorm: false,
      onProgress({step, loss}) {
        if (loss === undefined) started = performance.now();
        tell(step);
      },
    });
    const stepSeconds = (performance.now() - started) / 1000 / steps;
    onRow({name, widths: width, set, calibrated, distilled: await sharesOf(q), rate, stepSeconds});
    q.dispose();
  }
  tf.dispose([train, seen, unseen]);
}
