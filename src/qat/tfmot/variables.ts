/** The variables of tfmot's layers, by tfmot's names. */
import {fill} from '@tensorflow/tfjs-core';
import type {LayerVariable} from '@tensorflow/tfjs-layers';
import type {Layer, Shape} from '../../layers/graph';
import {addConstant as addWeight} from '../../layers/tfjs_internals';
import {FakeQuantizer} from '../../quantizer/fake_quantizer';
import type {FakeQuantizerOptions} from '../../quantizer/options';
import {minMaxCell} from './min_max_cell';

/** tfmot never debiases, and starts its moving averages and weights from these. */
export const START = 6;
const DECAY = 0.999;

function addConstant(
  layer: Layer,
  name: string,
  shape: Shape,
  value: number,
  dtype: 'float32' | 'int32' = 'float32',
): LayerVariable {
  // tfjs's own constants are floats, whose cast to int32 it would not free.
  return addWeight(layer, name, shape, dtype, (dims, type) => fill(dims, value, type));
}

/** What tfmot counts its steps in; nothing here does. */
export function addOptimizerStep(layer: Layer): void {
  addConstant(layer, 'optimizer_step', [], -1, 'int32');
}

/** A quantizer with tfmot's variables, that starts from the range [-start, start]. */
export function addQuantizer(
  layer: Layer,
  name: string,
  shape: Shape,
  start: number,
  options: FakeQuantizerOptions,
): FakeQuantizer {
  const min = addConstant(layer, `${name}_min`, shape, -start);
  const max = addConstant(layer, `${name}_max`, shape, start);
  const all = {decay: DECAY, debias: false, name: layer.name, ...options};
  return FakeQuantizer.over(() => minMaxCell(min, max), all, shape[0] ?? undefined);
}
