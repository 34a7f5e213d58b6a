/** From the operators of a graph to the tensors and operators of a file: integers for every number. */
import {packInt4} from '../qat/quantized_weights';
import type {FlatModel, FlatOperator, FlatTensor, Port} from './flat_model';
import {type Constant, type Filter, type Graph, type Grid, type Interval, type Node} from './graph';
import {EVERYTHING, inputOf, inputsOf, isValue, mixedInputs, sameGrid, sizeOf, type Value} from './graph';
import {
  FUSED_ACTIVATIONS,
  type FusedActivation,
  OPERATORS,
  type OperatorName,
  type OperatorRow,
  type Options,
  TENSOR_TYPES,
} from './schema';

/** How numbers come into the model, or out of it. */
export type PortType = 'float32' | 'int8' | 'uint8' | 'int16';

export interface EmitOptions {
  readonly inputType: PortType;
  readonly outputType: PortType;
  readonly dynamicBatch: boolean;
  readonly int4: boolean;
}

/** How a grid's levels are stored: level + zeroPoint, held inside low and high by the type itself. */
interface Storage {
  readonly type: 'int8' | 'int16';
  readonly zeroPoint: number;
  readonly low: number;
  readonly high: number;
}

/** int8 from its lowest number on, so that it ends where the grid does; int16 about 0, as the runtimes want it. */
function storageOf({lowest, highest}: Grid): Storage {
  if (highest - lowest < 256) return {type: 'int8', zeroPoint: -128 - lowest, low: -128, high: 127};
  return {type: 'int16', zeroPoint: 0, low: -32768, high: 32767};
}

/** Whether an int16 can hold a grid. */
export function isStorable({lowest, highest}: Grid): boolean {
  return highest - lowest < 256 || (lowest >= -32768 && highest <= 32767);
}

const FUSED: Readonly<Record<Exclude<FusedActivation, 'NONE'>, Interval>> = {
  RELU: [0, Infinity],
  RELU6: [0, 6],
  RELU_N1_TO_1: [-1, 1],
};

/** Halves away from zero, as C does. */
function roundAway(x: number): number {
  return Math.sign(x) * Math.round(Math.abs(x));
}

/** The stored numbers between which an interval lies. */
function storedInterval([low, high]: Interval, {scale}: Grid, storage: Storage): Interval {
  const stored = (x: number) => storage.zeroPoint + roundAway(Math.fround(x / scale));
  return [Math.max(storage.low, stored(low)), Math.min(storage.high, stored(high))];
}

/** What a runtime clamps by itself, and what is left: a least and a largest stored number. */
interface ClampPlan {
  readonly fused: FusedActivation;
  readonly least: number | undefined;
  readonly largest: number | undefined;
}

function clampPlan({operator, clamp}: Node, grid: Grid): ClampPlan {
  const storage = storageOf(grid);
  const [low, high] = storedInterval(clamp, grid, storage);
  const {zeroPoint} = storage;
  const wanted = [Math.max(low, grid.lowest + zeroPoint), Math.min(high, grid.highest + zeroPoint)] as const;
  const names = Object.keys(FUSED) as (keyof typeof FUSED)[];
  const fits = (name: keyof typeof FUSED) => FUSED[name][0] === clamp[0] && FUSED[name][1] === clamp[1];
  const row: OperatorRow = OPERATORS[operator];
  const canFuse = row.options !== undefined && 'activation' in row.options.fields && operator !== 'TRANSPOSE_CONV';
  const fused = canFuse ? names.find(fits) : undefined;
  const done = storedInterval(operator === 'RELU' ? FUSED.RELU : fused ? FUSED[fused] : EVERYTHING, grid, storage);
  return {
    fused: fused ?? 'NONE',
    least: wanted[0] > done[0] ? wanted[0] : undefined,
    largest: wanted[1] < done[1] ? wanted[1] : undefined,
  };
}

/** Channels whose step is 0 multiply with 0; any step will do, and theirs is the smallest that there is. */
function usableScale(scale: Float64Array): Float64Array {
  const smallest = scale.reduce((least, each) => (each > 0 && each < least ? each : least), Infinity);
  return scale.map(each => (each > 0 ? each : smallest === Infinity ? 1 : smallest));
}

/** Where int32 is left enough for the products that are added to a bias. */
const LARGEST_BIAS = 2 ** 30;

/** A filter in integers, for an input of a given step. */
interface IntegerFilter {
  readonly levels: Int8Array;
  readonly scale: Float32Array;
  readonly biasScale: Float32Array;
  readonly bias: readonly number[];
}

function channelOfLevel({shape, axis}: Filter): (element: number) => number {
  const [inner, channels] = [sizeOf(shape.slice(axis + 1)), shape[axis]!];
  return element => Math.floor(element / inner) % channels;
}

/** Levels of few bits in steps as much smaller as int8 has room for: a power of two, so that the values stay as they are. */
function spreadOf(levels: Int8Array): number {
  const most = levels.reduce((largest, level) => Math.max(largest, Math.abs(level)), 1);
  return 2 ** Math.floor(Math.log2(127 / most));
}

/**
 * The bias counts in steps of input times weight, so these should be small. A channel whose weights are so small that its bias would not fit an int32
 * gets coarser steps, which its weights hardly notice.
 */
function integerFilter(filter: Filter, inputScale: number, wide: boolean, small: boolean): IntegerFilter {
  const channel = channelOfLevel(filter);
  const spread = small ? 1 : spreadOf(filter.levels);
  let levels = spread === 1 ? filter.levels : filter.levels.map(level => level * spread);
  const scale = usableScale(filter.scale).map(each => each / spread);
  const coarser = scale.map((each, c) => {
    if (wide || filter.scale[c] === 0) return 1;
    return Math.max(1, Math.abs(filter.bias[c]!) / (inputScale * each * LARGEST_BIAS));
  });
  const changes = coarser.some(each => each > 1) || filter.scale.some(each => each === 0);
  if (changes) {
    levels = levels.map((level, i) => (filter.scale[channel(i)] === 0 ? 0 : roundAway(level / coarser[channel(i)]!)));
  }
  const floor = (c: number) => (filter.scale[c] === 0 ? Math.abs(filter.bias[c]!) / (inputScale * LARGEST_BIAS) : 0);
  const steps = Float32Array.from(scale, (each, c) => Math.max(each * coarser[c]!, floor(c)));
  const biasScale = steps.map(each => Math.fround(inputScale * each));
  const bias = Array.from(filter.bias, (each, c) => roundAway(each / biasScale[c]!));
  // Dense layers with one step for all channels say so, as their fastest kernels are for that.
  const isShared = filter.shape.length === 2 && steps.every(step => step === steps[0]);
  const [scales, biasScales] = isShared ? [steps.slice(0, 1), biasScale.slice(0, 1)] : [steps, biasScale];
  return {levels, scale: scales, biasScale: biasScales, bias};
}

/** Operators whose kernels read int4 weights. */
const READS_INT4: ReadonlySet<OperatorName> = new Set(['CONV_2D', 'DEPTHWISE_CONV_2D', 'FULLY_CONNECTED']);

const bytesOf = ({buffer, byteOffset, byteLength}: Int8Array) => new Uint8Array(buffer, byteOffset, byteLength);

class Emitter {
  readonly tensors: FlatTensor[] = [];
  readonly operators: FlatOperator[] = [];
  readonly #options: EmitOptions;
  readonly #numbers = new Map<Value, number>();
  readonly #names = new Set<string>();
  readonly #constants = new Map<string, number>();
  readonly #mixed: ReadonlySet<Value>;
  readonly #cast = new Map<Value, number>();

  constructor(options: EmitOptions, mixed: ReadonlySet<Value>) {
    this.#options = options;
    this.#mixed = mixed;
  }

  input(name: string, value: Value): Port {
    const {inputType} = this.#options;
    const {grid} = value;
    if (!grid) return {name, tensor: this.#given(name, value)};
    const storage = storageOf(grid);
    if (inputType === storage.type) return {name, tensor: this.#onGrid(name, value, grid, value)};
    const given = this.#port(name, value, grid, inputType);
    const bounds = {least: undefined, largest: upperEnd(grid, storage)};
    this.#bounded(value, grid, bounds, tensor => this.#operator('QUANTIZE', [given], tensor, storage.type === 'int16'));
    return {name, tensor: given};
  }

  output(name: string, value: Value): Port {
    const {outputType} = this.#options;
    const grid = value.grid!;
    const {type} = storageOf(grid);
    const tensor = this.#numbers.get(value)!;
    if (outputType === type) return {name, tensor};
    const given = this.#port(name, value, grid, outputType);
    this.#operator(outputType === 'float32' ? 'DEQUANTIZE' : 'QUANTIZE', [tensor], given, type === 'int16');
    return {name, tensor: given};
  }

  node(node: Node): void {
    const {grid} = node.output;
    if (!grid) {
      const moved = this.#operands(node, false);
      this.#operator(node.operator, moved, this.#given(node.layer, node.output), false, node.options);
      return;
    }
    const plan = clampPlan(node, grid);
    const wide = storageOf(grid).type === 'int16';
    const inputs = this.#operands(node, wide);
    const computesAnew = node.rule === 'own' || node.operator === 'QUANTIZE';
    const bounds = computesAnew ? plan : {least: undefined, largest: undefined};
    const options = {...node.options, activation: FUSED_ACTIVATIONS[plan.fused]};
    this.#bounded(node.output, grid, bounds, tensor => this.#operator(node.operator, inputs, tensor, wide, options));
  }

  #operands(node: Node, wide: boolean): number[] {
    const {filter} = node;
    const data = inputsOf(node)[0]!;
    const integers = filter && integerFilter(filter, data.grid!.scale, wide, this.#isSmall(node));
    return node.operands.map(operand => {
      if (operand === 'weights') return this.#weights(node, integers!);
      if (operand === 'bias') return this.#bias(node, integers!, wide);
      if (!isValue(operand)) return this.#constant(node.layer, operand);
      if (node.operator === 'GATHER') return this.#rowNumbers(operand);
      return node.rule === 'same' ? this.#broughtTo(operand, node.output.grid!) : this.#numbers.get(operand)!;
    });
  }

  /** An input as it is given, or its values moved: row numbers, unless others compute with them. */
  #given(name: string, value: Value): number {
    const type = this.#mixed.has(inputOf(value)!) ? 'float32' : 'int32';
    return this.#computed(name, {type, shape: value.shape}, value);
  }

  #rowNumbers(value: Value): number {
    const known = this.#cast.get(value);
    const given = this.#numbers.get(value)!;
    if (known !== undefined || !this.#mixed.has(inputOf(value)!)) return known ?? given;
    const cast = this.#computed(`${value.layer}/rows`, {type: 'int32', shape: value.shape}, undefined);
    this.#operator('CAST', [given], cast, false, {from: TENSOR_TYPES.float32, to: TENSOR_TYPES.int32});
    this.#cast.set(value, cast);
    return cast;
  }

  /** What moves values needs its inputs on the output's grid. */
  #broughtTo(value: Value, grid: Grid): number {
    const known = this.#numbers.get(value)!;
    if (!value.grid || sameGrid(value.grid, grid)) return known;
    const moved: Value = {...value, grid};
    const storage = storageOf(grid);
    const bounds = {least: undefined, largest: upperEnd(grid, storage)};
    const wide = storage.type === 'int16';
    this.#bounded(moved, grid, bounds, tensor => this.#operator('QUANTIZE', [known], tensor, wide));
    return this.#numbers.get(moved)!;
  }

  /** Writes a value, and what holds it inside a grid that ends before its type does. */
  #bounded(
    value: Value,
    grid: Grid,
    {least, largest}: Pick<ClampPlan, 'least' | 'largest'>,
    write: (tensor: number) => void,
  ): void {
    const steps: (readonly [OperatorName, number])[] = [];
    if (largest !== undefined) steps.push(['MINIMUM', largest]);
    if (least !== undefined) steps.push(['MAXIMUM', least]);
    let tensor = this.#onGrid(value.layer, value, grid, steps.length === 0 ? value : undefined);
    write(tensor);
    for (const [i, [operator, bound]] of steps.entries()) {
      const held = this.#onGrid(value.layer, value, grid, i === steps.length - 1 ? value : undefined);
      const wide = storageOf(grid).type === 'int16';
      this.#operator(operator, [tensor, this.#bound(value.layer, bound, grid)], held, wide);
      tensor = held;
    }
  }

  #operator(operator: OperatorName, inputs: readonly number[], output: number, wide: boolean, options: Options = {}) {
    this.operators.push({operator, inputs, outputs: [output], options, wide});
  }

  #onGrid(name: string, {shape}: Value, grid: Grid, value: Value | undefined): number {
    const {type, zeroPoint} = storageOf(grid);
    return this.#computed(name, {type, shape, scale: [grid.scale], zeroPoint: [zeroPoint]}, value);
  }

  /** A tensor that the callers of the model see. */
  #port(name: string, {shape}: Value, grid: Grid, type: PortType): number {
    if (type === 'float32') return this.#computed(name, {type, shape}, undefined);
    const {zeroPoint} = storageOf(grid);
    const shifted = type === 'uint8' ? zeroPoint + 128 : zeroPoint;
    return this.#computed(name, {type, shape, scale: [grid.scale], zeroPoint: [shifted]}, undefined);
  }

  #computed(name: string, tensor: Omit<FlatTensor, 'name'>, value: Value | undefined): number {
    const dynamicBatch = this.#options.dynamicBatch;
    const number = this.#tensor(name, {...tensor, ...(dynamicBatch && {dynamicBatch})});
    if (value) this.#numbers.set(value, number);
    return number;
  }

  #constant(layer: string, {data, type, shape, scale, zeroPoint = 0}: Constant): number {
    const quantization = scale === undefined ? {} : {scale: [scale], zeroPoint: [zeroPoint]};
    if (data.length > 64) return this.#tensor(`${layer}/constant`, {data, type, shape, ...quantization});
    const key = `${type} ${shape.join()} ${data.join()} ${String(scale)}`;
    const known = this.#constants.get(key);
    if (known !== undefined) return known;
    const number = this.#tensor(`${layer}/constant`, {data, type, shape, ...quantization});
    this.#constants.set(key, number);
    return number;
  }

  #bound(layer: string, bound: number, grid: Grid): number {
    const {type, zeroPoint} = storageOf(grid);
    const data = new Uint8Array(type === 'int8' ? Int8Array.of(bound).buffer : Int16Array.of(bound).buffer);
    return this.#tensor(`${layer}/bound`, {data, type, shape: [1], scale: [grid.scale], zeroPoint: [zeroPoint]});
  }

  /** Whether the weights are stored as int4. */
  #isSmall({operator, filter}: Node): boolean {
    return this.#options.int4 && filter !== undefined && filter.bits <= 4 && READS_INT4.has(operator);
  }

  #weights(node: Node, {levels, scale}: IntegerFilter): number {
    const {layer, filter} = node;
    const {shape, axis} = filter!;
    const small = this.#isSmall(node);
    const data = small ? packInt4(levels) : bytesOf(levels);
    const type = small ? 'int4' : 'int8';
    return this.#tensor(`${layer}/weights`, {data, type, shape, scale, zeroPoint: scale.map(() => 0), axis});
  }

  #bias({layer}: Node, {bias, biasScale}: IntegerFilter, wide: boolean): number {
    const data = new Uint8Array(
      wide ? BigInt64Array.from(bias, each => BigInt(each)).buffer : Int32Array.from(bias).buffer,
    );
    const type = wide ? 'int64' : 'int32';
    const zeroPoint = biasScale.map(() => 0);
    return this.#tensor(`${layer}/bias`, {data, type, shape: [bias.length], scale: biasScale, zeroPoint});
  }

  /** A tensor; names are told apart, as some tools need that. */
  #tensor(name: string, tensor: Omit<FlatTensor, 'name'>): number {
    let unique = name;
    for (let i = 1; this.#names.has(unique); ++i) unique = `${name}_${i}`;
    this.#names.add(unique);
    return this.tensors.push({name: unique, ...tensor}) - 1;
  }
}

/** The largest stored number of a grid that ends before its type does. */
function upperEnd({highest}: Grid, {zeroPoint, high}: Storage): number | undefined {
  return highest + zeroPoint < high ? highest + zeroPoint : undefined;
}

/** The file's model, without description and metadata. */
export function emit(graph: Graph, options: EmitOptions): Omit<FlatModel, 'description' | 'metadata'> {
  const emitter = new Emitter(options, mixedInputs(graph));
  const inputs = graph.inputs.map(({name, value}) => emitter.input(name, value));
  for (const node of graph.nodes) emitter.node(node);
  const outputs = graph.outputs.map(({name, value}) => emitter.output(name, value));
  return {tensors: emitter.tensors, operators: emitter.operators, inputs, outputs};
}
