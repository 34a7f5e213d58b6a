/** A model as TensorFlow Lite sees it, and the bytes of its file. */
import {Builder, type Offset} from 'flatbuffers';
import {type OperatorName, type OperatorRow, OPERATORS, type Options, TENSOR_TYPES, type TensorType} from './schema';

export interface FlatTensor {
  readonly name: string;
  readonly type: TensorType;
  readonly shape: readonly number[];
  /** Whether the first dimension may have any size. */
  readonly dynamicBatch?: boolean;
  /** The bytes of a constant. Constants of the same array are written once. */
  readonly data?: Uint8Array;
  readonly scale?: ArrayLike<number>;
  readonly zeroPoint?: ArrayLike<number>;
  /** The dimension that `scale` has a value for each slice of. */
  readonly axis?: number;
}

export interface FlatOperator {
  readonly operator: OperatorName;
  /** Numbers of tensors. */
  readonly inputs: readonly number[];
  readonly outputs: readonly number[];
  readonly options: Options;
  /** Whether it computes on int16. */
  readonly wide: boolean;
  /** Whether its weights are int4. */
  readonly small: boolean;
}

/** A tensor by the name that callers know it by. */
export interface Port {
  readonly name: string;
  readonly tensor: number;
}

export interface FlatModel {
  readonly description: string;
  readonly tensors: readonly FlatTensor[];
  readonly operators: readonly FlatOperator[];
  readonly inputs: readonly Port[];
  readonly outputs: readonly Port[];
  readonly metadata: readonly {readonly name: string; readonly data: Uint8Array}[];
}

const VERSION = 3;
const SIGNATURE = 'serving_default';

/** Vectors and tables, written with the field numbers of the schema. */
class TableWriter {
  readonly builder: Builder;
  readonly #int64s = new Map<string, Offset>();

  constructor(bytes: number) {
    this.builder = new Builder(bytes);
  }

  offsets(all: readonly Offset[]): Offset {
    this.builder.startVector(4, all.length, 4);
    for (let i = all.length - 1; i >= 0; --i) this.builder.addOffset(all[i]!);
    return this.builder.endVector();
  }

  int32s(all: ArrayLike<number>): Offset {
    this.builder.startVector(4, all.length, 4);
    for (let i = all.length - 1; i >= 0; --i) this.builder.addInt32(all[i]!);
    return this.builder.endVector();
  }

  /** Vectors of the same numbers are one: a weight has a zero point of 8 bytes for each channel, and all are 0. */
  int64s(all: ArrayLike<number>): Offset {
    const key = Array.from(all).join();
    const known = this.#int64s.get(key);
    if (known !== undefined) return known;
    this.builder.startVector(8, all.length, 8);
    for (let i = all.length - 1; i >= 0; --i) this.builder.addInt64(BigInt(all[i]!));
    const written = this.builder.endVector();
    this.#int64s.set(key, written);
    return written;
  }

  float32s(all: ArrayLike<number>): Offset {
    this.builder.startVector(4, all.length, 4);
    for (let i = all.length - 1; i >= 0; --i) this.builder.addFloat32(all[i]!);
    return this.builder.endVector();
  }

  /** Bytes at a multiple of 16, as the runtimes want to map them. */
  bytes(data: Uint8Array): Offset {
    this.builder.prep(16, data.length);
    return this.builder.createByteVector(data);
  }

  text(value: string): Offset {
    return this.builder.createString(value);
  }

  table(size: number, write: (builder: Builder) => void): Offset {
    this.builder.startObject(size);
    write(this.builder);
    return this.builder.endObject();
  }
}

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

/** What tells constants apart: small ones by their content, large ones by their array. */
function keyOf(data: Uint8Array): unknown {
  return data.length <= 64 ? data.join() : data;
}

function writeQuantization(to: TableWriter, {scale, zeroPoint, axis = 0}: FlatTensor): Offset {
  if (!scale || !zeroPoint) return 0;
  const [scales, zeroPoints] = [to.float32s(scale), to.int64s(zeroPoint)];
  return to.table(7, builder => {
    builder.addFieldOffset(2, scales, 0);
    builder.addFieldOffset(3, zeroPoints, 0);
    builder.addFieldInt32(6, axis, 0);
  });
}

function writeTensor(to: TableWriter, tensor: FlatTensor, buffer: number): Offset {
  const {name, type, shape, dynamicBatch = false} = tensor;
  const quantization = writeQuantization(to, tensor);
  const [dims, text] = [to.int32s(shape), to.text(name)];
  const signature = dynamicBatch ? to.int32s([-1, ...shape.slice(1)]) : 0;
  return to.table(10, builder => {
    builder.addFieldOffset(0, dims, 0);
    builder.addFieldInt8(1, TENSOR_TYPES[type], 0);
    builder.addFieldInt32(2, buffer, 0);
    builder.addFieldOffset(3, text, 0);
    builder.addFieldOffset(4, quantization, 0);
    builder.addFieldOffset(7, signature, 0);
    builder.addFieldInt8(8, 1, 0); // it has a rank: no dimensions mean a scalar
  });
}

function writeOptions(to: TableWriter, {options: table}: OperatorRow, options: Options): Offset {
  if (!table) return 0;
  const fields = Object.entries(table.fields);
  return to.table(Math.max(0, ...fields.map(([, [slot]]) => slot + 1)), builder => {
    for (const [name, [slot, type, ifAbsent]] of fields) {
      const value = options[name] ?? ifAbsent;
      if (type === 'float32') builder.addFieldFloat32(slot, value, ifAbsent);
      else if (type === 'int32') builder.addFieldInt32(slot, value, ifAbsent);
      else builder.addFieldInt8(slot, value, ifAbsent);
    }
  });
}

function versionOf({operator, wide, small}: FlatOperator): number {
  const {version, version16 = version, versions4}: OperatorRow = OPERATORS[operator];
  const [in8, in16] = (small && versions4) || [version, version16];
  return wide ? in16 : in8;
}

function writeOperator(to: TableWriter, operator: FlatOperator, code: number): Offset {
  const row: OperatorRow = OPERATORS[operator.operator];
  const options = writeOptions(to, row, operator.options);
  const [inputs, outputs] = [to.int32s(operator.inputs), to.int32s(operator.outputs)];
  return to.table(14, builder => {
    builder.addFieldInt32(0, code, 0);
    builder.addFieldOffset(1, inputs, 0);
    builder.addFieldOffset(2, outputs, 0);
    builder.addFieldInt8(3, row.options?.union ?? 0, 0);
    builder.addFieldOffset(4, options, 0);
  });
}

function writeCode(to: TableWriter, operator: FlatOperator): Offset {
  const {code} = OPERATORS[operator.operator];
  return to.table(4, builder => {
    // Readers from before there were more than 127 operators look here.
    builder.addFieldInt8(0, Math.min(code, 127), 0);
    builder.addFieldInt32(2, versionOf(operator), 1);
    builder.addFieldInt32(3, code, 0);
  });
}

function writePorts(to: TableWriter, ports: readonly Port[]): Offset {
  return to.offsets(
    ports.map(({name, tensor}) => {
      const text = to.text(name);
      return to.table(2, builder => {
        builder.addFieldOffset(0, text, 0);
        builder.addFieldInt32(1, tensor, 0);
      });
    }),
  );
}

function writeSignature(to: TableWriter, {inputs, outputs}: FlatModel): Offset {
  const [ins, outs, key] = [writePorts(to, inputs), writePorts(to, outputs), to.text(SIGNATURE)];
  return to.table(5, builder => {
    builder.addFieldOffset(0, ins, 0);
    builder.addFieldOffset(1, outs, 0);
    builder.addFieldOffset(2, key, 0);
  });
}

function writeSubgraph(
  to: TableWriter,
  model: FlatModel,
  buffers: readonly number[],
  codes: readonly number[],
): Offset {
  const tensors = to.offsets(model.tensors.map((tensor, i) => writeTensor(to, tensor, buffers[i]!)));
  const operators = to.offsets(model.operators.map((operator, i) => writeOperator(to, operator, codes[i]!)));
  const inputs = to.int32s(model.inputs.map(({tensor}) => tensor));
  const outputs = to.int32s(model.outputs.map(({tensor}) => tensor));
  const name = to.text('main');
  return to.table(6, builder => {
    builder.addFieldOffset(0, tensors, 0);
    builder.addFieldOffset(1, inputs, 0);
    builder.addFieldOffset(2, outputs, 0);
    builder.addFieldOffset(3, operators, 0);
    builder.addFieldOffset(4, name, 0);
  });
}

function writeMetadata(to: TableWriter, name: string, buffer: number): Offset {
  const text = to.text(name);
  return to.table(2, builder => {
    builder.addFieldOffset(0, text, 0);
    builder.addFieldInt32(1, buffer, 0);
  });
}

/** The bytes of a .tflite file. The same model gives the same bytes. */
export function writeModel(model: FlatModel): Uint8Array {
  const {tensors, operators, metadata} = model;
  const constants = [...tensors.flatMap(({data}) => data ?? []), ...metadata.map(({data}) => data)];
  const to = new TableWriter(constants.reduce((sum, data) => sum + data.length + 64, 1024 * (1 + tensors.length)));

  // Buffer 0 is the empty one, of all that is computed.
  const buffers = new Register<Uint8Array | undefined>();
  buffers.numberOf(undefined, () => undefined);
  const numberOf = (data: Uint8Array | undefined) => buffers.numberOf(data && keyOf(data), () => data);
  const tensorBuffers = tensors.map(({data}) => numberOf(data));
  const metadataBuffers = metadata.map(({data}) => numberOf(data));
  const codes = new Register<FlatOperator>();
  const numbers = operators.map(each => codes.numberOf(`${each.operator} ${String(versionOf(each))}`, () => each));

  const written = to.offsets(
    buffers.all.map(data => {
      const bytes = data ? to.bytes(data) : 0;
      return to.table(3, builder => builder.addFieldOffset(0, bytes, 0));
    }),
  );
  const operatorCodes = to.offsets(codes.all.map(each => writeCode(to, each)));
  const subgraphs = to.offsets([writeSubgraph(to, model, tensorBuffers, numbers)]);
  const description = to.text(model.description);
  const entries = to.offsets(metadata.map(({name}, i) => writeMetadata(to, name, metadataBuffers[i]!)));
  const signatures = to.offsets([writeSignature(to, model)]);
  const root = to.table(8, builder => {
    builder.addFieldInt32(0, VERSION, 0);
    builder.addFieldOffset(1, operatorCodes, 0);
    builder.addFieldOffset(2, subgraphs, 0);
    builder.addFieldOffset(3, description, 0);
    builder.addFieldOffset(4, written, 0);
    builder.addFieldOffset(6, entries, 0);
    builder.addFieldOffset(7, signatures, 0);
  });
  to.builder.finish(root, 'TFL3');
  return to.builder.asUint8Array();
}
