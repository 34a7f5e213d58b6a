/** What the quantizers know of where tfjs keeps a tensor: it fails if tfjs keeps it otherwise. */
import * as tf from '@tensorflow/tfjs-core';
import {isOnHost} from '../../src/quantizer/tfjs_internals';
import {onWebGPU, valuesOf} from '../support/environment';
import {tensorAt} from '../support/residency';
import {scoped} from '../support/scoped';

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
