/** How widths are chosen: losses are measured, the front is computed, and the budget picks a point of it. */
import type {Tensor} from '@tensorflow/tfjs-core';
import type {LayersModel} from '@tensorflow/tfjs-layers';
import {throwProblems} from '../../check/rules';
import {isBatchNorm} from '../../layers/folding';
import {allLayers, asContainer} from '../../layers/graph';
import type {QuantizeOptions} from '../options/options';
import type {Agreement} from '../outputs/agreement';
import {type BitChoice, bitChoice, type BitPoint, type BitRow} from './bit_choice';
import {type Combination, paretoFront, thinned} from './bit_front';
import {type LayerWeights, ModelWeights} from './layer_weights';
import {reestimateOn, WidthLosses} from './width_losses';

/** What is asked for. */
export interface Wanted {
  /** One of these three is the budget. */
  readonly bytes?: number;
  readonly bitsPerWeight?: number;
  readonly maxLoss?: number;
  readonly widths: readonly number[];
  readonly quantize?: QuantizeOptions;
  readonly reestimateBatchNorm?: boolean;
  readonly onProgress?: (progress: {readonly done: number; readonly total: number}) => void;
  readonly signal?: AbortSignal;
}

/** What each layer loses at each width, and what is lost besides, in that order. */
interface Losses {
  /** By width, then by layer. */
  readonly byWidth: readonly (readonly number[])[];
  /** With everything rounded but these layers' weights. */
  readonly besides: number;
}

interface Found {
  readonly combination: Combination;
  readonly measured: Agreement;
}

/** As many points of a front are shown, and are candidates where a loss is to be kept. */
const SHOWN = 64;

/** How many candidates are measured at most, half of the rest being left out by each. */
const MEASURED = 2 + Math.ceil(Math.log2(SHOWN));

/** What is lost of an agreement, in the unit of `maxLoss`. */
function lostOf({divergence, top1}: Agreement): number {
  return top1 === undefined ? divergence : 1 - top1;
}

/** Chooses widths once, for a copy of a model that it may change. */
export class BitChooser {
  readonly #float: LayersModel;
  readonly #batches: readonly (readonly Tensor[])[];
  readonly #wanted: Wanted;
  readonly #weights: ModelWeights;
  readonly #free: readonly LayerWeights[];
  /** From the narrowest on. */
  readonly #widths: readonly number[];
  #done = 0;

  constructor(float: LayersModel, batches: readonly (readonly Tensor[])[], wanted: Wanted) {
    this.#float = float;
    this.#batches = batches;
    this.#wanted = wanted;
    this.#weights = new ModelWeights(float, wanted.quantize ?? {});
    this.#free = this.#weights.free;
    this.#widths = [...new Set(wanted.widths)].sort((a, b) => a - b);
    this.#checkBudget();
  }

  async choose(): Promise<BitChoice> {
    const {signal, reestimateBatchNorm = false} = this.#wanted;
    const reestimates = reestimateBatchNorm && allLayers(asContainer(this.#float)).some(isBatchNorm);
    if (reestimates) await reestimateOn(this.#float, this.#batches);
    const measuring = {batches: this.#batches, reestimates, signal, onEach: () => this.#advance()};
    const measure = await WidthLosses.of(this.#float, measuring);
    const losses = await this.#losses(measure);
    const front = this.#front(losses);
    const {combination, measured} = await this.#chosen(front, this.#uniform(this.#widest, losses), measure);
    return bitChoice({
      ...this.#pointOf(combination),
      measured,
      rows: this.#rows(combination, losses),
      front: thinned(front, SHOWN).map(each => this.#pointOf(each)),
      uniform: this.#widths.map(numBits => ({...this.#pointOf(this.#uniform(numBits, losses)), numBits})),
    });
  }

  get #narrowest(): number {
    return this.#widths[0]!;
  }

  get #widest(): number {
    return this.#widths[this.#widths.length - 1]!;
  }

  /** A pass for each layer and width, one for what else is rounded, and those that measure what is chosen. */
  get #total(): number {
    const measured = this.#wanted.maxLoss === undefined ? 1 : MEASURED;
    return this.#widths.length * this.#free.length + 1 + measured;
  }

  #advance(): void {
    this.#wanted.onProgress?.({done: ++this.#done, total: this.#total});
  }

  #checkBudget(): void {
    const {bytes, bitsPerWeight} = this.#wanted;
    const names = this.#weights.layers.map(({name}) => name);
    if (this.#free.length === 0) {
      const found = names.length === 0 ? 'no weights are rounded' : `the options name those of ${names.join(', ')}`;
      throwProblems('chooseBits', [`there is no width to choose: ${found}.`]);
    }
    const least = this.#free.map(() => this.#narrowest);
    if (this.#keeps(least)) return;
    const [name, wanted, smallest] =
      bytes === undefined
        ? (['bitsPerWeight', bitsPerWeight, this.#weights.bitsPerWeightAt(least)] as const)
        : (['bytes', bytes, this.#weights.bytesAt(least)] as const);
    const remedy = 'Allow as much, or narrower widths, or name wide ones of fewer layers';
    throwProblems('chooseBits', [
      `${name} must be at least ${smallest}, with ${this.#narrowest} bits wherever widths are free, but was ${wanted}. ${remedy}.`,
    ]);
  }

  /** Whether widths keep a budget of size. */
  #keeps(numBits: readonly number[]): boolean {
    const {bytes = Infinity, bitsPerWeight = Infinity} = this.#wanted;
    return this.#weights.bytesAt(numBits) <= bytes && this.#weights.bitsPerWeightAt(numBits) <= bitsPerWeight;
  }

  async #losses(measure: WidthLosses): Promise<Losses> {
    const names = this.#free.map(({name}) => name);
    const optionsAt = (width: number) => this.#weights.optionsAt(names.map(() => width));
    const byWidth: number[][] = [];
    for (const width of this.#widths) byWidth.push(await measure.byLayer(optionsAt(width), names));
    return {byWidth, besides: await measure.besides(optionsAt(this.#widest), names)};
  }

  #front({byWidth, besides}: Losses): Combination[] {
    // Bytes are whole for each weight, so that a budget of bits needs bits.
    const cost = this.#wanted.bitsPerWeight === undefined ? 'bytesAt' : 'bitsAt';
    const layers = this.#free.map((layer, i) =>
      this.#widths.map((numBits, w) => ({numBits, cost: layer[cost](numBits), loss: byWidth[w]![i]!})),
    );
    return paretoFront(layers).map(each => ({...each, loss: each.loss + besides}));
  }

  /** One width for all free layers. */
  #uniform(width: number, {byWidth, besides}: Losses): Combination {
    const numBits = this.#free.map(() => width);
    const loss = byWidth[this.#widths.indexOf(width)]!.reduce((sum, each) => sum + each, besides);
    return {cost: this.#weights.bytesAt(numBits), loss, numBits};
  }

  async #chosen(front: readonly Combination[], widest: Combination, measure: WidthLosses): Promise<Found> {
    const {maxLoss} = this.#wanted;
    if (maxLoss !== undefined) return this.#withinLoss([...thinned(front, SHOWN), widest], maxLoss, measure);
    const within = [...front.filter(({numBits}) => this.#keeps(numBits))];
    const combination = this.#keeps(widest.numBits) ? widest : within[within.length - 1]!;
    return {combination, measured: await measure.ofAll(this.#weights.optionsAt(combination.numBits))};
  }

  /** The first of candidates, by rising bytes, that loses no more than `maxLoss`, as far as more bytes lose less. */
  async #withinLoss(candidates: readonly Combination[], maxLoss: number, measure: WidthLosses): Promise<Found> {
    const measured = async (combination: Combination) => ({
      combination,
      measured: await measure.ofAll(this.#weights.optionsAt(combination.numBits)),
    });
    let found = await measured(candidates[candidates.length - 1]!);
    const least = lostOf(found.measured);
    if (least > maxLoss) {
      const what = found.measured.top1 === undefined ? 'divergence' : 'share of decisions that differ';
      throwProblems('chooseBits', [
        `maxLoss must be at least ${least.toPrecision(3)}, the ${what} with ${this.#widest} bits wherever widths are free, ` +
          `but was ${maxLoss}. Allow as much, or more bits of activations or of layers that the options name.`,
      ]);
    }
    let [low, high] = [0, candidates.length - 1];
    while (low < high) {
      const middle = (low + high) >> 1;
      const next = await measured(candidates[middle]!);
      if (lostOf(next.measured) <= maxLoss) [found, high] = [next, middle];
      else low = middle + 1;
    }
    while (this.#done < this.#total) this.#advance();
    return found;
  }

  #pointOf({loss, numBits}: Combination): BitPoint {
    return {
      bytes: this.#weights.bytesAt(numBits),
      bitsPerWeight: this.#weights.bitsPerWeightAt(numBits),
      predicted: loss,
      options: this.#weights.optionsAt(numBits),
    };
  }

  #rows({numBits}: Combination, {byWidth}: Losses): BitRow[] {
    return this.#weights.layers.map(layer => {
      const i = this.#free.indexOf(layer);
      const width = i < 0 ? undefined : numBits[i]!;
      return {
        layer: layer.name,
        weights: layer.count,
        numBits: width ?? layer.bitsAt() / layer.count,
        isPinned: i < 0,
        bytes: layer.bytesAt(width),
        losses: Object.fromEntries(i < 0 ? [] : this.#widths.map((each, w) => [each, byWidth[w]![i]!])),
      };
    });
  }
}
