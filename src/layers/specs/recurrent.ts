/** Classes that work step by step, their cells, and what calls another layer on each step. */
import {innerLayers, isContainer, type Layer} from '../graph';
import {isWholeLSTM} from '../recurrent';
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

/** Runtimes that have an LSTM whole have one step for each of its gates. */
const axisOfLSTM = (cell: Layer) => (isWholeLSTM(cell) ? 'gates' : -1);

export const RECURRENT = {
  Bidirectional: {kind: 'recurrent', outputs: gridsOfDirections, lowered: 'integers'},
  ConvLSTM2D: {kind: 'recurrent', lowered: 'integers'},
  ConvLSTM2DCell: {kind: 'recurrent', weights: {kernel: -1, recurrentKernel: -1}},
  GRU: {kind: 'recurrent', lowered: 'integers'},
  GRUCell: {kind: 'recurrent', weights: {kernel: -1, recurrentKernel: -1}},
  LSTM: {kind: 'recurrent', lowered: 'integers'},
  LSTMCell: {kind: 'recurrent', weights: {kernel: axisOfLSTM, recurrentKernel: axisOfLSTM}},
  RNN: {kind: 'recurrent', lowered: 'integers'},
  SimpleRNN: {kind: 'recurrent', lowered: 'integers'},
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
