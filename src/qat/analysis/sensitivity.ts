/** What rounding a part of a model does to its outputs, measured by rounding it alone, or all but it. */
import {clone, dispose, type Tensor, tidy} from '@tensorflow/tfjs-core';
import type {LayersModel} from '@tensorflow/tfjs-layers';
import {throwProblems} from '../../check/rules';
import type {FakeQuantizer} from '../../quantizer/fake_quantizer';
import {type Agreement, AgreementCounter} from '../outputs/agreement';
import {type OutputKind, outputKinds} from '../outputs/kinds';
import {type Quantizing, quantizingLayers, QuantizingWrapper, type Rounding} from '../quantized_layers/quantizing';

/** The outputs of a model for each batch, on the host. */
export interface Reference {
  readonly kinds: readonly OutputKind[];
  /** For each batch, the values of each output. */
  readonly outputs: readonly (readonly Float32Array[])[];
  /** The last dimension of each output. */
  readonly lasts: readonly number[];
}

/** What a model gives for a batch: the values of each output, and the last dimension of each. */
interface Outputs {
  readonly values: readonly Float32Array[];
  readonly lasts: readonly number[];
}

/** Runs while some quantizers pass values as they are, and see nothing of them. What watched them before does so again afterwards. */
function whileFloat<T>(quantizers: readonly FakeQuantizer[], run: () => T): T {
  const before = quantizers.map(({watcher}) => watcher);
  try {
    for (const quantizer of quantizers) quantizer.watcher = () => undefined;
    return run();
  } finally {
    quantizers.forEach((quantizer, i) => (quantizer.watcher = before[i]));
  }
}

/** How a batch passes. */
export interface Passing {
  /** What rounds nothing meanwhile. */
  readonly float?: readonly FakeQuantizer[];
  /** Runs the pass with what else is to be done around it. */
  readonly around?: <T>(run: () => T) => T;
  readonly signal?: AbortSignal | undefined;
}

/** Passes a batch in inference, and reads the outputs. Others have a turn before. */
export async function outputsOf(
  model: LayersModel,
  batch: readonly Tensor[],
  {float = [], around = run => run(), signal}: Passing = {},
): Promise<Outputs> {
  await new Promise(resolve => setTimeout(resolve));
  signal?.throwIfAborted();
  // Copies, as an output may be an input, which is not ours.
  const tensors = tidy(() => {
    const given = around(() => whileFloat(float, () => model.apply(batch.length === 1 ? batch[0]! : [...batch])));
    return [given as Tensor | Tensor[]].flat().map(each => clone(each));
  });
  try {
    const values = await Promise.all(tensors.map(async each => Float32Array.from(await each.data())));
    return {values, lasts: tensors.map(({shape}) => (shape.length > 1 ? shape[shape.length - 1]! : 1))};
  } finally {
    dispose(tensors);
  }
}

/** What a model gives for batches, in inference. */
export async function referenceOf(
  model: LayersModel,
  batches: readonly (readonly Tensor[])[],
  passing: Passing = {},
): Promise<Reference> {
  const outputs: (readonly Float32Array[])[] = [];
  let lasts: readonly number[] = [];
  if (model.stateful) model.resetStates();
  for (const batch of batches) {
    const given = await outputsOf(model, batch, passing);
    outputs.push(given.values);
    lasts = given.lasts;
  }
  const [first = []] = outputs;
  return {
    kinds: outputKinds(
      model,
      first.map((values, i) => ({values, last: lasts[i]!})),
    ),
    outputs,
    lasts,
  };
}

/** Throws if a float model gives no numbers, with which nothing can agree. */
export function checkNumbers(caller: string, {outputs}: Reference, model: LayersModel): void {
  if (!outputs.some(batch => batch.some(values => values.some(Number.isNaN)))) return;
  throwProblems(caller, [
    `model ${model.name} gives NaN for these samples. Look for NaN and infinite values in the samples and in its weights.`,
  ]);
}

/** Counts how a model agrees with a reference. */
async function agreementWith(
  model: LayersModel,
  batches: readonly (readonly Tensor[])[],
  reference: Reference,
  passing: Passing,
): Promise<AgreementCounter> {
  const counter = new AgreementCounter(reference.kinds);
  if (model.stateful) model.resetStates();
  for (const [i, batch] of batches.entries()) {
    const {values, lasts} = await outputsOf(model, batch, passing);
    counter.add(reference.outputs[i]!, values, lasts);
  }
  return counter;
}

/** Measures the weights whose ranges are not those of the weights, as a prediction would. */
export function settleWeights(layers: readonly Quantizing[]): void {
  for (const layer of layers) {
    if (!(layer instanceof QuantizingWrapper)) continue;
    for (const {rounded} of layer.roundedWeights()) tidy(() => void rounded());
  }
}

/** How {@link agreements} goes about it. */
interface AgreementOptions {
  readonly mode: 'only' | 'without';
  /** Called after each group. */
  readonly onEach?: () => void;
  readonly signal?: AbortSignal | undefined;
}

/**
 * The agreement with the reference when of all roundings of `q` only those of a group round ('only'), or all but those
 * ('without'): a pass over all batches for each group. Weights are measured as in a prediction; else nothing of `q` moves.
 * The caller holds `q`'s lock.
 */
export async function agreements(
  q: LayersModel,
  batches: readonly (readonly Tensor[])[],
  reference: Reference,
  groups: readonly (readonly Rounding[])[],
  {mode, onEach, signal}: AgreementOptions,
): Promise<Agreement[]> {
  const layers = quantizingLayers('agreements', q);
  settleWeights(layers);
  const all = layers.flatMap(({roundings}) => roundings);
  const found: Agreement[] = [];
  for (const group of groups) {
    const inGroup = new Set(group.map(({quantizer}) => quantizer));
    const float = all.map(({quantizer}) => quantizer).filter(each => inGroup.has(each) === (mode === 'without'));
    const counter = await agreementWith(q, batches, reference, {float, signal});
    found.push(counter.agreement);
    onEach?.();
  }
  return found;
}
