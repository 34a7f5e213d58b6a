/** For specs that make models: what they do not give back themselves is disposed of after each. */
import * as tf from '@tensorflow/tfjs-core';

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
