/** The weights and the bias of an operator as tensors: levels of 8 or 4 bits with their steps, or floats. */
import {filterOf, type Node} from '../../inference/graph';
import {needsInt16, type ValueGrid} from '../../inference/grids';
import {packInt4} from '../../inference/int4';
import {integersFor} from '../../inference/integer_weights';
import {channelsOf, type Filter} from '../../inference/operators';
import {permuted} from '../../inference/permuted';
import type {NodeList} from './node_list';

/** How an operator wants its weights. */
export interface Layout {
  /** Which dimensions of the filter come in which order. */
  readonly order: readonly number[];
  /** The shape that they have then. */
  readonly shape: readonly number[];
  /** The dimension with the steps. */
  readonly axis: number;
}

/** How weights are stored. */
export interface WeightTypes {
  readonly wide: 'int8' | 'uint8';
  readonly int4: boolean;
}

/** The names of the two; a bias of zeros is left out. */
type FilterTensors = readonly [weights: string, ...bias: string[]];

export function filterTensors(list: NodeList, node: Node, layout: Layout, types: WeightTypes): FilterTensors {
  const filter = filterOf(node)!;
  const {grid} = node.inputs[0]!;
  return filter.bits === undefined
    ? [floatWeights(list, filter, layout), ...floatBias(list, filter)]
    : integerTensors(list, filter, grid, layout, types);
}

function floatWeights(list: NodeList, filter: Filter, {order, shape}: Layout): string {
  const {levels, scale} = filter;
  const channel = channelsOf(filter);
  const bytes = () => {
    const values = Float32Array.from(levels, (level, i) => level * scale[channel(i)]!);
    return new Uint8Array(permuted(values, filter.shape, order).buffer);
  };
  return list.tensor('weights', {type: 'float32', shape, size: 4 * levels.length, bytes});
}

function floatBias(list: NodeList, {bias}: Filter): string[] {
  return bias.every(each => each === 0) ? [] : [list.floats(bias)];
}

function integerTensors(
  list: NodeList,
  filter: Filter,
  grid: ValueGrid | undefined,
  {order, shape, axis}: Layout,
  {wide, int4}: WeightTypes,
): FilterTensors {
  const asInt4 = int4 && filter.bits! <= 4 && filter.levels.every(level => level >= -8 && level <= 7);
  // Sums of more than 8 bits are computed in float, and so is what is added to them.
  const hasFloatBias = !grid || needsInt16(grid);
  const widths = {inInt16: hasFloatBias, asInt4};
  const {levels, scale, bias, biasScale} = integersFor(filter, grid?.scale ?? 1, widths);
  const type = asInt4 ? 'int4' : wide;
  const bytes = () => {
    const ordered = permuted(levels, filter.shape, order);
    if (asInt4) return packInt4(ordered);
    return type === 'int8' ? new Uint8Array(ordered.buffer) : Uint8Array.from(ordered, level => level + ZERO_POINT);
  };
  const size = asInt4 ? Math.ceil(levels.length / 2) : levels.length;
  const stored = list.tensor('weights', {type, shape, size, bytes});
  const zeros = new Uint8Array(asInt4 ? Math.ceil(scale.length / 2) : scale.length).fill(
    type === 'uint8' ? ZERO_POINT : 0,
  );
  // Of its own: onnxruntime turns some into others, one weight after the other.
  const zeroPoint = list.tensor('zero_point', {type, shape: [scale.length], size: zeros.length, bytes: () => zeros});
  const weights = list.add('DequantizeLinear', [stored, list.floats(scale), zeroPoint], {axis});
  if (hasFloatBias || bias.every(each => each === 0)) return [weights, ...floatBias(list, filter)];
  const levelsOfBias = list.constant('int32', Int32Array.from(bias));
  return [weights, list.add('DequantizeLinear', [levelsOfBias, list.floats(biasScale)], {axis: 0})];
}

/** Of uint8 weights: the number that stands for 0. */
const ZERO_POINT = 128;
