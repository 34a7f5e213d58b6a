/**
 * A model as TensorFlow Lite sees it, and the bytes of its file. What a table refers to is written in the order in which its
 * values stand here: another order makes other bytes of the same model.
 */
import type {Offset} from 'flatbuffers';
import type {Data} from './constant_data';
import {type OperatorName, OPERATORS, type Options, TENSOR_TYPES, type TensorType} from './schema';
import {ENUMS} from './schema_numbers';
import {TableWriter} from './table_writer';

export interface FlatTensor {
  readonly name: string;
  readonly type: TensorType;
  readonly shape: readonly number[];
  /** The dimensions that may have any size. */
  readonly open?: readonly number[];
  /** The bytes of a constant. The same bytes are written once. */
  readonly data?: Data;
  /** The layer that it is of, for messages. */
  readonly layer?: string;
  readonly scale?: ArrayLike<number>;
  readonly zeroPoint?: ArrayLike<number>;
  /** The dimension that `scale` has a value for each slice of. */
  readonly axis?: number;
  /** Whether it keeps what is in it from call to call. */
  readonly isVariable?: boolean;
}

/** In the place of an input that an operator can do without. */
export const ABSENT = -1;

export interface FlatOperator {
  readonly operator: OperatorName;
  /** Numbers of tensors, or {@link ABSENT}. */
  readonly inputs: readonly number[];
  readonly outputs: readonly number[];
  /** What it computes with on the way. */
  readonly intermediates?: readonly number[];
  readonly options: Options;
  /** The lowest version that computes it, where it is not the operator's lowest. */
  readonly version?: number;
  /** Whether it computes on int16. */
  readonly int16: boolean;
  /** Whether its weights are int4. */
  readonly int4: boolean;
}

/** A tensor by the name that callers know it by. */
export interface Port {
  readonly name: string;
  readonly tensor: number;
}

/** What a model computes. */
export interface FlatGraph {
  readonly tensors: readonly FlatTensor[];
  readonly operators: readonly FlatOperator[];
  readonly inputs: readonly Port[];
  readonly outputs: readonly Port[];
}

export interface FlatModel extends FlatGraph {
  readonly description: string;
  readonly metadata: readonly {readonly name: string; readonly data: Data}[];
}

/** The schema's version, which it tells in a comment alone. */
const VERSION = 3;
const SIGNATURE = 'serving_default';

/** Numbers things in the order in which they come; the same key twice is one thing. */
class Register<T> {
  readonly all: T[] = [];
  readonly #numbers = new Map<unknown, number>();

  numberOf(key: unknown, make: () => T): number {
    const known = this.#numbers.get(key);
    if (known !== undefined) return known;
    this.#numbers.set(key, this.all.length);
    return this.all.push(make()) - 1;
  }
}

function writeQuantization(to: TableWriter, {scale, zeroPoint, axis = 0}: FlatTensor): Offset {
  if (!scale || !zeroPoint) return 0;
  return to.table('QuantizationParameters', {
    scale: to.float32s(scale),
    zeroPoint: to.int64s(zeroPoint),
    quantizedDimension: axis,
  });
}

function writeTensor(to: TableWriter, tensor: FlatTensor, buffer: number): Offset {
  const {name, type, shape, open = [], isVariable = false} = tensor;
  return to.table('Tensor', {
    quantization: writeQuantization(to, tensor),
    shape: to.int32s(shape),
    name: to.text(name),
    shapeSignature: open.length > 0 ? to.int32s(shape.map((dim, i) => (open.includes(i) ? -1 : dim))) : 0,
    type: TENSOR_TYPES[type],
    buffer,
    isVariable: Number(isVariable),
    hasRank: 1, // no dimensions mean a scalar
  });
}

function versionOf({operator, int16, int4, version: own}: FlatOperator): number {
  if (own !== undefined) return own;
  const {version, version16 = version, versions4} = OPERATORS[operator];
  const [in8, in16] = (int4 && versions4) || [version, version16];
  return int16 ? in16 : in8;
}

function writeOperator(
  to: TableWriter,
  {operator, inputs, outputs, intermediates, options}: FlatOperator,
  code: number,
): Offset {
  const table = OPERATORS[operator].options;
  return to.table('Operator', {
    builtinOptionsType: table && ENUMS.BuiltinOptions[table],
    builtinOptions: table && to.table(table, options),
    inputs: to.int32s(inputs),
    outputs: to.int32s(outputs),
    opcodeIndex: code,
    intermediates: intermediates && to.int32s(intermediates),
  });
}

function writeCode(to: TableWriter, operator: FlatOperator): Offset {
  const code = ENUMS.BuiltinOperator[operator.operator];
  return to.table('OperatorCode', {
    // Readers from before there were more than 127 operators look here.
    deprecatedBuiltinCode: Math.min(code, 127),
    version: versionOf(operator),
    builtinCode: code,
  });
}

function writePorts(to: TableWriter, ports: readonly Port[]): Offset {
  return to.offsets(ports.map(({name, tensor}) => to.table('TensorMap', {name: to.text(name), tensorIndex: tensor})));
}

function writeSignature(to: TableWriter, {inputs, outputs}: FlatModel): Offset {
  return to.table('SignatureDef', {
    inputs: writePorts(to, inputs),
    outputs: writePorts(to, outputs),
    signatureKey: to.text(SIGNATURE),
  });
}

function writeSubgraph(
  to: TableWriter,
  {tensors, operators, inputs, outputs}: FlatModel,
  buffers: readonly number[],
  codes: readonly number[],
): Offset {
  return to.table('SubGraph', {
    tensors: to.offsets(tensors.map((tensor, i) => writeTensor(to, tensor, buffers[i]!))),
    operators: to.offsets(operators.map((operator, i) => writeOperator(to, operator, codes[i]!))),
    inputs: to.int32s(inputs.map(({tensor}) => tensor)),
    outputs: to.int32s(outputs.map(({tensor}) => tensor)),
    name: to.text('main'),
  });
}

/** Offsets in FlatBuffers are 31 bits. */
const LARGEST_FILE = 2 ** 31 - 1;

/** How many bytes a file takes at most. */
function roomFor({tensors, metadata, operators}: FlatModel): number {
  const constants = new Map([...tensors, ...metadata].flatMap(({data}) => (data ? [[data.key, data.length]] : [])));
  const tables = 1024 * (1 + tensors.length + operators.length);
  const steps = tensors.reduce((sum, {scale}) => sum + 12 * (scale?.length ?? 0), 0);
  return [...constants.values()].reduce((sum, length) => sum + length + 64, tables + steps);
}

/** A file that is too large to be one. */
export function sizeProblems(model: FlatModel): string[] {
  const bytes = roomFor(model);
  if (bytes <= LARGEST_FILE) return [];
  return [
    `model must fit a file of 2 GiB, where FlatBuffers end, but takes up to ${bytes} bytes. Store its weights in fewer: ` +
      "weights 'float16', 'int8' or 'int4'; or cut it in two: cutModel.",
  ];
}

/** The bytes of a .tflite file. The same model gives the same bytes. */
export function writeModel(model: FlatModel): Uint8Array {
  const {tensors, operators, metadata} = model;
  const to = new TableWriter(roomFor(model));

  // Buffer 0 is the empty one, of all that is computed.
  const buffers = new Register<Data | undefined>();
  buffers.numberOf(undefined, () => undefined);
  const numberOf = (data: Data | undefined) => buffers.numberOf(data?.key, () => data);
  const tensorBuffers = tensors.map(({data}) => numberOf(data));
  const metadataBuffers = metadata.map(({data}) => numberOf(data));
  const codes = new Register<FlatOperator>();
  const numbers = operators.map(each => codes.numberOf(`${each.operator} ${String(versionOf(each))}`, () => each));

  const root = to.table('Model', {
    version: VERSION,
    buffers: to.offsets(buffers.all.map(data => to.table('Buffer', {data: data && to.bytes(data.bytes())}))),
    operatorCodes: to.offsets(codes.all.map(each => writeCode(to, each))),
    subgraphs: to.offsets([writeSubgraph(to, model, tensorBuffers, numbers)]),
    description: to.text(model.description),
    metadata: to.offsets(
      metadata.map(({name}, i) => to.table('Metadata', {name: to.text(name), buffer: metadataBuffers[i]!})),
    ),
    signatureDefs: to.offsets([writeSignature(to, model)]),
  });
  return to.finish('Model', root);
}
