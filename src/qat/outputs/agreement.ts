/** How well one model's outputs agree with another's, counted batch by batch on the host. */
import type {OutputKind} from './kinds';

/** How well outputs agree with those of the float model. */
export interface Agreement {
  /**
   * How far they are apart, over all outputs alike: of probabilities the mean Kullback-Leibler divergence in nats, of other
   * outputs the squared error relative to the variance. 0 where they are the same.
   */
  readonly divergence: number;
  /** The share of samples whose highest class is the same, in [0, 1]; undefined where no output is classes. */
  readonly top1: number | undefined;
}

/** Counts agreement as batches come. */
export class AgreementCounter {
  constructor(_kinds: readonly OutputKind[]) {}

  /** Adds a batch: the values of each output, of the float model and of the other, and the last dimension of each. */
  add(_float: readonly ArrayLike<number>[], _other: readonly ArrayLike<number>[], _lasts: readonly number[]): void {
    throw new Error('not yet');
  }

  get agreement(): Agreement {
    throw new Error('not yet');
  }
}
