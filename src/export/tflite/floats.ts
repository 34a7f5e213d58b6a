/** The numbers of a float model, in the order of a file and as it stores them: read where the model has them, without copies. */
import {channelsOf, type Filter} from '../../inference/operators';
import {type Data, keyOf, nameOf} from './constant_data';

/** What a file has of a filter: its weights with what multiplies their channels. */
export interface Layout extends Pick<Filter, 'view' | 'axis' | 'scale'> {
  /** Whether the dimension `axis` comes before the others. */
  readonly inFront: boolean;
}

/** Float32 numbers. */
export class Floats implements Data {
  readonly length: number;
  readonly key: string;
  readonly #source: Float32Array | Int8Array;
  readonly #layout: Layout | undefined;

  /** @param source - the numbers, as the model lays them out. */
  constructor(source: Float32Array | Int8Array, layout?: Layout) {
    this.#source = source;
    this.#layout = layout;
    this.length = 4 * source.length;
    this.key = keyOf(this, () => `${nameOf(source)} ${layout ? describe(layout) : ''}`);
  }

  /** Visits the numbers in the order of the file. */
  forEach(visit: (value: number, index: number) => void): void {
    const source = this.#source;
    const layout = this.#layout;
    if (!layout) source.forEach(visit);
    else if (layout.inFront) {
      const {view, axis, scale} = layout;
      inFrontOrder(view, axis, (from, channel, to) => visit(Math.fround(source[from]! * scale[channel]!), to));
    } else {
      const [channel, {scale}] = [channelsOf(layout), layout];
      source.forEach((value: number, i: number) => visit(Math.fround(value * scale[channel(i)]!), i));
    }
  }

  bytes(): Uint8Array {
    const source = this.#source;
    if (!this.#layout && source instanceof Float32Array) {
      return new Uint8Array(source.buffer, source.byteOffset, source.byteLength);
    }
    const values = new Float32Array(source.length);
    this.forEach((value, i) => (values[i] = value));
    return new Uint8Array(values.buffer);
  }
}

/** Floats that are given. */
export interface FloatConstant {
  readonly data: Floats;
  readonly shape: readonly number[];
}

const describe = ({view, axis, inFront, scale}: Layout) => `${view.join()} ${axis} ${String(inFront)} ${scale.join()}`;

/** Where each number comes from, and its channel, where a dimension is put before the others. */
export function inFrontOrder(
  shape: readonly number[],
  axis: number,
  visit: (from: number, channel: number, to: number) => void,
): void {
  const channels = shape[axis]!;
  const inner = shape.slice(axis + 1).reduce((product, dim) => product * dim, 1);
  const length = shape.reduce((product, dim) => product * dim, 1);
  let to = 0;
  for (let channel = 0; channel < channels; ++channel) {
    for (let from = channel * inner; from < length; from += channels * inner) {
      for (let i = 0; i < inner; ++i) visit(from + i, channel, to++);
    }
  }
}

/** Halves to even. */
function rounded(x: number): number {
  return x + 1.5 * 2 ** 52 - 1.5 * 2 ** 52;
}

/** The largest float16 number, and from where on numbers are nearer to the next that there would be. */
export const LARGEST_FLOAT16 = 65504;
export const INFINITE_FLOAT16 = 65520;

const single = new Float32Array(1);
const bits = new Uint32Array(single.buffer);

/** How many steps there are in 1, by exponent: -14 and below, -13, … */
const STEPS = Float32Array.from({length: 30}, (_, i) => 2 ** (24 - i));

/** The bits of the float16 number that is nearest; of two as near the even one. What is too large is infinite. */
function float16Of(x: number): number {
  single[0] = x;
  const sign = (bits[0]! >>> 16) & 0x8000;
  const size = Math.abs(x);
  if (Number.isNaN(x)) return 0x7e00;
  if (size >= 2 ** 16) return sign + 0x7c00;
  // A fraction that becomes 1 is the next exponent's 0.
  const exponent = Math.max(0, ((bits[0]! >>> 23) & 255) - 113);
  return sign + exponent * 1024 + rounded(size * STEPS[exponent]!);
}

/** The numbers as float16. */
export function asFloat16(floats: Floats): Data {
  const length = floats.length / 2;
  const bytes = () => {
    const halves = new Uint16Array(length / 2);
    floats.forEach((value, i) => (halves[i] = float16Of(value)));
    return new Uint8Array(halves.buffer);
  };
  return {length, key: keyOf({length, bytes}, () => `float16 ${floats.key}`), bytes};
}

/** Grids about 0: one for each slice of the dimension `axis`, or one. */
export interface Grids {
  readonly type: 'int8' | 'int4';
  readonly shape: readonly number[];
  readonly axis: number | undefined;
}

/** The largest integers on either side, and the smallest range that has any: as LiteRT's own tools have them. */
const MOST = {int4: 7, int8: 127} as const;
const LEAST_RANGE = Math.fround(1e-9);

/** The steps of grids that reach as far as the numbers on them. */
export function stepsOf(floats: Floats, {type, shape, axis}: Grids): Float32Array {
  const channel = channelsOf({view: shape, axis});
  const most = new Float32Array(axis === undefined ? 1 : shape[axis]!).fill(LEAST_RANGE);
  floats.forEach((value, i) => {
    const size = Math.abs(value);
    if (size > most[channel(i)]!) most[channel(i)] = size;
  });
  return most.map(each => each / MOST[type]);
}

/** The numbers as integers on grids of given steps; of 4 bits, two to a byte, the first in the lower half. */
export function asIntegers(floats: Floats, steps: Float32Array, {type, shape, axis}: Grids): Data {
  const channel = channelsOf({view: shape, axis});
  const count = floats.length / 4;
  const length = type === 'int8' ? count : Math.ceil(count / 2);
  const level = (value: number, i: number) => rounded(Math.fround(value / steps[channel(i)]!));
  const bytes = () => {
    const all = new Uint8Array(length);
    if (type === 'int8') floats.forEach((value, i) => (all[i] = level(value, i)));
    else floats.forEach((value, i) => (all[i >> 1]! |= (level(value, i) & 15) << (4 * (i & 1))));
    return all;
  };
  return {length, key: keyOf({length, bytes}, () => `${type} ${String(axis)} ${shape.join()} ${floats.key}`), bytes};
}
