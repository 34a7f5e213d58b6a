/** Options of toTFLite: what is misspelled, mistyped or does not fit the model is told, never ignored. */
import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import * as fc from 'fast-check';
import {calibrate, quantizeModel} from '../../src/entries/qat';
import {toTFLite} from '../../src/entries/tflite';
import {scoped} from '../support/scoped';

async function calibrated(): Promise<tfl.LayersModel> {
  const q = quantizeModel(tfl.sequential({layers: [tfl.layers.dense({units: 3, inputShape: [2], name: 'd'})]}));
  await calibrate(q, tf.ones([4, 2]));
  return q;
}

async function messageOf(model: unknown, options?: unknown): Promise<string> {
  return toTFLite(model as never, options as never).then(
    () => '',
    (error: unknown) => (error as Error).message,
  );
}

const PORT = "must be 'float32' or 'int8' or 'uint8' or 'int16', but was";

const WRONG: readonly (readonly [options: unknown, ...parts: string[]])[] = [
  [{inputType: 'int4'}, `inputType ${PORT} the string 'int4'.`],
  [{inputType: 'Int8'}, `inputType ${PORT}`],
  [{outputType: 'float16'}, `outputType ${PORT}`],
  [{outputType: null}, `outputType ${PORT} null.`],
  ...[0, -1, 1.5, NaN, Infinity, '1', true].map(
    batchSize => [{batchSize}, 'batchSize must be an integer above 0, but was'] as const,
  ),
  [{batchSize: 2 ** 31}, 'batchSize must be an integer between 1 and 2147483647, inclusive, but was 2147483648.'],
  [{int4: 'yes'}, 'int4 must be true or false'],
  [{int4: 1}, 'int4 must be true or false'],
  [{description: 5}, 'description must be a string, but was 5.'],
  [{description: null}, 'description must be a string'],
  [{labels: 'a,b,c'}, "labels must be an array of strings of one line each, but was the string 'a,b,c'."],
  [{labels: ['a', 'b', 3]}, "labels must be an array of strings of one line each, but was [the string 'a'"],
  [{labels: ['a', 'b\nc', 'd']}, 'labels must be an array of strings of one line each'],
  [{labels: ['a', 'b', 'c\r']}, 'labels must be an array of strings of one line each'],
  [{labels: ['a', 'b']}, 'labels must be 3 strings, one for each class of the first output, but were 2.'],
  [{labels: []}, 'labels must be 3 strings'],
  [{onProgress: 'log'}, 'onProgress must be a function'],
  [{label: ['a', 'b', 'c']}, 'label is no option. Did you mean labels?'],
  [{inputtype: 'int8'}, 'Did you mean inputType?'],
  [{inputType: 'int4', batchSize: -1, label: []}, '3 problems'],
  [null, 'options must be an object, but was'],
  ['int8', 'options must be an object, but was'],
];

/** As JSON, with the numbers that it has no word for. */
function title(options: unknown): string {
  return JSON.stringify(options, (_, value: unknown) =>
    typeof value === 'number' ? String(value) + ' (number)' : value,
  );
}

describe('toTFLite is told', () => {
  scoped();

  for (const [options, ...parts] of WRONG) {
    it(`wrong options: ${title(options)}`, async () => {
      const message = await messageOf(await calibrated(), options);
      for (const part of ['toTFLite: ', ...parts]) expect(message).toContain(part);
    });
  }

  it('what is no model', async () => {
    for (const value of [undefined, null, {}, 'model.json']) {
      expect(await messageOf(value)).toContain('toTFLite: model must be a tf.LayersModel');
    }
    expect(await messageOf(calibrated())).toContain('Await it');
    const q = await calibrated();
    q.dispose();
    expect(await messageOf(q)).toContain('is disposed');
  });

  it('unknown names, whatever they are', async () => {
    const q = await calibrated();
    const names = [
      'inputType',
      'outputType',
      'batchSize',
      'int4',
      'floatFallback',
      'weights',
      'description',
      'labels',
      'onProgress',
    ];
    await fc.assert(
      fc.asyncProperty(
        fc.string().filter(each => !names.includes(each)),
        async name => {
          const options = Object.defineProperty({}, name, {value: 1, enumerable: true});
          expect(await messageOf(q, options)).toContain(`toTFLite: ${name} is no option.`);
        },
      ),
      {numRuns: 30},
    );
  });

  it('right options, which it takes', async () => {
    const q = await calibrated();
    const right = fc.record(
      {
        inputType: fc.constantFrom('float32', 'int8', 'uint8'),
        outputType: fc.constantFrom('float32', 'int8', 'uint8'),
        batchSize: fc.option(fc.integer({min: 1, max: 8})),
        int4: fc.boolean(),
        description: fc.string(),
        labels: fc.constant(['a', 'b', '']),
      },
      {requiredKeys: []},
    );
    await fc.assert(
      fc.asyncProperty(right, async options => {
        expect(await messageOf(q, options)).toBe('');
      }),
      {numRuns: 10},
    );
    expect(await messageOf(q, {labels: undefined, batchSize: undefined, onProgress: undefined})).toBe('');
  });
});
