/** What gets values as they are, what gets them rounded, on which ranges, and what is told of it. */
import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import {calibrate, dequantizeModel, describeQuantization, quantizeModel} from '../src/qat/index';
import {onWebGPU, valuesOf} from './environment';
import {needsTraining, scoped, skip} from './qat/scoped';

const {layers} = tfl;
type Layer = tfl.layers.Layer;
type Symbolic = tfl.SymbolicTensor;

const apply = (layer: Layer, ...x: Symbolic[]) => layer.apply(x.length === 1 ? x[0]! : x) as Symbolic;
const chain = (x: Symbolic, ...all: Layer[]) => all.reduce((y, layer) => apply(layer, y), x);
const uniform = (seed: number) => tfl.initializers.randomUniform({minval: -0.5, maxval: 0.5, seed});
const lstm = (name = 'lstm') =>
  layers.lstm({units: 4, name, kernelInitializer: uniform(1), recurrentInitializer: uniform(2), unitForgetBias: false});
const dense = (name: string, units = 2, activation = 'linear') =>
  layers.dense({units, name, activation: activation as 'relu', kernelInitializer: uniform(3)});
const embedding = (name = 'rows', inputDim = 2000, maskZero = false) =>
  layers.embedding({inputDim, outputDim: 4, name, maskZero, embeddingsInitializer: uniform(4)});

async function saveAndLoad(q: tfl.LayersModel): Promise<tfl.LayersModel> {
  let artifacts: tf.io.ModelArtifacts | undefined;
  await q.save(
    tf.io.withSaveHandler(saved => {
      artifacts = saved;
      return Promise.resolve({modelArtifactsInfo: {dateSaved: new Date(0), modelTopologyType: 'JSON'}});
    }),
  );
  return tfl.loadLayersModel(tf.io.fromMemory(artifacts!));
}

async function predicted(model: tfl.LayersModel, x: tf.Tensor | tf.Tensor[]): Promise<number[][]> {
  const y = [model.predict(x)].flat();
  return Promise.all(y.map(async each => [...(await valuesOf(each))]));
}

/** How far two models are apart, as a share of the largest output of the first. */
async function distance(model: tfl.LayersModel, q: tfl.LayersModel, x: tf.Tensor | tf.Tensor[]): Promise<number> {
  const [one, other] = [(await predicted(model, x)).flat(), (await predicted(q, x)).flat()];
  const error = Math.max(...one.map((value, i) => Math.abs(value - other[i]!)));
  return error / Math.max(...one.map(Math.abs));
}

const masksOnGpu = () => {
  if (onWebGPU) skip("tfjs's transpose of a mask is not valid WGSL: it gives an i32 for an f32");
};

/** Three real steps, three of padding; the last real value is nearer to 0 than any level. */
function padded(maskValue: number, features = 1): tf.Tensor {
  const real = tf.concat(
    [tf.randomUniform([8, 2, features], 0.5, 2.3, 'float32', 5), tf.fill([8, 1, features], 1e-7)],
    1,
  );
  return tf.concat([real, tf.fill([8, 3, features], maskValue)], 1);
}

describe('Masking compares exact values', () => {
  scoped();

  const input = (features = 1) => tfl.input({shape: [6, features], name: 'x'});
  const model = (inputs: Symbolic | Symbolic[], outputs: Symbolic | Symbolic[]) => tfl.model({inputs, outputs});
  const MODELS: Readonly<Record<string, (mask: Layer) => tfl.LayersModel>> = {
    'right after the input': mask => {
      const x = input();
      return model(x, chain(x, mask, lstm()));
    },
    'after layers that move values': mask => {
      const x = input();
      const moved = [
        layers.reshape({targetShape: [1, 6]}),
        layers.permute({dims: [2, 1]}),
        layers.dropout({rate: 0.5}),
      ];
      return model(x, chain(x, ...moved, mask, lstm()));
    },
    'after a concatenation': mask => {
      const x = input();
      const both = apply(layers.concatenate(), x, apply(layers.dropout({rate: 0.1}), x));
      return model(x, chain(both, mask, lstm()));
    },
    'after scaling': mask => {
      const x = input();
      return model(x, chain(x, layers.rescaling({scale: 1, offset: 0}), mask, lstm()));
    },
    'beside others that take the input': mask => {
      const x = input();
      return model(x, [chain(x, mask, lstm()), chain(x, layers.flatten(), dense('d'))]);
    },
    'beside others that take what is moved': mask => {
      const x = input();
      const moved = apply(layers.dropout({rate: 0.5, name: 'moved'}), x);
      return model(x, [chain(moved, mask, lstm()), chain(moved, layers.flatten(), dense('d'))]);
    },
    'in a model within': mask => {
      const inner = input();
      const nested = tfl.model({inputs: inner, outputs: chain(inner, mask, lstm()), name: 'nested'});
      const x = tfl.input({shape: [6, 1], name: 'outer'});
      return model(x, [apply(nested, x), chain(x, layers.flatten(), dense('d'))]);
    },
    'in a model within that also computes with the input': mask => {
      const inner = input();
      const outputs = [chain(inner, mask, lstm()), chain(inner, layers.flatten(), dense('e'))];
      const nested = tfl.model({inputs: inner, outputs: apply(layers.concatenate(), ...outputs), name: 'nested'});
      const x = tfl.input({shape: [6, 1], name: 'outer'});
      return model(x, chain(x, layers.dropout({rate: 0.5}), nested, dense('d')));
    },
    'in a model called step by step': mask => {
      const inner = input();
      const nested = tfl.model({inputs: inner, outputs: chain(inner, mask, lstm()), name: 'nested'});
      const x = tfl.input({shape: [6, 1], name: 'outer'});
      const steps = chain(x, layers.reshape({targetShape: [1, 6, 1]}), layers.timeDistributed({layer: nested}));
      return model(x, chain(steps, layers.flatten(), dense('d')));
    },
  };

  for (const [name, make] of Object.entries(MODELS)) {
    for (const maskValue of [-1, 0]) {
      it(`${name}, with ${maskValue}`, async () => {
        masksOnGpu();
        const float = make(layers.masking({maskValue, name: 'mask'}));
        // Of so many bits that a mask that is another one stands out, and yet no level is -1.
        const q = quantizeModel(float, {weights: {numBits: 16}, activations: {numBits: 16}});
        const x = padded(maskValue);
        await calibrate(q, x);
        expect(await distance(float, q, x)).toBeLessThan(1e-3);
        expect(await distance(q, await saveAndLoad(q), x)).toBe(0);
      });
    }
  }

  it('and is rounded after, once for all that compute with it', async () => {
    masksOnGpu();
    const x = input();
    const q = quantizeModel(model(x, chain(x, layers.masking({name: 'mask'}), lstm())));
    const rows = (await describeQuantization(q).read()).filter(({numBits}) => numBits);
    expect(rows.map(({layer, what}) => `${layer}.${what}`)).toEqual([
      'mask.output',
      'lstm.kernel',
      'lstm.recurrentKernel',
      'lstm.output',
    ]);
  });

  for (const numBits of [4, 8]) {
    it(`and trains at ${numBits} bits`, async () => {
      needsTraining();
      masksOnGpu();
      const x = input();
      const frozen = dense('frozen', 3);
      frozen.trainable = false;
      const parts = {
        mask: layers.masking({maskValue: 0, name: 'mask'}),
        more: layers.masking({maskValue: 0, name: 'more'}),
      };
      const left = chain(x, parts.mask, lstm('one'));
      const right = chain(x, frozen, parts.more, lstm('two'));
      const float = model(x, apply(layers.concatenate(), left, right));
      const q = quantizeModel(float, {weights: {numBits}, activations: {numBits}});
      const data = padded(0);
      const y = tf.zeros([8, 8]);
      await calibrate(q, data);
      q.compile({optimizer: tf.train.sgd(0.1), loss: 'meanSquaredError'});
      const {history} = await q.fit(data, y, {epochs: 4});
      const losses = history['loss'] as number[];
      expect(losses.at(-1)).toBeLessThan(losses[0]!);
      q.optimizer.dispose();
    });
  }

  it('of an Embedding too, which then trains at 4 bits', async () => {
    needsTraining();
    masksOnGpu();
    const x = tfl.input({shape: [6], name: 'x'});
    const q = quantizeModel(model(x, chain(x, embedding('rows', 300, true), lstm(), dense('d'))), {
      weights: {numBits: 4},
      activations: {numBits: 4},
    });
    const ids = tf.tensor2d([[1, 2, 299, 4, 0, 0]]);
    await calibrate(q, ids);
    q.compile({optimizer: tf.train.sgd(0.1), loss: 'meanSquaredError'});
    const {history} = await q.fit(ids, tf.ones([1, 2]), {epochs: 3});
    const losses = history['loss'] as number[];
    expect(losses.at(-1)).toBeLessThan(losses[0]!);
    q.optimizer.dispose();
  });
});

describe('row numbers stay as they are', () => {
  scoped();

  const IDS = [[1, 777, 1999]];
  const MODELS: Readonly<Record<string, (x: Symbolic) => Symbolic | Symbolic[]>> = {
    'for an Embedding beside a Dense': x =>
      apply(layers.concatenate(), chain(x, dense('d', 1)), chain(x, embedding(), layers.flatten())),
    'for two Embeddings and a Dense': x => [
      chain(x, embedding('one')),
      chain(x, embedding('two')),
      chain(x, dense('d', 1)),
    ],
    'for an Embedding after layers that move them': x => {
      const moved = chain(x, layers.repeatVector({n: 2}), layers.permute({dims: [2, 1]}), layers.flatten({name: 'f'}));
      return [chain(moved, embedding()), chain(moved, dense('d', 1))];
    },
    'for an Embedding of computed numbers': x => {
      const sum = apply(layers.maximum({name: 'most'}), x, apply(layers.dropout({rate: 0.5}), x));
      return [chain(sum, embedding()), chain(sum, dense('d', 1))];
    },
    'for an Embedding called step by step': x => [
      chain(x, layers.reshape({targetShape: [3, 1]}), layers.timeDistributed({layer: embedding()})),
      chain(x, dense('d', 1)),
    ],
    'for CategoryEncoding beside a Dense': x => [
      // tfjs's writes its output's shape into its input's, which must not be the model's.
      chain(
        x,
        layers.reshape({targetShape: [3]}),
        layers.categoryEncoding({numTokens: 2000, outputMode: 'multiHot', name: 'hot'}),
        dense('e', 2),
      ),
      chain(x, dense('d', 1)),
    ],
    'for a layer that is left as it is': x => [
      chain(x, layers.activation({activation: 'relu', name: 'left'})),
      chain(x, dense('d', 1)),
    ],
  };

  for (const [name, make] of Object.entries(MODELS)) {
    it(name, async () => {
      const x = tfl.input({shape: [3], name: 'x'});
      const float = tfl.model({inputs: x, outputs: make(x)});
      const left = float.layers.some(layer => layer.name === 'left');
      const q = quantizeModel(float, left ? {layers: {left: false}} : {});
      const ids = tf.tensor2d(IDS);
      await calibrate(q, ids);
      const [exact, rounded] = [await predicted(float, ids), await predicted(q, ids)];
      for (const [i, values] of exact.entries()) {
        const scale = Math.max(...values.map(Math.abs));
        values.forEach((value, j) => expect(Math.abs(value - rounded[i]![j]!)).toBeLessThan(0.02 * scale));
      }
      if (left) expect(rounded[0]).toEqual(IDS[0]);
      // The other one computes with rounded values: 777 is no level of 0 to 1999.
      const rows = await describeQuantization(q).read();
      expect(rows.filter(({layer, numBits}) => layer.endsWith('_quantized') && numBits === 8).length).toBe(1);
      expect(await distance(q, await saveAndLoad(q), ids)).toBe(0);
      expect(await distance(float, dequantizeModel(q), ids)).toBeLessThan(0.02);
    });
  }
});
