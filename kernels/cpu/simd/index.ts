/** The passes in WebAssembly's SIMD: where tensors lie in its memory, in place; else in chunks that fit a cache. */
import type {View} from '../../device';
import type {Grid, RoundingMode, Side} from '../../grid';
import {BINS, type Bins, countIn} from '../../histogram';
import type {Passes} from '../loops';
import {WASM_HEX} from './binary';

/** What quantize.ts exports. */
interface Module {
  roundToGrid(
    x: number,
    y: number,
    count: number,
    grids: number,
    period: number,
    rounding: number,
    lowest: number,
    highest: number,
  ): void;
  straightThrough(dy: number, x: number, y: number, count: number, grids: number, period: number, side: number): void;
  straightThroughSum(
    dy: number,
    x: number,
    count: number,
    grids: number,
    period: number,
    side: number,
    sums: number,
  ): void;
  straightThroughAll(
    dy: number,
    x: number,
    y: number,
    count: number,
    grids: number,
    period: number,
    sums: number,
  ): void;
  measure(x: number, count: number, extremes: number, period: number): void;
  extremes(x: number, count: number, into: number): void;
  histogram(x: number, count: number, perUnit: number, below: number, bins: number, counts: number): void;
}

/** A memory to compute in, and how to get a piece of it for oneself. */
export interface Heap {
  readonly memory: WebAssembly.Memory;
  readonly allocate: (bytes: number) => number;
}

/** As in quantize.ts. */
const LANES = 4;
const RECORD = 6;
const ROUNDINGS: readonly RoundingMode[] = ['multiply', 'divide', 'even', 'up'];
const SIDES: readonly Side[] = ['inside', 'below', 'above', 'outside', 'scale'];

/** The most elements that are copied at a time, and the longest period. */
const CHUNK = 16384;
/** Grids, sums, and copies of x, dy and y, for each element of a chunk. */
const BYTES = {grids: 24, sums: 16, x: 4, dy: 4, y: 4};
const SCRATCH_BYTES = CHUNK * Object.values(BYTES).reduce((sum, bytes) => sum + bytes);
const PAGE_BYTES = 65536;

/** Runs shorter than this cost more to start than to compute. */
const SHORT_RUN = 256;

/** A period for elements of one channel: long enough that sums need not wait for each other. */
const ONE_CHANNEL = 16;

/** A part of a tensor whose channels repeat with a period; `channels[k]` is the channel of its elements k, k + period, … */
interface Stretch {
  readonly from: number;
  readonly to: number;
  readonly channels: readonly number[];
}

/** The arrays of a pass. */
interface Arrays {
  readonly x: Float32Array;
  readonly dy?: Float32Array;
  readonly into?: Float32Array;
}

/** A piece of a stretch as the module sees it: addresses, 0 where there is no such array. */
interface Piece {
  readonly x: number;
  readonly dy: number;
  readonly y: number;
  readonly count: number;
}

function upTo(count: number): number[] {
  return Array.from({length: count}, (_, i) => i);
}

function onlyOf(channel: number): readonly number[] {
  return new Array<number>(ONE_CHANNEL).fill(channel);
}

/** The whole tensor if its channels repeat soon enough, else each channel's runs, else nothing. */
function stretchesOf({outer, channels, inner}: View): readonly Stretch[] | undefined {
  const period = channels * inner;
  const to = outer * period;
  if (channels === 1) return [{from: 0, to, channels: onlyOf(0)}];
  const repeated = [1, 2, 4].map(times => times * period).find(length => length % LANES === 0)!;
  if (repeated <= (inner < SHORT_RUN ? CHUNK : 0)) {
    return [{from: 0, to, channels: upTo(repeated).map(i => Math.floor(i / inner) % channels)}];
  }
  if (inner < SHORT_RUN) return undefined;
  const each = upTo(channels).map(onlyOf);
  return upTo(outer * channels).map(run => ({
    from: run * inner,
    to: (run + 1) * inner,
    channels: each[run % channels]!,
  }));
}

/** Views of the scratch memory. */
class Scratch {
  readonly buffer: ArrayBuffer;
  readonly start: number;
  readonly grids: Float32Array;
  readonly empty: Int32Array;
  readonly sums: Float64Array;
  readonly extremes: Float32Array;
  readonly counted: Int32Array;
  readonly x: Float32Array;
  readonly dy: Float32Array;
  readonly y: Float32Array;

  constructor(buffer: ArrayBuffer, start: number) {
    let at = start;
    const place = (bytes: number) => (at += CHUNK * bytes) - CHUNK * bytes;
    this.buffer = buffer;
    this.start = start;
    this.grids = new Float32Array(buffer, place(BYTES.grids), RECORD * CHUNK);
    this.empty = new Int32Array(buffer, this.grids.byteOffset, RECORD * CHUNK);
    this.sums = new Float64Array(buffer, place(BYTES.sums), 2 * CHUNK);
    this.extremes = new Float32Array(buffer, this.sums.byteOffset, 2 * CHUNK);
    this.counted = new Int32Array(buffer, this.sums.byteOffset, 2 * BINS);
    this.x = new Float32Array(buffer, place(BYTES.x), CHUNK);
    this.dy = new Float32Array(buffer, place(BYTES.dy), CHUNK);
    this.y = new Float32Array(buffer, place(BYTES.y), CHUNK);
  }
}

/** Copies a part of an array to a slot, and fills its last lanes up. */
function stage(slot: Float32Array, values: Float32Array, from: number, to: number, filler: number): number {
  slot.set(values.subarray(from, to));
  slot.fill(filler, to - from, lanesOf(to - from));
  return slot.byteOffset;
}

/** A number of elements rounded up to whole lanes. */
function lanesOf(count: number): number {
  return Math.ceil(count / LANES) * LANES;
}

/** Where the first of two values for element k stands, in records of four and four; the second is LANES further. */
function pairOf(k: number): number {
  return 2 * k - (k % LANES);
}

class Simd implements Passes {
  readonly #module: Module;
  readonly #memory: WebAssembly.Memory;
  #views: Scratch;

  constructor({memory, allocate}: Heap) {
    const bytes = Uint8Array.from(WASM_HEX.match(/../g)!, byte => parseInt(byte, 16));
    const {exports} = new WebAssembly.Instance(new WebAssembly.Module(bytes), {env: {memory}});
    this.#module = exports as unknown as Module;
    this.#memory = memory;
    const start = allocate(SCRATCH_BYTES);
    // Asked for only now, as allocating may have made the memory grow.
    this.#views = new Scratch(memory.buffer, start);
  }

  roundToGrid(
    x: Float32Array,
    into: Float32Array,
    grids: readonly Grid[],
    view: View,
    rounding: RoundingMode,
    highest?: number,
  ): void {
    const mode = ROUNDINGS.indexOf(rounding);
    const ends = highest === undefined ? ([-Infinity, Infinity] as const) : ([0, highest] as const);
    for (const stretch of stretchesOf(view)!) {
      const [address, period] = this.#setGrids(grids, stretch);
      this.#forEachPiece(stretch, {x, into}, at =>
        this.#module.roundToGrid(at.x, at.y, at.count, address, period, mode, ...ends),
      );
    }
  }

  straightThrough(
    dy: Float32Array,
    x: Float32Array,
    into: Float32Array,
    grids: readonly Grid[],
    view: View,
    side: Side,
  ): void {
    for (const stretch of stretchesOf(view)!) {
      const [address, period] = this.#setGrids(grids, stretch);
      this.#forEachPiece(stretch, {dy, x, into}, at =>
        this.#module.straightThrough(at.dy, at.x, at.y, at.count, address, period, SIDES.indexOf(side)),
      );
    }
  }

  straightThroughSum(dy: Float32Array, x: Float32Array, grids: readonly Grid[], view: View, side: Side): Float64Array {
    const module = this.#module;
    return this.#sums({dy, x}, grids, view, (at, address, period, sums) =>
      module.straightThroughSum(at.dy, at.x, at.count, address, period, SIDES.indexOf(side), sums),
    ).first;
  }

  straightThroughAll(dy: Float32Array, x: Float32Array, into: Float32Array, grids: readonly Grid[], view: View) {
    const module = this.#module;
    const {first, second} = this.#sums({dy, x, into}, grids, view, (at, address, period, sums) =>
      module.straightThroughAll(at.dy, at.x, at.y, at.count, address, period, sums),
    );
    return {below: first, above: second};
  }

  measure(x: Float32Array, view: View): Float32Array {
    const rows = new Float32Array(2 * view.channels).fill(Infinity, 0, view.channels).fill(-Infinity, view.channels);
    for (const stretch of stretchesOf(view)!) {
      const {extremes} = this.#scratch;
      stretch.channels.forEach((_, k) => {
        extremes[pairOf(k)] = Infinity;
        extremes[pairOf(k) + LANES] = -Infinity;
      });
      this.#forEachPiece(stretch, {x}, at =>
        this.#module.measure(at.x, at.count, extremes.byteOffset, stretch.channels.length),
      );
      stretch.channels.forEach((low, k) => {
        const high = view.channels + low;
        if (extremes[pairOf(k)]! < rows[low]!) rows[low] = extremes[pairOf(k)]!;
        if (extremes[pairOf(k) + LANES]! > rows[high]!) rows[high] = extremes[pairOf(k) + LANES]!;
      });
    }
    return rows;
  }

  extremes(x: Float32Array): [number, number] {
    const rest = x.subarray(x.length - (x.length % LANES));
    let [low, high] = [Math.min(...rest), Math.max(...rest)];
    this.#forEachWhole(x, at => {
      const {extremes} = this.#scratch;
      this.#module.extremes(at.x, at.count, extremes.byteOffset);
      low = Math.min(low, ...extremes.subarray(0, LANES));
      high = Math.max(high, ...extremes.subarray(LANES, 2 * LANES));
    });
    return [low, high];
  }

  histogram(x: Float32Array, bins: Bins, counts: Int32Array): void {
    if (x.length < BINS) {
      countIn(counts, x, bins);
      return;
    }
    const {counted} = this.#scratch;
    counted.fill(0);
    this.#forEachWhole(x, at =>
      this.#module.histogram(at.x, at.count, 1 / bins.width, bins.below, BINS, counted.byteOffset),
    );
    for (let bin = 0; bin < BINS; ++bin) counts[bin]! += counted[bin]! + counted[BINS + bin]!;
    countIn(counts, x.subarray(x.length - (x.length % LANES)), bins);
  }

  /** Calls `pass` for all values, those that fill no lanes left out. */
  #forEachWhole(x: Float32Array, pass: (piece: Piece) => void): void {
    this.#forEachPiece({from: 0, to: x.length - (x.length % LANES), channels: onlyOf(0)}, {x}, pass);
  }

  /** What a pass sums for each channel: one value, or two. */
  #sums(
    arrays: Arrays,
    grids: readonly Grid[],
    view: View,
    pass: (piece: Piece, grids: number, period: number, sums: number) => void,
  ) {
    const [first, second] = [new Float64Array(view.channels), new Float64Array(view.channels)];
    for (const stretch of stretchesOf(view)!) {
      const [address, period] = this.#setGrids(grids, stretch);
      const {sums} = this.#scratch;
      sums.fill(0, 0, 2 * period);
      this.#forEachPiece(stretch, arrays, at => pass(at, address, period, sums.byteOffset));
      stretch.channels.forEach((channel, k) => {
        first[channel]! += sums[pairOf(k)]!;
        second[channel]! += sums[pairOf(k) + LANES]!;
      });
    }
    return {first, second};
  }

  /** A memory that has grown has another buffer; views of the old one have lost even their offsets. */
  get #scratch(): Scratch {
    const {buffer} = this.#memory;
    if (this.#views.buffer !== buffer) this.#views = new Scratch(buffer, this.#views.start);
    return this.#views;
  }

  /** Returns their address and period. */
  #setGrids(all: readonly Grid[], {channels}: Stretch): [number, number] {
    const {grids, empty} = this.#scratch;
    channels.forEach((channel, k) => {
      const grid = all[channel]!;
      const at = RECORD * (k - (k % LANES)) + (k % LANES);
      grids[at] = grid.scale;
      grids[at + LANES] = grid.inverse;
      grids[at + 2 * LANES] = grid.zero;
      grids[at + 3 * LANES] = grid.low;
      grids[at + 4 * LANES] = grid.high;
      empty[at + 5 * LANES] = grid.empty ? -1 : 0;
    });
    return [grids.byteOffset, channels.length];
  }

  /** Pieces begin where the period does. What is not in this memory is copied; so are last lanes that are not whole. */
  #forEachPiece({from, to, channels}: Stretch, arrays: Arrays, pass: (piece: Piece) => void): void {
    const {x, dy, into} = arrays;
    const period = channels.length;
    const isHere = [x, dy, into].every(array => !array || array.buffer === this.#memory.buffer);
    const odd = (to - from) % LANES === 0 ? 0 : (to - from) % period;
    const staged = isHere ? to - odd : from;
    if (staged > from) {
      const addressOf = (array: Float32Array | undefined) => (array ? array.byteOffset + 4 * from : 0);
      pass({x: addressOf(x), dy: addressOf(dy), y: addressOf(into), count: staged - from});
    }
    const size = CHUNK - (CHUNK % period);
    const scratch = this.#scratch;
    for (let start = staged; start < to; start += size) {
      const end = Math.min(to, start + size);
      pass({
        // Skipped where it is measured, and where it is summed, it adds dy = 0.
        x: stage(scratch.x, x, start, end, dy ? 0 : NaN),
        dy: dy ? stage(scratch.dy, dy, start, end, 0) : 0,
        y: into ? scratch.y.byteOffset : 0,
        count: lanesOf(end - start),
      });
      into?.set(scratch.y.subarray(0, end - start), start);
    }
  }
}

function ownHeap(): Heap {
  const memory = new WebAssembly.Memory({initial: Math.ceil(SCRATCH_BYTES / PAGE_BYTES)});
  return {memory, allocate: () => 0};
}

/** In this heap, or in one of its own; undefined where WebAssembly, its SIMD or a page's policy does not allow it. */
export function instantiate(heap?: Heap): Passes | undefined {
  try {
    return new Simd(heap ?? ownHeap());
  } catch {
    return heap && instantiate();
  }
}

/** Fewer elements are done before the module is called. */
const SMALL = 64;

/** Whether plain loops serve a tensor of this view less well. */
export function pays(view: View): boolean {
  return view.outer * view.channels * view.inner >= SMALL && stretchesOf(view) !== undefined;
}
