/** How widths are chosen: losses are measured, the front is computed, and the budget picks a point of it. */
import type {Tensor} from '@tensorflow/tfjs-core';
import type {LayersModel} from '@tensorflow/tfjs-layers';
import {throwProblems} from '../../check/rules';
import {isBatchNorm} from '../../layers/folding';
import {allLayers, asContainer} from '../../layers/graph';
import type {Agreement} from '../outputs/agreement';
import type {BitChoice, BitPoint, BitRow} from './choice';
import {type Combination, paretoFront, thinned} from './front';
import type {Group, What} from './group';
import {reestimateOn, WidthLosses} from './losses';
import {ModelBits} from './model_bits';
import {choosesActivations, type ChooseBitsOptions} from './options';
import {bitChoice} from './shown';

/** The divergences that are measured with a part of the model rounded. */
interface Losses {
  /** By width, then by free group. */
  readonly byWidth: readonly (readonly number[])[];
  /** With all rounded but these. */
  readonly besides: number;
}

interface Found {
  readonly front: readonly Combination[];
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
  readonly #options: ChooseBitsOptions;
  readonly #bits: ModelBits;
  readonly #weights: readonly Group[];
  readonly #activations: readonly Group[];
  /** From the narrowest on. */
  readonly #widths: readonly number[];
  #done = 0;

  constructor(
    float: LayersModel,
    batches: readonly (readonly Tensor[])[],
    options: ChooseBitsOptions & {readonly widths: readonly number[]},
  ) {
    const {quantize = {}, widths} = options;
    const isForActivations = choosesActivations(options);
    this.#float = float;
    this.#batches = batches;
    this.#options = options;
    this.#bits = new ModelBits(float, quantize, isForActivations ? batches[0] : undefined);
    this.#weights = this.#bits.free.filter(({what}) => what === 'weights');
    this.#activations = this.#bits.free.filter(({what}) => what === 'activations');
    this.#widths = [...new Set(widths)].sort((a, b) => a - b);
    const problems = [
      ...this.#fixedProblems('weights', this.#weights),
      ...(isForActivations ? this.#fixedProblems('activations', this.#activations) : []),
    ];
    throwProblems('chooseBits', problems);
    throwProblems('chooseBits', this.#budgetProblems());
  }

  async choose(): Promise<BitChoice> {
    const {signal, reestimateBatchNorm = false} = this.#options;
    const reestimates = reestimateBatchNorm && allLayers(asContainer(this.#float)).some(isBatchNorm);
    if (reestimates) await reestimateOn(this.#float, this.#batches);
    const measuring = {batches: this.#batches, reestimates, signal, onEach: () => this.#advance()};
    const measure = await WidthLosses.of(this.#float, this.#bits, measuring);
    const losses = await this.#losses(measure);
    const uniform = this.#widths.map(width => this.#uniform(width, losses));
    const {front, combination, measured} = await this.#chosen(losses, uniform[uniform.length - 1]!, measure);
    return bitChoice({
      ...this.#pointOf(combination),
      measured,
      rows: this.#rows(combination, losses),
      front: thinned(front, SHOWN).map(each => this.#pointOf(each)),
      uniform: uniform.map((each, i) => ({...this.#pointOf(each), numBits: this.#widths[i]!})),
    });
  }

  get #narrowest(): number {
    return this.#widths[0]!;
  }

  get #widest(): number {
    return this.#widths[this.#widths.length - 1]!;
  }

  /** A pass for each group and width, one for what else is rounded, and those that measure what is chosen. */
  get #total(): number {
    const measured = this.#options.maxLoss === undefined ? 1 : MEASURED;
    return this.#widths.length * this.#bits.free.length + 1 + measured;
  }

  #advance(): void {
    ++this.#done;
    this.#options.onProgress?.({done: this.#done, total: this.#total});
  }

  #fixedProblems(what: What, free: readonly Group[]): string[] {
    if (free.length > 0) return [];
    const names = this.#bits.groups.filter(group => group.what === what).map(({name}) => name);
    const found =
      names.length === 0 ? `no ${what} are rounded` : `the options name or fix those of ${names.join(', ')}`;
    return [`there is no width of ${what} to choose: ${found}. Leave some layers' open.`];
  }

  #budgetProblems(): string[] {
    const least = this.#bits.free.map(() => this.#narrowest);
    const sizes = this.#sizes(least).filter(({size, budget}) => size > budget);
    return sizes.map(
      ({name, size, budget}) =>
        `${name} must be at least ${size}, with ${this.#narrowest} bits wherever widths are free, but was ${budget}. ` +
        'Allow as much, or narrower widths, or name wide ones of fewer layers.',
    );
  }

  /** What widths take of each budget of size. */
  #sizes(widths: readonly number[]) {
    const {bytes = Infinity, bitsPerWeight = Infinity, bitsPerActivation = Infinity} = this.#options;
    const average = (what: What) => this.#bits.averageAt(widths, what);
    return [
      {name: 'bytes', size: this.#bits.bytesAt(widths), budget: bytes},
      {name: 'bitsPerWeight', size: average('weights'), budget: bitsPerWeight},
      {name: 'bitsPerActivation', size: average('activations'), budget: bitsPerActivation},
    ];
  }

  #keeps(widths: readonly number[]): boolean {
    return this.#sizes(widths).every(({size, budget}) => size <= budget);
  }

  async #losses(measure: WidthLosses): Promise<Losses> {
    const byWidth: number[][] = [];
    for (const width of this.#widths) byWidth.push(await measure.byGroup(width));
    return {byWidth, besides: await measure.besides(this.#widest)};
  }

  async #chosen(losses: Losses, widest: Combination, measure: WidthLosses): Promise<Found> {
    const {maxLoss, bitsPerWeight} = this.#options;
    const {besides} = losses;
    if (maxLoss !== undefined) {
      const front = this.#frontOf(this.#bits.free, 'bytesAt', losses).map(each => joined(besides, each));
      return {front, ...(await this.#withinLoss([...thinned(front, SHOWN), widest], maxLoss, measure))};
    }
    // Bytes are whole for each weight, so that a budget of bits needs bits.
    const weights = this.#frontOf(this.#weights, bitsPerWeight === undefined ? 'bytesAt' : 'bitsAt', losses);
    const activations = this.#frontOf(this.#activations, 'bitsAt', losses);
    const others = this.#best(activations, this.#activations, losses);
    const combination = joined(besides, this.#best(weights, this.#weights, losses), others);
    return {
      front: weights.map(each => joined(besides, each, others)),
      combination,
      measured: await measure.ofAll(combination.numBits),
    };
  }

  #frontOf(groups: readonly Group[], cost: 'bytesAt' | 'bitsAt', {byWidth}: Losses): Combination[] {
    const {free} = this.#bits;
    return paretoFront(
      groups.map(group =>
        this.#widths.map((numBits, w) => ({
          numBits,
          cost: group[cost](numBits),
          loss: byWidth[w]![free.indexOf(group)]!,
        })),
      ),
    );
  }

  /** What loses least within the budget, of weights or of activations: the widest where it has room for them. */
  #best(front: readonly Combination[], groups: readonly Group[], losses: Losses): Combination {
    // Budgets of the others hold at their narrowest.
    const keeps = ({numBits}: Combination) =>
      this.#keeps(
        this.#bits.free.map(group => (groups.includes(group) ? numBits[groups.indexOf(group)]! : this.#narrowest)),
      );
    const uniform = this.#widths.map(width => this.#uniformOf(groups, width, losses));
    const widest = uniform[uniform.length - 1]!;
    if (keeps(widest)) return widest;
    // A front of very many points may lack one that a uniform width is.
    return [...front, ...uniform].filter(keeps).reduce((one, other) => (other.loss < one.loss ? other : one));
  }

  /** One width for all free groups. */
  #uniform(width: number, losses: Losses): Combination {
    return joined(losses.besides, this.#uniformOf(this.#bits.free, width, losses));
  }

  #uniformOf(groups: readonly Group[], width: number, {byWidth}: Losses): Combination {
    const {free} = this.#bits;
    const atWidth = byWidth[this.#widths.indexOf(width)]!;
    return joined(
      0,
      ...groups.map(group => ({
        cost: group.bytesAt(width),
        loss: atWidth[free.indexOf(group)]!,
        numBits: [width],
      })),
    );
  }

  /** The first of candidates, by rising bytes, that loses no more than `maxLoss`, as far as more bytes lose less. */
  async #withinLoss(candidates: readonly Combination[], maxLoss: number, measure: WidthLosses) {
    const measured = async (combination: Combination) => ({
      combination,
      measured: await measure.ofAll(combination.numBits),
    });
    let found = await measured(candidates[candidates.length - 1]!);
    const least = lostOf(found.measured);
    if (!(least <= maxLoss)) {
      const what = found.measured.top1 === undefined ? 'divergence' : 'share of decisions that differ';
      throwProblems('chooseBits', [
        `maxLoss must be at least ${least.toPrecision(3)}, the ${what} with ${this.#widest} bits wherever widths are free, ` +
          `but was ${maxLoss}. Allow as much, or more bits of what the options name.`,
      ]);
    }
    let [low, high] = [0, candidates.length - 1];
    while (low < high) {
      const middle = (low + high) >> 1;
      const next = await measured(candidates[middle]!);
      if (lostOf(next.measured) <= maxLoss) [found, high] = [next, middle];
      else low = middle + 1;
    }
    // Of the candidates fewer may have been measured than there could have been.
    while (this.#done < this.#total) this.#advance();
    return found;
  }

  #pointOf({loss, numBits}: Combination): BitPoint {
    const isForActivations = this.#activations.length > 0;
    return {
      bytes: this.#bits.bytesAt(numBits),
      bitsPerWeight: this.#bits.averageAt(numBits, 'weights'),
      activationBytes: isForActivations ? this.#bits.activationBytesAt(numBits) : undefined,
      bitsPerActivation: isForActivations ? this.#bits.averageAt(numBits, 'activations') : undefined,
      predicted: loss,
      options: this.#bits.optionsAt(numBits),
    };
  }

  #rows({numBits}: Combination, {byWidth}: Losses): BitRow[] {
    return this.#bits.groups.map(group => {
      const i = this.#bits.free.indexOf(group);
      const width = i < 0 ? undefined : numBits[i]!;
      return {
        layer: group.name,
        what: group.what,
        count: group.count,
        numBits: width ?? group.bitsAt() / group.count,
        isPinned: i < 0,
        bytes: group.bytesAt(width),
        losses: Object.fromEntries(i < 0 ? [] : this.#widths.map((each, w) => [each, byWidth[w]![i]!])),
      };
    });
  }
}

/** Widths of several parts, and a loss besides. */
function joined(besides: number, ...parts: readonly Combination[]): Combination {
  return {
    cost: parts.reduce((sum, {cost}) => sum + cost, 0),
    loss: parts.reduce((sum, {loss}) => sum + loss, besides),
    numBits: parts.flatMap(({numBits}) => numBits),
  };
}
