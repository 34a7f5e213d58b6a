/** What constants hold. */

/** Bytes that are made when they are written, so that a large model's numbers are not there several times. */
export interface Data {
  /** How many. */
  readonly length: number;
  /** The same of the same bytes: what is written once. */
  readonly key: string;
  bytes(): Uint8Array;
}

/** Up to which length it is looked at whether others hold the same bytes. */
const SHORT = 64;

const numbers = new WeakMap<object, number>();
let count = 0;

/** What tells arrays apart. */
export function nameOf(array: object): string {
  let number = numbers.get(array);
  if (number === undefined) numbers.set(array, (number = ++count));
  return `array ${number}`;
}

/** What tells data apart: short ones by what they hold, long ones by where it comes from. */
export function keyOf(data: Omit<Data, 'key'>, origin: () => string): string {
  return data.length <= SHORT ? data.bytes().join() : origin();
}

/** The bytes of an array. */
export function dataOf(array: ArrayBufferView): Data {
  const {buffer, byteOffset, byteLength: length} = array;
  const bytes = () => new Uint8Array(buffer as ArrayBuffer, byteOffset, length);
  return {length, key: keyOf({length, bytes}, () => nameOf(array)), bytes};
}
