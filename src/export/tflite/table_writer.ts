/** Vectors and tables of a FlatBuffer, with the names that the schemas have for them. */
import {Builder, type Offset} from 'flatbuffers';
import {IDENTIFIERS, TABLES} from './schema_numbers';

/** How a field of each type is added. What is unsigned in the schema is the same bytes. */
const ADDERS = {
  bool: 'addFieldInt8',
  float32: 'addFieldFloat32',
  int32: 'addFieldInt32',
  int8: 'addFieldInt8',
  offset: 'addFieldOffset',
  uint32: 'addFieldInt32',
  uint8: 'addFieldInt8',
} as const;

type Field = readonly [slot: number, type: keyof typeof ADDERS, ifAbsent: number];

type Values<T extends keyof typeof TABLES> = {readonly [name in keyof (typeof TABLES)[T]]?: number | undefined};

export class TableWriter {
  readonly #builder: Builder;
  readonly #int64s = new Map<string, Offset>();

  /** @param bytes - about how many there will be. */
  constructor(bytes: number) {
    this.#builder = new Builder(bytes);
  }

  offsets(all: readonly Offset[]): Offset {
    return this.#vector(all, 4, offset => this.#builder.addOffset(offset));
  }

  int32s(all: ArrayLike<number>): Offset {
    return this.#vector(all, 4, value => this.#builder.addInt32(value));
  }

  float32s(all: ArrayLike<number>): Offset {
    return this.#vector(all, 4, value => this.#builder.addFloat32(value));
  }

  /** Vectors of the same numbers are one: a weight has a zero point of 8 bytes for each channel, and all are 0. */
  int64s(all: ArrayLike<number>): Offset {
    const key = Array.from(all).join();
    const known = this.#int64s.get(key);
    if (known !== undefined) return known;
    const written = this.#vector(all, 8, value => this.#builder.addInt64(BigInt(value)));
    this.#int64s.set(key, written);
    return written;
  }

  /** Bytes at a multiple of 16, as the runtimes want to map them. */
  bytes(data: Uint8Array): Offset {
    this.#builder.prep(16, data.length);
    return this.#builder.createByteVector(data);
  }

  text(value: string): Offset {
    return this.#builder.createString(value);
  }

  /** A table with the values of its fields. The offsets among them are of what is written already. */
  table<T extends keyof typeof TABLES>(name: T, values: Values<T>): Offset {
    const fields = Object.entries<Field>(TABLES[name]);
    const given: Readonly<Record<string, number | undefined>> = values;
    this.#builder.startObject(Math.max(0, ...fields.map(([, [slot]]) => slot + 1)));
    for (const [field, [slot, type, ifAbsent]] of fields) {
      this.#builder[ADDERS[type]](slot, given[field] ?? ifAbsent, ifAbsent);
    }
    return this.#builder.endObject();
  }

  /** The bytes of all that was written, of a file that begins with a table. */
  finish(name: keyof typeof IDENTIFIERS, root: Offset): Uint8Array {
    this.#builder.finish(root, IDENTIFIERS[name]);
    return this.#builder.asUint8Array();
  }

  /** FlatBuffers grow from their end. */
  #vector(all: ArrayLike<number>, bytes: number, add: (value: number) => void): Offset {
    this.#builder.startVector(bytes, all.length, bytes);
    for (let i = all.length - 1; i >= 0; --i) add(all[i]!);
    return this.#builder.endVector();
  }
}
