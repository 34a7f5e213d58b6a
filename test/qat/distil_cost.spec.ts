/** What a step of distil asks of a backend. */
import * as tf from '@tensorflow/tfjs-core';
import {initializers} from '@tensorflow/tfjs-layers';
import {digitClassifier} from '../../lab/digit_classifier';
import {distil, quantizeModel} from '../../src/entries/qat';
import {onWebGL, onWebGPU} from '../support/environment';
import {needsSpeed, needsTraining, scoped} from '../support/scoped';

/** Kernels that hand on what they are given, without a pass over it. */
const FREE = new Set(['Identity', 'Reshape', 'Cast']);

/** How many kernels pass over something while `run` runs. */
async function kernelsIn(run: () => Promise<unknown>): Promise<number> {
  const {kernels} = await tf.profile(async () => {
    await run();
    return [];
  });
  return kernels.filter(({name}) => !FREE.has(name)).length;
}

describe('A step of distil', () => {
  scoped();
  beforeEach(() => needsTraining());

  function setting() {
    const float = digitClassifier(() => initializers.glorotNormal({seed: 1}));
    const q = quantizeModel(float, {weights: {numBits: 4}, activations: {numBits: 4}});
    return {float, q, x: tf.randomUniform([64, 8, 8, 1], 0, 1, 'float32', 1)};
  }

  it('reads nothing back but its loss', async () => {
    const {float, q, x} = setting();
    // On the host kernels read as they please.
    const ways = onWebGL || onWebGPU ? (['read', 'readSync'] as const) : (['read'] as const);
    const spies = ways.map(name => spyOn(tf.backend(), name).and.callThrough());
    const reads: number[] = [];
    const onProgress = () => reads.push(spies.reduce((sum, spy) => sum + spy.calls.count(), 0));
    await distil(q, float, x, {steps: 6, batchSize: 16, onProgress});
    // The first report comes before the steps; a step is told when the next one is on its way, but for the last.
    const [first, ...others] = reads.slice(1, -1);
    expect(others).toEqual([1, 2, 3, 4].map(steps => first! + steps));
  });

  it('takes three quarters of the kernels of a step of fit, at most', async () => {
    needsSpeed();
    const {float, q, x} = setting();
    const y = tf.oneHot(tf.zeros([64], 'int32'), 10);
    q.compile({optimizer: tf.train.adam(1e-3), loss: 'categoricalCrossentropy'});
    await q.trainOnBatch(x, y);
    const ofFit = await kernelsIn(() => q.trainOnBatch(x, y));
    const counts: number[] = [];
    for (const steps of [2, 3, 4, 5]) counts.push(await kernelsIn(() => distil(q, float, x, {steps})));
    // What comes before the steps is as much each time, but for going back to the best of them: ranges are searched once.
    for (const ofOne of [1, 2, 3].map(i => counts[i]! - counts[i - 1]!)) {
      expect(ofOne).toBeGreaterThan(0);
      expect(ofOne).toBeLessThan(0.75 * ofFit);
    }
  });
});
