/** Where a quantized model loses accuracy, tensor by tensor and layer by layer. */
import type {LayersModel} from '@tensorflow/tfjs-layers';
import {checkOptions} from '../../check/options';
import {callback, count, oneOf, type Rules, signal, throwProblems} from '../../check/rules';
import {isBatchNorm} from '../../layers/folding';
import {allLayers, asContainer} from '../../layers/graph';
import {unwrapped} from '../../layers/layer_wrapper';
import {checkModel} from '../../layers/model';
import {gridOfQuantizer} from '../../quantizer/levels';
import {type Agreement, AgreementCounter} from '../outputs/agreement';
import {type Quantizing, quantizingLayers} from '../quantized_layers/quantizing';
import {withModelLock} from '../tools/model_lock';
import {scaleProblems} from '../tools/sample_scale';
import {pairProblems} from '../tools/model_pair';
import {type Samples, warnOfFew} from '../tools/samples';
import {type Gathered, gathered} from '../tools/gather';
import {excesses} from './excess';
import {type Findings, type LayerReport, type Loss, type QuantizationReport, reportOf} from './report';
import {measuring} from './measuring';
import {agreements, checkNumbers, type Reference, referenceOf, settleWeights} from './sensitivity';
import {TensorProbe} from './tensor_report';

export type {QuantizationReport};

/**
 * How {@link analyzeQuantization} goes about it.
 *
 * @example
 * ```js
 * import {analyzeQuantization} from 'tfjs-quantization/qat';
 *
 * const report = await analyzeQuantization(q, model, images, {
 *   samples: 64,
 *   sensitivity: 'without',
 *   onProgress: ({done, total}) => console.log(`${done} of ${total} passes`),
 * });
 * report.print();
 * ```
 */
export interface AnalyzeOptions {
  /** How many samples to look at; 128 by default. What more there are is left alone. */
  readonly samples?: number;
  /** Samples at a time, where tensors are given; 32 by default. */
  readonly batchSize?: number;
  /** Which sensitivities to measure: 'only' and 'without' take a pass for each layer; 'both' by default. */
  readonly sensitivity?: 'only' | 'without' | 'both' | 'none';
  /** Called after each pass over the samples. Nobody by default. */
  readonly onProgress?: (progress: {readonly done: number; readonly total: number}) => void;
  /** Stops it: it then rejects with the signal's reason. None by default. */
  readonly signal?: AbortSignal;
}

const ANALYZE: Rules<AnalyzeOptions> = {
  samples: count,
  batchSize: count,
  sensitivity: oneOf('only', 'without', 'both', 'none'),
  onProgress: callback,
  signal,
};

const NAME = 'analyzeQuantization';

type Batches = Gathered['batches'];

/** Probes for all that is rounded, by layer. Throws where activations have no ranges. */
async function probesOf(layers: readonly Quantizing[]): Promise<TensorProbe[][]> {
  const probes = await Promise.all(
    layers.map(({roundings}) =>
      Promise.all(roundings.map(async each => new TensorProbe(each, await gridOfQuantizer(each.quantizer)))),
    ),
  );
  const unset = probes.flatMap((all, i) =>
    all
      .filter(({rounding: {of, quantizer}, isRounding}) => of === 'activations' && quantizer.quantizing && !isRounding)
      .map(({rounding}) => `${layers[i]!.name} (${rounding.what})`),
  );
  if (unset.length > 0) {
    const shown = unset.slice(0, 5).join(', ') + (unset.length > 5 ? ', …' : '');
    throwProblems(NAME, [`${unset.length} ranges are not set yet: ${shown}. Call calibrate(q, samples) first.`]);
  }
  return probes;
}

/** How well the outputs of a reference agree with those of another. */
function between(float: Reference, other: Reference): Agreement {
  const counter = new AgreementCounter(float.kinds);
  float.outputs.forEach((values, i) => counter.add(values, other.outputs[i]!, float.lasts));
  return counter.agreement;
}

function lossOf(agreement: Agreement): Loss {
  return {divergence: agreement.divergence, top1: agreement.top1 === undefined ? undefined : 1 - agreement.top1};
}

/** What the whole gains where a part of it is left float. */
function gainOf(whole: Agreement, without: Agreement): Loss {
  const top1 = whole.top1 === undefined || without.top1 === undefined ? undefined : without.top1 - whole.top1;
  return {divergence: whole.divergence - without.divergence, top1};
}

/**
 * Tells where a quantized model loses accuracy: of each tensor that is rounded what rounding does to it and, in words, what to do
 * about it; of each layer what rounding it costs, measured by rounding it alone and by rounding all but it; of the whole, how
 * well it agrees with the float model. No labels are needed.
 *
 * Takes three passes over the samples, and one for each layer and kind of sensitivity. Weights are measured as in a prediction;
 * otherwise the models stay as they are.
 *
 * @param q - a quantized model, calibrated or trained.
 * @param model - the float model that it was made of.
 * @param samples - as {@link calibrate} takes them; some hundreds do. Batches that a dataset makes are disposed of after use; all
 * other tensors stay the caller's.
 * @param options - how many samples, the batch size, which sensitivities, a callback for the progress, a signal to stop.
 * @returns a report of plain numbers, worst layers first.
 * @throws if the models do not fit each other, or the samples them; if activations have no ranges yet; if the float model gives NaN;
 * if either model is at work in another call; or with the reason of the signal.
 *
 * @example
 * ```js
 * import {analyzeQuantization, calibrate, quantizeModel} from 'tfjs-quantization/qat';
 *
 * const q = quantizeModel(model, {weights: {numBits: 4}});
 * await calibrate(q, images);
 * const report = await analyzeQuantization(q, model, images);
 * report.print(); // worst layers first, and what to do
 * const svg = report.plot();
 * ```
 */
export async function analyzeQuantization(
  q: LayersModel,
  model: LayersModel,
  samples: Samples,
  options: AnalyzeOptions = {},
): Promise<QuantizationReport> {
  checkOptions(NAME, options, ANALYZE);
  const layers = quantizingLayers(NAME, q).filter(({roundings}) => roundings.length > 0);
  checkModel(NAME, model);
  throwProblems(NAME, pairProblems(q, model, 'the float model'));
  options.signal?.throwIfAborted();
  let report: QuantizationReport | undefined;
  await withModelLock(NAME, q, () =>
    withModelLock(NAME, model, async () => {
      const {batchSize = 32, samples: atMost = 128} = options;
      const all = await gathered(NAME, q, samples, {batchSize, atMost});
      try {
        warnOfFew(NAME, all.samples, atMost);
        report = reportOf({
          model: q.name,
          samples: all.samples,
          ...(await analyzed(q, model, layers, all.batches, options)),
        });
      } finally {
        all.dispose();
      }
    }),
  );
  return report!;
}

async function analyzed(
  q: LayersModel,
  model: LayersModel,
  layers: readonly Quantizing[],
  batches: Batches,
  {sensitivity = 'both', onProgress, signal}: AnalyzeOptions,
): Promise<Omit<Findings, 'model' | 'samples'>> {
  settleWeights(layers);
  const probes = await probesOf(layers);
  const groups = layers.map(({roundings}) => roundings);
  const modes = (['only', 'without'] as const).filter(mode => sensitivity === 'both' || sensitivity === mode);
  const total = 3 + modes.length * layers.length;
  let done = 0;
  const onEach = () => onProgress?.({done: ++done, total});

  const float = await referenceOf(model, batches, {signal});
  checkNumbers(NAME, float, model);
  onEach();
  const whole = await measuring(q, batches, float, probes.flat(), signal);
  for (const problem of await scaleProblems(q, batches[0]!)) console.warn(`${NAME}: ${problem}`);
  onEach();
  const own = await referenceOf(q, batches, {float: groups.flat().map(({quantizer}) => quantizer), signal});
  onEach();
  const measured = {} as Record<'only' | 'without', Agreement[] | undefined>;
  for (const mode of modes) {
    const reference = mode === 'only' ? {...own, kinds: float.kinds} : float;
    measured[mode] = await agreements(q, batches, reference, groups, {mode, onEach, signal});
  }

  const hasBatchNorm = allLayers(asContainer(q)).some(layer => isBatchNorm(unwrapped(layer)));
  const {agreement, perClass} = whole;
  const only = measured.only?.map(lossOf);
  const without = measured.without?.map(each => gainOf(agreement, each));
  const noises = probes.map(all => all.map(({noise}) => noise));
  const excess =
    only &&
    excesses(
      only.map(({divergence}) => divergence),
      noises,
    );
  const rowOf = (layer: Quantizing, i: number): LayerReport => ({
    layer: layer.name,
    className: unwrapped(layer).getClassName(),
    only: only?.[i],
    without: without?.[i],
    tensors: probes[i]!.map((probe, at) => probe.report({layer: layer.name, hasBatchNorm, excess: excess?.[i]![at]})),
  });
  return {
    agreement,
    perClass,
    unrounded: between(float, own),
    layers: layers.map((layer, i) => ({
      row: rowOf(layer, i),
      histograms: new Map(probes[i]!.flatMap(({rounding, shown}) => (shown ? [[rounding.what, shown]] : []))),
    })),
  };
}
