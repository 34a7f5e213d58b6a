/** tfjs-backend-webgpu itself, held to what src/graph_model/tfjs_internals.ts leans on: what fails here tfjs has changed. */
import * as tf from '@tensorflow/tfjs-core';
import {onWebGPU, webgpu} from '../support/environment';

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
