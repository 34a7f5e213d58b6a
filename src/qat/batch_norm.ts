/** The statistics of BatchNormalization in a quantized model: frozen, or measured anew. */
import {tidy} from '@tensorflow/tfjs-core';
import type {LayersModel} from '@tensorflow/tfjs-layers';
import {asContainer, type Layer} from './graph';
import {isQuantizing, unwrapped} from './layer_wrapper';
import {allLayers} from './quantize_model';
import {flag, type Rules, throwProblems} from '../check';
import {checkModel, checkOptions, count} from './rules';
import {batchesOf, type Samples} from './samples';

interface BatchNorm extends Layer {
  momentum: number;
}

function batchNormsOf(caller: string, model: LayersModel): BatchNorm[] {
  checkModel(caller, model);
  const layers = allLayers(asContainer(model)).map(unwrapped);
  return layers.filter((layer): layer is BatchNorm => layer.getClassName() === 'BatchNormalization');
}

/** Has this one layer called as in training, as in inference or, undefined, as the model is. Tells what it was before. */
function forceTraining(layer: Layer, training: boolean | undefined): boolean | undefined {
  const own = layer as unknown as {call?: Layer['call']; forced?: boolean};
  const before = own.forced;
  if (training === undefined) {
    delete own.call;
    delete own.forced;
    return before;
  }
  const ofClass = Object.getPrototypeOf(layer) as Layer;
  own.call = (inputs, kwargs) => ofClass.call.call(layer, inputs, {...kwargs, training});
  own.forced = training;
  return before;
}

/**
 * Freezes the statistics of every BatchNormalization, which then normalizes in training as it will when deployed; or lets
 * them move again.
 *
 * @param model - a model.
 * @param frozen - whether the statistics stay as they are in training.
 */
export function freezeBatchNorm(model: LayersModel, frozen = true): void {
  throwProblems('freezeBatchNorm', flag(frozen, 'frozen'));
  for (const layer of batchNormsOf('freezeBatchNorm', model)) forceTraining(layer, frozen ? false : undefined);
}

/** How {@link reestimateBatchNorm} goes about it. */
export interface ReestimateOptions {
  /** How many samples to measure; 512 by default. What more there are is left alone. */
  readonly samples?: number;
  /** Samples at a time, where tensors are given: as many as in training. 64 by default. */
  readonly batchSize?: number;
}

const REESTIMATE: Rules<ReestimateOptions> = {samples: count, batchSize: count};

/**
 * Measures the statistics of every BatchNormalization anew, as the mean over batches that pass the quantized network. A few
 * steps of training leave them behind the weights, which costs the more accuracy the fewer bits there are: call it after
 * training, and before a calibration after training. Warns if there is nothing to do, or too little to measure.
 *
 * @param model - a model, quantized or not.
 * @param data - training samples: a tensor (or one for each input) of all, or batches of them.
 * @param options - how many samples, and the size of a batch.
 * @throws if an option is no count, if the samples do not fit the model, or if there are none.
 */
export async function reestimateBatchNorm(
  model: LayersModel,
  data: Samples,
  options: ReestimateOptions = {},
): Promise<void> {
  checkOptions('reestimateBatchNorm', options, REESTIMATE);
  const {samples = 512, batchSize = 64} = options;
  const layers = batchNormsOf('reestimateBatchNorm', model);
  if (layers.length === 0) {
    console.warn(`reestimateBatchNorm: model ${model.name} has no BatchNormalization, so there is nothing to do.`);
    return;
  }
  const before = layers.map(layer => ({layer, momentum: layer.momentum, forced: forceTraining(layer, true)}));
  // What is calibrated afterwards is not set yet, and no reason for a warning.
  const unset = allLayers(asContainer(model))
    .flatMap(layer => (isQuantizing(layer) ? layer.roundings : []))
    .filter(({of, quantizer}) => of === 'activations' && !quantizer.isSet() && !quantizer.watcher);
  for (const {quantizer} of unset) quantizer.watcher = () => undefined;
  let seen = 0;
  try {
    for await (const batch of batchesOf('reestimateBatchNorm', model, data, batchSize)) {
      const size = batch[0]!.shape[0];
      // The momentum that makes a moving average the mean.
      for (const layer of layers) layer.momentum = seen / (seen + size);
      tidy(() => void model.apply(batch.length === 1 ? batch[0]! : [...batch]));
      seen += size;
      if (seen >= samples) break;
    }
  } finally {
    for (const {quantizer} of unset) quantizer.watcher = undefined;
    for (const {layer, momentum, forced} of before) {
      layer.momentum = momentum;
      forceTraining(layer, forced);
    }
  }
  if (seen === 0) throw new Error('reestimateBatchNorm: there are no samples. Give it at least one batch.');
  if (seen < samples) {
    console.warn(
      `reestimateBatchNorm: the statistics are of ${seen} samples only, where ${samples} were asked for. ` +
        'Give it more, or ask for fewer (samples).',
    );
  }
}
