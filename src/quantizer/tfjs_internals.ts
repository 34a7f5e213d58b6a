/**
 * What quantizers lean on in tfjs-core 4.22.0 beyond its typings, with the file in its dist/ that has it.
 * test/quantizer/adam.spec.ts asks tfjs itself, and fails where it changes it.
 */
import {AdamOptimizer, engine, type Tensor, type Variable} from '@tensorflow/tfjs-core';

/** What an optimizer keeps of a variable from step to step. */
export interface Moment {
  readonly originalName: string;
  readonly variable: Variable;
}

/** The moments of the variables of a step, in its order: both lists are as long as the step's. optimizers/adam_optimizer.js */
export interface Adam {
  accumulatedFirstMoment: readonly Moment[];
  accumulatedSecondMoment: readonly Moment[];
}

/** A variable of a step, by its name, and its gradient if it has one. optimizers/optimizer.js: minimize */
export interface NamedGradient {
  readonly name: string;
  readonly tensor: Tensor | null | undefined;
}

/** engine.js */
export function variableOf({name}: Pick<NamedGradient, 'name'>): Variable | undefined {
  return engine().registeredVariables[name];
}

type Step = (gradients: readonly NamedGradient[]) => void;

/**
 * Has steps of Adam changed that are told in which order its variables are, as those of models are.
 *
 * A change of the class, for want of anything smaller: a model is compiled with an optimizer that nobody sees before, and a
 * loaded one makes its own. optimizers/adam_optimizer.js: applyGradients
 */
export function onAdamStep(changed: (adam: Adam, gradients: readonly NamedGradient[], step: Step) => void): void {
  type ApplyGradients = (this: Adam, gradients: unknown) => void;
  const adams = AdamOptimizer.prototype as unknown as {applyGradients: ApplyGradients};
  const {applyGradients} = adams;
  adams.applyGradients = function (gradients) {
    if (Array.isArray(gradients))
      changed(this, gradients as NamedGradient[], given => applyGradients.call(this, given));
    else applyGradients.call(this, gradients);
  };
}
