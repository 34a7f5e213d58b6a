/** Models of images whose channels come first: as those whose channels come last, with one TRANSPOSE at each edge. */
import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import {calibrate, quantizeModel} from '../../src/entries/qat';
import {toTFLite} from '../../src/entries/tflite';
import {scoped} from '../support/scoped';
import {parse, run, stopRuntimes} from './runtimes';

afterAll(stopRuntimes);

type Symbolic = tfl.SymbolicTensor;
type Format = 'channelsFirst' | 'channelsLast';
const {layers} = tfl;

const [HEIGHT, WIDTH, CHANNELS] = [8, 6, 3];
const SAMPLES = 8;

const through = (x: Symbolic | Symbolic[], ...stack: tfl.layers.Layer[]) =>
  stack.reduce<Symbolic | Symbolic[]>((y, layer) => layer.apply(y) as Symbolic, x) as Symbolic;

/** A network of everything that images go through, to images again. */
function network(dataFormat: Format): tfl.LayersModel {
  const axis = dataFormat === 'channelsFirst' ? 1 : 3;
  const norm = () => layers.batchNormalization({axis});
  const conv = (filters: number, args: object = {}) =>
    layers.conv2d({filters, kernelSize: 3, padding: 'same', dataFormat, ...args});
  const shape = dataFormat === 'channelsFirst' ? [CHANNELS, HEIGHT, WIDTH] : [HEIGHT, WIDTH, CHANNELS];
  const x = tfl.input({shape});
  const first = through(x, conv(4, {useBias: false}), norm(), layers.reLU());
  const deep = through(
    first,
    layers.zeroPadding2d({padding: 1, dataFormat}),
    layers.depthwiseConv2d({kernelSize: 3, dataFormat, useBias: false}),
    norm(),
    layers.activation({activation: 'swish'}),
    layers.dropout({rate: 0.5}),
    conv(4, {activation: 'relu6'}),
  );
  const gates = through(
    deep,
    layers.globalAveragePooling2d({dataFormat}),
    layers.dense({units: 4, activation: 'sigmoid'}),
    layers.reshape({targetShape: dataFormat === 'channelsFirst' ? [4, 1, 1] : [1, 1, 4]}),
  );
  const gated = through([deep, gates], layers.multiply());
  const sum = through([first, gated], layers.add(), layers.leakyReLU({alpha: 0.1}));
  const half = through(
    sum,
    layers.maxPooling2d({poolSize: 2, dataFormat}),
    layers.rescaling({scale: 0.5, offset: 0.1}),
  );
  const risen = through(half, layers.upSampling2d({size: [2, 2], dataFormat}));
  const transposed = layers.conv2dTranspose({filters: 3, kernelSize: 2, strides: 2, dataFormat});
  const joined = through([risen, through(half, transposed), sum], layers.concatenate({axis}));
  const averaged = layers.averagePooling2d({poolSize: 2, strides: 1, padding: 'same', dataFormat});
  const cropped = layers.cropping2D({cropping: [[0, 1], [1, 0]], dataFormat}); // prettier-ignore
  return tfl.model({
    inputs: x,
    outputs: through(joined, averaged, cropped, conv(2), layers.activation({activation: 'tanh'})),
  });
}

function seed(model: tfl.LayersModel): void {
  tf.tidy(() =>
    model.setWeights(
      model.weights.map(({shape, name}, i) => {
        const values = tf.randomNormal(shape as number[], 0, 0.4, 'float32', 1 + i);
        return name.includes('variance') || name.includes('gamma') ? values.abs().add(0.5) : values;
      }),
    ),
  );
}

const toFirst = (x: tf.Tensor) => x.transpose([0, 3, 1, 2]);

async function operatorsIn(bytes: Uint8Array): Promise<string[]> {
  return (await parse(bytes)).operators.map(({name}) => name);
}

const sampled = (x: tf.Tensor) =>
  Array.from({length: SAMPLES}, (_, i) => [tf.tidy(() => x.slice(i, 1).dataSync<'float32'>())]);

describe('toTFLite of channels first', () => {
  scoped();

  it('computes in float what channels last come to, transposed at the edges alone', async () => {
    const [first, last] = [network('channelsFirst'), network('channelsLast')];
    for (const model of [first, last]) seed(model);
    const x = tf.randomNormal([SAMPLES, HEIGHT, WIDTH, CHANNELS], 0, 1, 'float32', 9);
    const expected = tf.tidy(() => toFirst(last.predict(x) as tf.Tensor).dataSync());
    const bytes = await toTFLite(first);
    const operators = await operatorsIn(bytes);
    expect([operators[0], operators[operators.length - 1]]).toEqual(['TRANSPOSE', 'TRANSPOSE']);
    expect(operators.slice(1, -1)).toEqual(await operatorsIn(await toTFLite(last)));
    for (const runtime of ['reference', 'xnnpack', 'micro'] as const) {
      const got = (await run(bytes, runtime, sampled(toFirst(x)))).flatMap(([y]) => [...y!]);
      expect(Math.max(...got.map((each, i) => Math.abs(each - expected[i]!))))
        .withContext(runtime)
        .toBeLessThan(1e-5);
    }
  });

  it('computes in integers what channels last come to', async () => {
    const x = tf.randomNormal([SAMPLES, HEIGHT, WIDTH, CHANNELS], 0, 1, 'float32', 9);
    const answers: number[][] = [];
    const written: string[][] = [];
    // On the cpu, tfjs normalizes other dimensions than the first of channels: the ranges are those of the other model.
    const last = network('channelsLast');
    seed(last);
    const calibrated = quantizeModel(last, {weights: {perChannel: true}});
    await calibrate(calibrated, x);
    const first = network('channelsFirst');
    seed(first);
    const q = quantizeModel(first, {weights: {perChannel: true}});
    await calibrate(q, toFirst(x));
    q.setWeights(calibrated.getWeights());
    for (const [model, given] of [
      [calibrated, x],
      [q, toFirst(x)],
    ] as const) {
      const bytes = await toTFLite(model);
      written.push((await operatorsIn(bytes)).filter(name => name !== 'TRANSPOSE'));
      answers.push((await run(bytes, 'reference', sampled(given))).flatMap(([y]) => [...y!]));
      const transposes = (await operatorsIn(bytes)).filter(name => name === 'TRANSPOSE').length;
      expect(transposes).toBe(model === q ? 2 : 0);
    }
    expect(written[1]).toEqual(written[0]);
    const shape = [SAMPLES, HEIGHT - 1, WIDTH - 1, 2];
    expect(answers[1]).toEqual([...toFirst(tf.tensor(answers[0]!, shape)).dataSync()]);
  });

  it('leaves Permute layers out that do what it undoes', async () => {
    const x = tfl.input({shape: [HEIGHT, WIDTH, CHANNELS]});
    const conv = layers.conv2d({filters: 2, kernelSize: 3, dataFormat: 'channelsFirst'});
    const y = through(x, layers.permute({dims: [3, 1, 2]}), conv, layers.permute({dims: [2, 3, 1]}));
    expect(await operatorsIn(await toTFLite(tfl.model({inputs: x, outputs: y})))).toEqual(['CONV_2D']);
  });
});
