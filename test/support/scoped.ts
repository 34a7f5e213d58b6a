/** For specs that make models: what they do not give back themselves is disposed of after each. */
import * as tf from '@tensorflow/tfjs-core';
import {setup} from './environment';

/** Call it in a `describe`: each of its specs runs in a scope of its own, with console.warn watched. */
export function scoped(): void {
  beforeEach(() => {
    spyOn(console, 'warn');
    tf.engine().startScope();
  });

  afterEach(() => {
    tf.engine().endScope();
    tf.disposeVariables();
  });
}

/** For specs that train: leaves them out where tfjs itself cannot. */
export function needsTraining(): void {
  if (setup.backend === 'wasm') skip("tfjs's wasm backend does not train: gradients' kernels are missing, others leak");
}

/** Leaves a spec out, and has the summary say why. */
export function skip(reason: string): void {
  setSpecProperty('skipped', reason);
  pending(reason);
}
