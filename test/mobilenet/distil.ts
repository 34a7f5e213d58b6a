/** How far distil brings MobileNet v2 at weights of 4 bits, without labels. Any backend that trains. */
import * as tf from '@tensorflow/tfjs-core';
import type {LayersModel} from '@tensorflow/tfjs-layers';
import {relativeError, sameClasses, type Scores} from '../../lab/agreement';
import {calibrate, distil, type DistilResult, quantizeModel} from '../../src/entries/qat';
import {imagesOf, load, type Pretrained, SIZE} from './network';

const PIXELS = SIZE * SIZE * 3;
/** Crops to predict; those behind them are trained on. */
const TEST = 64;
const BATCH = 8;

/** How the quantized network agrees with the float one on crops that it was not trained on. */
interface Agreement {
  readonly images: number;
  readonly sameClass: number;
  /** The length of the difference by the length of the original. */
  readonly relativeError: number;
}

export interface DistilReport {
  readonly steps: number;
  readonly batchSize: number;
  readonly crops: number;
  readonly calibrated: Agreement;
  readonly distilled: Agreement;
  /** What distil's trial chose. */
  readonly rate: DistilResult['rate'];
  readonly stepSeconds: number;
}

async function scoresOf(model: LayersModel, x: tf.Tensor): Promise<Scores> {
  const y = model.predict(x, {batchSize: BATCH}) as tf.Tensor2D;
  const rows = await y.array();
  y.dispose();
  return rows.map(row => Float32Array.from(row));
}

export async function distilNetwork(
  pretrained: Pretrained,
  pixels: Uint8Array,
  {steps, batchSize}: {readonly steps: number; readonly batchSize: number},
  onProgress: (what: string, done: number, total: number) => void,
): Promise<DistilReport> {
  const model = await load(pretrained);
  for (const layer of model.layers) layer.trainable = true;
  const test = imagesOf(pixels.subarray(0, TEST * PIXELS));
  const samples = imagesOf(pixels.subarray(TEST * PIXELS));
  onProgress('float', 0, 1);
  const expected = await scoresOf(model, test);
  const q = quantizeModel(model, {weights: {numBits: 4}});
  const agreement = async (): Promise<Agreement> => {
    const found = await scoresOf(q, test);
    return {
      images: TEST,
      sameClass: sameClasses(found, expected),
      relativeError: relativeError(found, expected),
    };
  };
  await calibrate(q, samples, {
    samples: TEST,
    batchSize: BATCH,
    onProgress: ({done, total}) => onProgress('calibrate', done, total!),
  });
  const calibrated = await agreement();
  onProgress('distil', 0, steps);
  let started = performance.now();
  const {rate} = await distil(q, model, samples, {
    steps,
    batchSize,
    // It was trained on a million images of its own kind; with statistics of these crops the float network itself decides otherwise.
    reestimateBatchNorm: false,
    onProgress({step, loss}) {
      if (loss === undefined) started = performance.now();
      onProgress('distil', step, steps);
    },
  });
  const stepSeconds = (performance.now() - started) / 1000 / steps;
  return {steps, batchSize, crops: samples.shape[0], calibrated, distilled: await agreement(), rate, stepSeconds};
}
