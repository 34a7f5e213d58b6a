/** toTFLite of models that leave the sizes of their inputs open: LiteRT resizes the files. */
import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import {calibrate, quantizeModel} from '../../src/entries/qat';
import {toTFLite, type TFLiteOptions} from '../../src/entries/tflite';
import {scoped} from '../support/scoped';
import {parse, run, stopRuntimes} from './runtimes';

afterAll(stopRuntimes);

const {layers} = tfl;
type Symbolic = tfl.SymbolicTensor;

const through = (x: Symbolic, ...all: tfl.layers.Layer[]) => all.reduce((y, layer) => layer.apply(y) as Symbolic, x);
const conv = (args: object = {}) => layers.conv2d({filters: 4, kernelSize: 3, ...args});
const channelsLast = {dataFormat: 'channelsLast'} as const;

/** A model of layers, with weights from a seed. */
function modelOf(shape: readonly (number | null)[], build: (x: Symbolic) => Symbolic): tfl.LayersModel {
  const input = tfl.input({shape: [...shape], name: 'x'});
  const model = tfl.model({inputs: input, outputs: build(input)});
  tf.tidy(() =>
    model.setWeights(
      model.weights.map(({shape: own, name}, i) => {
        const values = tf.randomNormal(own as number[], 0, 0.5, 'float32', 1 + i);
        return name.includes('variance') ? values.abs().add(0.1) : values;
      }),
    ),
  );
  return model;
}

const OF_IMAGES: Readonly<Record<string, (x: Symbolic) => Symbolic>> = {
  convolutions: x => through(x, conv({padding: 'same', strides: 2}), conv({dilationRate: 2, activation: 'relu'})),
  'a convolution of 1024 weights': x => through(x, layers.conv2d({filters: 39, kernelSize: 3, padding: 'same'})),
  'depthwise and separable convolutions': x =>
    through(
      x,
      layers.depthwiseConv2d({kernelSize: 3, strides: 2, padding: 'same', depthMultiplier: 2}),
      layers.separableConv2d({filters: 3, kernelSize: 3, padding: 'same', activation: 'tanh'}),
    ),
  'padding before strides': x =>
    through(x, layers.zeroPadding2d({padding: [[0, 1], [0, 1]]}), conv({strides: 2}), layers.batchNormalization()), // prettier-ignore
  'maxima of windows': x =>
    through(x, layers.maxPooling2d({poolSize: 2}), layers.maxPooling2d({poolSize: 3, strides: 2, padding: 'same'})),
  'averages of windows': x => through(x, layers.averagePooling2d({poolSize: 2}), conv({padding: 'same'})),
  'averages of padded windows': x => through(x, layers.averagePooling2d({poolSize: 2, padding: 'same'})),
  branches: x => {
    const [one, other] = [through(x, conv({padding: 'same'})), through(x, conv({padding: 'same', activation: 'elu'}))];
    const sum = layers.add().apply([one, other]) as Symbolic;
    return layers.concatenate().apply([sum, x]) as Symbolic;
  },
  'a classifier': x =>
    through(
      x,
      conv({strides: 2, padding: 'same', activation: 'relu6'}),
      layers.globalAveragePooling2d(channelsLast),
      layers.dense({units: 5, activation: 'softmax'}),
    ),
  'largest numbers, and Dense for each pixel': x =>
    through(x, layers.dense({units: 3}), layers.prelu({sharedAxes: [1, 2]}), layers.globalMaxPooling2d(channelsLast)),
  'classes of each pixel': x => through(x, conv({padding: 'same', activation: 'softmax'})),
};

const OF_ROWS: Readonly<Record<string, (x: Symbolic) => Symbolic>> = {
  'convolutions of rows': x =>
    through(
      x,
      layers.conv1d({filters: 4, kernelSize: 3, padding: 'same', strides: 2}),
      layers.maxPooling1d({poolSize: 2}),
      layers.globalAveragePooling1d({}),
      layers.dense({units: 2}),
    ),
  'an LSTM of rows': x =>
    through(
      x,
      layers.lstm({units: 4, recurrentActivation: 'sigmoid', returnSequences: true}),
      layers.dense({units: 2}),
    ),
  'Dense of rows': x => through(x, layers.dense({units: 400}), layers.dense({units: 4})),
};

/** How far a file's output is from the model's for an input of a shape, of the largest. */
async function distance(model: tfl.LayersModel, x: tf.Tensor, bytes: Uint8Array): Promise<number> {
  const expected = tf.tidy(() => (model.predict(x) as tf.Tensor).dataSync<'float32'>());
  const most = expected.reduce((largest, each) => Math.max(largest, Math.abs(each)), 0);
  let far = 0;
  for (const runtime of ['builtin', 'xnnpack'] as const) {
    const [[y]] = (await run(bytes, runtime, [[x.dataSync<'float32'>()]], [x.shape])) as [[Float32Array]];
    if (y.length !== expected.length) throw new Error(`${y.length} numbers instead of ${expected.length}`);
    far = y.reduce((largest, each, i) => Math.max(largest, Math.abs(each - expected[i]!) / most), far);
  }
  return far;
}

async function messageOf(model: tfl.LayersModel, options: TFLiteOptions = {}): Promise<string> {
  return toTFLite(model, options).then(
    () => '',
    (error: unknown) => (error as Error).message,
  );
}

const WITHIN = {float32: 1e-5, float16: 2e-3, int8: 0.03} as const;

describe('toTFLite leaves sizes open', () => {
  scoped();

  const all = [
    ...Object.entries(OF_IMAGES).map(entry => [...entry, [null, null, 3], [[17, 15], [18, 16], [19, 22]]] as const), // prettier-ignore
    ...Object.entries(OF_ROWS).map(entry => [...entry, [null, 3], [[7], [8], [11]]] as const),
  ];
  for (const [name, build, shape, sizes] of all) {
    for (const weights of ['float32', 'float16', 'int8'] as const) {
      it(`of ${name}, ${weights}`, async () => {
        const model = modelOf(shape, build);
        const bytes = await toTFLite(model, {weights});
        for (const size of sizes) {
          const x = tf.randomNormal([1, ...size, 3], 0, 1, 'float32', 7);
          expect(await distance(model, x, bytes))
            .withContext(size.join())
            .toBeLessThan(WITHIN[weights]);
        }
        if (['an LSTM of rows', 'convolutions of rows'].includes(name)) return;
        const x = tf.randomNormal([2, ...sizes[0], 3], 0, 1, 'float32', 8);
        expect(await distance(model, x, await toTFLite(model, {weights, batchSize: null})))
          .withContext('any batch')
          .toBeLessThan(WITHIN[weights]);
      });
    }
  }

  it('of texts', async () => {
    const model = modelOf([null], x =>
      through(
        x,
        layers.embedding({inputDim: 60, outputDim: 20}),
        layers.globalAveragePooling1d({}),
        layers.dense({units: 2}),
      ),
    );
    for (const weights of ['float32', 'int8', 'int4'] as const) {
      const bytes = await toTFLite(model, {weights});
      for (const length of [1, 5, 9]) {
        const x = tf.randomUniform([1, length], 0, 60, 'float32', length).floor();
        expect(await distance(model, x, bytes))
          .withContext(`${weights}, ${length}`)
          .toBeLessThan({...WITHIN, int4: 0.2}[weights]);
      }
    }
  });

  it('in the signature of the shapes', async () => {
    const model = modelOf([null, null, 3], OF_IMAGES['a classifier']!);
    const {tensors, operators} = await parse(await toTFLite(model));
    const shapes = operators.flatMap(({inputs, outputs}) => [inputs[0]!, ...outputs]).map(i => tensors[i]!);
    expect(shapes.map(({signature}) => signature)).toEqual([
      [1, -1, -1, 3],
      [1, -1, -1, 4],
      [1, -1, -1, 4],
      [],
      [],
      [],
      [],
      [],
    ]);
    expect(shapes[0]!.shape).toEqual([1, 1, 1, 3]);
    const both = await parse(await toTFLite(model, {batchSize: null}));
    expect(both.tensors[both.operators[0]!.inputs[0]!]!.signature).toEqual([-1, -1, -1, 3]);
  });

  it('but of what has one size in a file, by name', async () => {
    const layer: Readonly<Record<string, tfl.layers.Layer>> = {
      up: layers.upSampling2d({size: [2, 2], name: 'up'}),
      cut: layers.cropping2D({cropping: [[1, 1], [1, 1]], name: 'cut'}), // prettier-ignore
      transposed: layers.conv2dTranspose({filters: 2, kernelSize: 3, name: 'transposed'}),
    };
    for (const [name, each] of Object.entries(layer)) {
      const model = modelOf([null, null, 3], x => through(x, conv(), each, conv()));
      expect(await messageOf(model)).toContain(`toTFLite: layer ${name}: a file has it for one size only`);
    }
    const rows = modelOf([null, 3], OF_ROWS['convolutions of rows']!);
    expect(await messageOf(rows, {batchSize: null})).toMatch(
      /^toTFLite: 2 problems:\n- layer conv1d_\S+: .*\n- layer max_pooling1d_/,
    );
  });

  it('but of what is written step by step', async () => {
    const inSteps: Readonly<Record<string, tfl.layers.Layer>> = {
      lstm: layers.lstm({units: 2, name: 'lstm'}),
      both: layers.bidirectional({layer: layers.gru({units: 2}), mergeMode: 'sum', name: 'both'}),
      ends: layers.lstm({units: 2, recurrentActivation: 'sigmoid', returnState: true, name: 'ends'}),
    };
    for (const [name, layer] of Object.entries(inSteps)) {
      const model = modelOf([null, 3], x => [layer.apply(x) as Symbolic | Symbolic[]].flat()[0]!);
      expect(await messageOf(model)).toContain(
        `layer ${name}: it is written step by step, but how many steps there are is open`,
      );
    }
    const each = layers.timeDistributed({layer: layers.gru({units: 2}), name: 'each'});
    expect(await messageOf(modelOf([2, null, 3], x => through(x, each)))).toContain(
      'layer each: it is written step by step',
    );
    expect(
      await messageOf(modelOf([null, 2, 3], x => through(x, layers.timeDistributed({layer: layers.gru({units: 2})})))),
    ).toBe('');
  });

  it('but of quantized models', async () => {
    const q = quantizeModel(modelOf([null, null, 3], x => through(x, conv())));
    await calibrate(q, tf.randomNormal([2, 8, 8, 3], 0, 1, 'float32', 1));
    expect(await messageOf(q)).toContain('input x has the shape [any,any,any,3], but a file of a quantized model');
  });
});
