/** For specs that make models: what they do not give back themselves is disposed of after each. */
import * as tf from '@tensorflow/tfjs-core';
import {onWebGPU, setup} from './environment';

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

/** For specs of hundreds of steps, of which a dispatch each takes over a millisecond where WebGPU has no GPU. */
export function needsManySteps(): void {
  if (onWebGPU)
    skip('takes a minute or more on a renderer that is no GPU; the same runs on webgl2 and cpu, a like one here');
}

/** Leaves a spec out, and has the summary say why. */
export function skip(reason: string): void {
  setSpecProperty('skipped', reason);
  pending(reason);
}
