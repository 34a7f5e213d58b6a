/** Rounding the states of cells on every step: what a recurrent layer goes on with is what an integer runtime does. */
import {clone, concat, dispose, keep, reshape, type Tensor, tidy} from '@tensorflow/tfjs-core';
import type {Layer} from '../../layers/graph';
import type {Swap} from '../../layers/swapped';
import type {FakeQuantizer} from '../../quantizer/fake_quantizer';
import {roundTensor} from './quantizing';

/** A cell, and what rounds each of its states, the first of which it puts out. */
export interface RoundedCell {
  readonly cell: Layer;
  readonly quantizers: readonly (FakeQuantizer | undefined)[];
}

type Call = (inputs: Tensor[], kwargs: Record<string, unknown>) => Tensor[];

/**
 * The states of one call of a layer. Ranges move once for a call, by all steps together: within it they stay as they are, and
 * before the first one nothing is rounded.
 */
export class RoundedStates {
  readonly #training: boolean;
  readonly #passed = new Map<FakeQuantizer, Tensor[]>();

  constructor(training: boolean) {
    this.#training = training;
  }

  /** What has cells round. */
  swaps(cells: readonly RoundedCell[]): Swap[] {
    return cells.map(({cell, quantizers}) => {
      const call = cell.call.bind(cell) as unknown as Call;
      const value: Call = (inputs, kwargs) => {
        const [, ...states] = call(inputs, kwargs);
        const rounded = states.map((state, i) => this.#rounded(state, quantizers[i]));
        return [rounded[0]!, ...rounded];
      };
      return {host: cell, attr: 'call', value};
    });
  }

  /** Whether a quantizer has seen the states, and needs not see them again in what they are put out in. */
  hasSeen(quantizer: FakeQuantizer): boolean {
    return this.#passed.has(quantizer);
  }

  /** Shows the quantizers all that has passed. */
  observe(): void {
    for (const [quantizer, states] of this.#passed) {
      if (states.length > 0)
        tidy(() => roundTensor(quantizer, concat(states.map(each => reshape(each, [-1]))), this.#training));
    }
  }

  dispose(): void {
    dispose([...this.#passed.values()].flat());
  }

  #rounded(state: Tensor, quantizer: FakeQuantizer | undefined): Tensor {
    if (!quantizer) return state;
    const passed = this.#passed.get(quantizer) ?? [];
    this.#passed.set(quantizer, passed);
    const isWatched = quantizer.watcher !== undefined;
    // The steps' own scopes would free them.
    if (isWatched || this.#training) passed.push(keep(clone(state)));
    return isWatched || (this.#training && !quantizer.isSet()) ? state : roundTensor(quantizer, state);
  }
}
