/** The passes in WebAssembly's SIMD: values go through its memory in chunks that fit a cache. */
import type {View} from '../device';
import type {Grid, Rounding, Side} from '../grid';
import type {Passes} from '../loops';
import {WASM_BASE64} from './binary';

/** What quantize.ts exports. */
interface Module {
  readonly memory: WebAssembly.Memory;
  readonly x: WebAssembly.Global<'i32'>;
  readonly dy: WebAssembly.Global<'i32'>;
  readonly result: WebAssembly.Global<'i32'>;
  readonly grids: WebAssembly.Global<'i32'>;
  readonly totals: WebAssembly.Global<'i32'>;
  project(count: number, period: number, rounding: number): void;
  route(count: number, period: number, side: number): void;
  routeSum(count: number, period: number, side: number): void;
  routeAll(count: number, period: number): void;
  measure(count: number, period: number): void;
}

/** As in quantize.ts. */
const CHUNK = 16384;
const LANES = 4;
const ROUNDINGS: readonly Rounding[] = ['multiply', 'divide', 'even', 'up'];
const SIDES: readonly Side[] = ['inside', 'below', 'above', 'outside', 'scale'];

/** Runs shorter than this cost more to start than to compute. */
const SHORT_RUN = 256;

/** A part of a tensor whose channels repeat with a period; `channels[k]` is the channel of its elements k, k + period, … */
interface Stretch {
  readonly from: number;
  readonly to: number;
  readonly channels: readonly number[];
}

function upTo(count: number): number[] {
  return Array.from({length: count}, (_, i) => i);
}

/** The whole tensor if its channels repeat soon enough, else each channel's runs, else nothing. */
function stretchesOf({outer, channels, inner}: View): readonly Stretch[] | undefined {
  const period = channels * inner;
  const to = outer * period;
  const repeated = [1, 2, 4].map(times => times * period).find(length => length % LANES === 0)!;
  if (channels === 1) return [{from: 0, to, channels: [0, 0, 0, 0]}];
  if (repeated <= (inner < SHORT_RUN ? CHUNK : 0)) {
    return [{from: 0, to, channels: upTo(repeated).map(i => Math.floor(i / inner) % channels)}];
  }
  if (inner < SHORT_RUN) return undefined;
  return upTo(outer * channels).map(run => {
    const channel = run % channels;
    return {from: run * inner, to: (run + 1) * inner, channels: [channel, channel, channel, channel]};
  });
}

class Simd implements Passes {
  readonly #module: Module;
  readonly #x: Float32Array;
  readonly #dy: Float32Array;
  readonly #result: Float32Array;
  readonly #grids: Float32Array;
  readonly #empty: Int32Array;
  readonly #sums: Float64Array;
  readonly #extremes: Float32Array;

  constructor(module: Module) {
    this.#module = module;
    const {memory, x, dy, result, grids, totals} = module;
    this.#x = new Float32Array(memory.buffer, x.value, CHUNK);
    this.#dy = new Float32Array(memory.buffer, dy.value, CHUNK);
    this.#result = new Float32Array(memory.buffer, result.value, CHUNK);
    this.#grids = new Float32Array(memory.buffer, grids.value, 5 * CHUNK);
    this.#empty = new Int32Array(memory.buffer, grids.value + this.#grids.byteLength, CHUNK);
    this.#sums = new Float64Array(memory.buffer, totals.value, 2 * CHUNK);
    this.#extremes = new Float32Array(memory.buffer, totals.value, 2 * CHUNK);
  }

  project(x: Float32Array, into: Float32Array, grids: readonly Grid[], view: View, rounding: Rounding): void {
    for (const stretch of stretchesOf(view)!) {
      this.#setGrids(grids, stretch);
      this.#forEachChunk(stretch, (from, to, count, period) => {
        this.#x.set(x.subarray(from, to));
        this.#module.project(count, period, ROUNDINGS.indexOf(rounding));
        into.set(this.#result.subarray(0, to - from), from);
      });
    }
  }

  route(dy: Float32Array, x: Float32Array, into: Float32Array, grids: readonly Grid[], view: View, side: Side): void {
    for (const stretch of stretchesOf(view)!) {
      this.#setGrids(grids, stretch);
      this.#forEachChunk(stretch, (from, to, count, period) => {
        this.#x.set(x.subarray(from, to));
        this.#dy.set(dy.subarray(from, to));
        this.#module.route(count, period, SIDES.indexOf(side));
        into.set(this.#result.subarray(0, to - from), from);
      });
    }
  }

  routeSum(dy: Float32Array, x: Float32Array, grids: readonly Grid[], view: View, side: Side): Float64Array {
    const sums = new Float64Array(view.channels);
    for (const stretch of stretchesOf(view)!) {
      this.#setGrids(grids, stretch);
      this.#sums.fill(0, 0, stretch.channels.length);
      this.#forEachChunk(stretch, (from, to, count, period) => {
        this.#x.set(x.subarray(from, to));
        this.#dy.set(dy.subarray(from, to));
        this.#x.fill(0, to - from, count);
        this.#dy.fill(0, to - from, count);
        this.#module.routeSum(count, period, SIDES.indexOf(side));
      });
      stretch.channels.forEach((channel, k) => (sums[channel]! += this.#sums[k]!));
    }
    return sums;
  }

  routeAll(dy: Float32Array, x: Float32Array, into: Float32Array, grids: readonly Grid[], view: View) {
    const [below, above] = [new Float64Array(view.channels), new Float64Array(view.channels)];
    for (const stretch of stretchesOf(view)!) {
      this.#setGrids(grids, stretch);
      this.#sums.fill(0, 0, stretch.channels.length).fill(0, CHUNK, CHUNK + stretch.channels.length);
      this.#forEachChunk(stretch, (from, to, count, period) => {
        this.#x.set(x.subarray(from, to));
        this.#dy.set(dy.subarray(from, to));
        this.#dy.fill(0, to - from, count);
        this.#module.routeAll(count, period);
        into.set(this.#result.subarray(0, to - from), from);
      });
      stretch.channels.forEach((channel, k) => {
        below[channel]! += this.#sums[k]!;
        above[channel]! += this.#sums[CHUNK + k]!;
      });
    }
    return {below, above};
  }

  measure(x: Float32Array, view: View): Float32Array {
    const both = new Float32Array(2 * view.channels).fill(Infinity, 0, view.channels).fill(-Infinity, view.channels);
    for (const stretch of stretchesOf(view)!) {
      this.#extremes.fill(Infinity, 0, CHUNK).fill(-Infinity, CHUNK);
      this.#forEachChunk(stretch, (from, to, count, period) => {
        this.#x.set(x.subarray(from, to));
        this.#x.fill(NaN, to - from, count);
        this.#module.measure(count, period);
      });
      stretch.channels.forEach((channel, k) => {
        const [low, high] = [channel, view.channels + channel];
        if (this.#extremes[k]! < both[low]!) both[low] = this.#extremes[k]!;
        if (this.#extremes[CHUNK + k]! > both[high]!) both[high] = this.#extremes[CHUNK + k]!;
      });
    }
    return both;
  }

  #setGrids(grids: readonly Grid[], {channels}: Stretch): void {
    const columns = this.#grids;
    channels.forEach((channel, k) => {
      const grid = grids[channel]!;
      columns[k] = grid.scale;
      columns[CHUNK + k] = grid.inverse;
      columns[2 * CHUNK + k] = grid.zero;
      columns[3 * CHUNK + k] = grid.low;
      columns[4 * CHUNK + k] = grid.high;
      this.#empty[k] = grid.empty ? -1 : 0;
    });
  }

  /** Chunks begin where the period does. `count` is rounded up to whole lanes: what lies beyond is nobody's. */
  #forEachChunk(
    {from, to, channels}: Stretch,
    pass: (from: number, to: number, count: number, period: number) => void,
  ): void {
    const period = channels.length;
    const size = CHUNK - (CHUNK % period);
    for (let start = from; start < to; start += size) {
      const end = Math.min(to, start + size);
      pass(start, end, Math.ceil((end - start) / LANES) * LANES, period);
    }
  }
}

/** The module, or undefined where WebAssembly, its SIMD or a page's policy does not allow it. */
function instantiate(): Simd | undefined {
  try {
    const bytes = Uint8Array.from(atob(WASM_BASE64), character => character.charCodeAt(0));
    return new Simd(new WebAssembly.Instance(new WebAssembly.Module(bytes)).exports as unknown as Module);
  } catch {
    return undefined;
  }
}

let instance: Simd | undefined;
let tried = false;

/** Fewer elements are done before the first chunk is copied. */
const SMALL = 64;

/** The passes for a tensor of this view, or undefined if plain loops serve it better. */
export function simd(view: View): Passes | undefined {
  if (view.outer * view.channels * view.inner < SMALL || stretchesOf(view) === undefined) return undefined;
  if (!tried) {
    tried = true;
    instance = instantiate();
  }
  return instance;
}
