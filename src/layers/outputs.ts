/** Which of a layer's outputs are rounded, and to whose grid. */
import type {Layer} from './graph';
import {specOf} from './specs';
import type {OutputGrid} from './specs/layer_spec';
import {attributesOf} from './tfjs_internals';

/** The grids of a cell's states, of which the first is what it puts out. */
function gridsOfStates(cell: Layer, output: OutputGrid): OutputGrid[] {
  const {cells, stateSize} = attributesOf(cell);
  if (cells) return [...cells].reverse().flatMap((each, i) => gridsOfStates(each, i === 0 ? output : 'own'));
  const float = specOf(cell)?.floatStates;
  const further: OutputGrid = float === undefined ? 'own' : {float};
  return [stateSize!].flat().map((_, i) => (i === 0 ? output : further));
}

/** The grids of a layer's outputs, of which there are `count`. */
export function gridsOfOutputs(layer: Layer, count: number): OutputGrid[] {
  const {cell} = attributesOf(layer);
  const ofClass = specOf(layer)?.outputs;
  const known = ofClass
    ? ofClass(layer, (inner, output) => gridsOfStates(attributesOf(inner).cell!, output))
    : cell
      ? (['own', ...gridsOfStates(cell, {of: 0})] as const)
      : [];
  return Array.from({length: count}, (_, i) => known[i] ?? 'own');
}
