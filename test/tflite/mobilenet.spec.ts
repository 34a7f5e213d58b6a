/** MobileNet v2, whole: its file's size and operators, and that it runs. */
import {calibrate, quantizeModel} from '../../src/entries/qat';
import {toTFLite} from '../../src/entries/tflite';
import {scoped} from '../support/scoped';
import {mobileNetV2, settleNorms, waves} from '../../lab/mobilenet';
import {parse, run, stopRuntimes} from './runtimes';

afterAll(stopRuntimes);

const SIZE = 32;

describe('toTFLite of MobileNet v2', () => {
  scoped();

  it('folds what can be folded, into at most 0.27 of the float size', async () => {
    const model = mobileNetV2(SIZE);
    await settleNorms(model, waves(2, SIZE));
    const q = quantizeModel(model);
    await calibrate(q, waves(2, SIZE));
    const bytes = await toTFLite(q);
    expect(bytes.length / (4 * model.countParams())).toBeLessThan(0.27);
    const counts: Record<string, number> = {};
    for (const {name} of (await parse(bytes)).operators) counts[name] = (counts[name] ?? 0) + 1;
    expect(counts).toEqual({
      QUANTIZE: 1,
      CONV_2D: 35,
      DEPTHWISE_CONV_2D: 17,
      ADD: 10,
      MEAN: 1,
      FULLY_CONNECTED: 1,
      SOFTMAX: 1,
      DEQUANTIZE: 1,
    });
    const image = waves(1, SIZE, 7).dataSync<'float32'>();
    for (const runtime of ['reference', 'xnnpack', 'litert.js'] as const) {
      const [[scores]] = (await run(bytes, runtime, [[image]])) as [Float32Array[]];
      expect(scores!.length).toBe(1000);
      expect(scores!.reduce((sum, score) => sum + score))
        .withContext(runtime)
        .toBeGreaterThan(0.5);
    }
    model.dispose();
  });
});
