/** Ranges of activations from samples, before the first step of training. */
import {keep, type Tensor, tidy} from '@tensorflow/tfjs-core';
import type {LayersModel} from '@tensorflow/tfjs-layers';
import {symmetricRatio} from '../../kernels/observe';
import {quantizingLayers} from './control';
import type {FakeQuantizer} from './fake_quantizer';
import {type CalibrationMethod, Histogram} from './histogram';
import {settle} from './layer_wrapper';
import {oneOf, type Rules, throwProblems} from '../check';
import {callback, checkOptions, count, percent} from './rules';
import {batchesOf, type Samples, sampleCount} from './samples';

export type {CalibrationMethod};

/** How far a calibration is. */
export interface CalibrationProgress {
  /** Samples seen. */
  readonly done: number;
  /** Samples in all; undefined for batches that are not counted beforehand. */
  readonly total: number | undefined;
}

/** How {@link calibrate} goes about it. */
export interface CalibrateOptions {
  /** How a range comes from the values: 'minMax' (the default), 'percentile', or 'mse': that of the least squared error. */
  readonly method?: CalibrationMethod;
  /** Of the method 'percentile': how many of a hundred values stay inside; 99.99 by default. */
  readonly percentile?: number;
  /** Samples at a time, where tensors are given; 16 by default. */
  readonly batchSize?: number;
  /** Called after each batch; nobody by default. */
  readonly onProgress?: (progress: CalibrationProgress) => void;
}

const CALIBRATE: Rules<CalibrateOptions> = {
  method: oneOf('minMax', 'percentile', 'mse'),
  percentile: percent,
  batchSize: count,
  onProgress: callback,
};

/** How much of a debiased moving average the calibration is worth: about 70 batches at the decay of 0.99. */
const WEIGHT = 0.5;

/** One forward pass in which every activation is seen before it would be rounded. */
async function watch(model: LayersModel, batch: readonly Tensor[], seen: ReadonlyMap<FakeQuantizer, Histogram>) {
  const passed: {quantizer: FakeQuantizer; values: Tensor}[] = [];
  for (const quantizer of seen.keys()) {
    quantizer.watcher = x => passed.push({quantizer, values: keep(x.clone())});
  }
  try {
    tidy(() => void model.apply(batch.length === 1 ? batch[0]! : [...batch]));
  } finally {
    for (const quantizer of seen.keys()) quantizer.watcher = undefined;
  }
  const bad = new Set<string>();
  for (const {quantizer, values} of passed) {
    const data = await values.data();
    if (!seen.get(quantizer)!.add(data) || data.some(Number.isNaN)) bad.add(quantizer.name);
    values.dispose();
  }
  return bad;
}

function fitted(
  histogram: Histogram,
  quantizer: FakeQuantizer,
  {method = 'minMax', percentile = 99.99}: CalibrateOptions,
) {
  const {numBits, narrowRange, symmetric} = quantizer.options;
  const levels = 2 ** numBits - (narrowRange ? 2 : 1);
  const [low, high] =
    method === 'minMax'
      ? histogram.minMax()
      : method === 'mse'
        ? histogram.mse(levels)
        : histogram.percentile(percentile);
  const ratio = symmetricRatio(numBits, narrowRange);
  if (!symmetric) return [Math.min(low, 0), Math.max(high, 0)] as const;
  return [Math.min(low, high / ratio), Math.max(high, low * ratio)] as const;
}

/**
 * Sets the ranges of all activations from samples, so that the first step of training, or a prediction, is rounded well.
 * Training moves on from there. Weights are rounded meanwhile, activations are not.
 *
 * @param model - a quantized model.
 * @param samples - a tensor (or one for each input) of all samples, or batches of them: some hundreds of samples do.
 * @param options - the method, the batch size and a callback for the progress.
 * @throws if the samples do not fit the model, or there are none; and after the others are set, if an activation was NaN.
 */
export async function calibrate(model: LayersModel, samples: Samples, options: CalibrateOptions = {}): Promise<void> {
  checkOptions('calibrate', options, CALIBRATE);
  const {batchSize = 16, onProgress, method, percentile} = options;
  if (percentile !== undefined && method === undefined) {
    throwProblems('calibrate', ["percentile is of the method 'percentile'. Name the method too, or leave it out."]);
  }
  const layers = quantizingLayers('calibrate', model);
  const roundings = layers.flatMap(layer => layer.roundings).filter(({of}) => of === 'activations');
  const measured = roundings.filter(({fixed}) => !fixed);
  const seen = new Map(measured.map(({quantizer}) => [quantizer, new Histogram()]));
  const total = sampleCount(samples);
  const bad = new Set<string>();
  let done = 0;
  for await (const batch of batchesOf('calibrate', model, samples, batchSize)) {
    for (const name of await watch(model, batch, seen)) bad.add(name);
    done += batch[0]!.shape[0];
    onProgress?.({done, total});
  }
  if (done === 0) throw new Error('calibrate: there are no samples. Give it at least one batch.');
  for (const [quantizer, histogram] of seen) {
    if (histogram.max >= histogram.min) quantizer.setRange(...fitted(histogram, quantizer, options), WEIGHT);
  }
  settle(roundings);
  if (bad.size === 0) return;
  throw new Error(
    `calibrate: activations were NaN in ${[...bad].join(', ')}; ranges are of the other values. ` +
      'Look for NaN in the samples and in the weights.',
  );
}
