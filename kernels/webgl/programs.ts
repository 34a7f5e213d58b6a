/** The programs of the passes. */
import boundsText from '../../shaders/webgl/bounds.glsl';
import deriveGridsText from '../../shaders/webgl/derive_grids.glsl';
import extremesText from '../../shaders/webgl/extremes.glsl';
import fragmentText from '../../shaders/webgl/fragment.glsl';
import gridsText from '../../shaders/webgl/grids.glsl';
import measureText from '../../shaders/webgl/measure.glsl';
import measurePartialsText from '../../shaders/webgl/measure_partials.glsl';
import partialsText from '../../shaders/webgl/partials.glsl';
import roundToGridText from '../../shaders/webgl/round_to_grid.glsl';
import straightThroughText from '../../shaders/webgl/straight_through.glsl';
import stridedLoopText from '../../shaders/webgl/strided_loop.glsl';
import sumText from '../../shaders/webgl/sum.glsl';
import sumPartialsText from '../../shaders/webgl/sum_partials.glsl';
import type {Program} from './program';

const GRIDS = [boundsText, gridsText, fragmentText];

/** What a reduction's second pass begins with. */
export const PARTIALS = [fragmentText, partialsText];

export const ROUND_TO_GRID: Program = {name: 'roundToGrid', texts: [...GRIDS, roundToGridText]};
export const STRAIGHT_THROUGH: Program = {name: 'straightThrough', texts: [...GRIDS, straightThroughText]};
export const DERIVE_GRIDS: Program = {name: 'deriveGrids', texts: [boundsText, deriveGridsText]};
export const SUM: Program = {name: 'sum', texts: [...GRIDS, stridedLoopText, sumText]};
export const SUM_PARTIALS: Program = {name: 'sumPartials', texts: [...PARTIALS, sumPartialsText]};
export const MEASURE: Program = {name: 'measure', texts: [fragmentText, stridedLoopText, measureText]};
export const MEASURE_PARTIALS: Program = {
  name: 'measurePartials',
  texts: [...PARTIALS, extremesText, measurePartialsText],
};
