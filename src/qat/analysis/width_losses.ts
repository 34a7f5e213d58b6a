/** What quantized copies of a model lose of its outputs: with the weights of one layer rounded, or as a whole. */
import type {Tensor} from '@tensorflow/tfjs-core';
import type {LayersModel} from '@tensorflow/tfjs-layers';
import type {QuantizeOptions} from '../options/options';
import type {Agreement} from '../outputs/agreement';
import {quantizingLayers, type Rounding} from '../quantized_layers/quantizing';
import {quantizeModel} from '../quantize_model';
import {reestimateBatchNorm} from '../tools/batch_norm';
import {calibrate} from '../tools/calibrate';
import {agreements, type Reference, referenceOf} from './sensitivity';

type Batches = readonly (readonly Tensor[])[];

/** How losses are measured. */
export interface Measuring {
  readonly batches: Batches;
  /** Whether the statistics of BatchNormalization are measured anew after whatever is rounded, as they will be. */
  readonly reestimates: boolean;
  readonly onEach: () => void;
  readonly signal: AbortSignal | undefined;
}

/** Measures the statistics of BatchNormalization on all batches. */
export async function reestimateOn(model: LayersModel, batches: Batches): Promise<void> {
  await reestimateBatchNorm(model, arraysOf(batches), {samples: Infinity});
}

function arraysOf(batches: Batches): Tensor[][] {
  return batches.map(each => [...each]);
}

function roundingsOf(q: LayersModel): {layer: string; rounding: Rounding}[] {
  return quantizingLayers('chooseBits', q).flatMap(({name, roundings}) =>
    roundings.map(rounding => ({layer: name, rounding})),
  );
}

/** Measures quantized copies of a float model against it. */
export class WidthLosses {
  readonly #float: LayersModel;
  readonly #measuring: Measuring;
  readonly #reference: Reference;

  private constructor(float: LayersModel, measuring: Measuring, reference: Reference) {
    this.#float = float;
    this.#measuring = measuring;
    this.#reference = reference;
  }

  static async of(float: LayersModel, measuring: Measuring): Promise<WidthLosses> {
    return new WidthLosses(float, measuring, await referenceOf(float, measuring.batches, measuring));
  }

  /** The divergence if only the weights of one layer are rounded, for each of these. */
  async byLayer(options: QuantizeOptions, names: readonly string[]): Promise<number[]> {
    // One batch finds the ranges of weights. Those of activations are not used.
    return this.#with(options, this.#measuring.batches.slice(0, 1), async q => {
      const roundings = roundingsOf(q).filter(({rounding}) => rounding.of === 'weights');
      const losses: number[] = [];
      for (const name of names) {
        const ofLayer = roundings.filter(({layer}) => layer === name).map(({rounding}) => rounding);
        losses.push((await this.#only(q, ofLayer)).divergence);
      }
      return losses;
    });
  }

  /** The divergence if all is rounded but the weights of these layers. */
  async besides(options: QuantizeOptions, names: readonly string[]): Promise<number> {
    return this.#with(options, this.#measuring.batches, async q => {
      const others = roundingsOf(q).filter(({layer, rounding}) => rounding.of !== 'weights' || !names.includes(layer));
      return (
        await this.#only(
          q,
          others.map(({rounding}) => rounding),
        )
      ).divergence;
    });
  }

  /** How the outputs agree if all is rounded. */
  async ofAll(options: QuantizeOptions): Promise<Agreement> {
    const {batches, reestimates, signal, onEach} = this.#measuring;
    signal?.throwIfAborted();
    const q = quantizeModel(this.#float, options);
    try {
      if (reestimates) await reestimateOn(q, batches);
      await calibrate(q, arraysOf(batches));
      const [agreement] = await agreements(q, batches, this.#reference, [[]], {mode: 'without', signal});
      onEach();
      return agreement!;
    } finally {
      q.dispose();
    }
  }

  /** Runs with a copy that is quantized as the options say, and calibrated. */
  async #with<T>(options: QuantizeOptions, batches: Batches, run: (q: LayersModel) => Promise<T>): Promise<T> {
    this.#measuring.signal?.throwIfAborted();
    const q = quantizeModel(this.#float, options);
    try {
      await calibrate(q, arraysOf(batches));
      return await run(q);
    } finally {
      q.dispose();
    }
  }

  async #only(q: LayersModel, group: readonly Rounding[]): Promise<Agreement> {
    const {batches, reestimates, signal, onEach} = this.#measuring;
    if (reestimates) await this.#reestimate(q, group);
    const [agreement] = await agreements(q, batches, this.#reference, [group], {mode: 'only', signal});
    onEach();
    return agreement!;
  }

  async #reestimate(q: LayersModel, group: readonly Rounding[]): Promise<void> {
    this.#measuring.signal?.throwIfAborted();
    const all = roundingsOf(q).map(({rounding}) => rounding.quantizer);
    const rounding = new Set(group.map(({quantizer}) => quantizer));
    for (const quantizer of all) quantizer.quantizing = rounding.has(quantizer);
    await reestimateOn(q, this.#measuring.batches);
    for (const quantizer of all) quantizer.quantizing = true;
  }
}
