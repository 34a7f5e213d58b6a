/** How well one model's outputs agree with another's, counted batch by batch on the host. */
import type {OutputKind} from './kinds';

/**
 * How well outputs agree with those of the float model.
 *
 * @example
 * ```js
 * import {analyzeQuantization} from 'tfjs-quantization/qat';
 *
 * const {agreement} = await analyzeQuantization(q, model, images, {sensitivity: 'none'});
 * console.log(`${100 * agreement.top1} % of classes are the float model's`);
 * console.log(`divergence ${agreement.divergence}`);
 * ```
 */
export interface Agreement {
  /**
   * How far they are apart, over all outputs alike: of probabilities the mean Kullback-Leibler divergence in nats, of other
   * outputs the squared error relative to the variance. 0 where they are the same.
   */
  readonly divergence: number;
  /**
   * The share of decisions that are the same, in [0, 1]: the highest class of each softmax, the side of ½ of each sigmoid;
   * undefined where no output is classes.
   */
  readonly top1: number | undefined;
}

/**
 * How often outputs agree where the float model decides for a class.
 *
 * @example
 * ```js
 * import {analyzeQuantization} from 'tfjs-quantization/qat';
 *
 * const {perClass} = await analyzeQuantization(q, model, images, {sensitivity: 'none'});
 * for (const each of perClass) {
 *   console.log(`class ${each.class}: ${each.top1} of ${each.samples} samples`);
 * }
 * ```
 */
export interface ClassAgreement {
  /** The output, counted from 0. */
  readonly output: number;
  /** The class, counted from 0. Of a single sigmoid, 0 is no and 1 is yes. */
  readonly class: number;
  /** How often the float model decides for it; of several sigmoids, each of which is asked anew, how often it decides at all. */
  readonly samples: number;
  /** The share of these in which the other decides likewise, in [0, 1]; NaN of none. */
  readonly top1: number;
}

/** No probability counts as less: a model is not infinitely sure, float32 is. */
const TINY = 1e-7;

/**
 * A term of the Kullback-Leibler divergence. With what makes it so for numbers that do not quite sum to 1 as well: no term is
 * below 0, and over all classes what is added sums to 0.
 */
function divergenceOf(p: number, q: number): number {
  const [expected, found] = [Math.max(p, TINY), Math.max(q, TINY)];
  return expected * Math.log(expected / found) - expected + found;
}

/** Where the highest of `count` numbers from `start` on is. */
function highest(values: ArrayLike<number>, start: number, count: number): number {
  let best = 0;
  for (let i = 1; i < count; ++i) if (values[start + i]! > values[start + best]!) best = i;
  return best;
}

/** Counts of one output. */
abstract class OutputCounter {
  /** For each class, how often the float model decides for it, and the other too. */
  readonly classes: {samples: number; same: number}[] = [];
  protected sum = 0;
  protected count = 0;

  /** Adds rows of `last` numbers. */
  abstract add(float: ArrayLike<number>, other: ArrayLike<number>, last: number): void;

  get divergence(): number {
    if (this.count === 0) return 0;
    // What is no number is as far away as can be.
    return Number.isNaN(this.sum) ? Infinity : this.sum / this.count;
  }

  protected decide(which: number, isSame: boolean, classes: number): void {
    while (this.classes.length < classes) this.classes.push({samples: 0, same: 0});
    const counts = this.classes[which]!;
    counts.samples++;
    if (isSame) counts.same++;
  }
}

class SoftmaxCounter extends OutputCounter {
  override add(float: ArrayLike<number>, other: ArrayLike<number>, last: number): void {
    for (let start = 0; start < float.length; start += last) {
      for (let i = start; i < start + last; ++i) this.sum += divergenceOf(float[i]!, other[i]!);
      const best = highest(float, start, last);
      this.decide(best, highest(other, start, last) === best && !Number.isNaN(other[start + best]), last);
      this.count++;
    }
  }
}

class SigmoidCounter extends OutputCounter {
  override add(float: ArrayLike<number>, other: ArrayLike<number>, last: number): void {
    for (let i = 0; i < float.length; ++i) {
      const [p, q] = [float[i]!, other[i]!];
      this.sum += divergenceOf(p, q) + divergenceOf(1 - p, 1 - q);
      this.count++;
      const isYes = p > 0.5;
      const isSame = isYes ? q > 0.5 : q <= 0.5;
      if (last === 1) this.decide(Number(isYes), isSame, 2);
      else this.decide(i % last, isSame, last);
    }
  }
}

class LinearCounter extends OutputCounter {
  /** The first value, about which the others' moments are taken, so that a large mean does not swallow the variance. */
  #origin: number | undefined;
  #shifted = 0;
  #squares = 0;

  override add(float: ArrayLike<number>, other: ArrayLike<number>): void {
    for (let i = 0; i < float.length; ++i) {
      const [expected, found] = [float[i]!, other[i]!];
      // An infinity that both agree on is no error.
      if (expected !== found) this.sum += (found - expected) ** 2;
      if (!Number.isFinite(expected)) continue;
      const shifted = expected - (this.#origin ??= expected);
      this.#shifted += shifted;
      this.#squares += shifted ** 2;
      this.count++;
    }
  }

  /** What is always the same has no variance: its own square serves and, of zeros, 1. */
  override get divergence(): number {
    const {sum, count} = this;
    if (sum === 0) return 0;
    const variance = this.#squares / count - (this.#shifted / count) ** 2;
    const unit = Math.max(0, variance) || (this.#origin ?? 0) ** 2 || 1;
    return Number.isNaN(sum) || count === 0 ? Infinity : sum / count / unit;
  }
}

const COUNTERS: Readonly<Record<OutputKind, new () => OutputCounter>> = {
  softmax: SoftmaxCounter,
  sigmoid: SigmoidCounter,
  linear: LinearCounter,
};

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

/** Counts agreement as batches come. */
export class AgreementCounter {
  readonly #outputs: readonly OutputCounter[];

  constructor(kinds: readonly OutputKind[]) {
    this.#outputs = kinds.map(kind => new COUNTERS[kind]());
  }

  /** Adds a batch: the values of each output, of the float model and of the other, and the last dimension of each. */
  add(float: readonly ArrayLike<number>[], other: readonly ArrayLike<number>[], lasts: readonly number[]): void {
    this.#outputs.forEach((output, i) => output.add(float[i]!, other[i]!, lasts[i]!));
  }

  get agreement(): Agreement {
    const shares = this.#outputs
      .map(({classes}) => {
        const total = (of: 'samples' | 'same') => classes.reduce((sum, each) => sum + each[of], 0);
        return total('same') / total('samples');
      })
      .filter(share => !Number.isNaN(share));
    return {
      divergence: mean(this.#outputs.map(({divergence}) => divergence)),
      top1: shares.length > 0 ? mean(shares) : undefined,
    };
  }

  /** The agreement for each class of each output that is classes. */
  get perClass(): ClassAgreement[] {
    return this.#outputs.flatMap(({classes}, output) =>
      classes.map(({samples, same}, i) => ({output, class: i, samples, top1: same / samples})),
    );
  }
}
