/** Graph segments: operation by operation as tfjs computes it. */
import * as tf from '@tensorflow/tfjs-core';
import {toONNX} from '../../src/entries/onnx';
import {scoped} from '../support/scoped';
import {CASES, segmentModel} from '../tflite/segment_cases';
import {sample} from '../tflite/segments';
import {check, run, RUNTIMES, stopRuntimes} from './runtimes';

afterAll(stopRuntimes);

describe('toONNX of a graph segment', () => {
  scoped();

  for (const [name, each] of Object.entries(CASES)) {
    it(name, async () => {
      const {model, samples} = segmentModel(each);
      const x = [...samples, sample([1, 3], 'float32', i => i - 1)];
      const expected = model.predict(x, {batchSize: 64}) as tf.Tensor[];
      const bytes = await toONNX(model);
      await check(bytes);
      for (const runtime of RUNTIMES) {
        const got = await run(bytes, runtime, x);
        expected.forEach((y, i) => {
          const [values, own] = [Array.from(y.dataSync()), got[i]!];
          expect(own.shape).withContext(runtime).toEqual(y.shape);
          const most = Math.max(1, ...values.map(Math.abs));
          const off = values.map((value, n) => Math.abs(value - own.values[n]!) / most);
          if (!off.every(each => each < 2e-6)) {
            fail(`${runtime}: ${Array.from(own.values).slice(0, 8).join()} for ${values.slice(0, 8).join()}`);
          }
        });
      }
      model.dispose();
    });
  }
});
