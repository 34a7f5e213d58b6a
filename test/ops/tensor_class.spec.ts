/** tfjs-core itself, held to what src/ops/tfjs_internals.ts leans on: what fails here tfjs has changed. */
import * as tf from '@tensorflow/tfjs-core';
import '../support/environment';

describe('the class of tensors', () => {
  const shared = (globalThis as {_tfGlobals?: Map<string, unknown>})._tfGlobals?.get('Tensor') as typeof tf.Tensor;

  it('is where all copies of tfjs find it', () => {
    const x = tf.ones([2]);
    expect(x).toBeInstanceOf(shared);
    expect(x).toBeInstanceOf(tf.Tensor);
    x.dispose();
  });

  it('has the methods of tfjs on its prototype', () => {
    expect(Object.hasOwn(shared.prototype, 'abs')).toBeTrue();
  });
});
