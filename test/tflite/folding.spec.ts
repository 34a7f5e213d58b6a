/** Products and the BatchNormalization around them: the file computes what the model computes, folded or not. */
import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import {calibrate, quantizeModel} from '../../src/entries/qat';
import {toTFLite} from '../../src/entries/tflite';
import {scoped} from '../support/scoped';
import {parse, run, type Runtime, stopRuntimes} from './runtimes';

afterAll(stopRuntimes);

type Symbolic = tfl.SymbolicTensor;
type Layer = tfl.layers.Layer;
const {layers} = tfl;

const RUNTIMES: readonly Runtime[] = ['reference', 'xnnpack', 'micro'];
const SAMPLES = 6;

const apply = (layer: Layer, x: Symbolic) => layer.apply(x) as Symbolic;
const norm = (args: object = {}) => layers.batchNormalization(args);

/** Random weights; gains of all signs, from which nothing and next to nothing is left in some channels. */
function seed(model: tfl.LayersModel): void {
  const GAMMAS = [2, -0.3, 0, 0.7, 1e-7, -3];
  tf.tidy(() =>
    model.setWeights(
      model.weights.map(({shape, name}, i) => {
        const size = (shape as number[]).reduce((product, dim) => product * dim, 1);
        if (name.includes('gamma')) return tf.tensor1d(Array.from({length: size}, (_, c) => GAMMAS[(c + i) % 6]!));
        const values = tf.randomNormal(shape as number[], 0, 1, 'float32', i + 1);
        return name.includes('variance') ? values.abs().add(0.2) : values;
      }),
    ),
  );
}

function modelOf(shape: number[], build: (x: Symbolic) => Symbolic): tfl.LayersModel {
  const inputs = tfl.input({shape});
  const model = tfl.model({inputs, outputs: build(inputs)});
  seed(model);
  return model;
}

const chain = (shape: number[], ...stack: Layer[]) =>
  modelOf(shape, x => stack.reduce((y, layer) => apply(layer, y), x));

const conv = (args: object = {}) => layers.conv2d({filters: 4, kernelSize: 2, padding: 'same', name: 'c', ...args});

interface Case {
  readonly model: () => tfl.LayersModel;
  /** How many operators the file has beside those at its ends. */
  readonly operators: number;
  /** How many levels it may be off, where it rounds between two products. */
  readonly tolerance?: number;
}

const CASES: Readonly<Record<string, Case>> = {
  'a SeparableConv2D': {
    model: () => chain([5, 5, 2], layers.separableConv2d({filters: 3, kernelSize: 3}), norm()),
    operators: 2,
    tolerance: 3,
  },
  'a SeparableConv2D with as many channels on either side': {
    model: () => chain([5, 5, 4], layers.separableConv2d({filters: 4, kernelSize: 3, useBias: false}), norm()),
    operators: 2,
    tolerance: 3,
  },
  'a SeparableConv2D that multiplies its channels': {
    model: () => chain([5, 5, 2], layers.separableConv2d({filters: 4, kernelSize: 2, depthMultiplier: 2}), norm()),
    operators: 2,
    tolerance: 3,
  },
  'a Dense': {model: () => chain([7], layers.dense({units: 6}), norm()), operators: 1},
  'a Dense on rows': {model: () => chain([3, 7], layers.dense({units: 6}), norm({axis: 2})), operators: 1},
  'a Dense called step by step': {
    model: () => chain([3, 7], layers.timeDistributed({layer: layers.dense({units: 6})}), norm()),
    operators: 1,
  },
  'a Conv2DTranspose and a ReLU': {
    model: () => chain([3, 3, 2], layers.conv2dTranspose({filters: 6, kernelSize: 2}), norm(), layers.reLU()),
    operators: 1,
  },
  'a DepthwiseConv2D that multiplies its channels': {
    model: () => chain([5, 5, 3], layers.depthwiseConv2d({kernelSize: 2, depthMultiplier: 2}), norm()),
    operators: 1,
  },
  'a Conv1D, without gamma': {
    model: () => chain([6, 3], layers.conv1d({filters: 6, kernelSize: 2}), norm({scale: false})),
    operators: 3,
  },
  'a Conv2D, without beta': {model: () => chain([5, 5, 2], conv(), norm({center: false})), operators: 1},
  'a Conv2D and two BatchNormalizations': {model: () => chain([5, 5, 2], conv(), norm(), norm()), operators: 2},
  'a Conv2D that clamps': {model: () => chain([5, 5, 2], conv({activation: 'relu'}), norm()), operators: 2},
  'one for each call': {
    model: () =>
      modelOf([5, 5, 2], x => {
        const c = conv({filters: 2, useBias: false});
        const both = [apply(norm(), apply(c, x)), apply(norm(), apply(c, apply(layers.reLU(), x)))];
        return layers.concatenate().apply(both) as Symbolic;
      }),
    operators: 4,
  },
  'one after one call, none after the other': {
    model: () =>
      modelOf([5, 5, 2], x => {
        const c = conv({filters: 2});
        return layers.add().apply([apply(norm(), apply(c, x)), apply(c, apply(layers.reLU(), x))]) as Symbolic;
      }),
    operators: 5,
    tolerance: 3,
  },
  'the same one after two convolutions': {
    model: () =>
      modelOf([5, 5, 2], x => {
        const n = norm();
        const both = [apply(n, apply(conv({name: 'd'}), x)), apply(n, apply(conv(), x))];
        return layers.concatenate().apply(both) as Symbolic;
      }),
    operators: 3,
  },
  'one in the model, its convolution in a model within': {
    model: () =>
      modelOf([5, 5, 2], x => {
        const inner = modelOf([5, 5, 2], y => apply(conv(), y));
        return apply(norm(), apply(inner, x));
      }),
    operators: 1,
  },
  'both in a model within that is called twice': {
    model: () =>
      modelOf([5, 5, 2], x => {
        const inner = modelOf([5, 5, 2], y => apply(norm(), apply(conv({filters: 2}), y))) as unknown as Layer;
        return layers.concatenate().apply([apply(inner, x), apply(inner, apply(layers.reLU(), x))]) as Symbolic;
      }),
    operators: 4,
  },
};

/** The largest distance between what the file gives and what the model gives, in levels of the output. */
async function distance(q: tfl.LayersModel, bytes: Uint8Array, runtime: Runtime, x: tf.Tensor): Promise<number> {
  const {tensors, operators} = await parse(bytes);
  const [scale] = tensors[operators.at(-1)!.inputs[0]!]!.scale as [number];
  const runs = tf.tidy(() => tf.split(x, x.shape[0]).map(each => [each.dataSync<'float32'>()]));
  const found = (await run(bytes, runtime, runs)).flatMap(([y]) => [...y!]);
  const expected = tf.tidy(() => (q.predict(x) as tf.Tensor).dataSync());
  expect(found.length).toBe(expected.length);
  return found.reduce((most, each, i) => Math.max(most, Math.abs(each - expected[i]!) / scale), 0);
}

const samplesFor = ({inputs: [input]}: tfl.LayersModel) =>
  tf.randomNormal([SAMPLES, ...(input!.shape.slice(1) as number[])], 0.2, 1, 'float32', 50);

describe('toTFLite folds BatchNormalization', () => {
  scoped();

  for (const [name, {model, operators, tolerance = 1}] of Object.entries(CASES)) {
    for (const perChannel of [false, true]) {
      it(`after ${name}, ${perChannel ? 'per channel' : 'one range'}`, async () => {
        const q = quantizeModel(model(), {weights: {perChannel}});
        const x = samplesFor(q);
        await calibrate(q, x);
        const bytes = await toTFLite(q);
        const inside = (await parse(bytes)).operators.slice(1, -1);
        expect(inside.length)
          .withContext(inside.map(each => each.name).join())
          .toBe(operators);
        for (const runtime of RUNTIMES) {
          expect(await distance(q, bytes, runtime, x))
            .withContext(runtime)
            .toBeLessThan(tolerance + 1e-3);
        }
      });
    }
  }

  it('and one step for all channels of a folded Dense stays one', async () => {
    const q = quantizeModel(chain([7], layers.dense({units: 6, name: 'd'}), norm()), {weights: {perChannel: false}});
    await calibrate(q, samplesFor(q));
    const {tensors} = await parse(await toTFLite(q));
    expect(tensors.find(({name}) => name === 'd/weights')!.scale.length).toBe(1);
  });

  for (const rounded of [false, true]) {
    it(`of the model that is written, not of another that shares the layer${rounded ? ', rounded between' : ''}`, async () => {
      const q = quantizeModel(chain([5, 5, 2], conv(), norm({name: 'n'})), {weights: {perChannel: false}});
      const x = samplesFor(q);
      await calibrate(q, x);
      const head = quantizeModel(chain([5, 5, 4], norm({name: 'm'})));
      const c = q.getLayer('c').output as Symbolic;
      // The whole head rounds what it is given, its BatchNormalization only what it gives.
      const outputs = apply(rounded ? head : head.getLayer('m'), c);
      const second = tfl.model({inputs: q.inputs, outputs});
      await calibrate(second, x);
      for (const model of [q, second]) {
        const bytes = await toTFLite(model);
        for (const runtime of RUNTIMES) {
          expect(await distance(model, bytes, runtime, x))
            .withContext(runtime)
            .toBeLessThan(1 + 1e-3);
        }
      }
    });
  }

  for (const weights of [{narrowRange: false}, {symmetric: false}]) {
    it(`into int8 where its levels, with the signs of the gains, do not fit int4: ${JSON.stringify(weights)}`, async () => {
      const model = chain([3], layers.dense({units: 2, useBias: false, name: 'd'}), norm({name: 'n'}));
      // The gain of -1 turns the lowest level, -8, into 8; levels on one side of 0 go beyond 7 by themselves.
      model.getLayer('d').setWeights([
        tf.tensor([
          [-1, 1],
          [0.3, 0.2],
          [0.5, 0.7],
        ]),
      ]);
      model.getLayer('n').setWeights(
        [
          [-1, 1],
          [0, 0],
          [0, 0],
          [1, 1],
        ].map(each => tf.tensor(each)),
      );
      const q = quantizeModel(model, {recipe: 'minMax', weights: {numBits: 4, ...weights}});
      const x = samplesFor(q);
      await calibrate(q, x);
      const bytes = await toTFLite(q, {int4: true});
      const {tensors} = await parse(bytes);
      expect(tensors.find(({name}) => name === 'd/weights')!.type).toBe('INT8');
      for (const runtime of ['reference', 'xnnpack'] as const) {
        expect(await distance(q, bytes, runtime, x))
          .withContext(runtime)
          .toBeLessThan(1 + 1e-3);
      }
    });
  }

  it('but of another axis than that of the channels computes it apart', async () => {
    const q = quantizeModel(chain([5, 4, 2], conv(), norm({axis: 1, name: 'n'})), {weights: {perChannel: false}});
    await calibrate(q, samplesFor(q));
    const {operators} = await parse(await toTFLite(q));
    expect(operators.map(({name}) => name)).toEqual([
      'QUANTIZE',
      'CONV_2D',
      'TRANSPOSE',
      'DEPTHWISE_CONV_2D',
      'TRANSPOSE',
      'DEQUANTIZE',
    ]);
  });
});
