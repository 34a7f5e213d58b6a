/** What quantized copies of a model lose of its outputs: with a part of it rounded alone, or as a whole. */
import type {Tensor} from '@tensorflow/tfjs-core';
import type {LayersModel} from '@tensorflow/tfjs-layers';
import {disposeMade} from '../../layers/rebuild';
import {agreements, checkNumbers, type Reference, referenceOf} from '../analysis/sensitivity';
import type {Agreement} from '../outputs/agreement';
import {quantizingLayers, type Rounding} from '../quantized_layers/quantizing';
import {quantizeModel} from '../quantize_model';
import {remeasure} from '../tools/batch_norm';
import {calibrateAlone} from '../tools/calibrate';
import type {Group} from './group';
import type {ModelBits} from './model_bits';

const NAME = 'chooseBits';

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
  await remeasure(NAME, model, arraysOf(batches), {batchSize: 1, atMost: Infinity});
}

function arraysOf(batches: Batches): Tensor[][] {
  return batches.map(each => [...each]);
}

function allRoundings(q: LayersModel): Rounding[] {
  return quantizingLayers(NAME, q).flatMap(({roundings}) => roundings);
}

/** Measures quantized copies of a float model against it. */
export class WidthLosses {
  readonly #float: LayersModel;
  readonly #bits: ModelBits;
  readonly #measuring: Measuring;
  readonly #reference: Reference;

  private constructor(float: LayersModel, bits: ModelBits, measuring: Measuring, reference: Reference) {
    this.#float = float;
    this.#bits = bits;
    this.#measuring = measuring;
    this.#reference = reference;
  }

  static async of(float: LayersModel, bits: ModelBits, measuring: Measuring): Promise<WidthLosses> {
    const reference = await referenceOf(float, measuring.batches, measuring);
    checkNumbers(NAME, reference, float);
    return new WidthLosses(float, bits, measuring, reference);
  }

  /** The divergence if one of the free groups is rounded to a width, and nothing else is: of each. */
  async byGroup(width: number): Promise<number[]> {
    const {batches} = this.#measuring;
    const {free} = this.#bits;
    // One batch finds the ranges of weights.
    const seen = free.some(({what}) => what === 'activations') ? batches : batches.slice(0, 1);
    return this.#with(this.#allAt(width), seen, async q => {
      const losses: number[] = [];
      for (const group of free) losses.push((await this.#only(q, this.#roundingsOf(q, group))).divergence);
      return losses;
    });
  }

  /** The divergence if all is rounded but the free groups, of whatever width. */
  async besides(width: number): Promise<number> {
    return this.#with(this.#allAt(width), this.#measuring.batches, async q => {
      const free = new Set(
        this.#bits.free.flatMap(group => this.#roundingsOf(q, group)).map(({quantizer}) => quantizer),
      );
      const others = allRoundings(q).filter(({quantizer}) => !free.has(quantizer));
      return (await this.#only(q, others)).divergence;
    });
  }

  /** How the outputs agree if all is rounded, the free groups to these widths. */
  async ofAll(widths: readonly number[]): Promise<Agreement> {
    const {batches, reestimates, signal, onEach} = this.#measuring;
    signal?.throwIfAborted();
    const q = quantizeModel(this.#float, this.#bits.optionsAt(widths));
    try {
      await calibrateAlone(NAME, q, arraysOf(batches), {reestimateBatchNorm: reestimates});
      const [agreement] = await agreements(q, batches, this.#reference, [[]], {mode: 'without', signal});
      onEach();
      return agreement!;
    } finally {
      disposeMade(q);
    }
  }

  #allAt(width: number): readonly number[] {
    return this.#bits.free.map(() => width);
  }

  #roundingsOf(q: LayersModel, {name, what}: Group): Rounding[] {
    const nameOf = (layer: string) => (what === 'weights' ? layer : this.#bits.addressOf(layer));
    const layers = quantizingLayers(NAME, q).filter(layer => nameOf(layer.name) === name);
    return layers.flatMap(({roundings}) => roundings.filter(({of}) => of === what));
  }

  /** Runs with a copy whose free groups have these widths, calibrated. */
  async #with<T>(widths: readonly number[], batches: Batches, run: (q: LayersModel) => Promise<T>): Promise<T> {
    this.#measuring.signal?.throwIfAborted();
    const q = quantizeModel(this.#float, this.#bits.optionsAt(widths));
    try {
      await calibrateAlone(NAME, q, arraysOf(batches), {});
      return await run(q);
    } finally {
      disposeMade(q);
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
    const all = allRoundings(q).map(({quantizer}) => quantizer);
    const rounding = new Set(group.map(({quantizer}) => quantizer));
    for (const quantizer of all) quantizer.quantizing = rounding.has(quantizer);
    await reestimateOn(q, this.#measuring.batches);
    for (const quantizer of all) quantizer.quantizing = true;
  }
}
