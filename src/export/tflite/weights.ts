/**
 * The weights of a float model in fewer bytes: as float16, or as integers that operators take beside floats. A graph of floats
 * becomes another one, operator by operator, as TensorFlow's converter and LiteRT's quantizer make them.
 */
import {sizeOf} from '../../inference/graph';
import {dataOf} from './constant_data';
import {ABSENT, type FlatGraph, type FlatOperator, type FlatTensor, type Port} from './flat_model';
import {asFloat16, asIntegers, Floats, LARGEST_FLOAT16, INFINITE_FLOAT16, stepsOf} from './floats';
import {hasOption, type OperatorName, type Options} from './schema';
import {TensorList} from './tensor_list';

/**
 * What the weights of a model that is not quantized are stored as.
 *
 * @example
 * ```js
 * import {toTFLite} from 'tfjs-quantization/tflite';
 *
 * const bytes = await toTFLite(model, {weights: 'int8'});
 * ```
 */
export type WeightType = 'float32' | 'float16' | 'int8' | 'int4';

/** From how many numbers on weights become integers. */
const FEWEST = 1024;

/** An operator that computes on floats with weights of integers. */
interface Hybrid {
  /** Which of its inputs are the weights: it takes integers for all of them, or for none. */
  readonly weights: readonly number[];
  /** The dimension of a weight that has a step for each slice; where there is none, all have one. */
  readonly axis?: (shape: readonly number[], options: Options) => number;
  /** The lowest versions that take int8, and int4 where one does. */
  readonly version: number;
  readonly version4?: number;
  /** Whether it reads rows of int4 as if each began with a byte. */
  readonly byRows?: boolean;
}

const first = () => 0;
const last = ({length}: readonly number[]) => length - 1;

const HYBRID: Readonly<Partial<Record<OperatorName, Hybrid>>> = {
  BATCH_MATMUL: {weights: [1], axis: (shape, {adjY = 0}) => last(shape) - adjY, version: 4},
  CONV_2D: {weights: [1], axis: first, version: 5, version4: 7},
  DEPTHWISE_CONV_2D: {weights: [1], axis: last, version: 6},
  EMBEDDING_LOOKUP: {weights: [1], axis: first, version: 4, version4: 4, byRows: true},
  FULLY_CONNECTED: {weights: [1], axis: first, version: 12, version4: 12},
  TRANSPOSE_CONV: {weights: [1], axis: first, version: 3},
  // Each gate's own and recurrent kernels.
  UNIDIRECTIONAL_SEQUENCE_LSTM: {weights: [1, 2, 3, 4, 5, 6, 7, 8], version: 3},
};

/** Single numbers gain nothing. */
const becomesFloat16 = ({data, shape}: FlatTensor) => data instanceof Floats && sizeOf(shape) > 1;

const becomesIntegers = ({data, shape}: FlatTensor) => data instanceof Floats && sizeOf(shape) >= FEWEST;

/** A graph that grows while the operators of another are read. */
class Rewriting {
  readonly operators: FlatOperator[] = [];
  readonly #from: FlatGraph;
  readonly #to = new TensorList(false);
  /** What is there of the other graph's tensors: by their number, and what they are stored as. */
  readonly #numbers = new Map<string, number>();

  constructor(from: FlatGraph) {
    this.#from = from;
  }

  /** The graph, with operators that `write` gives for those of the other one. */
  of(write: (operator: FlatOperator) => void): FlatGraph {
    const ports = (all: readonly Port[]) => all.map(({name, tensor}) => ({name, tensor: this.#asItIs(tensor)}));
    const inputs = ports(this.#from.inputs);
    this.#from.operators.forEach(write);
    return {tensors: this.#to.all, operators: this.operators, inputs, outputs: ports(this.#from.outputs)};
  }

  /** An operator of floats, which the file has as float16. */
  withFloat16(operator: FlatOperator): void {
    this.#write(operator, tensor =>
      becomesFloat16(this.#tensor(tensor)) ? this.#float16(tensor) : this.#asItIs(tensor),
    );
  }

  /** An operator with weights of integers, if it takes such. */
  withIntegers(operator: FlatOperator, type: 'int8' | 'int4'): void {
    const {operator: name, inputs, options} = operator;
    const hybrid = HYBRID[name];
    if (!hybrid?.weights.every(place => becomesIntegers(this.#tensor(inputs[place]!)))) {
      this.#write(operator, tensor => this.#asItIs(tensor));
      return;
    }
    const {weights, axis, version, version4, byRows = false} = hybrid;
    const fits = weights.every(place => !byRows || this.#tensor(inputs[place]!).shape.at(-1)! % 2 === 0);
    const asInt4 = type === 'int4' && version4 !== undefined && fits;
    // The other way to round inputs has twice their error where all are positive.
    const rounding: Options = hasOption(name, 'asymmetricQuantizeInputs') ? {asymmetricQuantizeInputs: 1} : {};
    const call = {...operator, options: {...options, ...rounding}, version: asInt4 ? version4 : version};
    this.#write(call, (tensor, place) => {
      if (!weights.includes(place)) return this.#asItIs(tensor);
      return this.#integers(tensor, asInt4 ? 'int4' : 'int8', axis?.(this.#tensor(tensor).shape, options));
    });
  }

  #write(
    {inputs, outputs, intermediates, ...call}: FlatOperator,
    bring: (tensor: number, place: number) => number,
  ): void {
    const given = inputs.map((tensor, place) => (tensor === ABSENT ? ABSENT : bring(tensor, place)));
    const [made, between] = [outputs, intermediates].map(all => all?.map(each => this.#asItIs(each)));
    this.operators.push({...call, inputs: given, outputs: made!, ...(between && {intermediates: between})});
  }

  #tensor(number: number): FlatTensor {
    return this.#from.tensors[number]!;
  }

  #asItIs(tensor: number): number {
    return this.#once(`${tensor}`, () => this.#add(this.#tensor(tensor)));
  }

  #float16(tensor: number): number {
    return this.#once(`${tensor} as float16`, () => {
      const {data, ...floats} = this.#tensor(tensor);
      const stored = this.#add({...floats, type: 'float16', data: asFloat16(data as Floats)});
      const made = this.#add({...floats, name: `${floats.name}/float32`});
      const call = {operator: 'DEQUANTIZE', inputs: [stored], outputs: [made], options: {}, version: 3} as const;
      this.operators.push({...call, int16: false, int4: false});
      return made;
    });
  }

  #integers(tensor: number, type: 'int8' | 'int4', axis: number | undefined): number {
    return this.#once(`${tensor} as ${type} ${String(axis)}`, () => {
      const {data, ...floats} = this.#tensor(tensor);
      const grids = {type, axis, shape: floats.shape};
      const scale = stepsOf(data as Floats, grids);
      const stored = {type, scale, zeroPoint: new Int8Array(scale.length), ...(axis !== undefined && {axis})};
      return this.#add({...floats, ...stored, data: asIntegers(data as Floats, scale, grids)});
    });
  }

  #add({name, ...tensor}: FlatTensor): number {
    return this.#to.add(name, tensor);
  }

  #once(key: string, make: () => number): number {
    const number = this.#numbers.get(key) ?? make();
    this.#numbers.set(key, number);
    return number;
  }
}

/** The operator of tables that takes integers, where tables are large: for a list of row numbers, whatever their shape was. */
function withLookups(graph: FlatGraph): FlatGraph {
  const tensors = [...graph.tensors];
  const add = (tensor: FlatTensor) => tensors.push(tensor) - 1;
  const shapeOf = (layer: string, shape: readonly number[]) =>
    add({name: `${layer}/shape`, type: 'int32', shape: [shape.length], data: dataOf(Int32Array.from(shape))});
  const operators = graph.operators.flatMap(call => {
    const [table, rows] = call.inputs.map(each => tensors[each]!);
    const isLookup = call.operator === 'GATHER' && !call.options.axis && !call.options.batchDims;
    const [y] = call.outputs as [number];
    const {name, shape, open = [], ...found} = tensors[y]!;
    // A shape has room for one size that is not known.
    if (!isLookup || table!.shape.length !== 2 || !becomesIntegers(table!) || open.length > 1) return [call];
    const [count, anyCount] = [sizeOf(rows!.shape), {open: open.length > 0 ? [0] : []}];
    const list = add({...rows!, name: `${name}/rows`, shape: [count], ...anyCount});
    const listed = add({...found, name: `${name}/found`, shape: [count, table!.shape[1]!], ...anyCount});
    const whole = shape.map((dim, i) => (open.includes(i) ? -1 : dim));
    const plain = {options: {}, int16: false, int4: false};
    return [
      {...plain, operator: 'RESHAPE', inputs: [call.inputs[1]!, shapeOf(name, [-1])], outputs: [list]},
      {...plain, operator: 'EMBEDDING_LOOKUP', inputs: [list, call.inputs[0]!], outputs: [listed]},
      {...plain, operator: 'RESHAPE', inputs: [listed, shapeOf(name, whole)], outputs: [y]},
    ] satisfies FlatOperator[];
  });
  return {...graph, tensors, operators};
}

/** The graph with the weights of its floats stored as a type. */
export function withWeights(graph: FlatGraph, type: WeightType): FlatGraph {
  const becomesOther = type === 'float16' ? becomesFloat16 : becomesIntegers;
  if (type === 'float32' || !graph.tensors.some(becomesOther)) return graph;
  const from = type === 'float16' ? graph : withLookups(graph);
  const rewriting = new Rewriting(from);
  return rewriting.of(each => (type === 'float16' ? rewriting.withFloat16(each) : rewriting.withIntegers(each, type)));
}

/** Layers with numbers that float16 does not reach, once each. */
export function float16Problems({tensors}: FlatGraph): string[] {
  const largest = new Map<string, number>();
  for (const tensor of tensors.filter(becomesFloat16)) {
    const {layer = tensor.name, data} = tensor;
    (data as Floats).forEach(value => {
      const isLost = Number.isFinite(value) && Math.abs(value) >= INFINITE_FLOAT16;
      if (isLost && Math.abs(value) > Math.abs(largest.get(layer) ?? 0)) largest.set(layer, value);
    });
  }
  return [...largest].map(
    ([layer, value]) =>
      `layer ${layer}: its weights hold ${value}, and float16 ends at ${LARGEST_FLOAT16}. Use weights 'float32' or 'int8', ` +
      'or scale them.',
  );
}
