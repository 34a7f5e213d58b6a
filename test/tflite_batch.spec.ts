/** toTFLite of other batches than 1: of any size, which whoever runs the file decides, and of 4. */
import {toTFLite} from '../src/tflite/index';
import {scoped} from './qat/scoped';
import {distance, EACH_LAYER, quantizedSmall} from './tflite/each_layer';
import {parse, stopRuntimes} from './tflite/runtimes';

afterAll(stopRuntimes);

/** The interpreter has no reference kernel for it. */
const WITHOUT_REFERENCE = ['ELU'];

const UNROUNDED = 0.5;

describe('toTFLite of batches', () => {
  scoped();

  for (const [name, small] of Object.entries(EACH_LAYER)) {
    it(name, async () => {
      const model = await quantizedSmall(small, () => ({}));
      const files = {
        any: {bytes: await toTFLite(model.q, {batchSize: null}), args: {batch: 3, resize: true}},
        4: {bytes: await toTFLite(model.q, {batchSize: 4}), args: {batch: 4}},
      };
      for (const [size, {bytes, args}] of Object.entries(files)) {
        for (const runtime of ['reference', 'builtin', 'xnnpack'] as const) {
          if (runtime === 'reference' && WITHOUT_REFERENCE.includes(name)) continue;
          expect(await distance(model, bytes, runtime, args))
            .withContext(`batch ${size}, ${runtime}`)
            .toBeLessThanOrEqual((small.tolerance ?? 1) + UNROUNDED);
        }
      }
    });
  }

  it('computes the shape that a transposed convolution is given, from the batch', async () => {
    const model = await quantizedSmall(EACH_LAYER['Conv2DTranspose']!, () => ({}));
    const bytes = await toTFLite(model.q, {batchSize: null});
    const {operators, tensors} = await parse(bytes);
    expect(operators.map(({name}) => name)).toEqual([
      'QUANTIZE',
      'SHAPE',
      'STRIDED_SLICE',
      'PACK',
      'TRANSPOSE_CONV',
      'DEQUANTIZE',
    ]);
    expect(tensors[operators[5]!.outputs[0]!]!.signature).toEqual([-1, 9, 9, 2]);
    // Files for any batch also run alone, where nobody resizes.
    for (const runtime of ['xnnpack', 'micro'] as const) {
      expect(await distance(model, bytes, runtime))
        .withContext(runtime)
        .toBeLessThan(1.001);
    }
  });
});
