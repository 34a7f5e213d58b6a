/** Options of toONNX, and models that it refuses: what is wrong is told before anything is written. */
import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import {toONNX} from '../../src/entries/onnx';
import {calibrate, quantizeModel, type QuantizeOptions} from '../../src/entries/qat';
import {type OnnxModel, writeModel} from '../../src/export/onnx/model_proto';
import {scoped} from '../support/scoped';
import {CASES, segmentModel} from '../tflite/segment_cases';

async function calibrated(options: QuantizeOptions = {}): Promise<tfl.LayersModel> {
  const model = tfl.sequential({layers: [tfl.layers.dense({units: 3, inputShape: [2], name: 'd'})]});
  const q = quantizeModel(model, options);
  await calibrate(q, tf.randomNormal([4, 2], 0, 1, 'float32', 1));
  return q;
}

async function messageOf(model: unknown, options?: unknown): Promise<string> {
  return toONNX(model as never, options as never).then(
    () => '',
    (error: unknown) => (error as Error).message,
  );
}

const WRONG: readonly (readonly [options: unknown, ...parts: string[]])[] = [
  ...[12, 0, 25, 21.5, '21', null].map(
    opset => [{opset}, 'opset must be an opset between 13 and 24, but was'] as const,
  ),
  [{layout: 'nchw'}, "layout must be 'NHWC' or 'NCHW', but was the string 'nchw'."],
  [{weightType: 'int4'}, "weightType must be 'int8' or 'uint8', but was the string 'int4'."],
  [{int4: 1}, 'int4 must be true or false'],
  [{floatFallback: 'yes'}, 'floatFallback must be true or false'],
  ...[0, -1, 1.5, NaN, Infinity, '1'].map(batchSize => [{batchSize}, 'batchSize must be an integer above 0'] as const),
  [{onProgress: 'log'}, 'onProgress must be a function'],
  [{opSet: 21}, 'opSet is no option. Did you mean opset?'],
  [{opset: 12, layout: 'NHCW'}, '2 problems'],
  [null, 'options must be an object, but was'],
  [{opset: 20, int4: true}, 'int4 needs opset 21, but opset was 20. Leave one of them out.'],
];

/** As JSON, with the numbers that it has no word for. */
function title(options: unknown): string {
  return JSON.stringify(options, (_, value: unknown) =>
    typeof value === 'number' ? String(value) + ' (number)' : value,
  );
}

describe('toONNX is told', () => {
  scoped();

  for (const [options, ...parts] of WRONG) {
    it(`wrong options: ${title(options)}`, async () => {
      const message = await messageOf(await calibrated(), options);
      for (const part of ['toONNX: ', ...parts]) expect(message).toContain(part);
    });
  }

  it('what is no model', async () => {
    for (const value of [undefined, null, {}, 'model.json']) {
      expect(await messageOf(value)).toContain('toONNX: model must be a tf.LayersModel');
    }
    const pending = calibrated();
    expect(await messageOf(pending)).toContain('Await it');
    await pending;
  });

  it('activations of more than 8 bits for an opset that has no such integers', async () => {
    const q = await calibrated({activations: {numBits: 12}});
    expect(await messageOf(q, {opset: 20})).toContain(
      'layer d: its activations have more than 8 bits, which needs opset 21, but opset was 20. Leave opset out, or quantize',
    );
    expect(await messageOf(q)).toBe('');
  });

  it('sizes of images that are not known', async () => {
    const conv = tfl.layers.conv2d({filters: 2, kernelSize: 3, inputShape: [null, null, 3]});
    expect(await messageOf(tfl.sequential({layers: [conv]}))).toContain(
      'has the shape [any,any,any,3], but a file of toONNX has one size for everything but the batch.',
    );
  });

  it('states that are kept between calls', async () => {
    const lstm = tfl.layers.lstm({
      units: 2,
      stateful: true,
      batchInputShape: [1, 3, 2],
      recurrentActivation: 'sigmoid',
      name: 'kept',
    });
    expect(await messageOf(tfl.sequential({layers: [lstm]}))).toContain(
      'layer kept: it is stateful, and what is written step by step keeps no states between calls of a file.',
    );
    tf.dispose((lstm as unknown as {states: tf.Tensor[]}).states);
  });

  it('any batch for a graph segment, whose sizes are fixed', async () => {
    const {model} = segmentModel(CASES['Tile']!);
    expect(await messageOf(model, {batchSize: null})).toContain(
      'batchSize must be a number, as the sizes in layer segment are those of one number of samples.',
    );
    expect(await messageOf(model, {batchSize: 3})).toContain('batchSize was 3, but input x0 has the shape');
    expect(await messageOf(model)).toBe('');
  });

  it('operations that opsets lack, and where to cut before them', async () => {
    const {model} = segmentModel(CASES['ScatterNd']!);
    const message = await messageOf(model, {opset: 15});
    expect(message).toMatch(/layer segment: its node ScatterNd_\d+ \(ScatterNd\): it adds what has one place/);
    expect(message).toContain('Cut the model before that');
    expect(await messageOf(model, {opset: 16})).toBe('');
  });

  it('ranges that were never set, and layers that have no integers', async () => {
    const q = quantizeModel(tfl.sequential({layers: [tfl.layers.dense({units: 3, inputShape: [2]})]}));
    expect(await messageOf(q)).toContain('these ranges were never set');
    const float = await calibrated({layers: {d: {weights: false}}});
    expect(await messageOf(float)).toContain('layer d: its kernel is not quantized');
    expect(await messageOf(float, {floatFallback: true})).toBe('');
  });

  it('a file of 2 GiB and more, before it asks for a number', () => {
    const asked = () => {
      throw new Error('asked');
    };
    const weights = {name: 'w', type: 'float32', shape: [2 ** 28], size: 2 ** 30, bytes: asked} as const;
    const model: OnnxModel = {
      name: 'm',
      opset: 21,
      irVersion: 10,
      nodes: [],
      initializers: [weights, {...weights, name: 'v'}],
      inputs: [],
      outputs: [],
    };
    expect(() => writeModel('toONNX', model)).toThrowError(
      'toONNX: the file would have 2.0 GiB, but ends at 2 GiB, as protocol buffers do. Quantize the model, so that it has a ' +
        'quarter of the size, or make it smaller.',
    );
    expect(() => writeModel('toONNX', {...model, initializers: [{...weights, shape: [1], size: 4}]})).toThrowError(
      'asked',
    );
  });
});
