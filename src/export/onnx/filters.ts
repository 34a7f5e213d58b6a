/** The weights and the bias of operators as tensors: levels of 8 or 4 bits with their steps, or floats. */
import {filterOf, type Node} from '../../inference/graph';
import {needsInt16, type ValueGrid} from '../../inference/grids';
import {packInt4} from '../../inference/int4';
import {integersFor} from '../../inference/integer_weights';
import {channelsOf, type Filter, floatsFrom} from '../../inference/operators';
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

/** Of uint8 weights: the number that stands for 0. */
const ZERO_POINT = 128;

export class Filters {
  readonly #list: NodeList;
  readonly #types: WeightTypes;
  /** Those of filters by the grid that they multiply: layers that are called step by step have one filter. */
  readonly #known = new Map<Filter, Map<string, FilterTensors>>();

  constructor(list: NodeList, types: WeightTypes) {
    this.#list = list;
    this.#types = types;
  }

  of(node: Node, layout: Layout): FilterTensors {
    const filter = filterOf(node)!;
    const {grid} = node.inputs[0]!;
    const own = this.#known.get(filter) ?? new Map<string, FilterTensors>();
    const key = `${node.operator} ${grid?.scale} ${needsInt16(grid)} ${layout.shape}`;
    const tensors = own.get(key) ?? this.#made(filter, grid, layout);
    this.#known.set(filter, own.set(key, tensors));
    return tensors;
  }

  #made(filter: Filter, grid: ValueGrid | undefined, layout: Layout): FilterTensors {
    if (filter.bits !== undefined) return this.#integers(filter, grid, layout);
    return [this.#floatWeights(filter, layout), ...this.#floatBias(filter)];
  }

  #floatWeights(filter: Filter, {order, shape}: Layout): string {
    const {levels, scale} = filter;
    const channel = channelsOf(filter);
    const bytes = () => {
      const values = floatsFrom(levels, (level, i) => level * scale[channel(i)]!);
      return new Uint8Array(permuted(values, filter.shape, order).buffer);
    };
    return this.#list.tensor('weights', {type: 'float32', shape, size: 4 * levels.length, bytes});
  }

  #floatBias({bias}: Filter): string[] {
    return bias.every(each => each === 0) ? [] : [this.#list.floats(bias)];
  }

  #integers(filter: Filter, grid: ValueGrid | undefined, layout: Layout): FilterTensors {
    const {wide, int4} = this.#types;
    const asInt4 = int4 && filter.bits! <= 4 && filter.levels.every(level => level >= -8 && level <= 7);
    // What is added to sums of floats is float, too.
    const hasFloatBias = sumsInFloat(grid);
    const widths = {inInt16: hasFloatBias, asInt4};
    const {levels, scale, bias, biasScale} = integersFor(filter, grid?.scale ?? 1, widths);
    const stored = this.#levels(levels, filter, layout, asInt4 ? 'int4' : wide);
    const steps = [this.#list.floats(scale), this.#zeroPoint(scale.length, asInt4 ? 'int4' : wide)];
    const weights = this.#list.add('DequantizeLinear', [stored, ...steps], {axis: layout.axis});
    if (hasFloatBias || bias.every(each => each === 0)) return [weights, ...this.#floatBias(filter)];
    const added = [this.#list.constant('int32', Int32Array.from(bias)), this.#list.floats(biasScale)];
    return [weights, this.#list.add('DequantizeLinear', added, {axis: 0})];
  }

  #levels(levels: Int8Array, filter: Filter, {order, shape}: Layout, type: StoredAs): string {
    const bytes = () => {
      const ordered = permuted(levels, filter.shape, order);
      if (type === 'int4') return packInt4(ordered);
      return new Uint8Array((type === 'int8' ? ordered : ordered.map(level => level + ZERO_POINT)).buffer);
    };
    return this.#list.tensor('weights', {type, shape, size: bytesFor(levels.length, type), bytes});
  }

  /** Of its own: onnxruntime turns some into others, one weight after the other. */
  #zeroPoint(channels: number, type: StoredAs): string {
    const size = bytesFor(channels, type);
    const zeros = new Uint8Array(size).fill(type === 'uint8' ? ZERO_POINT : 0);
    return this.#list.tensor('zero_point', {type, shape: [channels], size, bytes: () => zeros});
  }
}

/** Whether runtimes compute with floats of what is on a grid: they have products of 8 bits alone. */
const sumsInFloat = (grid: ValueGrid | undefined) => !grid || needsInt16(grid);

/** Whether a product of weights in integers is one of floats. */
export function multipliesFloats(node: Node): boolean {
  return filterOf(node)?.bits !== undefined && sumsInFloat(node.inputs[0]!.grid);
}

type StoredAs = 'int8' | 'uint8' | 'int4';

const bytesFor = (count: number, type: StoredAs) => (type === 'int4' ? Math.ceil(count / 2) : count);
