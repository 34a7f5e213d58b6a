/** From the operators of a graph to the tensors and operators of a file: integers for every number. */
import {channelOf} from '../../quantizer/levels';
import {packInt4} from '../../integer/quantized_weights';
import type {FlatModel, FlatOperator, FlatTensor, Port} from './flat_model';
import {
  computesWide,
  type Constant,
  EVERYTHING,
  type Factors,
  type Filter,
  type Graph,
  type Grid,
  inputOf,
  inputsOf,
  int32Constant,
  type Interval,
  isValue,
  isWide,
  mixedInputs,
  type Node,
  refined,
  sameGrid,
  type Table,
  type Value,
} from '../../integer/graph';
import {
  FUSED_ACTIVATIONS,
  type FusedActivation,
  hasOption,
  type OperatorName,
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
function storageOf(grid: Grid, wide = isWide(grid)): Storage {
  if (!wide) return {type: 'int8', zeroPoint: -128 - grid.lowest, low: -128, high: 127};
  return {type: 'int16', zeroPoint: 0, low: -32768, high: 32767};
}

/** The grid on which an operator of int16 is given what is on `grid`: with steps small enough for biases, too. */
function widened(grid: Grid): Grid {
  return isWide(grid) ? grid : refined(grid, true);
}

/** Whether an int16 can hold a grid. */
export function isStorable(grid: Grid): boolean {
  return !isWide(grid) || (grid.lowest >= -32768 && grid.highest <= 32767);
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

/** A least and a largest stored number, where the type does not end there. */
interface Ends {
  readonly least: number | undefined;
  readonly largest: number | undefined;
}

/** What a runtime clamps by itself, and what is left. */
interface ClampPlan extends Ends {
  readonly fused: FusedActivation;
}

function clampPlan({operator, clamp}: Node, grid: Grid): ClampPlan {
  const storage = storageOf(grid);
  const [low, high] = storedInterval(clamp, grid, storage);
  const {zeroPoint} = storage;
  const wanted = [Math.max(low, grid.lowest + zeroPoint), Math.min(high, grid.highest + zeroPoint)] as const;
  const names = Object.keys(FUSED) as (keyof typeof FUSED)[];
  const fits = (name: keyof typeof FUSED) => FUSED[name][0] === clamp[0] && FUSED[name][1] === clamp[1];
  const canFuse = hasOption(operator, 'fusedActivationFunction') && operator !== 'TRANSPOSE_CONV';
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

/** Levels of few bits in steps as much smaller as int8 has room for: a power of two, so that the values stay as they are. */
function spreadOf(levels: Int8Array): number {
  const most = levels.reduce((largest, level) => Math.max(largest, Math.abs(level)), 1);
  return 2 ** Math.floor(Math.log2(127 / most));
}

/**
 * The bias counts in steps of input times weight, so these should be small. A channel whose weights are so small that its
 * bias would not fit an int32 gets coarser steps, which its weights hardly notice.
 */
function integerFilter(filter: Filter, inputScale: number, wide: boolean, small: boolean): IntegerFilter {
  const channel = channelOf(filter.shape, filter.axis);
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

/** Operators with kernels for int8 alone. */
const IS_NARROW: ReadonlySet<OperatorName> = new Set(['ELU']);

/** Operators with kernels for int16 that overflow an int32 where their argument is larger. */
const OVERFLOWS: ReadonlySet<OperatorName> = new Set(['LOGISTIC', 'SOFTMAX', 'TANH']);
const LARGEST_ARGUMENT = 2 ** 17;

/** Operators with kernels that read int4 weights: those for int8, and those for int16. */
const READS_INT4: ReadonlySet<OperatorName> = new Set(['CONV_2D', 'DEPTHWISE_CONV_2D', 'FULLY_CONNECTED']);
const READS_INT4_WIDE: ReadonlySet<OperatorName> = new Set(['CONV_2D', 'FULLY_CONNECTED']);

function integersOf(numbers: Iterable<number>, type: Storage['type']): Uint8Array {
  return new Uint8Array(type === 'int8' ? Int8Array.from(numbers).buffer : Int16Array.from(numbers).buffer);
}

const bytesOf = ({buffer, byteOffset, byteLength}: Int8Array) => new Uint8Array(buffer, byteOffset, byteLength);

class Emitter {
  readonly tensors: FlatTensor[] = [];
  readonly operators: FlatOperator[] = [];
  readonly #options: EmitOptions;
  readonly #numbers = new Map<Value, number>();
  /** Values of few levels that are in int16, too, for operators that compute on it. */
  readonly #widened = new Map<Value, number>();
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
    const given = this.#port(name, value, grid, inputType);
    if (inputType === storageOf(grid).type) this.#hold(value, grid, endsOf(grid), given);
    else this.#bounded(value, grid, endsOf(grid), tensor => this.#quantize(given, tensor));
    return {name, tensor: given};
  }

  output(name: string, value: Value): Port {
    const {outputType} = this.#options;
    const grid = value.grid!;
    const {type} = storageOf(grid);
    const tensor = this.#numbers.get(value)!;
    if (outputType === type) return {name, tensor};
    const given = this.#port(name, value, grid, outputType);
    if (outputType === 'float32') this.#operator('DEQUANTIZE', [tensor], given, type === 'int16');
    else this.#quantize(tensor, given);
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
    const computesAnew = (node.rule === 'own' && node.operator !== 'GATHER') || node.operator === 'QUANTIZE';
    const bounds = computesAnew ? plan : {least: undefined, largest: undefined};
    this.#bounded(node.output, grid, bounds, tensor => this.#compute(node, plan.fused, tensor));
  }

  #compute(node: Node, fused: FusedActivation, tensor: number): void {
    const {operator, output} = node;
    if (operator === 'QUANTIZE') {
      this.#quantize(this.#numbers.get(inputsOf(node)[0]!)!, tensor);
      return;
    }
    const wide = computesWide(node);
    const isNarrowed = wide && !isWide(output.grid);
    const computed = isNarrowed ? this.#onGrid(output, output.grid!, true) : tensor;
    const inputs = this.#operands(node, wide);
    const options = {...node.options, fusedActivationFunction: FUSED_ACTIVATIONS[fused]};
    if (operator === 'PRELU' && wide) this.#widePrelu(node, inputs as [number, number], computed);
    else this.#operator(operator, inputs, computed, wide, options);
    if (isNarrowed) this.#quantize(computed, tensor);
  }

  /** max(x, 0) + slopes * min(x, 0): the operator itself takes slopes of 8 bits only. */
  #widePrelu({layer, operands, output}: Node, [x, slopes]: readonly [number, number], sum: number): void {
    const grid = widened((operands[0] as Value).grid!);
    const below = this.#onGrid(output, grid, true);
    const [above, sloping] = [this.#onGrid(output, output.grid!, true), this.#onGrid(output, output.grid!, true)];
    this.#operator('MINIMUM', [x, this.#bound(layer, 0, grid, true)], below, true);
    this.#operator('RELU', [x], above, true);
    this.#operator('MUL', [below, slopes], sloping, true);
    this.#operator('ADD', [above, sloping], sum, true);
  }

  #operands(node: Node, wide: boolean): number[] {
    const small = this.#isSmall(node, wide);
    const integers = node.filter && this.#integers(node, node.filter, wide, small);
    return node.operands.map(operand => {
      if (operand === 'weights') return this.#weights(node, integers!, small);
      if (operand === 'bias') return this.#bias(node, integers!, wide);
      if (operand === 'shape') return this.#shape(node);
      if ('table' in operand) return this.#table(node, operand);
      if ('factors' in operand) return this.#factors(node.layer, operand, wide);
      if (!isValue(operand)) return this.#constant(node.layer, operand);
      if (node.operator === 'GATHER') return this.#rowNumbers(operand);
      return node.rule === 'same' ? this.#broughtTo(operand, node.output.grid!) : this.#stored(operand, wide);
    });
  }

  #integers(node: Node, filter: Filter, wide: boolean, small: boolean): IntegerFilter {
    const grid = inputsOf(node)[0]!.grid!;
    return integerFilter(filter, (wide ? widened(grid) : grid).scale, wide, small);
  }

  /** An input as it is given, or its values moved: row numbers, unless others compute with them. */
  #given(name: string, value: Value): number {
    const type = this.#mixed.has(inputOf(value)!) ? 'float32' : 'int32';
    const tensor = this.#computed(name, {type, shape: value.shape});
    this.#numbers.set(value, tensor);
    return tensor;
  }

  #rowNumbers(value: Value): number {
    const known = this.#cast.get(value);
    const given = this.#numbers.get(value)!;
    if (known !== undefined || !this.#mixed.has(inputOf(value)!)) return known ?? given;
    const cast = this.#computed(`${value.layer}/rows`, {type: 'int32', shape: value.shape});
    this.#operator('CAST', [given], cast, false, {inDataType: TENSOR_TYPES.float32, outDataType: TENSOR_TYPES.int32});
    this.#cast.set(value, cast);
    return cast;
  }

  /** A value in the integers that an operator computes on. */
  #stored(value: Value, wide: boolean): number {
    const {grid} = value;
    const known = this.#numbers.get(value)!;
    if (!grid || !wide || isWide(grid)) return known;
    const before = this.#widened.get(value);
    if (before !== undefined) return before;
    const tensor = this.#onGrid(value, widened(grid), true);
    this.#quantize(known, tensor);
    this.#widened.set(value, tensor);
    return tensor;
  }

  /** What moves values needs its inputs on the output's grid. */
  #broughtTo(value: Value, grid: Grid): number {
    const known = this.#numbers.get(value)!;
    if (!value.grid || sameGrid(value.grid, grid)) return known;
    const moved: Value = {...value, grid};
    this.#bounded(moved, grid, endsOf(grid), tensor => this.#quantize(known, tensor));
    return this.#numbers.get(moved)!;
  }

  /** Writes a value, held inside its grid. */
  #bounded(value: Value, grid: Grid, ends: Ends, write: (tensor: number) => void): void {
    const tensor = this.#onGrid(value, grid);
    write(tensor);
    this.#hold(value, grid, ends, tensor);
  }

  /** What holds a value inside a grid that ends before its type does. */
  #hold(value: Value, grid: Grid, {least, largest}: Ends, written: number): void {
    const steps: (readonly [OperatorName, number])[] = [];
    if (largest !== undefined) steps.push(['MINIMUM', largest]);
    if (least !== undefined) steps.push(['MAXIMUM', least]);
    let tensor = written;
    for (const [operator, bound] of steps) {
      const held = this.#onGrid(value, grid);
      this.#operator(operator, [tensor, this.#bound(value.layer, bound, grid)], held, isWide(grid));
      tensor = held;
    }
    this.#numbers.set(value, tensor);
  }

  /** Brings integers to other steps, or to another type. */
  #quantize(from: number, to: number): void {
    const wide = [from, to].some(tensor => this.tensors[tensor]!.type === 'int16');
    this.#operator('QUANTIZE', [from], to, wide);
  }

  #operator(operator: OperatorName, inputs: readonly number[], output: number, wide: boolean, options: Options = {}) {
    // Sums of int16 are for steps that are powers of two, if they are not told otherwise.
    const given = wide ? {...options, potScaleInt16: 0} : options;
    const small = inputs.some(tensor => this.tensors[tensor]!.type === 'int4');
    this.operators.push({operator, inputs, outputs: [output], options: given, int16: wide, int4: small});
  }

  #onGrid({layer, shape}: Value, grid: Grid, wide = isWide(grid)): number {
    const {type, zeroPoint} = storageOf(grid, wide);
    return this.#computed(layer, {type, shape, scale: [grid.scale], zeroPoint: [zeroPoint]});
  }

  /** A tensor that the callers of the model see. */
  #port(name: string, {shape}: Value, grid: Grid, type: PortType): number {
    if (type === 'float32') return this.#computed(name, {type, shape});
    const {zeroPoint} = storageOf(grid, type === 'int16');
    const shifted = type === 'uint8' ? zeroPoint + 128 : zeroPoint;
    return this.#computed(name, {type, shape, scale: [grid.scale], zeroPoint: [shifted]});
  }

  #computed(name: string, tensor: Omit<FlatTensor, 'name'>): number {
    const {dynamicBatch} = this.#options;
    return this.#tensor(name, {...tensor, ...(dynamicBatch && {dynamicBatch})});
  }

  /** The shape of an operator's output: numbers, but for a batch of any size, which is that of what the operator is given. */
  #shape(node: Node): number {
    const {layer, output} = node;
    const {shape} = output;
    if (!this.#options.dynamicBatch) return this.#constant(layer, int32Constant(shape));
    const given = inputsOf(node)[0]!;
    const constant = (values: readonly number[], dims?: readonly number[]) =>
      this.#constant(layer, int32Constant(values, dims));
    const integers = (dims: readonly number[]) => this.#tensor(`${layer}/shape`, {type: 'int32', shape: dims});
    const [all, batch, whole] = [integers([given.shape.length]), integers([]), integers([shape.length])];
    const [begin, end, strides] = [constant([0]), constant([1]), constant([1])];
    const others = shape.slice(1).map(dim => constant([dim], []));
    this.#operator('SHAPE', [this.#numbers.get(given)!], all, false, {outType: TENSOR_TYPES.int32});
    this.#operator('STRIDED_SLICE', [all, begin, end, strides], batch, false, {shrinkAxisMask: 1});
    this.#operator('PACK', [batch, ...others], whole, false, {valuesCount: shape.length});
    return whole;
  }

  #table({layer, output}: Node, {table, shape}: Table): number {
    const {scale, lowest, highest} = output.grid!;
    const {type, zeroPoint} = storageOf(output.grid!);
    const stored = table.map(x => zeroPoint + Math.min(highest, Math.max(lowest, Math.round(x / scale))));
    return this.#constant(layer, {data: integersOf(stored, type), type, shape, scale, zeroPoint});
  }

  #factors(layer: string, {factors, shape}: Factors, wide: boolean): number {
    const [type, most] = wide ? (['int16', 32767] as const) : (['int8', 127] as const);
    const scale = Math.fround(factors.reduce((largest, each) => Math.max(largest, Math.abs(each)), 0) / most) || 1;
    const levels = factors.map(each => Math.round(each / scale));
    return this.#constant(layer, {data: integersOf(levels, type), type, shape, scale});
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

  #bound(layer: string, bound: number, grid: Grid, wide = isWide(grid)): number {
    const {type, zeroPoint} = storageOf(grid, wide);
    const data = integersOf([bound], type);
    return this.#tensor(`${layer}/bound`, {data, type, shape: [1], scale: [grid.scale], zeroPoint: [zeroPoint]});
  }

  /** Whether the weights are stored as int4. Of few bits may be more than fit: with the other sign, or on one side of 0. */
  #isSmall({operator, filter}: Node, wide: boolean): boolean {
    const readers = wide ? READS_INT4_WIDE : READS_INT4;
    if (!this.#options.int4 || !filter || filter.bits > 4 || !readers.has(operator)) return false;
    return filter.levels.every(level => level >= -8 && level <= 7);
  }

  #weights(node: Node, {levels, scale}: IntegerFilter, small: boolean): number {
    const {layer, filter} = node;
    const {shape, axis} = filter!;
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

/** The least and the largest stored number of a grid that ends before its type does. */
function endsOf(grid: Grid): Ends {
  const {zeroPoint, low, high} = storageOf(grid);
  const [least, largest] = [grid.lowest + zeroPoint, grid.highest + zeroPoint];
  return {least: least > low ? least : undefined, largest: largest < high ? largest : undefined};
}

/** Layers with an operator that does not compute on as many bits as they have, or not on such large numbers. */
function operatorProblems({nodes}: Graph): string[] {
  return nodes.filter(computesWide).flatMap(node => {
    const {layer, operator} = node;
    if (IS_NARROW.has(operator)) {
      return [
        `layer ${layer}: TensorFlow Lite computes ${operator} on 8 bits only. Quantize the activations that it takes and ` +
          'those that it gives with numBits of 8 or fewer, or use another activation.',
      ];
    }
    const {grid} = inputsOf(node)[0]!;
    if (!OVERFLOWS.has(operator) || !grid) return [];
    const {scale, lowest, highest} = grid;
    const most = Math.round(scale * Math.max(-lowest, highest));
    if (most <= LARGEST_ARGUMENT) return [];
    return [
      `layer ${layer}: TensorFlow Lite computes ${operator} of more than 8 bits for numbers up to ${LARGEST_ARGUMENT}, ` +
        `but it is given up to ${most}. Scale them, or quantize them with numBits of 8 or fewer.`,
    ];
  });
}

/** Inputs and outputs with more levels than the type in which they are asked for. */
function portProblems({inputs, outputs}: Graph, {inputType, outputType}: EmitOptions): string[] {
  const of = (type: PortType, option: string, what: string, ports: Graph['inputs']) =>
    (type === 'int8' || type === 'uint8' ? ports : [])
      .filter(({value}) => isWide(value.grid))
      .map(
        ({name}) =>
          `${option} ${type} has 256 levels, but ${what} ${name} more. Use 'int16' or 'float32', or quantize its ` +
          'activations with numBits of 8 or fewer.',
      );
  return [...of(inputType, 'inputType', 'input', inputs), ...of(outputType, 'outputType', 'output', outputs)];
}

/** What stands in the way of a file in integers. */
export function integerProblems(graph: Graph, options: EmitOptions): string[] {
  return [...operatorProblems(graph), ...portProblems(graph, options)];
}

/** The file's model, without description and metadata. */
export function emit(graph: Graph, options: EmitOptions): Omit<FlatModel, 'description' | 'metadata'> {
  const emitter = new Emitter(options, mixedInputs(graph));
  const inputs = graph.inputs.map(({name, value}) => emitter.input(name, value));
  for (const node of graph.nodes) emitter.node(node);
  const outputs = graph.outputs.map(({name, value}) => emitter.output(name, value));
  return {tensors: emitter.tensors, operators: emitter.operators, inputs, outputs};
}
