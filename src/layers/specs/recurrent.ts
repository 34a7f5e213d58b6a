/** Classes that work step by step, their cells, and what calls another layer on each step. */
import {innerLayers, isContainer, type Layer} from '../graph';
import {attributesOf} from '../tfjs_internals';
import type {LayerSpec, OutputGrid} from './layer_spec';

/** The grids of what a Bidirectional layer gives: one output or both directions', then the states of either. */
function gridsOfDirections(layer: Layer, gridsOfStates: (inner: Layer, output: OutputGrid) => OutputGrid[]) {
  const {mergeMode} = attributesOf(layer);
  const isApart = mergeMode === null;
  // A sum or a product is on another grid than what it is of.
  const outputs: OutputGrid[] = isApart
    ? [{of: 0}, {of: 1}]
    : mergeMode === 'concat'
      ? [{of: 0}, {of: 0}]
      : ['own', 'own'];
  const states = innerLayers(layer).flatMap((each, i) => gridsOfStates(each, outputs[i]!));
  return [...(isApart ? (['own', 'own'] as const) : (['own'] as const)), ...states];
}

const CELL_STATE = 'the state inside an LSTM: runtimes keep it in 16 bits or in float';

export const RECURRENT = {
  Bidirectional: {kind: 'recurrent', outputs: gridsOfDirections},
  ConvLSTM2D: {kind: 'recurrent'},
  ConvLSTM2DCell: {kind: 'recurrent', weights: {kernel: -1, recurrentKernel: -1}, floatStates: CELL_STATE},
  GRU: {kind: 'recurrent'},
  GRUCell: {kind: 'recurrent', weights: {kernel: -1, recurrentKernel: -1}},
  LSTM: {kind: 'recurrent'},
  LSTMCell: {kind: 'recurrent', weights: {kernel: -1, recurrentKernel: -1}, floatStates: CELL_STATE},
  RNN: {kind: 'recurrent'},
  SimpleRNN: {kind: 'recurrent'},
  SimpleRNNCell: {kind: 'recurrent', weights: {kernel: -1, recurrentKernel: -1}},
  StackedRNNCells: {kind: 'recurrent'},
  /** As what it calls. */
  TimeDistributed: {
    kind: (layer, kindOf) => {
      const [inner] = innerLayers(layer);
      return isContainer(inner!) ? 'nested' : kindOf(inner!);
    },
    activation: (layer, activationOf) => activationOf(innerLayers(layer)[0]!),
    lowered: 'integers',
  },
} as const satisfies Readonly<Record<string, LayerSpec>>;
