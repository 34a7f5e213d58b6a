/** Ranges of activations from samples, before the first step of training. */
import {dispose, keep, type Tensor} from '@tensorflow/tfjs-core';
import type {LayersModel} from '@tensorflow/tfjs-layers';
import {symmetricRatio} from '../../../kernels/observe';
import {checkOptions} from '../../check/options';
import {callback, count, flag, limit, oneOf, percent, type Rules, throwProblems} from '../../check/rules';
import type {FakeQuantizer} from '../../quantizer/fake_quantizer';
import {type CalibrationMethod, Histogram} from '../../quantizer/histogram';
import {MeasuredBatch, ToldBins} from '../../quantizer/measured';
import type {QuantizerOptions} from '../../quantizer/options';
import {stepsOf} from '../../quantizer/range';
import {offTies} from '../../quantizer/ties';
import {
  type Quantizing,
  quantizingLayers,
  type RoundedWeight,
  type RoundingOfActivation,
  settle,
} from '../quantized_layers/quantizing';
import {rememberStatistics, remeasure} from './batch_norm';
import {batchesOf, pass, sampleCount} from './batches';
import {withModelLock} from './model_lock';
import {Rest} from './rest';
import {checkSamples, passOnce, type Samples} from './samples';
import {restartWeights, startWeights} from './weights_start';

export type {CalibrationMethod};

/**
 * How far a calibration is.
 *
 * @example
 * ```js
 * import {calibrate} from 'tfjs-quantization/qat';
 *
 * const onProgress = ({done, total}) => console.log(`${done} of ${total ?? 'as many as come'}`);
 * await calibrate(q, images, {onProgress});
 * ```
 */
export interface CalibrationProgress {
  /** Samples seen. */
  readonly done: number;
  /** Samples in all; undefined for batches that are not counted beforehand. */
  readonly total: number | undefined;
}

/**
 * How {@link calibrate} goes about it.
 *
 * @example
 * ```js
 * import {calibrate} from 'tfjs-quantization/qat';
 *
 * await calibrate(q, images, {
 *   method: 'percentile',
 *   percentile: 99.9,
 *   onProgress: ({done, total}) => console.log(`${done} of ${total} samples`),
 * });
 * ```
 */
export interface CalibrateOptions {
  /** How a range comes from the values: 'mse', that of the least squared error, by default; 'minMax' or 'percentile'. */
  readonly method?: CalibrationMethod;
  /** Of the method 'percentile': how many of a hundred values stay inside; 99.99 by default. */
  readonly percentile?: number;
  /** Samples at a time, where tensors are given; 16 by default. */
  readonly batchSize?: number;
  /**
   * Measures BatchNormalization's statistics anew, on the same samples (64 at a time unless `batchSize` says): with rounded
   * weights before the ranges, as activations follow them, and with rounded activations after, which matters at few bits. The
   * samples have to pass more than once: what a generator gives does not. False by default.
   */
  readonly reestimateBatchNorm?: boolean;
  /**
   * How many samples to look at, and what more the last batch of them has; all (Infinity) by default, so that batches without end
   * need it. What more there are is left alone.
   */
  readonly samples?: number;
  /**
   * Called after each batch; before the first, with nothing done, after each weight whose learned range has to be found, and
   * after each batch that statistics are measured on before the ranges.
   * Nobody by default.
   */
  readonly onProgress?: (progress: CalibrationProgress) => void;
}

const CALIBRATE: Rules<CalibrateOptions> = {
  method: oneOf('minMax', 'percentile', 'mse'),
  percentile: percent,
  reestimateBatchNorm: flag,
  samples: limit,
  batchSize: count,
  onProgress: callback,
};

/** How much of a debiased moving average the calibration is worth: about 70 batches at the decay of 0.99. */
const WEIGHT = 0.5;

function activationsOf(layers: readonly Quantizing[]): RoundingOfActivation[] {
  return layers.flatMap(layer => layer.roundings).filter(rounding => rounding.of === 'activations');
}

/** One forward pass, in which `see` gets every activation before it would be rounded. */
function passSeen(
  model: LayersModel,
  batch: readonly Tensor[],
  activations: readonly FakeQuantizer[],
  see: (quantizer: FakeQuantizer, x: Tensor) => void,
): void {
  for (const quantizer of activations) quantizer.watcher = x => see(quantizer, x);
  try {
    pass(model, batch);
  } finally {
    for (const quantizer of activations) quantizer.watcher = undefined;
  }
}

/**
 * Measures every activation as it passes; only what was measured is kept, and read. Gives the quantizers where there was NaN, or
 * nothing finite.
 */
async function watch(
  model: LayersModel,
  batch: readonly Tensor[],
  activations: readonly FakeQuantizer[],
  seen: ReadonlyMap<FakeQuantizer, Histogram>,
  counting: boolean,
  told: ToldBins,
): Promise<ReadonlySet<FakeQuantizer>> {
  const measured = new MeasuredBatch(told);
  try {
    passSeen(model, batch, activations, (quantizer, x) => {
      const histogram = seen.get(quantizer);
      if (!histogram || x.size === 0) return;
      measured.add(histogram, x, {counting, keeping: quantizer.options.offTies && histogram.mayBeFew});
    });
    const left = await measured.read();
    const notFinite = new Set(activations.filter(quantizer => left.has(seen.get(quantizer)!)));
    return notFinite.size > 0 ? await watchFinite(model, batch, activations, notFinite, seen) : notFinite;
  } finally {
    measured.dispose();
  }
}

/**
 * Measures the finite values of those activations in which there are others: on the host, as it is not to last. Gives those in
 * which there is NaN, or nothing finite.
 */
async function watchFinite(
  model: LayersModel,
  batch: readonly Tensor[],
  activations: readonly FakeQuantizer[],
  notFinite: ReadonlySet<FakeQuantizer>,
  seen: ReadonlyMap<FakeQuantizer, Histogram>,
): Promise<ReadonlySet<FakeQuantizer>> {
  const bad = new Set<FakeQuantizer>();
  const passed: {quantizer: FakeQuantizer; values: Tensor}[] = [];
  try {
    passSeen(model, batch, activations, (quantizer, x) => {
      if (notFinite.has(quantizer)) passed.push({quantizer, values: keep(x.clone())});
    });
    for (const {quantizer, values} of passed) {
      const data = await values.data();
      seen.get(quantizer)!.add(data);
      if (data.some(Number.isNaN) || !data.some(Number.isFinite)) bad.add(quantizer);
    }
    return bad;
  } finally {
    dispose(passed.map(({values}) => values));
  }
}

/** The range of a quantizer's kind about what a histogram found. */
function rangeOf([low, high]: readonly [number, number], {numBits, narrowRange, symmetric}: QuantizerOptions) {
  if (!symmetric) return [Math.min(low, 0), Math.max(high, 0)] as const;
  const ratio = symmetricRatio(numBits, narrowRange);
  return [Math.min(low, high / ratio), Math.max(high, low * ratio)] as const;
}

function fitted(
  histogram: Histogram,
  {options}: FakeQuantizer,
  {method = 'mse', percentile = 99.99}: CalibrateOptions,
) {
  const grid = {steps: stepsOf(options), symmetric: options.symmetric};
  const final = (range: readonly [number, number]) =>
    options.offTies ? offTies(range, histogram.distinct, grid) : range;
  if (method === 'percentile') return final(rangeOf(histogram.percentileRange(percentile), options));
  const all = rangeOf(histogram.minMax(), options);
  if (method === 'minMax') return final(all);
  // Off the ties the wider one may be the better one, after all.
  const [best, whole] = [final(histogram.mseRange(all, grid)), final(all)];
  const error = (range: readonly [number, number]) => histogram.squaredError(range, grid.steps);
  return error(best) < error(whole) ? best : whole;
}

/**
 * Sets the ranges of all activations from samples, so that the first step of training, or a prediction, is rounded well.
 * Training moves on from there. Weights are rounded meanwhile, activations are not.
 *
 * A range of the model's inputs is a little wider than the samples', by at most 2 %, where theirs would put values such as
 * pixels in [-1, 1] half-way between two levels, which integer runtimes round apart.
 *
 * The order that costs least accuracy after training: `calibrate(q, samples, {reestimateBatchNorm: true})`, which measures
 * the statistics of BatchNormalization, if there is any, before the ranges that follow from them and after.
 *
 * @param model - a quantized model.
 * @param samples - a tensor (or one for each input, or by the inputs' names) of all samples, or batches of them: an array, a
 * generator, a tf.data.Dataset. Some hundreds of samples do. Targets that go along, as in `{xs, ys}`, are left alone.
 * Batches that a dataset makes are disposed of after use; all other tensors stay the caller's. Two batches are there at a time,
 * as one is read while the next one passes.
 * @param options - the method, how many samples, the batch size and a callback for the progress.
 * @throws if the samples do not fit the model, or there are none, or if the model is at work in another call: activations' ranges
 * then are as they were, and so are statistics; and after the ranges are set, of the other values, if there was NaN in an
 * activation, or nothing finite. Infinite values among others, such as a mask's, are left out.
 *
 * @example
 * ```js
 * import {calibrate, quantizeModel} from 'tfjs-quantization/qat';
 *
 * const q = quantizeModel(model);
 * await calibrate(q, images, {reestimateBatchNorm: true});
 * const scores = q.predict(images);
 * ```
 */
export async function calibrate(model: LayersModel, samples: Samples, options: CalibrateOptions = {}): Promise<void> {
  checkOptions('calibrate', options, CALIBRATE);
  if (options.percentile !== undefined && options.method === undefined) {
    throwProblems('calibrate', ["percentile is of the method 'percentile'. Name the method too, or leave it out."]);
  }
  if (options.reestimateBatchNorm && passOnce(samples)) {
    throwProblems('calibrate', [
      'reestimateBatchNorm passes the samples more than once, and these pass once, as what a generator gives. ' +
        'Give it a tensor, an array or a dataset; or call reestimateBatchNorm(q, samples) before.',
    ]);
  }
  quantizingLayers('calibrate', model);
  await withModelLock('calibrate', model, async () => {
    await calibrateAlone('calibrate', model, samples, options);
  });
}

/** Calibrates for a caller that is alone with the model. */
export async function calibrateAlone(
  caller: string,
  model: LayersModel,
  samples: Samples,
  options: CalibrateOptions,
): Promise<void> {
  const layers = quantizingLayers(caller, model);
  let bad: ReadonlySet<string>;
  // Weights whose ranges only training moves: activations are of the weights as they will be rounded.
  const before = layers.flatMap(layer => layer.measureWeights?.() ?? []);
  if (options.reestimateBatchNorm) {
    before.push(rememberStatistics(caller, model));
    before.push(...activationsOf(layers).map(({quantizer}) => quantizer.remember()));
  }
  const started: RoundedWeight[] = [];
  try {
    bad = await measure(caller, model, samples, layers, options, started);
  } catch (error) {
    for (const each of before) each.restore();
    restartWeights(started);
    throw error;
  } finally {
    for (const each of before) each.dispose();
  }
  if (bad.size === 0) return;
  throw new Error(
    `${caller}: activations were NaN or infinite in ${[...bad].join(', ')}; ranges are of the other values. ` +
      'Look for NaN and infinite values in the samples and in the weights.',
  );
}

/** Sets the ranges, and gives the names of where there was NaN. */
async function measure(
  caller: string,
  model: LayersModel,
  samples: Samples,
  layers: readonly Quantizing[],
  options: CalibrateOptions,
  started: RoundedWeight[],
): Promise<ReadonlySet<string>> {
  const {batchSize = 16, samples: atMost = Infinity, onProgress} = options;
  const roundings = activationsOf(layers);
  const measured = roundings.filter(({fixed}) => !fixed);
  const seen = new Map(measured.map(({quantizer}) => [quantizer, new Histogram()]));
  const activations = roundings.map(({quantizer}) => quantizer);
  const passing = {batchSize, atMost};
  const total = sampleCount(model, samples, passing);
  const bad = new Set<string>();
  let done = 0;
  const onNone = () => onProgress?.({done: 0, total});
  const statistics = {batchSize: options.batchSize ?? 64, atMost};
  if (options.reestimateBatchNorm) {
    checkSamples(caller, model, samples, atMost);
    started.push(...(await startWeights(layers, onNone)));
    await remeasure(caller, model, samples, {...statistics, isCalibrated: () => true, onBatch: onNone});
    restartWeights(started);
  }
  const told = new ToldBins();
  let isOver = false;
  const watchBatch = async (batch: Tensor[]) => {
    const size = batch[0]!.shape[0];
    try {
      const left = await watch(model, batch, activations, seen, options.method !== 'minMax', told);
      if (isOver) return;
      for (const {name} of left) bad.add(name);
      done += size;
      onProgress?.({done, total});
    } catch (error) {
      isOver = true;
      throw error;
    } finally {
      dispose(batch);
    }
  };
  // A batch is read while the next one passes: neither does the device wait for the host, nor that for it.
  let [before, reading]: (Promise<void> | undefined)[] = [];
  try {
    for await (const batch of batchesOf(caller, model, samples, passing)) {
      if (!reading) await startWeights(layers, onNone);
      before = reading;
      reading = watchBatch(batch.splice(0));
      // What fails later is told with the next batch.
      reading.catch(() => undefined);
      // What is on the host is read by then, and not held while the next batch passes.
      await Promise.race([reading, new Promise(resolve => setTimeout(resolve))]);
      await before;
    }
    await reading;
  } finally {
    isOver = true;
    await Promise.allSettled([before, reading]);
  }
  const ranges = new Map<FakeQuantizer, readonly [number, number]>();
  const rest = new Rest();
  for (const [quantizer, histogram] of seen) {
    if (histogram.max >= histogram.min) ranges.set(quantizer, fitted(histogram, quantizer, options));
    await rest.take();
  }
  for (const [quantizer, range] of ranges) quantizer.setRange(...range, WEIGHT);
  settle(roundings);
  if (options.reestimateBatchNorm) {
    await remeasure(caller, model, samples, {...statistics, isCalibrated: () => false});
    restartWeights(started);
  }
  return bad;
}
