/** Models with graph segments: quantized, described, trained, saved and loaded as others. */
import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import {calibrate, dequantizeModel, describeQuantization, quantizedWeights, quantizeModel} from '../../src/entries/qat';
import {needsTraining, scoped} from '../support/scoped';
import {reloaded} from '../support/saved';
import {Nodes, sample} from '../tflite/segments';

const {layers} = tfl;
type Symbolic = tfl.SymbolicTensor;

const noise = (shape: readonly number[], shift = 0) => sample(shape, 'float32', i => Math.sin(7 * i + shift));

/** A convolution, a segment with a weight that gives two values, and a Dense layer on one of them. */
function newModel(): tfl.LayersModel {
  const x = tfl.input({batchShape: [null, 4, 4, 2], name: 'image'});
  const graph = new Nodes();
  const kernel = graph.noise([3, 5]);
  graph.weights.push(kernel);
  const rows = graph.add('Reshape', ['x', graph.ints([-1, 3])]);
  const product = graph.add('Reshape', [graph.add('MatMul', [rows, kernel]), graph.ints([-1, 80])]);
  const outputs = [product, graph.add('Sin', [product])];
  const example = noise([1, 4, 4, 3]);
  const segment = graph.segment('segment', ['x'], outputs, [example], null);
  example.dispose();
  const conv = layers
    .conv2d({
      filters: 3,
      kernelSize: 3,
      padding: 'same',
      activation: 'relu',
      name: 'conv',
      kernelInitializer: tfl.initializers.heNormal({seed: 1}),
    })
    .apply(x);
  const [one, other] = segment.apply(conv) as Symbolic[];
  return tfl.model({
    inputs: x,
    outputs: [
      layers
        .dense({units: 2, name: 'dense', kernelInitializer: tfl.initializers.heNormal({seed: 2})})
        .apply(one!) as Symbolic,
      other!,
    ],
  });
}

async function distance(one: tfl.LayersModel, other: tfl.LayersModel): Promise<number> {
  const x = noise([3, 4, 4, 2], 1);
  const [a, b] = [one, other].map(model => model.predict(x) as tf.Tensor[]) as [tf.Tensor[], tf.Tensor[]];
  const most = a.map((y, i) => tf.max(tf.abs(tf.sub(y, b[i]!))));
  const values = await Promise.all(most.map(each => each.data<'float32'>()));
  tf.dispose([x, a, b, most]);
  return Math.max(...values.map(([value]) => value!));
}

describe('quantizeModel of a model with a graph segment', () => {
  scoped();

  it('leaves the segment float, and rounds what it gives to layers with kernels', async () => {
    const model = newModel();
    const q = quantizeModel(model);
    await calibrate(q, noise([8, 4, 4, 2]));
    const rows = await describeQuantization(q).read();
    expect(rows.map(({layer, what, numBits}) => `${layer} ${what} ${numBits ?? 'float'}`)).toEqual([
      'image_quantized output 8',
      'conv kernel 8',
      'conv output 8',
      'segment output float',
      'segment_quantized output 8',
      'dense kernel 8',
      'dense output 8',
    ]);
    expect(rows[3]!.note).toMatch(/^not rounded: computed in float/);
    expect(await distance(model, q)).toBeLessThan(0.2);
    expect((await quantizedWeights(q)).weights.map(({layer}) => layer)).toEqual(['conv', 'dense']);
    for (const each of [q, model]) each.dispose();
  });

  it('trains it, saves it and makes it float again', async () => {
    needsTraining();
    const model = newModel();
    const q = quantizeModel(model);
    await calibrate(q, noise([8, 4, 4, 2]));
    const before = await q.getLayer('segment').getWeights()[0]!.data();
    q.compile({optimizer: 'sgd', loss: 'meanSquaredError'});
    const [x, y, z] = [noise([4, 4, 4, 2]), noise([4, 2]), noise([4, 80])];
    await q.fit(x, [y, z], {epochs: 1, batchSize: 4});
    const after = await q.getLayer('segment').getWeights()[0]!.data();
    expect(Array.from(after)).not.toEqual(Array.from(before));

    const loaded = await reloaded(q);
    expect(await distance(q, loaded)).toBe(0);
    const float = dequantizeModel(q);
    expect(await distance(q, float)).toBeLessThan(0.2);
    expect(float.layers.map(({name}) => name)).toEqual(model.layers.map(({name}) => name));
    const again = await reloaded(q, {});
    expect(await distance(q, again)).toBeLessThan(0.2);
    tf.dispose([x, y, z]);
    for (const each of [q, loaded, float, again, model]) each.dispose();
  });
});
