/** What tfjs says when the GPU is gone reaches the caller. These are the last specs of a run: nothing works after them. */
import * as tf from '@tensorflow/tfjs-core';
import {fakeQuantWithMinMaxArgs} from '../src/index';
import {onWebGL, onWebGPU, webgl, webgpu} from './environment';

describe('a lost device', () => {
  it('rejects instead of answering', async () => {
    if (!onWebGL && !onWebGPU) {
      setSpecProperty('skipped', 'this backend has no device to lose');
      return pending();
    }
    const x = tf.tensor1d([1, 2, 3, 4, 5]);
    let y: tf.Tensor | undefined;
    const compute = async () => {
      y = fakeQuantWithMinMaxArgs(x);
      return y.data();
    };
    await loseDevice();
    await expectAsync(compute()).toBeRejected();
    tf.dispose([x, ...(y ? [y] : [])]);
  });
});

async function loseDevice(): Promise<void> {
  if (onWebGPU) {
    webgpu().device.destroy();
    await webgpu().device.lost;
    return;
  }
  const {gl} = webgl().getGPGPUContext();
  gl.getExtension('WEBGL_lose_context')?.loseContext();
  await new Promise(resolve => setTimeout(resolve, 100));
}
