/** toTFLite of other batches than 1: of any size, which whoever runs the file decides, and of 4. */
import {toTFLite} from '../../src/entries/tflite';
import {scoped} from '../support/scoped';
import {distances, EACH_LAYER, quantizedSmall} from './each_layer';
import {parse, stopRuntimes} from './runtimes';

afterAll(stopRuntimes);

const UNROUNDED = 0.5;

describe('toTFLite of batches', () => {
  scoped();

  for (const [name, small] of Object.entries(EACH_LAYER)) {
    it(name, async () => {
      const model = await quantizedSmall(small, () => ({}));
      // The interpreter has no reference kernel for one.
      const runtimes = (['reference', 'builtin', 'xnnpack'] as const).slice(name === 'ELU' ? 1 : 0);
      const files = {
        any: {bytes: await toTFLite(model.q, {batchSize: null}), args: {batch: 3, resize: true}},
        4: {bytes: await toTFLite(model.q, {batchSize: 4}), args: {batch: 4}},
      };
      for (const [size, {bytes, args}] of Object.entries(files)) {
        for (const [runtime, off] of await distances(model, bytes, runtimes, args)) {
          expect(off)
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
    for (const [runtime, off] of await distances(model, bytes, ['xnnpack', 'micro'])) {
      expect(off).withContext(runtime).toBeLessThan(1.001);
    }
  });
});
