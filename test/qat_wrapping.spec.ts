/** Quantized layers behave as the layers that they wrap: states, several outputs, integers, files. */
import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import {dequantizeModel, quantizeModel} from '../src/qat/index';
import {valuesOf} from './environment';
import {scoped} from './qat/scoped';

type Model = tfl.LayersModel;
type Symbolic = tfl.SymbolicTensor;
type Layer = tfl.layers.Layer;

const {layers} = tfl;

function seeded(shape: readonly number[], seed = 1): tf.Tensor {
  return tf.randomNormal([...shape], 0, 1, 'float32', seed);
}

/** A model with seeded weights. */
function seededModel(inputs: Symbolic | Symbolic[], outputs: Symbolic | Symbolic[]): Model {
  const model = tfl.model({inputs, outputs});
  tf.tidy(() => model.setWeights(model.weights.map(({shape}, i) => seeded(shape as number[], i + 1).mul(0.6))));
  return model;
}

function predicted(model: Model, inputs: tf.Tensor[]): tf.Tensor[] {
  return [model.predict(inputs)].flat();
}

async function expectEqual(actual: readonly tf.Tensor[], expected: readonly tf.Tensor[]): Promise<void> {
  expect(actual.length).toBe(expected.length);
  for (const [i, each] of expected.entries()) expect(await valuesOf(actual[i]!)).toEqual(await valuesOf(each));
}

async function expectDifferent(one: readonly tf.Tensor[], other: readonly tf.Tensor[]): Promise<void> {
  for (const [i, each] of one.entries()) expect(await valuesOf(each)).not.toEqual(await valuesOf(other[i]!));
}

async function savedAndLoaded(model: Model): Promise<Model> {
  let artifacts: tf.io.ModelArtifacts | undefined;
  await model.save(
    tf.io.withSaveHandler(saved => {
      artifacts = saved;
      return Promise.resolve({modelArtifactsInfo: {dateSaved: new Date(0), modelTopologyType: 'JSON'}});
    }),
  );
  return tfl.loadLayersModel(tf.io.fromMemory(artifacts!));
}

describe('a quantized recurrent layer', () => {
  scoped();

  interface Case {
    readonly layer: () => Layer;
    readonly states: readonly number[][];
    readonly sample?: readonly number[];
  }

  const args = {returnSequences: true, returnState: true, name: 'decoder'};
  const CASES: Readonly<Record<string, Case>> = {
    LSTM: {layer: () => layers.lstm({units: 4, ...args}), states: [[4], [4]]},
    GRU: {layer: () => layers.gru({units: 4, ...args, returnSequences: false}), states: [[4]]},
    SimpleRNN: {layer: () => layers.simpleRNN({units: 4, ...args}), states: [[4]]},
    'an RNN of stacked cells': {
      layer: () => layers.rnn({cell: [layers.lstmCell({units: 3}), layers.gruCell({units: 2})] as never, ...args}),
      states: [[2], [3], [3]],
    },
    'a Bidirectional LSTM': {
      layer: () =>
        layers.bidirectional({layer: layers.lstm({units: 3, ...args}), name: 'decoder', mergeMode: 'concat'}),
      states: [[3], [3], [3], [3]],
    },
    'a Bidirectional GRU of two outputs': {
      layer: () =>
        layers.bidirectional({
          layer: layers.gru({units: 3, ...args}),
          name: 'decoder',
          mergeMode: null as never,
        }),
      states: [[3], [3]],
    },
  };

  for (const [name, {layer, states, sample = [3, 5]}] of Object.entries(CASES)) {
    const inputsOf = () => [sample, ...states].map(shape => tfl.input({shape: [...shape]}));
    const valuesFor = (scale = 1) =>
      [sample, ...states].map((shape, i) => seeded([2, ...shape], i + 70).mul(i === 0 ? 1 : scale));
    /** The layer of a model in a model of its own, called with its states as arguments or as further inputs. */
    const alone = (model: Model, asArguments: boolean) => {
      const [x, ...given] = inputsOf();
      const decoder = model.getLayer('decoder');
      const outputs = asArguments ? decoder.apply(x!, {initialState: given}) : decoder.apply([x!, ...given]);
      return tfl.model({inputs: [x!, ...given], outputs: outputs as Symbolic[]});
    };

    it(`takes the states that ${name} takes`, async () => {
      const [x, ...given] = inputsOf();
      const model = seededModel([x!, ...given], layer().apply(x!, {initialState: given}) as Symbolic[]);
      const q = quantizeModel(model, {activations: false});
      const float = dequantizeModel(q);
      const expected = predicted(float, valuesFor());
      await expectDifferent(expected, predicted(model, valuesFor()));
      await expectDifferent(expected, predicted(float, valuesFor(100)));
      for (const each of [
        q,
        alone(q, true),
        alone(q, false),
        await savedAndLoaded(q),
        await savedAndLoaded(alone(q, true)),
      ]) {
        await expectEqual(predicted(each, valuesFor()), expected);
        await expectEqual(predicted(each, valuesFor(100)), predicted(float, valuesFor(100)));
      }
      const [values, ...initialState] = valuesFor();
      const decoder = q.getLayer('decoder');
      await expectEqual(decoder.apply(values!, {initialState}) as tf.Tensor[], expected);
      await expectEqual(decoder.apply([values!, ...initialState]) as tf.Tensor[], expected);
    });
  }
});
