/**
 * tfjs's Adam takes a dozen or two dispatches for each variable, and a model has a learned range, of a few numbers, for each
 * thing that it rounds. Here the ranges are joined for a step, in which tfjs's own code computes number by number what it would for
 * each, and are taken apart after it. So the variables, and what the optimizer keeps of each, are between steps what they are
 * without this: to save, to load, to freeze, to assign.
 */
import {
  concat,
  type Rank,
  reshape,
  slice,
  type Tensor,
  type Tensor1D,
  tidy,
  variable,
  type Variable,
} from '@tensorflow/tfjs-core';
import {type Adam, type Moment, type NamedGradient, onAdamStep, variableOf} from './tfjs_internals';

const ranges = new WeakSet<Variable>();

let isInstalled = false;

/** Has Adam train a range together with others. */
export function trainTogether(range: Variable): void {
  ranges.add(range);
  if (isInstalled) return;
  isInstalled = true;
  onAdamStep(stepTogether);
}

function stepTogether(
  adam: Adam,
  gradients: readonly NamedGradient[],
  step: (given: readonly NamedGradient[]) => void,
) {
  const {accumulatedFirstMoment: first, accumulatedSecondMoment: second} = adam;
  const joins = gradients.map(each => each.tensor != null && ranges.has(variableOf(each)!));
  // The first step makes the moments, each as its variable is.
  if (joins.filter(Boolean).length < 2 || first.length < gradients.length) {
    step(gradients);
    return;
  }
  const chosen = <T>(all: readonly T[], joining: boolean) => all.filter((_, i) => joins[i] === joining);
  const apart = [
    chosen(gradients, true).map(each => variableOf(each)!),
    variablesOf(chosen(first, true)),
    variablesOf(chosen(second, true)),
  ];
  const together = apart.map(each => tidy(() => variable(joined(each), false)));
  const [values, ...moments] = together as [Variable, Variable, Variable];
  try {
    const [firstOfAll, secondOfAll] = moments.map(each => ({originalName: values.name, variable: each}));
    adam.accumulatedFirstMoment = [...chosen(first, false), firstOfAll!];
    adam.accumulatedSecondMoment = [...chosen(second, false), secondOfAll!];
    tidy(() => {
      const tensor = joined(chosen(gradients, true).map(each => each.tensor!));
      step([...chosen(gradients, false), {name: values.name, tensor}]);
      takeApart(joined(together), apart.flat());
    });
  } finally {
    adam.accumulatedFirstMoment = first;
    adam.accumulatedSecondMoment = second;
    together.forEach(each => each.dispose());
  }
}

function variablesOf(moments: readonly Moment[]): Variable[] {
  return moments.map(each => each.variable);
}

function joined(tensors: readonly Tensor[]): Tensor1D {
  return concat(tensors.map(each => reshape<Rank.R1>(each, [each.size])));
}

/** Gives variables, one after the other, the numbers of a tensor. */
function takeApart(all: Tensor1D, variables: readonly Variable[]): void {
  let start = 0;
  for (const each of variables) {
    each.assign(reshape(slice(all, start, each.size), each.shape));
    start += each.size;
  }
}
