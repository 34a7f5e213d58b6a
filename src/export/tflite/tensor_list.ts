/** The tensors of a file, numbered in the order in which they come. */
import type {Value} from '../../inference/graph';
import {needsInt16, type ValueGrid} from '../../inference/grids';
import {packInt4} from '../../inference/int4';
import type {Constant as Given, Numbers} from '../../inference/operators';
import {storageOf} from '../../inference/storage';
import {type Data, dataOf} from './constant_data';
import type {IntegerFilter} from './filters';
import type {FlatTensor} from './flat_model';
import {type FloatConstant, Floats} from './floats';
import {integersOf, type PortType} from './storage';

/** A tensor that is given. Numbers on a grid of their own have a scale. */
interface Constant {
  readonly data: Data;
  readonly type: 'float32' | 'bool' | 'int32' | 'int8' | 'int16';
  readonly shape: readonly number[];
  readonly scale?: number;
  readonly zeroPoint?: number;
}

export class TensorList {
  readonly all: FlatTensor[] = [];
  readonly #dynamicBatch: boolean;
  readonly #names = new Set<string>();
  readonly #constants = new Map<string, number>();
  /** Large ones, by what they are made of. */
  readonly #known = new Map<object, number>();

  constructor(dynamicBatch: boolean) {
    this.#dynamicBatch = dynamicBatch;
  }

  /** A tensor as it is; names are told apart, as some tools need that. */
  add(name: string, tensor: Omit<FlatTensor, 'name'>): number {
    let unique = name;
    for (let i = 1; this.#names.has(unique); ++i) unique = `${name}_${i}`;
    this.#names.add(unique);
    return this.all.push({name: unique, ...tensor}) - 1;
  }

  /** One that has the model's batch. */
  computed(name: string, tensor: Omit<FlatTensor, 'name'>): number {
    return this.add(name, {...tensor, layer: name, ...(this.#dynamicBatch && {open: [0]})});
  }

  onGrid({layer, shape}: Value, grid: ValueGrid, inInt16 = needsInt16(grid)): number {
    const {type, zeroPoint} = storageOf(grid, inInt16);
    return this.computed(layer, {type, shape, scale: [grid.scale], zeroPoint: [zeroPoint]});
  }

  /** One that the callers of the model see. */
  port(name: string, {shape}: Value, grid: ValueGrid, type: PortType): number {
    if (type === 'float32') return this.computed(name, {type, shape});
    const {zeroPoint} = storageOf(grid, type === 'int16');
    const shifted = type === 'uint8' ? zeroPoint + 128 : zeroPoint;
    return this.computed(name, {type, shape, scale: [grid.scale], zeroPoint: [shifted]});
  }

  int32(layer: string, values: readonly number[], shape: readonly number[] = [values.length]): number {
    return this.#constant(layer, 'constant', {data: dataOf(Int32Array.from(values)), type: 'int32', shape});
  }

  /** Numbers as they are. */
  given(layer: string, {type, shape, values}: Given): number {
    if (values instanceof Float32Array) return this.floats(layer, 'constant', {data: new Floats(values), shape});
    return this.#constant(layer, 'constant', {data: dataOf(values), type, shape});
  }

  floats(layer: string, what: 'weights' | 'bias' | 'constant', {data, shape}: FloatConstant): number {
    return this.#constant(layer, what, {data, type: 'float32', shape});
  }

  /** Numbers on a given grid. */
  table(layer: string, {values, shape}: Numbers, grid: ValueGrid): number {
    const {scale, lowest, highest} = grid;
    const {type, zeroPoint} = storageOf(grid);
    const stored = values.map(x => zeroPoint + Math.min(highest, Math.max(lowest, Math.round(x / scale))));
    return this.#constant(layer, 'constant', {data: dataOf(integersOf(stored, type)), type, shape, scale, zeroPoint});
  }

  /** Numbers on a grid about 0 as fine as the integers allow. */
  factors(layer: string, {values, shape}: Numbers, inInt16: boolean): number {
    const [type, most] = inInt16 ? (['int16', 32767] as const) : (['int8', 127] as const);
    const scale = Math.fround(values.reduce((largest, each) => Math.max(largest, Math.abs(each)), 0) / most) || 1;
    const levels = values.map(each => Math.round(each / scale));
    return this.#constant(layer, 'constant', {data: dataOf(integersOf(levels, type)), type, shape, scale});
  }

  /** A stored number that others are held to. */
  bound(layer: string, bound: number, grid: ValueGrid, inInt16 = needsInt16(grid)): number {
    const {type, zeroPoint} = storageOf(grid, inInt16);
    const data = dataOf(integersOf([bound], type));
    return this.add(`${layer}/bound`, {data, type, shape: [1], scale: [grid.scale], zeroPoint: [zeroPoint]});
  }

  weights(layer: string, {levels, shape, axis, scale}: IntegerFilter, asInt4: boolean): number {
    const [type, stored] = asInt4 ? (['int4', packInt4(levels)] as const) : (['int8', levels] as const);
    const quantization = {scale, zeroPoint: scale.map(() => 0), axis};
    return this.#once(scale, () => this.add(`${layer}/weights`, {data: dataOf(stored), type, shape, ...quantization}));
  }

  bias(layer: string, {bias, biasScale}: IntegerFilter, asInt64: boolean): number {
    const data = dataOf(asInt64 ? BigInt64Array.from(bias, each => BigInt(each)) : Int32Array.from(bias));
    const quantization = {scale: biasScale, zeroPoint: biasScale.map(() => 0)};
    const type = asInt64 ? 'int64' : 'int32';
    return this.#once(bias, () => this.add(`${layer}/bias`, {data, type, shape: [bias.length], ...quantization}));
  }

  #once(key: object, make: () => number): number {
    const number = this.#known.get(key) ?? make();
    this.#known.set(key, number);
    return number;
  }

  #constant(layer: string, what: string, {data, type, shape, scale, zeroPoint = 0}: Constant): number {
    const quantization = scale === undefined ? {} : {scale: [scale], zeroPoint: [zeroPoint]};
    const key = `${type} ${shape.join()} ${data.key} ${String(scale)}`;
    const known = this.#constants.get(key);
    if (known !== undefined) return known;
    const number = this.add(`${layer}/${what}`, {layer, data, type, shape, ...quantization});
    this.#constants.set(key, number);
    return number;
  }
}
