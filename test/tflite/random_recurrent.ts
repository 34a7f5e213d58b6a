/** Models of a recurrent layer alone, of random sizes, activations and weights: for specs that hold their files to them. */
import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import fc from 'fast-check';

type Model = tfl.LayersModel;
type Symbolic = tfl.SymbolicTensor;
type Layer = tfl.layers.Layer;

const {layers} = tfl;
export const SIGMOID = {recurrentActivation: 'sigmoid'} as const;

/** What a random model is made from. */
export const RANDOM = fc.record({
  steps: fc.integer({min: 1, max: 10}),
  channels: fc.integer({min: 1, max: 4}),
  units: fc.integer({min: 1, max: 5}),
  kernelSize: fc.integer({min: 1, max: 3}),
  strides: fc.integer({min: 1, max: 2}),
  padding: fc.constantFrom('same' as const, 'valid' as const),
  activation: fc.constantFrom('tanh' as const, 'relu' as const, 'hardSigmoid' as const, 'linear' as const),
  recurrentActivation: fc.constantFrom('sigmoid' as const, 'hardSigmoid' as const, 'tanh' as const),
  useBias: fc.boolean(),
  returnSequences: fc.boolean(),
  returnState: fc.boolean(),
  goBackwards: fc.boolean(),
  hasInitial: fc.boolean(),
  seed: fc.integer({min: 1, max: 1e6}),
});

export type Random = typeof RANDOM extends fc.Arbitrary<infer T> ? T : never;

const wholeLSTM = (random: Random) => layers.lstm({...random, ...SIGMOID, activation: 'tanh'});

/** How many states a layer takes, of a size. */
const STATES: Readonly<Record<string, number>> = {LSTM: 2, 'LSTM, whole': 2, GRU: 1, SimpleRNN: 1};

export const CASES: Readonly<Record<string, (random: Random) => Layer>> = {
  LSTM: layers.lstm,
  'LSTM, whole': wholeLSTM,
  GRU: layers.gru,
  SimpleRNN: layers.simpleRNN,
  'RNN of a cell': ({units, returnSequences, returnState, goBackwards}) =>
    layers.rnn({cell: layers.gruCell({units}), returnSequences, returnState, goBackwards}),
  'RNN of several cells': ({units, returnSequences, returnState, goBackwards, ...random}) => {
    const cell = [
      layers.lstmCell({units, ...SIGMOID}),
      layers.gruCell({units: 3}),
      layers.lstmCell({...random, units}),
    ];
    return layers.rnn({cell: cell, returnSequences, returnState, goBackwards});
  },
  Bidirectional: random =>
    layers.bidirectional({layer: layers.gru(random), mergeMode: (['sum', 'ave', 'mul', 'concat'] as const)[random.seed % 4]!}), // prettier-ignore
  'Bidirectional, whole': random =>
    layers.bidirectional({layer: wholeLSTM(random), mergeMode: (['concat', 'sum', null] as const)[random.seed % 3]!}), // prettier-ignore
  ConvLSTM2D: ({units: filters, kernelSize, ...random}) => layers.convLstm2d({...random, filters, kernelSize}),
};

/** A model of one layer with seeded weights. */
export function modelOf(name: string, random: Random): Model {
  const {steps, channels, seed, hasInitial, units} = random;
  const x = tfl.input({shape: name === 'ConvLSTM2D' ? [steps, 4, 5, channels] : [steps, channels]});
  const given = hasInitial ? Array.from({length: STATES[name] ?? 0}, () => tfl.input({shape: [units]})) : [];
  const layer = CASES[name]!({...random});
  const outputs = layer.apply(x, given.length > 0 ? {initialState: given} : {}) as Symbolic | Symbolic[];
  const model = tfl.model({inputs: [x, ...given], outputs});
  seedWeights(model, seed);
  return model;
}

export function seedWeights(model: Model, seed: number): void {
  tf.tidy(() =>
    model.setWeights(
      model.weights.map(({shape}, i) => {
        // So that what has no limits does not grow from step to step.
        const deviation = Math.min(0.5, 1 / Math.sqrt(tf.util.sizeFromShape(shape.slice(0, -1) as number[])));
        return tf.randomNormal(shape as number[], 0, deviation, 'float32', seed + i);
      }),
    ),
  );
}

export function samplesOf({inputs}: Model, count: number, seed: number): tf.Tensor[] {
  return inputs.map(({shape}, i) =>
    tf.randomNormal([count, ...(shape.slice(1) as number[])], 0, i === 0 ? 1 : 0.3, 'float32', seed + 100 + i),
  );
}
