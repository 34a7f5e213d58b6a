/** The constants of graphs: values by themselves, which files can hold. */
import {type DataType, tensor, tidy, util, type Variable, variable} from '@tensorflow/tfjs-core';
import {isRecord, type Rule} from '../check/rules';

/** A constant of a graph. */
export interface Constant {
  readonly dtype: DataType;
  readonly shape: readonly number[];
  /** Of strings, each one's length in 4 bytes and then its bytes, as files of weights have them. */
  readonly values: Float32Array | Int32Array | Uint8Array;
}

/** A constant in JSON. Under `name` text stays as it is where tfjs-layers saves it. */
export interface SavedConstant {
  readonly name: string;
  readonly dtype: DataType;
  readonly shape: readonly number[];
  /** Its bytes in base64; none where they are saved elsewhere. */
  readonly values?: {readonly name: string};
}

const ARRAYS = {float32: Float32Array, int32: Int32Array, bool: Uint8Array, string: Uint8Array} as const;

function isDtype(dtype: unknown): dtype is keyof typeof ARRAYS {
  return typeof dtype === 'string' && Object.hasOwn(ARRAYS, dtype);
}

/** So many bytes at a time become arguments of a call. */
const CHUNK = 0x8000;

function toBase64(bytes: Uint8Array): string {
  let text = '';
  for (let i = 0; i < bytes.length; i += CHUNK) text += String.fromCharCode(...bytes.subarray(i, i + CHUNK));
  return btoa(text);
}

function fromBase64(text: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(atob(text), char => char.charCodeAt(0));
}

/** The strings of a constant, each as its bytes; undefined if they do not end where the constant does. */
function stringsIn(values: Uint8Array): Uint8Array[] | undefined {
  const view = new DataView(values.buffer, values.byteOffset, values.byteLength);
  const strings: Uint8Array[] = [];
  let at = 0;
  while (at + 4 <= values.length) {
    const end = at + 4 + view.getUint32(at, true);
    if (end > values.length) return undefined;
    strings.push(values.subarray(at + 4, end));
    at = end;
  }
  return at === values.length ? strings : undefined;
}

/** A tensor of the constant, which lives as weights of layers do: no scope frees it, and tf.disposeVariables does. */
export function variableOf({dtype, shape, values}: Constant): Variable {
  return tidy(() => {
    if (dtype !== 'string') return variable(tensor(values, [...shape], dtype), false);
    // tfjs knows strings as their bytes, which its typings hide.
    const strings = stringsIn(values as Uint8Array) as unknown as string[];
    return variable(tensor(strings, [...shape], 'string'), false);
  });
}

/** A constant in JSON; without its values where those are saved elsewhere. */
export function savedConstant(name: string, {dtype, shape, values}: Constant, withValues: boolean): SavedConstant {
  const {buffer, byteOffset, byteLength} = values;
  const text = withValues ? toBase64(new Uint8Array(buffer, byteOffset, byteLength)) : undefined;
  return {name, dtype, shape, ...(text !== undefined && {values: {name: text}})};
}

function arrayOf(dtype: keyof typeof ARRAYS, bytes: Uint8Array<ArrayBuffer>): Constant['values'] {
  return new ARRAYS[dtype](bytes.buffer);
}

/** A constant out of JSON that {@link savedValues} has found right; zeros where its values are elsewhere. */
export function loadedConstant({dtype, shape, values}: SavedConstant): Constant {
  if (!isDtype(dtype)) throw new Error(`A constant of ${dtype} cannot be.`);
  const loaded = values ? arrayOf(dtype, fromBase64(values.name)) : new ARRAYS[dtype](util.sizeFromShape([...shape]));
  return {dtype, shape, values: loaded};
}

const isCount = (size: unknown) => Number.isSafeInteger(size) && (size as number) >= 0;

/** A rule: a saved constant whose values are as many as its shape says. */
export const savedValues: Rule = (value, path) => {
  if (!isRecord(value)) return [`${path} must be a constant.`];
  const {name, dtype, shape, values} = value;
  const where = `${path} ('${String(name)}')`;
  if (typeof name !== 'string') return [`${path}.name must be a string.`];
  if (!isDtype(dtype)) return [`${where} must be of ${Object.keys(ARRAYS).join(', ')}, but is of ${String(dtype)}.`];
  if (!Array.isArray(shape) || !shape.every(isCount)) return [`${where} has no shape.`];
  if (values === undefined || values === null) return [];
  const text: unknown = isRecord(values) ? values['name'] : undefined;
  const size = util.sizeFromShape(shape as number[]);
  try {
    const loaded = arrayOf(dtype, fromBase64(text as string));
    const found = dtype === 'string' ? stringsIn(loaded as Uint8Array)?.length : loaded.length;
    if (typeof text === 'string' && found === size) return [];
    return [`${where} must have ${size} values, but has ${found ?? 'broken ones'}.`];
  } catch {
    return [`${where} must have its values in base64, ${size} of ${dtype}.`];
  }
};
