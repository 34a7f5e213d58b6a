/**
 * Adam (Kingma and Ba 2015) over many variables as if they were one: a step then takes as many dispatches for all of them as
 * tfjs's takes for each. What it gives are new tensors, so that a state is kept by keeping them, and come back to.
 */
import {
  add,
  addN,
  clone,
  concat,
  dispose,
  div,
  keep,
  mul,
  type NamedTensorMap,
  onesLike,
  type Rank,
  reshape,
  slice,
  sqrt,
  square,
  sub,
  sum,
  type Tensor,
  type Tensor1D,
  tidy,
  type Variable,
  tensor1d,
  zerosLike,
} from '@tensorflow/tfjs-core';

const BETA_1 = 0.9;
const BETA_2 = 0.999;
const EPSILON = 1e-7;

/** No more numbers are put into one tensor, unless one variable has more. */
const MOST_NUMBERS = 2 ** 22;

/** What is kept of a group of variables from step to step, each in one tensor. */
interface Group {
  readonly variables: readonly Variable[];
  values: Tensor1D;
  /** The moving mean of gradients. */
  first: Tensor1D;
  /** The moving mean of their squares. */
  second: Tensor1D;
  /** By what the rate of each number is multiplied. */
  readonly shares: Tensor1D;
}

/** Variables in groups, each of a size that one tensor holds. */
function grouped(variables: readonly Variable[]): Variable[][] {
  const groups: Variable[][] = [];
  let room = 0;
  for (const variable of variables) {
    if (variable.size > room) {
      groups.push([]);
      room = MOST_NUMBERS;
    }
    groups[groups.length - 1]!.push(variable);
    room -= variable.size;
  }
  return groups;
}

function joined(tensors: readonly Tensor[]): Tensor1D {
  const flat = tensors.map(each => reshape<Rank.R1>(each, [each.size]));
  return flat.length === 1 ? flat[0]! : concat(flat);
}

/** A mean that moves by a share. */
function moved(mean: Tensor1D, to: Tensor, stays: number): Tensor1D {
  return add<Tensor1D>(mul(mean, stays), mul(to, 1 - stays));
}

/** A state, to come back to. */
export interface AdamMemory {
  restore(): void;
  dispose(): void;
}

/** Trains variables. */
export class Adam {
  readonly #groups: readonly Group[];
  #steps = 0;

  constructor(variables: readonly Variable[], shareOf: (variable: Variable) => Tensor) {
    this.#groups = grouped(variables).map(group =>
      tidy(() => {
        const values = keep(clone(joined(group)));
        const none = () => keep(tensor1d(new Float32Array(values.size)));
        const shares = keep(clone(joined(group.map(each => mul(onesLike(each), shareOf(each))))));
        return {variables: group, shares, values, first: none(), second: none()};
      }),
    );
  }

  /** Takes a step, and gives a number that is finite if all that is trained is. */
  step(gradients: NamedTensorMap, rate: number): Tensor {
    const steps = ++this.#steps;
    const [bias1, bias2] = [1 - BETA_1 ** steps, 1 - BETA_2 ** steps];
    return tidy(() => {
      const sums = this.#groups.map(group => {
        const gradient = joined(group.variables.map(each => gradients[each.name] ?? zerosLike(each)));
        const first = moved(group.first, gradient, BETA_1);
        const second = moved(group.second, square(gradient), BETA_2);
        const change = div(mul(first, rate / bias1), add(sqrt(mul(second, 1 / bias2)), EPSILON));
        set(group, {values: sub(group.values, mul(change, group.shares)), first, second});
        return sum(group.values);
      });
      return addN(sums);
    });
  }

  /** Keeps the state as it is now. */
  remember(): AdamMemory {
    const steps = this.#steps;
    const kept = this.#groups.map(({values, first, second}) => ({
      values: keep(clone(values)),
      first: keep(clone(first)),
      second: keep(clone(second)),
    }));
    return {
      restore: () => {
        this.#steps = steps;
        tidy(() => this.#groups.forEach((group, i) => set(group, kept[i]!)));
      },
      dispose: () => dispose(kept),
    };
  }

  dispose(): void {
    for (const {values, first, second, shares} of this.#groups) dispose([values, first, second, shares]);
  }
}

/** Gives a group other tensors, of which it keeps copies, and its variables the values. */
function set(group: Group, given: Pick<Group, 'values' | 'first' | 'second'>): void {
  for (const name of ['values', 'first', 'second'] as const) {
    group[name].dispose();
    group[name] = keep(clone(given[name]));
  }
  let start = 0;
  for (const variable of group.variables) {
    if (!variable.isDisposed) variable.assign(reshape(slice(group.values, start, variable.size), variable.shape));
    start += variable.size;
  }
}
