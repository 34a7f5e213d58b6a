/** A .tflite file as those that plan for it see it: whoever wrote it. */
import {invalid, must, shown, throwProblems} from '../../check/rules';
import {IDENTIFIERS, NAMES} from '../tflite/schema_numbers';
import {TableReader} from './table_reader';

export interface FileTensor {
  readonly name: string;
  /** As the schema names it; empty for one that it does not know yet. */
  readonly type: (typeof NAMES.TensorType)[number] | '';
  readonly shape: readonly number[];
  readonly isConstant: boolean;
  readonly isVariable: boolean;
  readonly scale: readonly number[];
  readonly zeroPoint: readonly number[];
}

/** What an operator is: the schema's name, or a custom operator's own. */
export interface FileOperatorKind {
  readonly operator: string;
  readonly isCustom: boolean;
  readonly version: number;
}

export interface FileOperator extends FileOperatorKind {
  /** Numbers of tensors; -1 for none. */
  readonly inputs: readonly number[];
  readonly outputs: readonly number[];
  readonly table: TableReader<'Operator'>;
}

export interface FileSubgraph {
  readonly tensors: readonly FileTensor[];
  readonly operators: readonly FileOperator[];
  readonly inputs: readonly number[];
  readonly outputs: readonly number[];
}

export interface ModelFile {
  readonly bytes: Uint8Array;
  readonly subgraphs: readonly FileSubgraph[];
  readonly metadata: ReadonlyMap<string, Uint8Array>;
  /** Names that callers know tensors of the first subgraph by. */
  readonly portNames: ReadonlyMap<number, string>;
}

const BYTES = must('a Uint8Array', value => Object.prototype.toString.call(value) === '[object Uint8Array]');

/** How many numbers a tensor holds. */
export function sizeOf({shape}: FileTensor): number {
  return shape.reduce((size, dim) => size * dim, 1);
}

/** What a number of each type takes where TensorFlow Lite Micro computes with it: int4 is unpacked. */
const TYPE_BYTES: Readonly<Partial<Record<FileTensor['type'], number>>> = {
  FLOAT32: 4,
  FLOAT16: 2,
  INT32: 4,
  UINT8: 1,
  INT64: 8,
  BOOL: 1,
  INT16: 2,
  COMPLEX64: 8,
  INT8: 1,
  FLOAT64: 8,
  COMPLEX128: 16,
  UINT64: 8,
  RESOURCE: 4,
  UINT32: 4,
  UINT16: 2,
  INT4: 1,
};

/** What a tensor takes; undefined for strings and what else TensorFlow Lite Micro has no memory for. */
export function bytesOf(tensor: FileTensor): number | undefined {
  const bytes = TYPE_BYTES[tensor.type];
  return bytes === undefined ? undefined : bytes * sizeOf(tensor);
}

/** The tensors of numbers. */
export function tensorsOf({tensors}: FileSubgraph, numbers: readonly number[]): FileTensor[] {
  return numbers.flatMap(each => tensors[each] ?? []);
}

/** Reads a file, or says why it cannot be one. */
export function readModel(caller: string, bytes: Uint8Array): ModelFile {
  throwProblems(caller, BYTES(bytes, 'bytes'));
  checkIdentity(caller, bytes);
  return readWhole(caller, bytes, () => {
    const file = modelOf(bytes);
    const problem = problemOf(file);
    if (problem) throw new RangeError(problem);
    return file;
  });
}

/** Reads something of a file's bytes, or says that they are not all there. */
export function readWhole<T>(caller: string, {length}: Uint8Array, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw invalid(
      caller,
      `bytes must be a whole .tflite file, but of the ${length} given some point at what is not there ` +
        `(${error.message}). Read or write the file again.`,
    );
  }
}

function checkIdentity(caller: string, bytes: Uint8Array): void {
  const remedy = 'Give what toTFLite returns, or what stands in a .tflite file.';
  if (bytes.length < 8) {
    throw invalid(caller, `bytes must be a .tflite file, but were ${bytes.length || 'no'} bytes. ${remedy}`);
  }
  const identifier = String.fromCharCode(...bytes.subarray(4, 8));
  if (identifier === IDENTIFIERS.Model) return;
  throw invalid(
    caller,
    `bytes must be a .tflite file, which has '${IDENTIFIERS.Model}' behind its first 4 bytes, but had ` +
      `${shown(identifier.replace(/[^ -~]/g, '?'))} there. ${remedy}`,
  );
}

function modelOf(bytes: Uint8Array): ModelFile {
  const root = TableReader.root(bytes, 'Model');
  const buffers = root.tables('buffers', 'Buffer').map(buffer => buffer.bytes('data'));
  const kinds = root.tables('operatorCodes', 'OperatorCode').map(kindOf);
  const subgraphs = root.tables('subgraphs', 'SubGraph').map(subgraph => ({
    tensors: subgraph.tables('tensors', 'Tensor').map(tensor => tensorOf(tensor, buffers)),
    operators: subgraph.tables('operators', 'Operator').map(operator => operatorOf(operator, kinds)),
    inputs: subgraph.int32s('inputs'),
    outputs: subgraph.int32s('outputs'),
  }));
  const metadata = root
    .tables('metadata', 'Metadata')
    .map(each => [each.text('name'), bufferAt(buffers, each.number('buffer'))] as const);
  const [signature] = root.tables('signatureDefs', 'SignatureDef');
  const ports = signature
    ? (['inputs', 'outputs'] as const).flatMap(field => signature.tables(field, 'TensorMap'))
    : [];
  const portNames = new Map(ports.map(port => [port.number('tensorIndex'), port.text('name')]));
  return {bytes, subgraphs, metadata: new Map(metadata), portNames};
}

/** Builtin operators by number: those below 128 stand in the older field, too, or there alone. */
function kindOf(code: TableReader<'OperatorCode'>): FileOperatorKind {
  const number = Math.max(code.number('builtinCode'), code.number('deprecatedBuiltinCode'));
  const name = NAMES.BuiltinOperator[number] ?? `number ${number}`;
  const isCustom = name === 'CUSTOM';
  return {operator: isCustom ? code.text('customCode') : name, isCustom, version: code.number('version')};
}

function tensorOf(tensor: TableReader<'Tensor'>, buffers: readonly Uint8Array[]): FileTensor {
  const quantization = tensor.table('quantization', 'QuantizationParameters');
  return {
    name: tensor.text('name'),
    type: NAMES.TensorType[tensor.number('type')] ?? '',
    shape: tensor.int32s('shape'),
    isConstant: bufferAt(buffers, tensor.number('buffer')).length > 0,
    isVariable: tensor.number('isVariable') !== 0,
    scale: quantization?.float32s('scale') ?? [],
    zeroPoint: quantization?.int64s('zeroPoint') ?? [],
  };
}

function operatorOf(table: TableReader<'Operator'>, kinds: readonly FileOperatorKind[]): FileOperator {
  const kind = kinds[table.number('opcodeIndex')];
  if (!kind) throw new RangeError('an operator is of no kind that is listed');
  return {...kind, inputs: table.int32s('inputs'), outputs: table.int32s('outputs'), table};
}

function bufferAt(buffers: readonly Uint8Array[], number: number): Uint8Array {
  const buffer = buffers[number];
  if (!buffer) throw new RangeError(`there is no buffer ${number}`);
  return buffer;
}

/** What is not there, if anything. */
function problemOf({subgraphs}: ModelFile): string | undefined {
  if (subgraphs.length === 0) return 'there is no subgraph';
  for (const {tensors, operators, inputs, outputs} of subgraphs) {
    const numbers = [...inputs, ...outputs, ...operators.flatMap(each => [...each.inputs, ...each.outputs])];
    const missing = numbers.find(number => number >= tensors.length || number < -1);
    if (missing !== undefined) return `there is no tensor ${missing}`;
  }
  return undefined;
}
