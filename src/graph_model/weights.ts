/** The weights of a model's files, decoded one at a time. */
import {io} from '@tensorflow/tfjs-core';
import {isRecord} from '../check/rules';
import {inJson} from './model_json';
import type {Constant} from './constant';

/** Bytes of a value, by the dtypes of weights, and of what they are stored as. A string is its length and its bytes. */
const BYTES = new Map([
  ['float32', 4],
  ['int32', 4],
  ['bool', 1],
  ['complex64', 8],
  ['string', 4],
]);
const STORED = new Map([
  ['uint8', 1],
  ['uint16', 2],
  ['float16', 2],
]);

/** Where a weight lies among the bytes of all. */
interface Entry {
  readonly spec: io.WeightsManifestEntry;
  readonly start: number;
  readonly end: number;
}

const isSize = (value: unknown) => Number.isInteger(value) && (value as number) >= 0;
const isNumber = (value: unknown) => typeof value === 'number' && Number.isFinite(value);
const listed = (names: ReadonlyMap<string, number>) => [...names.keys()].join(', ');

/** What is wrong with how a weight is stored; undefined if nothing is. */
function quantizationProblem(dtype: string, quantization: unknown): string | undefined {
  if (quantization === undefined) return undefined;
  if (!isRecord(quantization) || !STORED.has(quantization['dtype'] as string)) {
    return `its quantization must be of dtype ${listed(STORED)}, but was ${inJson(quantization)}.`;
  }
  const {dtype: stored, scale, min} = quantization;
  if (dtype !== 'float32' && (dtype !== 'int32' || stored === 'float16')) {
    return `a weight of dtype ${dtype} cannot be stored as ${inJson(stored)}.`;
  }
  if (stored !== 'float16' && !(isNumber(scale) && isNumber(min))) {
    return `its quantization must have a scale and a min, numbers, but was ${inJson(quantization)}.`;
  }
  return undefined;
}

/** What is wrong with an entry of a weights manifest; undefined if nothing is. */
function specProblem(spec: unknown): string | undefined {
  if (!isRecord(spec) || typeof spec['name'] !== 'string' || spec['name'] === '') {
    return `an entry of the weights manifest must have a name, a shape and a dtype, but was ${inJson(spec)}.`;
  }
  const {name, shape, dtype, quantization} = spec;
  let problem: string | undefined;
  if (!Array.isArray(shape) || !shape.every(isSize)) {
    problem = `its shape must be a list of integers, 0 or more, but was ${inJson(shape)}.`;
  } else if (!BYTES.has(dtype as string)) {
    problem = `its dtype must be ${listed(BYTES)}, but was ${inJson(dtype)}.`;
  } else {
    problem = quantizationProblem(dtype as string, quantization);
  }
  return problem && `the weight '${name}': ${problem}`;
}

/**
 * The weight data of parts, for tfjs: it takes all for as long as the first if only the last is not, and so reads zeros from
 * a longer one. An empty part behind it makes it look.
 */
export function weightDataFor(parts: readonly ArrayBuffer[]): ArrayBuffer[] {
  return [...parts, new ArrayBuffer(0)];
}

/** Buffers as one, none of them copied. */
class Bytes {
  readonly #parts: {readonly start: number; readonly bytes: Uint8Array}[] = [];
  length = 0;

  constructor(data: unknown) {
    const parts: readonly unknown[] = Array.isArray(data) ? data : data === undefined || data === null ? [] : [data];
    for (const part of parts) {
      const bytes = ArrayBuffer.isView(part)
        ? new Uint8Array(part.buffer, part.byteOffset, part.byteLength)
        : new Uint8Array(part as ArrayBuffer);
      this.#parts.push({start: this.length, bytes});
      this.length += bytes.length;
    }
  }

  /** A copy of some of them. */
  slice(start: number, end: number): ArrayBuffer {
    const copy = new Uint8Array(end - start);
    for (let i = this.#partOf(start); start < end; i++) {
      const part = this.#parts[i]!;
      const piece = part.bytes.subarray(start - part.start, end - part.start);
      copy.set(piece, copy.length - (end - start));
      start += piece.length;
    }
    return copy.buffer;
  }

  /** The last part that starts at a byte or before. */
  #partOf(byte: number): number {
    let low = 0;
    let high = this.#parts.length;
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if (this.#parts[middle]!.start <= byte) low = middle;
      else high = middle;
    }
    return low;
  }
}

/** The bytes of a weight's strings, each behind its length; beyond `most` if they do not end before. */
function stringBytes(count: number, most: number, read: (at: number) => number): number {
  let at = 0;
  for (let i = 0; i < count && at + 4 <= most; i++) at += 4 + read(at);
  return count * 4 > most ? Infinity : at;
}

/**
 * The weights of a model, as they lie in its files. What is wrong with them is told before anything is decoded or allocated;
 * they are decoded when they are asked for, one at a time, so that memory holds the files and what has been made of them.
 */
export class GraphWeights {
  readonly #data: Bytes;
  readonly #entries = new Map<string, Entry>();
  /** What is wrong with them, as sentences. */
  readonly problems: readonly string[];

  /**
   * @param specs - of a weights manifest: as it was loaded, so of any shape.
   * @param data - the bytes of all weights, in that order, in one buffer or several.
   * @param files - what to call the bytes in errors.
   */
  constructor(specs: unknown, data: io.WeightData | undefined, files = 'the weight data') {
    this.#data = new Bytes(data);
    this.problems = this.#read(specs ?? [], this.#data.length, files);
  }

  #read(specs: unknown, length: number, files: string): string[] {
    if (!Array.isArray(specs)) return [`the weight specs must be a list, but were ${inJson(specs)}.`];
    const problems = specs.flatMap(spec => specProblem(spec) ?? []);
    if (problems.length > 0) return problems;
    let start = 0;
    for (const spec of specs as io.WeightsManifestEntry[]) {
      const end = start + this.#bytesOf(spec, start, length);
      // Once, since those behind it cannot be found either.
      if (end > length) {
        const missing = end === Infinity ? 'more' : `${end - start} bytes from ${start} on`;
        problems.push(
          `the weight '${spec.name}' ([${spec.shape.join(', ')}], ${spec.dtype}) takes ${missing}, but ${files} ` +
            `${length === 0 ? 'has none' : `ends at ${length}`}. A file is missing or cut, or belongs to another model.`,
        );
        return problems;
      }
      this.#entries.set(spec.name, {spec, start, end});
      start = end;
    }
    if (start < length) {
      problems.push(
        `the weights take ${start} bytes, but ${files} has ${length}. A file belongs to another model, or is no weight file.`,
      );
    }
    return problems;
  }

  #bytesOf(spec: io.WeightsManifestEntry, start: number, length: number): number {
    const count = spec.shape.reduce((size, each) => size * each, 1);
    if (spec.quantization) return count * STORED.get(spec.quantization.dtype)!;
    if (spec.dtype !== 'string') return count * BYTES.get(spec.dtype)!;
    return stringBytes(count, length - start, at => {
      return new DataView(this.#data.slice(start + at, start + at + 4)).getUint32(0, true);
    });
  }

  has(name: string): boolean {
    return this.#entries.has(name);
  }

  /**
   * Decodes a weight. Strings and complex numbers stay the bytes of the file (lengths before strings; real and imaginary part
   * by turns), which is what tfjs takes as weight data.
   *
   * @returns a copy of its own; undefined if there is no such weight.
   */
  get(name: string): Constant | undefined {
    const entry = this.#entries.get(name);
    if (!entry) return undefined;
    const {spec, start, end} = entry;
    const bytes = this.#data.slice(start, end);
    return {dtype: spec.dtype, shape: spec.shape, values: decoded(spec, bytes)};
  }
}

function decoded(spec: io.WeightsManifestEntry, bytes: ArrayBuffer): Constant['values'] {
  // tfjs's own arithmetic, under a name that is none of an object's own.
  if (spec.quantization) {
    const weight = io.decodeWeights(bytes, [{...spec, name: 'weight'}])['weight']!;
    const values = weight.dataSync<'float32'>();
    // By hand: a scope looks for tensors in what it returns, value by value.
    weight.dispose();
    return values;
  }
  if (spec.dtype === 'float32' || spec.dtype === 'complex64') return new Float32Array(bytes);
  return spec.dtype === 'int32' ? new Int32Array(bytes) : new Uint8Array(bytes);
}

/** The weight data of what was loaded; of a stream the parts as they come, which none of tfjs's own loaders makes whole either. */
export async function weightDataOf({
  weightData,
  getWeightStream,
}: io.ModelArtifacts): Promise<io.WeightData | undefined> {
  if (weightData !== undefined || !getWeightStream) return weightData;
  const reader = getWeightStream().getReader();
  const parts: ArrayBuffer[] = [];
  for (let read = await reader.read(); !read.done; read = await reader.read()) parts.push(read.value);
  return parts;
}
