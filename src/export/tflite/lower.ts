/** From the operators of a graph to the tensors and operators of a file: integers for every number. */
import {
  computesInInt16,
  filterOf,
  inputOf,
  type InferenceGraph,
  mixedInputs,
  type NamedValue,
  type Node,
  typeOf,
  type Value,
} from '../../inference/graph';
import {type Interval, needsInt16, sameGrid, type ValueGrid} from '../../inference/grids';
import {clampPlan, FUSED, fusedFor} from './clamps';
import {fitsInt4, floatFilter, type IntegerFilter, integerFilter} from './filters';
import {isConstant} from '../../inference/operation_view';
import type {Widths} from '../../inference/integer_weights';
import type {Filter, Numbers} from '../../inference/operators';
import {storageOf} from '../../inference/storage';
import type {FlatGraph, FlatOperator, Port} from './flat_model';
import {lstmOperators} from './lstm';
import {stepsOf} from './operations';
import {anyBatch, isPlain, type Operand, type PlainNode, writtenAs} from './operators';
import {FUSED_ACTIVATIONS, type FusedActivation, type OperatorName, type Options, TENSOR_TYPES} from './schema';
import {type Bounds, boundsOf, type PortType, widened} from './storage';
import {TensorList} from './tensor_list';

/** How a graph is written. */
export interface LowerOptions {
  readonly inputType: PortType;
  readonly outputType: PortType;
  readonly dynamicBatch: boolean;
  readonly int4: boolean;
}

/** What an operator's operands are made for. */
interface Making {
  readonly node: PlainNode;
  readonly inInt16: boolean;
  readonly asInt4: boolean;
  readonly filter: IntegerFilter | undefined;
}

const NO_BOUNDS: Bounds = {least: undefined, largest: undefined};

/** Writes a graph value by value: the order of its calls is that of the file. */
class Emitter {
  readonly tensors: TensorList;
  readonly operators: FlatOperator[] = [];
  readonly #options: LowerOptions;
  readonly #numbers = new Map<Value, number>();
  /** Values of few levels that are in int16, too, for operators that compute on it. */
  readonly #widened = new Map<Value, number>();
  readonly #mixed: ReadonlySet<Value>;
  readonly #cast = new Map<Value, number>();
  readonly #integers = new Map<Filter, Map<string, IntegerFilter>>();
  readonly #floats = new Map<Filter, ReturnType<typeof floatFilter>>();
  /** Tensors that go out as they are. */
  readonly #given = new Set<number>();

  constructor(options: LowerOptions, mixed: ReadonlySet<Value>) {
    this.#options = options;
    this.#mixed = mixed;
    this.tensors = new TensorList(options.dynamicBatch);
  }

  input({name, value}: NamedValue): Port {
    const {inputType} = this.#options;
    const {grid} = value;
    if (!grid) return {name, tensor: this.#asGiven(name, value)};
    const given = this.tensors.port(name, value, grid, inputType);
    if (inputType === storageOf(grid).type) this.#hold(value, grid, boundsOf(grid), given);
    else this.#bounded(value, grid, boundsOf(grid), tensor => this.#quantize(given, tensor));
    return {name, tensor: given};
  }

  output({name, value}: NamedValue): Port {
    const {outputType} = this.#options;
    const {grid} = value;
    if (!grid) return {name, tensor: this.#outputAsItIs(name, value)};
    const {type} = storageOf(grid);
    const tensor = this.#numbers.get(value)!;
    if (outputType === type) return {name, tensor};
    const given = this.tensors.port(name, value, grid, outputType);
    if (outputType === 'float32') this.#operator('DEQUANTIZE', [tensor], given, type === 'int16');
    else this.#quantize(tensor, given);
    return {name, tensor: given};
  }

  node(node: Node): void {
    const {layer, output} = node;
    if (node.operator === 'operation') this.#operation(node);
    else if (node.operator === 'constant') this.#numbers.set(output, this.tensors.given(layer, node.attributes));
    else if (node.operator === 'lstm') this.#lstm(node);
    else if (!isPlain(node)) return;
    else if (output.grid) this.#onGrid(node, output.grid);
    else if (typeOf(output)) this.#inFloat(node);
    else {
      const {operator, options} = writtenAs(node);
      const moved = this.#operands(node, false);
      this.#operator(operator, moved, this.#asGiven(layer, output), false, options);
    }
  }

  /** A value on a grid. */
  #onGrid(node: PlainNode, grid: ValueGrid): void {
    const {output, clamp, rule} = node;
    const {operator} = writtenAs(node);
    const plan = clampPlan(operator, clamp, grid);
    const computesAnew = (rule === 'own' && operator !== 'GATHER') || operator === 'QUANTIZE';
    this.#bounded(output, grid, computesAnew ? plan : NO_BOUNDS, tensor => this.#compute(node, plan.fused, tensor));
  }

  #compute(node: PlainNode, fused: FusedActivation, tensor: number): void {
    const {inputs, output} = node;
    if (node.operator === 'requantize') {
      this.#quantize(this.#inFloats(inputs[0]!), tensor);
      return;
    }
    const {operator, options} = writtenAs(node);
    const inInt16 = computesInInt16(node);
    const isNarrowed = inInt16 && !needsInt16(output.grid);
    const computed = isNarrowed ? this.tensors.onGrid(output, output.grid!, true) : tensor;
    const operands = this.#operands(node, inInt16);
    if (operator === 'PRELU' && inInt16) this.#preluInInt16(node, operands as [number, number], computed);
    else
      this.#operator(operator, operands, computed, inInt16, {
        ...options,
        fusedActivationFunction: FUSED_ACTIVATIONS[fused],
      });
    if (isNarrowed) this.#quantize(computed, tensor);
  }

  /** max(x, 0) + slopes * min(x, 0): the operator itself takes slopes of 8 bits only. */
  #preluInInt16({layer, inputs, output}: Node, [x, slopes]: readonly [number, number], sum: number): void {
    const {tensors} = this;
    const grid = widened(inputs[0]!.grid!);
    const below = tensors.onGrid(output, grid, true);
    const [above, sloping] = [tensors.onGrid(output, output.grid!, true), tensors.onGrid(output, output.grid!, true)];
    this.#operator('MINIMUM', [x, tensors.bound(layer, 0, grid, true)], below, true);
    this.#operator('RELU', [x], above, true);
    this.#operator('MUL', [below, slopes], sloping, true);
    this.#operator('ADD', [above, sloping], sum, true);
  }

  #lstm(node: Node<'lstm'>): void {
    const {layer, inputs, output} = node;
    const {grid, shape} = output;
    const given = inputs.map(x => this.#numbers.get(x)!);
    const write = (tensor: number) => this.operators.push(...lstmOperators(node, this.tensors, given, tensor));
    if (grid) {
      this.#bounded(output, grid, boundsOf(grid), write);
      return;
    }
    const tensor = this.tensors.computed(layer, {type: 'float32', shape});
    write(tensor);
    this.#numbers.set(output, tensor);
  }

  /** The operators of one of TensorFlow's operations. */
  #operation(node: Node<'operation'>): void {
    const {layer, attributes} = node;
    for (const {operator, inputs, outputs, options, version} of stepsOf(node)) {
      const given = inputs.map(x => (isConstant(x) ? this.tensors.given(layer, x) : this.#numbers.get(x)!));
      const made = outputs.map(y => this.tensors.computed(attributes.name, {type: typeOf(y)!, shape: y.shape}));
      outputs.forEach((y, i) => this.#numbers.set(y, made[i]!));
      const call = {operator, inputs: given, outputs: made, options, int16: false, int4: false};
      this.operators.push({...call, ...(version !== undefined && {version})});
    }
  }

  /** An operator on floats, or one that moves values of any type. */
  #inFloat(node: PlainNode): void {
    const {layer, output, clamp} = node;
    const {operator, operands, options} = writtenAs(node);
    const given = operands.map(operand => this.#floatOperand(operand, node));
    if (node.operator === 'clamp') {
      this.#numbers.set(output, this.#clamped(node, given[0]!, clamp));
      return;
    }
    const fused = fusedFor(operator, clamp);
    const computed = this.tensors.computed(layer, {type: typeOf(output)!, shape: output.shape});
    const inInt16 = given.some(tensor => this.tensors.all[tensor]!.type === 'int16');
    const own = {...options, fusedActivationFunction: FUSED_ACTIVATIONS[fused ?? 'NONE']};
    this.#operator(operator, given, computed, inInt16, own);
    this.#numbers.set(output, fused ? computed : this.#clamped(node, computed, clamp));
  }

  /** Floats held inside an interval. */
  #clamped({layer, output: {shape}}: PlainNode, x: number, [low, high]: Interval): number {
    const {tensors} = this;
    const step = (operator: OperatorName, inputs: readonly number[]) => {
      const y = tensors.computed(layer, {type: 'float32', shape});
      this.#operator(operator, inputs, y, false);
      return y;
    };
    const bound = (value: number) => tensors.given(layer, {type: 'float32', shape: [], values: Float32Array.of(value)});
    if (low === FUSED.RELU[0] && high === FUSED.RELU[1]) return step('RELU', [x]);
    const below = high === Infinity ? x : step('MINIMUM', [x, bound(high)]);
    return low === -Infinity ? below : step('MAXIMUM', [below, bound(low)]);
  }

  #floatOperand(operand: Operand, node: PlainNode): number {
    const {tensors} = this;
    const {layer} = node;
    const floats = ({values, shape}: Numbers) => tensors.given(layer, {type: 'float32', values, shape});
    if (operand === 'shape') return this.#shape(node);
    if (operand === 'weights' || operand === 'bias')
      return tensors.floats(layer, operand, this.#floatsOf(node, filterOf(node)!)[operand]);
    if ('int32' in operand) return tensors.int32(layer, operand.int32, operand.shape);
    if ('table' in operand) return floats(operand.table);
    if ('factors' in operand) return floats(operand.factors);
    return node.operator === 'lookup' ? this.#rowNumbers(operand) : this.#numbers.get(operand)!;
  }

  /** A value that is quantized next, of whatever type. */
  #inFloats(value: Value): number {
    const tensor = this.#numbers.get(value)!;
    const {type} = this.tensors.all[tensor]!;
    if (type !== 'int32' && type !== 'bool') return tensor;
    const cast = this.tensors.computed(`${value.layer}/float`, {type: 'float32', shape: value.shape});
    const options = {inDataType: TENSOR_TYPES[type], outDataType: TENSOR_TYPES.float32};
    this.#operator('CAST', [tensor], cast, false, options);
    return cast;
  }

  /** A tensor of its own for an output that is on no grid. */
  #outputAsItIs(name: string, value: Value): number {
    const tensor = this.#numbers.get(value)!;
    const {type, data} = this.tensors.all[tensor]!;
    if (!data && !this.#given.has(tensor)) {
      this.#given.add(tensor);
      return tensor;
    }
    const copy = this.tensors.computed(name, {type, shape: value.shape});
    const shape = this.#options.dynamicBatch ? anyBatch(value) : value.shape;
    this.#operator('RESHAPE', [tensor, this.tensors.int32(name, shape)], copy, false);
    return copy;
  }

  #operands(node: PlainNode, inInt16: boolean): number[] {
    const filter = filterOf(node);
    const asInt4 = this.#options.int4 && fitsInt4(node, inInt16);
    const inputGrid = node.inputs[0]!.grid;
    const scale = inputGrid && (inInt16 ? widened(inputGrid) : inputGrid).scale;
    const integers = filter && this.#integersOf(node, filter, scale!, {inInt16, asInt4});
    const making = {node, inInt16, asInt4, filter: integers};
    return writtenAs(node).operands.map(operand => this.#operand(operand, making));
  }

  /** A filter in integers: of several operators with the same one, and the same steps, once. */
  #integersOf(node: PlainNode, filter: Filter, scale: number, {inInt16, asInt4}: Widths): IntegerFilter {
    const known = this.#integers.get(filter) ?? new Map<string, IntegerFilter>();
    this.#integers.set(filter, known);
    const key = `${node.operator} ${scale} ${inInt16} ${asInt4}`;
    const found = known.get(key) ?? integerFilter(node, filter, scale, {inInt16, asInt4});
    known.set(key, found);
    return found;
  }

  /** The same in floats. */
  #floatsOf(node: PlainNode, filter: Filter): ReturnType<typeof floatFilter> {
    const found = this.#floats.get(filter) ?? floatFilter(node, filter);
    this.#floats.set(filter, found);
    return found;
  }

  #operand(operand: Operand, {node, inInt16, asInt4, filter}: Making): number {
    const {tensors} = this;
    const {layer, output, operator, rule} = node;
    if (operand === 'weights') return tensors.weights(layer, filter!, asInt4);
    if (operand === 'bias') return tensors.bias(layer, filter!, inInt16);
    if (operand === 'shape') return this.#shape(node);
    if ('int32' in operand) return tensors.int32(layer, operand.int32, operand.shape);
    if ('table' in operand) return tensors.table(layer, operand.table, output.grid!);
    if ('factors' in operand) return tensors.factors(layer, operand.factors, inInt16);
    if (operator === 'lookup') return this.#rowNumbers(operand);
    return rule === 'same' ? this.#broughtTo(operand, output.grid) : this.#stored(operand, inInt16);
  }

  /** An input as it is given, or its values moved: row numbers, unless others compute with them. */
  #asGiven(name: string, value: Value): number {
    const type = typeOf(value) ?? (this.#mixed.has(inputOf(value)!) ? 'float32' : 'int32');
    const tensor = this.tensors.computed(name, {type, shape: value.shape});
    this.#numbers.set(value, tensor);
    return tensor;
  }

  #rowNumbers(value: Value): number {
    const known = this.#cast.get(value);
    const given = this.#numbers.get(value)!;
    const {type} = this.tensors.all[given]!;
    if (known !== undefined || type === 'int32') return known ?? given;
    const cast = this.tensors.computed(`${value.layer}/rows`, {type: 'int32', shape: value.shape});
    this.#operator('CAST', [given], cast, false, {inDataType: TENSOR_TYPES[type], outDataType: TENSOR_TYPES.int32});
    this.#cast.set(value, cast);
    return cast;
  }

  /** A value in the integers that an operator computes on. */
  #stored(value: Value, inInt16: boolean): number {
    const {grid} = value;
    const known = this.#numbers.get(value)!;
    if (!grid || !inInt16 || needsInt16(grid)) return known;
    const before = this.#widened.get(value);
    if (before !== undefined) return before;
    const tensor = this.tensors.onGrid(value, widened(grid), true);
    this.#quantize(known, tensor);
    this.#widened.set(value, tensor);
    return tensor;
  }

  /** What moves values needs its inputs on the output's grid. */
  #broughtTo(value: Value, grid: ValueGrid | undefined): number {
    const known = this.#numbers.get(value)!;
    if (!value.grid || !grid || sameGrid(value.grid, grid)) return known;
    const moved: Value = {...value, grid};
    this.#bounded(moved, grid, boundsOf(grid), tensor => this.#quantize(known, tensor));
    return this.#numbers.get(moved)!;
  }

  /** Writes a value, held inside its grid. */
  #bounded(value: Value, grid: ValueGrid, bounds: Bounds, write: (tensor: number) => void): void {
    const tensor = this.tensors.onGrid(value, grid);
    write(tensor);
    this.#hold(value, grid, bounds, tensor);
  }

  /** What holds a value inside a grid that ends before its type does. */
  #hold(value: Value, grid: ValueGrid, {least, largest}: Bounds, written: number): void {
    const steps: (readonly [OperatorName, number])[] = [];
    if (largest !== undefined) steps.push(['MINIMUM', largest]);
    if (least !== undefined) steps.push(['MAXIMUM', least]);
    let tensor = written;
    for (const [operator, bound] of steps) {
      const held = this.tensors.onGrid(value, grid);
      this.#operator(operator, [tensor, this.tensors.bound(value.layer, bound, grid)], held, needsInt16(grid));
      tensor = held;
    }
    this.#numbers.set(value, tensor);
  }

  /** The shape of an operator's output: numbers, but for a batch of any size, which is that of what the operator is given. */
  #shape({layer, inputs, output: {shape}}: PlainNode): number {
    const {tensors} = this;
    if (!this.#options.dynamicBatch) return tensors.int32(layer, shape);
    const given = inputs[0]!;
    const integers = (dims: readonly number[]) => tensors.add(`${layer}/shape`, {type: 'int32', shape: dims});
    const [all, batch, whole] = [integers([given.shape.length]), integers([]), integers([shape.length])];
    const [begin, end, strides] = [[0], [1], [1]].map(values => tensors.int32(layer, values)) as [
      number,
      number,
      number,
    ];
    const others = shape.slice(1).map(dim => tensors.int32(layer, [dim], []));
    this.#operator('SHAPE', [this.#numbers.get(given)!], all, false, {outType: TENSOR_TYPES.int32});
    this.#operator('STRIDED_SLICE', [all, begin, end, strides], batch, false, {shrinkAxisMask: 1});
    this.#operator('PACK', [batch, ...others], whole, false, {valuesCount: shape.length});
    return whole;
  }

  /** Brings integers to other steps, or to another type. */
  #quantize(from: number, to: number): void {
    const inInt16 = [from, to].some(tensor => this.tensors.all[tensor]!.type === 'int16');
    this.#operator('QUANTIZE', [from], to, inInt16);
  }

  #operator(
    operator: OperatorName,
    inputs: readonly number[],
    output: number,
    inInt16: boolean,
    options: Options = {},
  ): void {
    // Sums of int16 are for steps that are powers of two, if they are not told otherwise.
    const given = inInt16 ? {...options, potScaleInt16: 0} : options;
    const int4 = inputs.some(tensor => this.tensors.all[tensor]!.type === 'int4');
    this.operators.push({operator, inputs, outputs: [output], options: given, int16: inInt16, int4});
  }
}

/** The file's model, without description and metadata. */
export function lower(graph: InferenceGraph, options: LowerOptions): FlatGraph {
  const emitter = new Emitter(options, mixedInputs(graph));
  const inputs = graph.inputs.map(port => emitter.input(port));
  for (const node of graph.nodes) emitter.node(node);
  const outputs = graph.outputs.map(port => emitter.output(port));
  return {tensors: emitter.tensors.all, operators: emitter.operators, inputs, outputs};
}
