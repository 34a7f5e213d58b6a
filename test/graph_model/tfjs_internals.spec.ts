/** tfjs-backend-webgpu itself, held to what src/graph_model/tfjs_internals.ts leans on: what fails here tfjs has changed. */
import * as tf from '@tensorflow/tfjs-core';
import {onWebGPU, webgpu} from '../support/environment';

if (onWebGPU) {
  describe('the values that WebGPU knows', () => {
    const known = ({dataId}: tf.Tensor) => webgpu().tensorMap.get(dataId).values;

    it('are those that it was given, and none that it has computed', () => {
      const given = tf.tensor1d([1, 2]);
      const computed = tf.square(given);
      expect([...(known(given) as Float32Array)]).toEqual([1, 2]);
      expect(known(computed) ?? null).toBeNull();
      tf.dispose([given, computed]);
    });
  });
}
