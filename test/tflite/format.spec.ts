/** The bytes of a .tflite file, as readers that are not ours find them. */
import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import {calibrate, quantizeModel, type QuantizeOptions} from '../../src/entries/qat';
import {type PortType, toTFLite} from '../../src/entries/tflite';
import {reloaded} from '../support/saved';
import {scoped} from '../support/scoped';
import {filesIn, metadataOf, parse, run, signaturesOf, stopRuntimes} from './runtimes';

afterAll(stopRuntimes);

const {layers} = tfl;

async function smallModel(options: QuantizeOptions = {}): Promise<tfl.LayersModel> {
  const image = tfl.input({shape: [6, 6, 2], name: 'image'});
  const kernelInitializer = tfl.initializers.glorotUniform({seed: 3});
  const conv = layers.conv2d({filters: 3, kernelSize: 3, activation: 'relu', kernelInitializer, name: 'conv'});
  const flat = layers.flatten({name: 'flat'}).apply(conv.apply(image)) as tfl.SymbolicTensor;
  const dense = (name: string, units: number, activation: 'softmax' | 'tanh') =>
    layers.dense({units, activation, kernelInitializer, name}).apply(flat) as tfl.SymbolicTensor;
  const model = tfl.model({inputs: image, outputs: [dense('kind', 4, 'softmax'), dense('size', 1, 'tanh')]});
  const q = quantizeModel(model, options);
  await calibrate(q, tf.randomUniform([16, 6, 6, 2], -1, 1, 'float32', 5));
  return q;
}

function image(seed = 7): tf.Tensor4D {
  return tf.randomUniform([1, 6, 6, 2], -1, 1, 'float32', seed);
}

describe('A .tflite file', () => {
  scoped();

  it('is read with the published schema', async () => {
    const {version, identified, description, operators, tensors, metadata} = await parse(
      await toTFLite(await smallModel(), {description: 'tells kinds'}),
    );
    expect([version, identified, description]).toEqual([3, true, 'tells kinds']);
    expect(metadata).toEqual(['TFLITE_METADATA']);
    expect(operators.map(({name}) => name)).toEqual([
      'QUANTIZE',
      'CONV_2D',
      'RESHAPE',
      'FULLY_CONNECTED',
      'SOFTMAX',
      'FULLY_CONNECTED',
      'TANH',
      'DEQUANTIZE',
      'DEQUANTIZE',
    ]);
    expect(new Set(tensors.map(({name}) => name)).size).toBe(tensors.length);
    const weights = tensors.find(({name}) => name === 'conv/weights')!;
    expect([weights.type, weights.shape, weights.axis, weights.zeroPoint]).toEqual([
      'INT8',
      [3, 3, 3, 2],
      0,
      [0, 0, 0],
    ]);
    const bias = tensors.find(({name}) => name === 'conv/bias')!;
    const given = tensors[operators[1]!.inputs[0]!]!;
    expect([bias.type, bias.bytes]).toEqual(['INT32', 12]);
    expect(bias.scale).toEqual(weights.scale.map(scale => Math.fround(scale * given.scale[0]!)));
  });

  it('has a signature with the layers that the model begins and ends with', async () => {
    expect(await signaturesOf(await toTFLite(await smallModel()))).toEqual({
      serving_default: {inputs: ['image'], outputs: ['kind', 'size']},
    });
  });

  it('has metadata that is read with the published schema', async () => {
    const q = await smallModel();
    const bytes = await toTFLite(q, {labels: ['a', 'b', 'c', 'd'], description: 'tells kinds'});
    expect(await metadataOf(bytes)).toEqual({
      identified: true,
      name: q.name,
      description: 'tells kinds',
      minParserVersion: '1.0.0',
      inputs: [{name: 'image', files: []}],
      outputs: [
        {name: 'kind', files: [{name: 'labels.txt', type: 'TENSOR_AXIS_LABELS'}]},
        {name: 'size', files: []},
      ],
    });
  });

  it('has labels that a reader of zip archives finds', async () => {
    const bytes = await toTFLite(await smallModel(), {labels: ['cat', 'dog', 'Übel', '']});
    expect(await filesIn(bytes)).toEqual({files: {'labels.txt': 'cat\ndog\nÜbel\n\n'}, broken: null});
    expect((await run(bytes, 'reference', [[image().dataSync<'float32'>()]]))[0]!.length).toBe(2);
  });

  it('is the same bytes for the same model, saved and loaded', async () => {
    const q = await smallModel();
    const again = await reloaded(q);
    expect(await toTFLite(q)).toEqual(await toTFLite(q));
    expect(await toTFLite(again)).toEqual(await toTFLite(q));
  });

  it('takes as many images at a time as its user wants, if asked for', async () => {
    const q = await smallModel();
    const bytes = await toTFLite(q, {batchSize: null});
    const images = tf.concat([image(1), image(2), image(3)]);
    const together = await run(bytes, 'reference', [[images.dataSync<'float32'>()]], 3);
    const alone = await run(
      await toTFLite(q),
      'reference',
      [1, 2, 3].map(seed => [image(seed).dataSync<'float32'>()]),
    );
    expect([...together[0]![0]!]).toEqual(alone.flatMap(([kind]) => [...kind!]));
    const {tensors} = await parse(bytes);
    expect(tensors[0]!.signature).toEqual([-1, 6, 6, 2]);
    const fixed = await parse(await toTFLite(q, {batchSize: 4}));
    expect(fixed.tensors[0]!.shape).toEqual([4, 6, 6, 2]);
  });

  for (const type of ['int8', 'uint8'] as const satisfies PortType[]) {
    it(`takes and gives ${type}, as a microcontroller likes it`, async () => {
      const q = await smallModel();
      const bytes = await toTFLite(q, {inputType: type, outputType: type});
      const {tensors} = await parse(bytes);
      const [given] = tensors;
      expect(given!.type).toBe(type.toUpperCase());
      const pixels = image().dataSync<'float32'>();
      const stored = pixels.map(x => Math.round(x / given!.scale[0]!) + given!.zeroPoint[0]!);
      const low = type === 'int8' ? -128 : 0;
      const integers = stored.map(x => Math.min(low + 255, Math.max(low, x)));
      const input = type === 'int8' ? Int8Array.from(integers) : Uint8Array.from(integers);
      const [expected] = await run(await toTFLite(q), 'reference', [[pixels]]);
      for (const runtime of ['reference', 'xnnpack', 'micro'] as const) {
        const [[kind, size]] = (await run(bytes, runtime, [[input]])) as [Int8Array[]];
        const real = Array.from(kind!, each => (each - low) / 256);
        real.forEach((each, i) => expect(each).withContext(runtime).toBeCloseTo(expected![0]![i]!, 1));
        expect((size![0]! - low - 128) / 128)
          .withContext(runtime)
          .toBeCloseTo(expected![1]![0]!, 1);
      }
    });
  }

  it('tells how far it is', async () => {
    const seen: string[] = [];
    await toTFLite(await smallModel(), {onProgress: ({done, total}) => seen.push(`${done}/${total}`)});
    expect(seen).toEqual(['1/5', '2/5', '3/5', '4/5', '5/5']);
  });
});
