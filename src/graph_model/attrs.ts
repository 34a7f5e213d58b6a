/** The attributes of a node, as protocol buffers write them in JSON: 64-bit integers as strings, bytes in base64 or as codes. */
import type {DataType} from '@tensorflow/tfjs-core';
import {isRecord} from '../check/rules';

type Bytes = string | readonly number[];

interface Values {
  readonly i?: readonly (number | string)[];
  readonly f?: readonly number[];
  readonly s?: readonly Bytes[];
}

interface Value {
  readonly i?: number | string;
  readonly f?: number | string;
  readonly b?: boolean;
  readonly s?: Bytes;
  readonly type?: string | number;
  readonly list?: Values;
  readonly shape?: {readonly dim?: readonly {readonly size?: number | string}[]; readonly unknownRank?: boolean};
}

/** TensorFlow's types by what tfjs holds them in. */
const DTYPES: Readonly<Record<string, DataType>> = {
  DT_FLOAT: 'float32',
  DT_HALF: 'float32',
  DT_BFLOAT16: 'float32',
  DT_DOUBLE: 'float32',
  DT_INT8: 'int32',
  DT_UINT8: 'int32',
  DT_INT16: 'int32',
  DT_UINT16: 'int32',
  DT_INT32: 'int32',
  DT_INT64: 'int32',
  DT_BOOL: 'bool',
  DT_STRING: 'string',
  DT_COMPLEX64: 'complex64',
  DT_COMPLEX128: 'complex64',
};

/** The same by number, as some files have them. */
const NUMBERED: readonly string[] = [
  'DT_INVALID',
  'DT_FLOAT',
  'DT_DOUBLE',
  'DT_INT32',
  'DT_UINT8',
  'DT_INT16',
  'DT_INT8',
  'DT_STRING',
  'DT_COMPLEX64',
  'DT_INT64',
  'DT_BOOL',
];

/** What tfjs holds a type of TensorFlow in; undefined of one that it has not. */
function dtypeOf(type: string | number | undefined): DataType | undefined {
  const name = typeof type === 'number' ? NUMBERED[type] : type;
  return name !== undefined && Object.hasOwn(DTYPES, name) ? DTYPES[name] : undefined;
}

/** A shape as TensorShapeProto; undefined if its rank is not known. */
export function shapeOf(shape: unknown): (number | null)[] | undefined {
  if (!isRecord(shape) || shape['unknownRank']) return undefined;
  const {dim = []} = shape as NonNullable<Value['shape']>;
  if (!Array.isArray(dim)) return undefined;
  return (dim as {size?: number | string}[]).map(({size = 0}) => (Number(size) >= 0 ? Number(size) : null));
}

function textOf(bytes: Bytes): string {
  try {
    return typeof bytes === 'string' ? atob(bytes) : String.fromCharCode(...bytes);
  } catch {
    return '';
  }
}

/** Attributes by name, or TensorFlow's defaults, which the converter may leave out. */
export class Attrs {
  readonly #values: Readonly<Record<string, Value>>;

  constructor(values: object = {}) {
    this.#values = values as Readonly<Record<string, Value>>;
  }

  #get(name: string): Value | undefined {
    return Object.hasOwn(this.#values, name) ? this.#values[name] : undefined;
  }

  #list(name: string): Values | undefined {
    return this.#get(name)?.list;
  }

  int(name: string, byDefault = 0): number {
    const value = this.#get(name);
    return value ? Number(value.i ?? 0) : byDefault;
  }

  ints(name: string, byDefault: readonly number[] = []): readonly number[] {
    const list = this.#list(name);
    return list ? (list.i ?? []).map(Number) : byDefault;
  }

  float(name: string, byDefault = 0): number {
    const value = this.#get(name);
    return value ? Math.fround(Number(value.f ?? value.i ?? 0)) : byDefault;
  }

  flag(name: string, byDefault = false): boolean {
    const value = this.#get(name);
    return value ? (value.b ?? false) : byDefault;
  }

  text(name: string, byDefault = ''): string {
    const value = this.#get(name);
    return value ? textOf(value.s ?? '') : byDefault;
  }

  texts(name: string): readonly string[] {
    return (this.#list(name)?.s ?? []).map(textOf);
  }

  dtype(name: string): DataType | undefined {
    return dtypeOf(this.#get(name)?.type);
  }

  shape(name: string): (number | null)[] | undefined {
    return shapeOf(this.#get(name)?.shape);
  }
}
