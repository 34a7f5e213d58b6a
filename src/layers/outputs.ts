/** Which of a layer's outputs and of the states inside are rounded, and to whose grid. */
import {innerLayers, type Layer, steppedLayer} from './graph';
import {specOf} from './specs';
import type {OutputGrid} from './specs/layer_spec';
import {attributesOf} from './tfjs_internals';
import {innerPrefix} from './weights';

/** A cell that calls no others, and the grids of its states. */
export interface CellStates {
  readonly cell: Layer;
  /** The recurrent layer that calls it: the layer, or a direction of it. */
  readonly owner: Layer;
  /** What is in front of the names of its weights. */
  readonly prefix: string;
  readonly grids: readonly OutputGrid[];
}

/** 'output' is the first, 'output 2' the second. */
export function nameOfOutput(index: number): 'output' | `output ${number}` {
  return index === 0 ? 'output' : `output ${index + 1}`;
}

/** What the quantizer of a grid is called that the output `index` is on; '' if it has none. */
export function nameOfGrid(grid: OutputGrid, index = 0): string {
  if (grid === 'own') return nameOfOutput(index);
  return 'of' in grid ? nameOfOutput(grid.of) : 'state' in grid ? grid.state : '';
}

/** The cells in a cell, the last one first, as their states are. The first state is what a cell puts out. */
function cellsIn(cell: Layer, output: OutputGrid, owner: Layer, prefix: string): CellStates[] {
  const {cells, stateSize} = attributesOf(cell);
  if (cells) {
    const all = cells.map((each, i) => {
      const isLast = i === cells.length - 1;
      return cellsIn(each, isLast ? output : 'own', owner, prefix + innerPrefix(cell, i));
    });
    return all.reverse().flat();
  }
  const spec = specOf(cell);
  const state = (name: string): OutputGrid => ({state: `${prefix.replaceAll('_', ' ')}${name} state`});
  const [hidden, inner] = spec
    ? [output === 'own' ? state('hidden') : output, state('cell')]
    : [output, 'own' as const];
  const grids = [stateSize!].flat().map((_, i) => (i === 0 ? hidden : inner));
  return [{cell, owner, prefix, grids}];
}

/** The cells of a recurrent layer, and the grids of its outputs. */
function gridsIn(layer: Layer): {readonly cells: readonly CellStates[]; readonly outputs: readonly OutputGrid[]} {
  const stepped = steppedLayer(layer);
  if (stepped) return {cells: gridsIn(stepped).cells, outputs: []};
  const {cell} = attributesOf(layer);
  const ofClass = specOf(layer)?.outputs;
  if (!ofClass) {
    const cells = cell ? cellsIn(cell, {of: 0}, layer, '') : [];
    return {cells, outputs: cell ? ['own', ...cells.flatMap(({grids}) => grids)] : []};
  }
  const cells: CellStates[] = [];
  const outputs = ofClass(layer, (inner, output) => {
    const found = cellsIn(
      attributesOf(inner).cell!,
      output,
      inner,
      innerPrefix(layer, innerLayers(layer).indexOf(inner)),
    );
    cells.push(...found);
    return found.flatMap(({grids}) => grids);
  });
  return {cells, outputs};
}

/** The cells that a layer calls on each step, one after the other; of each direction the last one first, as their states are. */
export function cellStatesOf(layer: Layer): readonly CellStates[] {
  return gridsIn(layer).cells;
}

/** The grids of a layer's outputs, of which there are `count`. */
export function gridsOfOutputs(layer: Layer, count: number): OutputGrid[] {
  const {outputs} = gridsIn(layer);
  return Array.from({length: count}, (_, i) => outputs[i] ?? 'own');
}
