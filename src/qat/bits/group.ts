/** What is rounded together, and what it takes at each width. */

export type What = 'weights' | 'activations';

/** Numbers that are rounded on one grid: a weight, or what a layer gives for one sample. */
export interface Rounded {
  readonly count: number;
  /** Bytes of the grid itself, in a file. */
  readonly gridBytes: number;
  /** As the options say. */
  readonly numBits: number;
}

/** The weights, or the activations, of all layers of one name: the options cannot tell these apart. */
export class Group {
  readonly name: string;
  readonly what: What;
  /** Whether the width is to be chosen; else the options say it. */
  readonly isFree: boolean;
  readonly #parts: readonly Rounded[];

  constructor(name: string, what: What, isFree: boolean, parts: readonly Rounded[]) {
    this.name = name;
    this.what = what;
    this.isFree = isFree;
    this.#parts = parts;
  }

  /** How many numbers: of activations, for each sample. */
  get count(): number {
    return sumOf(this.#parts, ({count}) => count);
  }

  /** Bits of all, packed at a width, or at what the options say. */
  bitsAt(width?: number): number {
    return sumOf(this.#parts, ({count, numBits}) => count * (width ?? numBits));
  }

  /** Bytes of the same, each part's to a whole one, with its grid. */
  bytesAt(width?: number): number {
    return sumOf(this.#parts, ({count, numBits, gridBytes}) => Math.ceil((count * (width ?? numBits)) / 8) + gridBytes);
  }
}

/** A float32. */
export const FLOAT_BYTES = 4;

export function sumOf<T>(all: readonly T[], of: (each: T) => number): number {
  return all.reduce((sum, each) => sum + of(each), 0);
}
