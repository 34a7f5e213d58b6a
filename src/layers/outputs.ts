/** Which of a layer's outputs are rounded, and to whose grid. */
import {innerLayers, type Layer} from './graph';

/** The grid of one output: its own, that of the output whose values it repeats, or none and why. */
export type OutputGrid = 'own' | {readonly of: number} | {readonly float: string};

const CELL_STATE: OutputGrid = {float: 'the state inside an LSTM: runtimes keep it in 16 bits or in float'};

/** The grids of a cell's states, of which the first is what it puts out. */
function gridsOfStates(cell: Layer, output: OutputGrid): OutputGrid[] {
  const {cells, stateSize} = cell as unknown as {cells?: Layer[]; stateSize: number | number[]};
  if (cells) return [...cells].reverse().flatMap((each, i) => gridsOfStates(each, i === 0 ? output : 'own'));
  const isLSTM = cell.getClassName() === 'LSTMCell' || cell.getClassName() === 'ConvLSTM2DCell';
  return [stateSize].flat().map((_, i) => (i === 0 ? output : isLSTM ? CELL_STATE : 'own'));
}

function cellOf(layer: Layer): Layer | undefined {
  return (layer as unknown as {cell?: Layer}).cell;
}

/** The grids of what a Bidirectional layer gives: one output or both directions', then the states of either. */
function gridsOfDirections(layer: Layer): OutputGrid[] {
  const {mergeMode} = layer as unknown as {mergeMode: string | null};
  const isApart = mergeMode === null;
  // A sum or a product is on another grid than what it is of.
  const outputs: OutputGrid[] = isApart
    ? [{of: 0}, {of: 1}]
    : mergeMode === 'concat'
      ? [{of: 0}, {of: 0}]
      : ['own', 'own'];
  const states = innerLayers(layer).map((each, i) => gridsOfStates(cellOf(each)!, outputs[i]!));
  return [...(isApart ? (['own', 'own'] as const) : (['own'] as const)), ...states.flat()];
}

/** The grids of a layer's outputs, of which there are `count`. */
export function gridsOfOutputs(layer: Layer, count: number): OutputGrid[] {
  const cell = cellOf(layer);
  const known =
    layer.getClassName() === 'Bidirectional'
      ? gridsOfDirections(layer)
      : cell
        ? (['own', ...gridsOfStates(cell, {of: 0})] as const)
        : [];
  return Array.from({length: count}, (_, i) => known[i] ?? 'own');
}
