/** What stands in ONNX files: versions, names, layouts, types of integers, sizes. */
import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import {toONNX} from '../../src/entries/onnx';
import {calibrate, quantizeModel, type QuantizeOptions} from '../../src/entries/qat';
import {scoped} from '../support/scoped';
import {type CheckedModel, check, run, RUNTIMES, stopRuntimes} from './runtimes';

afterAll(stopRuntimes);

type Symbolic = tfl.SymbolicTensor;
const {layers} = tfl;

const image = () => tf.randomNormal([6, 5, 4, 3], 0, 1, 'float32', 1);

/** Of images to images and to scores, with all that has an own place for channels between. */
function network(): tfl.LayersModel {
  let seed = 0;
  const kernel = () => tfl.initializers.heNormal({seed: ++seed});
  const x = tfl.input({shape: [5, 4, 3], name: 'image'});
  const conv = (filters: number, name: string) =>
    layers.conv2d({filters, kernelSize: 3, padding: 'same', activation: 'relu6', kernelInitializer: kernel(), name});
  const a = conv(4, 'a').apply(x) as Symbolic;
  const b = conv(4, 'b').apply(a) as Symbolic;
  const joined = layers.concatenate({name: 'joined'}).apply([layers.add({name: 'sum'}).apply([a, b]) as Symbolic, b]);
  const padded = layers.zeroPadding2d({padding: [[1, 0], [2, 1]], name: 'padded'}).apply(joined) as Symbolic; // prettier-ignore
  const pooled = layers.maxPooling2d({poolSize: 2, name: 'pooled'}).apply(padded) as Symbolic;
  const picture = conv(2, 'picture').apply(pooled) as Symbolic;
  const mean = layers.globalAveragePooling2d({name: 'mean'}).apply(picture) as Symbolic;
  const scores = layers.dense({units: 3, name: 'scores', kernelInitializer: kernel()}).apply(mean) as Symbolic;
  return tfl.model({inputs: x, outputs: [picture, scores], name: 'network'});
}

async function quantized(options: QuantizeOptions = {}): Promise<tfl.LayersModel> {
  const q = quantizeModel(network(), options);
  await calibrate(q, image());
  return q;
}

function countOf({nodes}: CheckedModel, op: string): number {
  return nodes.filter(each => each.op === op).length;
}

/** The largest distance of a file's outputs to the model's. */
async function distance(bytes: Uint8Array, model: tfl.LayersModel, x: tf.Tensor): Promise<number> {
  const expected = (model.predict(x) as tf.Tensor[]).map(y => y.dataSync());
  const off: number[] = [];
  for (const runtime of RUNTIMES) {
    const got = await run(bytes, runtime, [x]);
    expected.forEach((y, i) => off.push(...Array.from(y, (each, n) => Math.abs(each - got[i]!.values[n]!))));
  }
  return Math.max(...off);
}

describe('toONNX', () => {
  scoped();

  it('says its versions, and the names of the model', async () => {
    const {opset, irVersion, producer, name, inputs, outputs} = await check(await toONNX(await quantized()));
    expect({opset, irVersion, producer, name}).toEqual({
      opset: 21,
      irVersion: 10,
      producer: 'tfjs-quantization',
      name: 'network',
    });
    expect(inputs).toEqual([{name: 'image', type: 'FLOAT', shape: ['batch', 5, 4, 3]}]);
    expect(outputs).toEqual([
      {name: 'picture', type: 'FLOAT', shape: ['batch', 3, 3, 2]},
      {name: 'scores', type: 'FLOAT', shape: ['batch', 3]},
    ]);
  });

  for (const [opset, irVersion] of [
    [13, 7],
    [15, 8],
    [17, 8],
    [18, 8],
    [19, 9],
    [22, 10],
    [24, 12],
  ] as const) {
    it(`of opset ${opset} computes the same`, async () => {
      const [q, x] = [await quantized(), image()];
      const bytes = await toONNX(q, {opset});
      const checked = await check(bytes);
      expect([checked.opset, checked.irVersion]).toEqual([opset, irVersion]);
      const [picture] = await run(await toONNX(q), 'onnxruntime', [x]);
      for (const runtime of RUNTIMES) {
        const [own] = await run(bytes, runtime, [x]);
        expect(Array.from(own!.values)).withContext(runtime).toEqual(Array.from(picture!.values));
      }
    });
  }

  it('gives the same bytes for the same model', async () => {
    const q = await quantized();
    expect(await toONNX(q)).toEqual(await toONNX(q));
  });

  it('transposes once at each edge of images, and at none if they come and go as NCHW', async () => {
    const [q, x] = [await quantized(), image()];
    const last = await check(await toONNX(q));
    expect(countOf(last, 'Transpose')).toBe(2);
    const bytes = await toONNX(q, {layout: 'NCHW'});
    const first = await check(bytes);
    expect(countOf(first, 'Transpose')).toBe(0);
    expect(first.inputs[0]!.shape).toEqual(['batch', 3, 5, 4]);
    expect(first.outputs.map(({shape}) => shape)).toEqual([
      ['batch', 2, 3, 3],
      ['batch', 3],
    ]);
    const [picture, scores] = await run(await toONNX(q), 'onnxruntime', [x]);
    const [moved, same] = await run(bytes, 'onnxruntime', [tf.transpose(x, [0, 3, 1, 2])]);
    const [b, h, w, c] = picture!.shape as [number, number, number, number];
    const back = tf.transpose(tf.tensor4d(moved!.values as Float32Array, [b, c, h, w]), [0, 2, 3, 1]);
    expect(back.dataSync()).toEqual(picture!.values as Float32Array);
    expect(same!.values).toEqual(scores!.values);
  });

  it('takes the padding before a convolution into it', async () => {
    const model = tfl.sequential({
      layers: [
        layers.zeroPadding2d({padding: [[0, 1], [2, 1]], inputShape: [5, 5, 2]}), // prettier-ignore
        layers.conv2d({filters: 3, kernelSize: 3, strides: 2}),
      ],
    });
    const x = tf.randomNormal([4, 5, 5, 2], 0, 1, 'float32', 3);
    const bytes = await toONNX(model);
    expect(countOf(await check(bytes), 'Pad')).toBe(0);
    const [y] = await run(bytes, 'onnxruntime', [x]);
    const expected = (model.predict(x) as tf.Tensor).dataSync();
    expect(Math.max(...Array.from(expected, (each, i) => Math.abs(each - y!.values[i]!)))).toBeLessThan(1e-5);
  });

  it('stores weights as int8, or as uint8 about 128, with a step for each channel', async () => {
    const q = await quantized();
    for (const [options, type] of [
      [{}, 'INT8'],
      [{weightType: 'uint8'}, 'UINT8'],
    ] as const) {
      const bytes = await toONNX(q, options);
      const {initializers, nodes} = await check(bytes);
      const weights = initializers.filter(({name}) => name.endsWith('/weights'));
      expect(weights.map(each => each.type)).toEqual(weights.map(() => type));
      expect(weights.map(({shape}) => shape)).toEqual([[4, 3, 3, 3], [4, 4, 3, 3], [2, 8, 3, 3], [2, 3]]); // prettier-ignore
      const shapes = new Map(initializers.map(({name, shape}) => [name, shape]));
      for (const {name, shape} of weights) {
        const {inputs} = nodes.find(each => each.inputs[0] === name)!;
        const channels = shape.length === 2 ? shape[1]! : shape[0]!;
        expect(inputs.slice(1).map(each => shapes.get(each))).toEqual([[channels], [channels]]);
      }
      expect(await distance(bytes, q, image())).toBeLessThan(0.1);
    }
  });

  it('stores weights of 4 bits as int4, half as large', async () => {
    const q = await quantized({weights: {numBits: 4}});
    const [wide, narrow] = [await toONNX(q), await toONNX(q, {int4: true})];
    expect(await distance(narrow, q, image())).toBeLessThan(0.1);
    const {initializers} = await check(narrow);
    const weights = initializers.filter(({name}) => name.endsWith('/weights'));
    expect(weights.map(({type}) => type)).toEqual(weights.map(() => 'INT4'));
    expect(wide.length - narrow.length).toBeGreaterThan(0.4 * (4 * 27 + 4 * 36 + 2 * 72 + 6));
  });

  it('has activations of more than 8 bits in int16, weights in integers, and biases in float', async () => {
    const q = await quantized({activations: {numBits: 12}});
    const bytes = await toONNX(q);
    const {initializers} = await check(bytes);
    expect(initializers.filter(({type}) => type === 'INT16').length).toBeGreaterThan(0);
    expect(initializers.filter(({type}) => type === 'INT32')).toEqual([]);
    expect(await distance(bytes, q, image())).toBeLessThan(0.02);
  });

  it('computes with activations of more than 8 bits as they are', async () => {
    const x = tfl.input({shape: [5, 40]});
    const dense = layers.dense({units: 30, kernelInitializer: tfl.initializers.glorotNormal({seed: 1})});
    const outputs = [x, layers.globalAveragePooling1d({}).apply(x) as Symbolic].map(
      each => dense.apply(each) as Symbolic,
    );
    const q = quantizeModel(tfl.model({inputs: x, outputs}), {activations: {numBits: 16, symmetric: true}});
    const samples = tf.randomNormal([64, 5, 40], 0, 1, 'float32', 2);
    await calibrate(q, samples);
    const expected = q.predict(samples) as tf.Tensor[];
    const got = await run(await toONNX(q), 'onnxruntime', [samples]);
    expected.forEach((y, i) => {
      const values = y.dataSync<'float32'>();
      const most = values.reduce((largest, each) => Math.max(largest, Math.abs(each)), 0);
      const far = values.reduce((largest, each, n) => Math.max(largest, Math.abs(each - got[i]!.values[n]!)), 0);
      expect(far / most)
        .withContext(`output ${i}`)
        .toBeLessThan(1e-4);
    });
  });

  for (const numBits of [3, 4, 5]) {
    it(`holds activations of ${numBits} bits inside their levels`, async () => {
      const q = await quantized({activations: {numBits}});
      expect(await distance(await toONNX(q), q, tf.mul(image(), 3))).toBeLessThan(1e-5);
    });
  }

  it('computes in float what has no integers, between those that have', async () => {
    let seed = 0;
    const dense = (args: object) =>
      layers.dense({units: 4, kernelInitializer: tfl.initializers.heNormal({seed: ++seed}), ...args});
    const stack = [dense({inputShape: [5]}), dense({activation: 'selu'}), dense({name: 'left'}), dense({units: 2})];
    const q = quantizeModel(tfl.sequential({layers: stack}), {layers: {left: false}});
    const x = tf.randomNormal([8, 5], 0, 1, 'float32', 5);
    await calibrate(q, x);
    await expectAsync(toONNX(q)).toBeRejectedWithError(/floatFallback: true/);
    const bytes = await toONNX(q, {floatFallback: true});
    const checked = await check(bytes);
    expect(countOf(checked, 'Selu')).toBe(1);
    expect(countOf(checked, 'QuantizeLinear')).toBeGreaterThan(1);
    expect(checked.initializers.filter(({name}) => name.endsWith('/weights')).map(({type}) => type)).toEqual(
      ['INT8', 'INT8', 'FLOAT', 'INT8'], // prettier-ignore
    );
    const expected = (q.predict(x) as tf.Tensor).dataSync();
    const most = Math.max(...Array.from(expected, Math.abs));
    for (const runtime of RUNTIMES) {
      const [y] = await run(bytes, runtime, [x]);
      const off = Math.max(...Array.from(expected, (each, i) => Math.abs(each - y!.values[i]!)));
      expect(off / most)
        .withContext(runtime)
        .toBeLessThan(0.02);
    }
  });

  it('has the batch that it is told, any by default', async () => {
    const q = await quantized();
    expect((await check(await toONNX(q, {batchSize: null}))).inputs[0]!.shape[0]).toBe('batch');
    const bytes = await toONNX(q, {batchSize: 6});
    const {inputs, outputs} = await check(bytes);
    expect([...inputs, ...outputs].map(({shape}) => shape[0])).toEqual([6, 6, 6]);
    expect((await run(bytes, 'onnxruntime', [image()]))[1]!.shape).toEqual([6, 3]);
  });

  it('transposes nothing of a model whose channels are first', async () => {
    const x = tfl.input({shape: [3, 5, 4]});
    const moved = layers.permute({dims: [2, 3, 1]}).apply(x) as Symbolic;
    const y = layers.conv2d({filters: 2, kernelSize: 3, name: 'conv'}).apply(moved) as Symbolic;
    const model = tfl.model({inputs: x, outputs: layers.permute({dims: [3, 1, 2]}).apply(y) as Symbolic});
    const bytes = await toONNX(model);
    expect((await check(bytes)).nodes.map(({op}) => op)).toEqual(['Conv']);
    const given = tf.randomNormal([2, 3, 5, 4], 0, 1, 'float32', 4);
    const [got] = await run(bytes, 'onnxruntime', [given]);
    const expected = (model.predict(given) as tf.Tensor).dataSync();
    expect(Math.max(...Array.from(expected, (each, i) => Math.abs(each - got!.values[i]!)))).toBeLessThan(1e-5);
  });

  it('tells outputs apart that have one name, from inputs as well', async () => {
    const x = tfl.input({shape: [4], name: 'y_1'});
    const y = layers.dense({units: 2, name: 'y'}).apply(x) as Symbolic;
    const bytes = await toONNX(tfl.model({inputs: x, outputs: [y, y]}));
    const {outputs} = await check(bytes);
    expect(outputs.map(({name}) => name)).toEqual(['y', 'y_2']);
    const [one, other] = await run(bytes, 'onnxruntime', [tf.ones([2, 4])]);
    expect(one!.values).toEqual(other!.values);
  });

  it('leaves no tensor behind, and reports its progress', async () => {
    const q = await quantized();
    const before = tf.memory().numTensors;
    const seen: number[] = [];
    await toONNX(q, {onProgress: ({done, total}) => seen.push(done / total)});
    expect(tf.memory().numTensors).toBe(before);
    expect(seen.length).toBeGreaterThan(5);
    expect(seen.at(-1)).toBe(1);
  });
});
