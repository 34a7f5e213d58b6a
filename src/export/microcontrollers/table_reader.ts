/** Vectors and tables of a FlatBuffer, by the names that the schemas have for them: what tflite/table_writer.ts writes. */
import {TABLES} from '../tflite/schema_numbers';

type TableName = keyof typeof TABLES;

type FieldOf<T extends TableName> = keyof (typeof TABLES)[T] & string;

type Field = readonly [slot: number, type: keyof typeof READERS, ifAbsent: number];

/** How a field of each type is read. */
const READERS = {
  bool: (view: DataView, at: number) => view.getUint8(at),
  float32: (view: DataView, at: number) => view.getFloat32(at, true),
  int32: (view: DataView, at: number) => view.getInt32(at, true),
  int8: (view: DataView, at: number) => view.getInt8(at),
  offset: (view: DataView, at: number) => at + view.getUint32(at, true),
  uint32: (view: DataView, at: number) => view.getUint32(at, true),
  uint8: (view: DataView, at: number) => view.getUint8(at),
} as const;

/** A table. What is not within the bytes throws a RangeError, as DataView does. */
export class TableReader<T extends TableName> {
  readonly #view: DataView;
  readonly #at: number;
  readonly #name: T;

  constructor(view: DataView, at: number, name: T) {
    this.#view = view;
    this.#at = at;
    this.#name = name;
  }

  /** The table that a file begins with. */
  static root<T extends TableName>(bytes: Uint8Array, name: T): TableReader<T> {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    return new TableReader(view, READERS.offset(view, 0), name);
  }

  /** A field's number; the schema's default where it is not written. */
  number(field: FieldOf<T>): number {
    const [, type, ifAbsent] = this.#field(field);
    const at = this.#find(field);
    return at === undefined ? ifAbsent : READERS[type](this.#view, at);
  }

  table<U extends TableName>(field: FieldOf<T>, name: U): TableReader<U> | undefined {
    const at = this.#target(field);
    return at === undefined ? undefined : new TableReader(this.#view, at, name);
  }

  tables<U extends TableName>(field: FieldOf<T>, name: U): TableReader<U>[] {
    return this.#vector(field, 4, at => new TableReader(this.#view, READERS.offset(this.#view, at), name));
  }

  int32s(field: FieldOf<T>): number[] {
    return this.#vector(field, 4, at => READERS.int32(this.#view, at));
  }

  float32s(field: FieldOf<T>): number[] {
    return this.#vector(field, 4, at => READERS.float32(this.#view, at));
  }

  int64s(field: FieldOf<T>): number[] {
    return this.#vector(field, 8, at => Number(this.#view.getBigInt64(at, true)));
  }

  /** No bytes where the field is not written. */
  bytes(field: FieldOf<T>): Uint8Array {
    const at = this.#target(field);
    if (at === undefined) return new Uint8Array();
    const length = this.#length(at, 1);
    return new Uint8Array(this.#view.buffer, this.#view.byteOffset + at + 4, length);
  }

  text(field: FieldOf<T>): string {
    return new TextDecoder().decode(this.bytes(field));
  }

  #field(name: FieldOf<T>): Field {
    return (TABLES[this.#name] as Readonly<Record<string, Field>>)[name]!;
  }

  /** Where a field is, by the table of slots that the table begins with a pointer to. */
  #find(field: FieldOf<T>): number | undefined {
    const [slot] = this.#field(field);
    const slots = this.#at - this.#view.getInt32(this.#at, true);
    const place = 4 + 2 * slot;
    const offset = place < this.#view.getUint16(slots, true) ? this.#view.getUint16(slots + place, true) : 0;
    return offset === 0 ? undefined : this.#at + offset;
  }

  #target(field: FieldOf<T>): number | undefined {
    const at = this.#find(field);
    return at === undefined ? undefined : READERS.offset(this.#view, at);
  }

  #vector<U>(field: FieldOf<T>, bytes: number, read: (at: number) => U): U[] {
    const at = this.#target(field);
    if (at === undefined) return [];
    return Array.from({length: this.#length(at, bytes)}, (_, i) => read(at + 4 + bytes * i));
  }

  /** How many elements a vector has, none of which lies outside. */
  #length(at: number, bytes: number): number {
    const length = this.#view.getUint32(at, true);
    if (at + 4 + bytes * length > this.#view.byteLength) throw new RangeError('a vector ends outside of the bytes');
    return length;
  }
}
