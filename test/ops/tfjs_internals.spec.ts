/** tfjs-core and tfjs-backend-webgpu, held to what src/ops/tfjs_internals.ts leans on: what fails here tfjs has changed. */
import * as tf from '@tensorflow/tfjs-core';
import {isOnHost} from '../../src/ops/tfjs_internals';
import {onWebGPU, valuesOf, webgpu} from '../support/environment';
import {tensorAt} from '../support/residency';
import {scoped} from '../support/scoped';

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

describe('isOnHost', () => {
  scoped();

  it('is true of what the page gave, which is read without waiting', () => {
    const x = tf.tensor([1, 2, 3]);
    expect(isOnHost(x)).toBeTrue();
    expect([...x.dataSync()]).toEqual([1, 2, 3]);
    expect(isOnHost(tf.variable(x))).toBeTrue();
  });

  it('is false of what WebGPU computed, until somebody has waited for it', async () => {
    const values = new Float32Array([1, 2, 3]);
    const x = onWebGPU ? tensorAt('device', values, [3]) : tf.tensor(values).neg();
    expect(isOnHost(x)).toBe(!onWebGPU);
    await valuesOf(x);
    expect(isOnHost(x)).toBeTrue();
  });
});

if (onWebGPU) {
  describe('the values that WebGPU knows', () => {
    const known = ({dataId}: tf.Tensor) => webgpu().tensorMap.get(dataId).values;

    it('are those that it was given and those that were read, and none that it has computed', async () => {
      const given = tf.tensor1d([1, 2]);
      expect([...(known(given) as Float32Array)]).toEqual([1, 2]);
      // Small ones it would leave to the CPU.
      const computed = tf.fill([2000], 3);
      const squared = tf.square(computed);
      expect(known(squared) ?? null).toBeNull();
      await squared.data();
      expect((known(squared) as Float32Array)[0]).toBe(9);
      tf.dispose([given, computed, squared]);
    });
  });
}
