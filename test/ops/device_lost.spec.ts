/** What tfjs says when the GPU is gone reaches the caller. These are the last specs of a run: nothing works after them. */
import * as tf from '@tensorflow/tfjs-core';
import {fakeQuantWithMinMaxArgs} from '../../src/entries/index';
import {onWebGL, onWebGPU, webgl, webgpu} from '../support/environment';

/** What became of an op: its answer, its error, or nothing: tfjs waits for ever for a WebGL context that is lost. */
async function outcomeOf(op: (x: tf.Tensor) => tf.Tensor): Promise<string> {
  const x = tf.tensor1d([1, 2, 3, 4, 5]);
  let timer: ReturnType<typeof setTimeout> | undefined;
  const patience = new Promise<string>(resolve => {
    timer = setTimeout(() => resolve('no answer'), 3000);
  });
  const answer = async () => `answered ${String(await op(x).data())}`;
  const outcome = await Promise.race([answer().catch(String), patience]);
  clearTimeout(timer);
  return outcome;
}

function defineSpecs(): void {
  it('gives what tfjs gives for its own ops, and not a result', async () => {
    await loseDevice();
    tf.engine().startScope();
    const [own, builtIn] = [await outcomeOf(x => fakeQuantWithMinMaxArgs(x)), await outcomeOf(x => tf.square(x))];
    tf.engine().endScope();
    expect(own).toBe(builtIn);
    // tfjs reads zeros from a lost WebGL1 context.
    if (own !== 'answered 0,0,0,0,0') expect(own).not.toContain('answered');
  });
}

// The other backends have no device to lose.
if (onWebGL || onWebGPU) describe('a lost device', defineSpecs);

async function loseDevice(): Promise<void> {
  if (onWebGPU) {
    webgpu().device.destroy();
    await webgpu().device.lost;
    return;
  }
  const {gl} = webgl().getGPGPUContext();
  const lost = new Promise(resolve => gl.canvas.addEventListener('webglcontextlost', resolve, {once: true}));
  gl.getExtension('WEBGL_lose_context')!.loseContext();
  await lost;
}
