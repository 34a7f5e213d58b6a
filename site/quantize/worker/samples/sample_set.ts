/** Samples as they are kept: bytes where they came as bytes, in one array for each input. */
import type {PortInfo, SampleInfo} from '../contract';

export type Values = Uint8Array | Float32Array | Int32Array;

/** What one input of the model is given: of each sample as many values as `shape` has, one sample after the other. */
export interface Column {
  readonly values: Values;
  /** Of one sample. */
  readonly shape: readonly number[];
}

export interface SampleSet {
  readonly of: SampleInfo['of'];
  readonly count: number;
  /** One for each input. */
  readonly columns: readonly Column[];
  /** The class of each sample; undefined where nobody tells. */
  readonly labels: Int32Array | undefined;
  /** Samples that training is not to see, if their files say so. */
  readonly isTest: readonly boolean[] | undefined;
  /** Names of the columns of .csv. */
  readonly columnNames: readonly string[] | undefined;
  /** That of the class. */
  readonly labelColumn: string | undefined;
  readonly warnings: readonly string[];
}

/** What samples are read for. */
export interface Wanted {
  readonly inputs: readonly PortInfo[];
  /** How many classes the output tells apart; undefined where it does not. */
  readonly classes: number | undefined;
  /** Their names, if they have some. */
  readonly labels: readonly string[] | undefined;
}

export function sizeOf(shape: readonly number[]): number {
  return shape.reduce((size, dim) => size * dim, 1);
}

/** The shape of one sample, with 'any' where the model leaves it open. */
export function shownShape({shape}: PortInfo): string {
  return `[${shape
    .slice(1)
    .map(dim => dim ?? 'any')
    .join(', ')}]`;
}

/**
 * The shape of a sample of an input that `size` values make; undefined where they make none. One size that the model leaves
 * open is as large as it takes.
 */
export function shapeOfSize({shape}: PortInfo, size: number): number[] | undefined {
  const own = shape.slice(1);
  const known = sizeOf(own.map(dim => dim ?? 1));
  const open = own.filter(dim => dim === null).length;
  if (open > 1 || size % known !== 0 || (open === 0 && size !== known)) return undefined;
  return own.map(dim => dim ?? size / known);
}

/** Mixes samples, always alike: files come class by class, and what is looked at first should be of all. */
export function mixedOrder(count: number): Uint32Array {
  const order = Uint32Array.from({length: count}, (_, i) => i);
  let state = 1;
  for (let i = count - 1; i > 0; --i) {
    // Lehmer's generator.
    state = (state * 48271) % 0x7fffffff;
    const j = state % (i + 1);
    [order[i], order[j]] = [order[j]!, order[i]!];
  }
  return order;
}

/** The samples in another order, or some of them. */
export function picked(set: SampleSet, order: Uint32Array): SampleSet {
  const {columns, labels, isTest} = set;
  return {
    ...set,
    count: order.length,
    columns: columns.map(({values, shape}) => {
      const size = sizeOf(shape);
      const moved = new (values.constructor as new (length: number) => Values)(order.length * size);
      order.forEach((from, to) => moved.set(values.subarray(from * size, (from + 1) * size), to * size));
      return {values: moved, shape};
    }),
    labels: labels && Int32Array.from(order, from => labels[from]!),
    isTest: isTest && Array.from(order, from => isTest[from]!),
  };
}
