/** For specs that make models: what they do not give back themselves is disposed of after each. */
import * as tf from '@tensorflow/tfjs-core';
import {isSlow, setup} from './environment';

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

/** For specs of hundreds of steps, or of what is the same on every backend. */
export function needsSpeed(): void {
  if (isSlow) skip('takes long on a renderer that is no GPU; the same runs in Node, and here with --gpu');
}

/** Leaves a spec out, and has the summary say why. */
export function skip(reason: string): void {
  setSpecProperty('skipped', reason);
  pending(reason);
}
