/** toTFLite of activations with more than 8 bits: int16, with the weights in int8. */
import * as tf from '@tensorflow/tfjs-core';
import {calibrate, quantizeModel} from '../src/qat/index';
import {toTFLite} from '../src/tflite/index';
import {scoped} from './qat/scoped';
import {loadDigits, trainedDigitModel} from './tflite/digits';
import {parse, run, stopRuntimes} from './tflite/runtimes';

afterAll(stopRuntimes);

describe('toTFLite of int16 activations', () => {
  scoped();

  for (const activations of [{numBits: 16, symmetric: true}, {numBits: 12}]) {
    it(`agrees with the model in all runtimes: ${JSON.stringify(activations)}`, async () => {
      const {train, test} = await loadDigits();
      const model = await trainedDigitModel('linear');
      const q = quantizeModel(model, {activations});
      await calibrate(q, train.images.slice(0, 256));
      const bytes = await toTFLite(q);
      const {operators, tensors} = await parse(bytes);
      expect(new Set(operators.map(({outputs}) => tensors[outputs[0]!]!.type))).toEqual(new Set(['INT16', 'FLOAT32']));
      const images = Array.from({length: 40}, (_, i) => [test.images.slice(i, 1).dataSync<'float32'>()]);
      const expected = tf.tidy(() => (q.predict(test.images.slice(0, 40)) as tf.Tensor).dataSync());
      const step = tensors[operators[operators.length - 1]!.inputs[0]!]!.scale[0]!;
      for (const runtime of ['reference', 'xnnpack', 'litert.js', 'micro'] as const) {
        const rows = (await run(bytes, runtime, images)).flatMap(([row]) => [...row!]);
        const off = rows.map((each, i) => Math.abs(each - expected[i]!) / step);
        // Of 65536 levels; float32 has not many more.
        expect(Math.max(...off))
          .withContext(runtime)
          .toBeLessThan(3.5);
      }
    });
  }
});
