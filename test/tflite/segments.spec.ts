/** Graph segments in files: operation by operation as tfjs computes it, and between layers in integers. */
import * as tf from '@tensorflow/tfjs-core';
import {calibrate, quantizeModel} from '../../src/entries/qat';
import {toTFLite} from '../../src/entries/tflite';
import {scoped} from '../support/scoped';
import {run, type Runtime, stopRuntimes} from './runtimes';
import {CASES, segmentModel} from './segment_cases';
import {sample} from './segments';

afterAll(stopRuntimes);

const RUNTIMES: readonly Runtime[] = ['reference', 'xnnpack', 'litert.js'];

/** The interpreter has no reference kernels for these. */
const WITHOUT_REFERENCE = /Ceil|Round|Elu$/;

describe('toTFLite of a graph segment', () => {
  scoped();

  for (const [name, each] of Object.entries(CASES)) {
    it(name, async () => {
      const {model, samples} = segmentModel(each);
      const q = quantizeModel(model);
      const x = [...samples, sample([1, 3], 'float32', i => i - 1)];
      q.trainable = false;
      await calibrate(q, [x]);
      const expected = (q.predict(x, {batchSize: 64}) as tf.Tensor[]).slice(0, -1);
      const bytes = await toTFLite(q);
      const given = x.map(each => each.dataSync<'float32'>());
      const hasBooleans = [...expected, ...x].some(({dtype}) => dtype === 'bool');
      for (const runtime of RUNTIMES) {
        // It takes and gives none.
        if (runtime === 'litert.js' && hasBooleans) continue;
        if (runtime === 'reference' && WITHOUT_REFERENCE.test(name)) continue;
        const [got] = await run(bytes, runtime, [given]);
        expected.forEach((y, i) => {
          const values = Array.from(y.dataSync());
          expect(got![i]!.length).withContext(runtime).toBe(values.length);
          const most = Math.max(1, ...values.map(Math.abs));
          const off = values.map((value, n) => Math.abs(value - got![i]![n]!) / most);
          expect(Math.max(...off))
            .withContext(`${runtime}: ${Array.from(got![i]!).slice(0, 8).join()} for ${values.slice(0, 8).join()}`)
            .toBeLessThan(2e-6);
          if (Number.isNaN(off[0])) fail(`${runtime}: NaN`);
        });
      }
      q.dispose();
      model.dispose();
    });
  }
});
