/** The statistics of BatchNormalization in a quantized model: frozen, or measured anew. */
import {
  add,
  concat,
  dispose,
  div,
  keep,
  mul,
  onesLike,
  type Tensor,
  tidy,
  type Variable,
  zerosLike,
} from '@tensorflow/tfjs-core';
import type {LayersModel} from '@tensorflow/tfjs-layers';
import {checkOptions} from '../../check/options';
import {count, flag, limit, type Rules, throwProblems} from '../../check/rules';
import {isBatchNorm} from '../../layers/folding';
import {allLayers, asContainer, type Layer} from '../../layers/graph';
import {unwrapped} from '../../layers/layer_wrapper';
import {checkModel} from '../../layers/model';
import {type Swap, swapped} from '../../layers/swapped';
import type {BatchNorm} from '../../layers/tfjs_internals';
import type {FakeQuantizer} from '../../quantizer/fake_quantizer';
import type {RangeMemory} from '../../quantizer/range';
import {isQuantizing} from '../quantized_layers/quantizing';
import {batchesOf, pass} from './batches';
import {withModelLock} from './model_lock';
import type {Samples} from './samples';

function batchNormsOf(caller: string, model: LayersModel): BatchNorm[] {
  checkModel(caller, model);
  const layers = allLayers(asContainer(model)).map(unwrapped);
  return layers.filter(isBatchNorm);
}

/** What a layer is while something else is called in the place of its own `call`. */
type Callable = {call?: Layer['call']};

/** Has this one layer called as in training, as in inference or, undefined, as the model is. */
function forceTraining(layer: Layer, training: boolean | undefined): void {
  const own = layer as Callable;
  delete own.call;
  if (training === undefined) return;
  const ofClass = Object.getPrototypeOf(layer) as Layer;
  own.call = (inputs, kwargs) => ofClass.call.call(layer, inputs, {...kwargs, training});
}

/**
 * Freezes the statistics of every BatchNormalization, which then normalizes in training as it will when deployed; or lets
 * them move again.
 *
 * @param model - a model.
 * @param frozen - whether the statistics stay as they are in training.
 * @throws if `model` is none or disposed, or `frozen` no boolean.
 *
 * @example
 * ```js
 * import {freezeBatchNorm} from 'tfjs-quantization/qat';
 *
 * freezeBatchNorm(q); // for the last epochs
 * q.compile({optimizer: 'adam', loss: 'categoricalCrossentropy'});
 * await q.fit(images, labels, {epochs: 1, verbose: 0});
 * freezeBatchNorm(q, false);
 * ```
 */
export function freezeBatchNorm(model: LayersModel, frozen = true): void {
  throwProblems('freezeBatchNorm', flag(frozen, 'frozen'));
  for (const layer of batchNormsOf('freezeBatchNorm', model)) forceTraining(layer, frozen ? false : undefined);
}

/**
 * How {@link reestimateBatchNorm} goes about it.
 *
 * @example
 * ```js
 * import {reestimateBatchNorm} from 'tfjs-quantization/qat';
 *
 * await reestimateBatchNorm(q, images, {samples: Infinity, batchSize: 32}); // all there are
 * ```
 */
export interface ReestimateOptions {
  /** How many samples to measure, Infinity for all; 512 by default. What more there are is left alone. */
  readonly samples?: number;
  /** Samples at a time, where tensors are given: as many as in training. 64 by default. */
  readonly batchSize?: number;
}

export const REESTIMATE: Rules<ReestimateOptions> = {samples: limit, batchSize: count};

/** How many samples are measured unless the options say. */
export const SAMPLES = 512;

function statisticsOf({movingMean, movingVariance}: BatchNorm): Variable[] {
  return [movingMean, movingVariance].map(each => each.read() as Variable);
}

/** The mean of one layer's statistics over batches. Between them the layer is as it was. */
class Statistics {
  readonly layer: BatchNorm;
  /** Sums over samples, of the means and of the variances. */
  #sums: readonly Tensor[] | undefined;
  #samples = 0;

  constructor(layer: BatchNorm) {
    this.layer = layer;
  }

  /** Has the layer measure during `run`. It normalizes by each batch's own statistics, and starts from the mean so far. */
  measuring(run: () => void): void {
    const own = this.layer as Callable;
    const {momentum} = this.layer;
    const before = this.#variables.map(each => keep(each.clone()));
    // Not what its class has, which would stay with the layer.
    const call = Object.hasOwn(own, 'call') ? own.call : undefined;
    const ofClass = Object.getPrototypeOf(this.layer) as Layer;
    own.call = (inputs, kwargs) => {
      // A moving average of momentum 0, from 0, is the batch's statistics.
      this.#variables.forEach(each => each.assign(zerosLike(each)));
      const outputs = swapped(this.#missing(), () =>
        ofClass.call.call(this.layer, inputs, {...kwargs, training: true}),
      );
      this.#add([inputs].flat()[0]!.shape[0]);
      return outputs;
    };
    this.layer.momentum = 0;
    try {
      this.commit();
      run();
    } finally {
      this.layer.momentum = momentum;
      if (call) own.call = call;
      else delete own.call;
      this.#variables.forEach((each, i) => each.assign(before[i]!));
      dispose(before);
    }
  }

  /** Whether the mean is of numbers only. */
  async isFinite(): Promise<boolean> {
    if (!this.#sums) return true;
    const values = tidy(() => concat(this.#means()));
    try {
      return (await values.data()).every(Number.isFinite);
    } finally {
      values.dispose();
    }
  }

  /** Makes the mean so far the layer's statistics. */
  commit(): void {
    tidy(() => this.#means().forEach((mean, i) => this.#variables[i]!.assign(mean)));
  }

  dispose(): void {
    dispose([...(this.#sums ?? [])]);
  }

  /** Without `scale` or `center` tfjs-layers normalizes in inference alone: what changes nothing stands in for them. */
  #missing(): Swap[] {
    const [mean] = this.#variables;
    const [ones, zeros] = [onesLike(mean!), zerosLike(mean!)];
    return [
      {host: this.layer, attr: 'gamma', value: this.layer.gamma ?? {read: () => ones}},
      {host: this.layer, attr: 'beta', value: this.layer.beta ?? {read: () => zeros}},
    ];
  }

  get #variables(): Variable[] {
    return statisticsOf(this.layer);
  }

  #means(): Tensor[] {
    return (this.#sums ?? []).map(sum => div(sum, this.#samples));
  }

  #add(samples: number): void {
    const before = this.#sums;
    this.#sums = tidy(() =>
      this.#variables.map((each, i) => keep(before ? add(before[i]!, mul(each, samples)) : mul(each, samples))),
    );
    dispose([...(before ?? [])]);
    this.#samples += samples;
    this.commit();
  }
}

/** Runs `run` while all of the layers measure. */
function measuring(statistics: readonly Statistics[], run: () => void): void {
  const [first, ...others] = statistics;
  if (first) first.measuring(() => measuring(others, run));
  else run();
}

/** Passes a batch. What is calibrated afterwards is left as it is: not set yet, it is no reason for a warning. */
function passUnwarned(
  model: LayersModel,
  batch: readonly Tensor[],
  isCalibrated: (quantizer: FakeQuantizer) => boolean,
) {
  const unset = allLayers(asContainer(model))
    .flatMap(layer => (isQuantizing(layer) ? layer.roundings : []))
    .filter(({of, quantizer}) => of === 'activations' && isCalibrated(quantizer) && !quantizer.watcher);
  for (const {quantizer} of unset) quantizer.watcher = () => undefined;
  try {
    pass(model, batch);
  } finally {
    for (const {quantizer} of unset) quantizer.watcher = undefined;
  }
}

/** How statistics are measured by {@link remeasure}. */
interface Remeasuring {
  readonly batchSize: number;
  readonly atMost: number;
  /** The activations that a calibration follows for: they pass as they are. Those without a range, by default. */
  readonly isCalibrated?: (quantizer: FakeQuantizer) => boolean;
  readonly onBatch?: () => void;
}

/**
 * Measures the statistics of BatchNormalizations for a caller that is alone with the model; on an error they are as they
 * were. Gives how many samples they are of.
 */
export async function remeasure(
  caller: string,
  model: LayersModel,
  data: Samples,
  {batchSize, atMost, isCalibrated = quantizer => !quantizer.isSet(), onBatch}: Remeasuring,
): Promise<number> {
  const statistics = batchNormsOf(caller, model).map(layer => new Statistics(layer));
  let seen = 0;
  try {
    for await (const batch of batchesOf(caller, model, data, {batchSize, atMost})) {
      measuring(statistics, () => passUnwarned(model, batch, isCalibrated));
      seen += batch[0]!.shape[0];
      onBatch?.();
    }
    await checkFinite(caller, statistics);
    for (const each of statistics) each.commit();
  } finally {
    for (const each of statistics) each.dispose();
  }
  return seen;
}

/** Keeps copies of the statistics, to come back to. */
export function rememberStatistics(caller: string, model: LayersModel): RangeMemory {
  const variables = batchNormsOf(caller, model).flatMap(statisticsOf);
  const before = variables.map(each => keep(each.clone()));
  return {
    restore: () => variables.forEach((each, i) => each.assign(before[i]!)),
    dispose: () => dispose(before),
  };
}

/**
 * Measures the statistics of every BatchNormalization anew, as the mean over batches that pass the quantized network. A few
 * steps of training leave them behind the weights, which costs the more accuracy the fewer bits there are: call it after
 * training, and before a calibration after training. Warns if there is nothing to do, or too little to measure.
 *
 * @param model - a model, quantized or not.
 * @param data - training samples: a tensor (or one for each input, or by the inputs' names) of all, or batches of them: an
 * array, a generator, a tf.data.Dataset. Targets that go along, as in `{xs, ys}`, are left alone. Batches that a dataset
 * makes are disposed of after use; all other tensors stay the caller's.
 * @param options - how many samples, and the size of a batch.
 * @throws if an option is no count, if the samples do not fit the model, or there are none; if the statistics are NaN; or if
 * the model is at work in another call. The statistics then are as they were.
 *
 * @example
 * ```js
 * import {reestimateBatchNorm} from 'tfjs-quantization/qat';
 *
 * q.compile({optimizer: 'adam', loss: 'categoricalCrossentropy'});
 * await q.fit(images, labels, {epochs: 1, verbose: 0});
 * await reestimateBatchNorm(q, images, {samples: 128});
 * ```
 */
export async function reestimateBatchNorm(
  model: LayersModel,
  data: Samples,
  options: ReestimateOptions = {},
): Promise<void> {
  checkOptions('reestimateBatchNorm', options, REESTIMATE);
  const {samples = SAMPLES, batchSize = 64} = options;
  const layers = batchNormsOf('reestimateBatchNorm', model);
  if (layers.length === 0) {
    console.warn(`reestimateBatchNorm: model ${model.name} has no BatchNormalization, so there is nothing to do.`);
    return;
  }
  await withModelLock('reestimateBatchNorm', model, async () => {
    const seen = await remeasure('reestimateBatchNorm', model, data, {batchSize, atMost: samples});
    if (seen < samples && samples < Infinity) {
      const wanted = `${samples} ${options.samples === undefined ? 'are usual' : 'were asked for'}`;
      console.warn(
        `reestimateBatchNorm: the statistics are of ${seen} samples only, where ${wanted}. ` +
          'Give it more, or ask for fewer (samples).',
      );
    }
  });
}

/** Statistics that would be no numbers. */
export class NotFiniteError extends Error {}

async function checkFinite(caller: string, statistics: readonly Statistics[]): Promise<void> {
  const bad: string[] = [];
  for (const each of statistics) if (!(await each.isFinite())) bad.push(each.layer.name);
  if (bad.length === 0) return;
  throw new NotFiniteError(
    `${caller}: the statistics of ${bad.join(', ')} would be NaN or infinite, so all stay as they were. ` +
      'Look for NaN in the samples and in the weights.',
  );
}
