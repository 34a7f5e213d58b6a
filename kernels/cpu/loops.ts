/** The specification in loops: what every CPU can run. */
import type {View} from '../device';
import {
  fakeQuantize,
  type Grid,
  quantizeDequantize,
  relu,
  type RoundingMode,
  type Side,
  straightThrough,
} from '../grid';
import {type Bins, countIn} from '../histogram';

/** A device's passes, over arrays. Grids are one per channel; `into` is as long as x. */
export interface Passes {
  /** If `highest` is given, x passes a ReLU first. */
  roundToGrid(
    x: Float32Array,
    into: Float32Array,
    grids: readonly Grid[],
    view: View,
    rounding: RoundingMode,
    highest?: number,
  ): void;
  straightThrough(
    dy: Float32Array,
    x: Float32Array,
    into: Float32Array,
    grids: readonly Grid[],
    view: View,
    side: Side,
  ): void;
  /** One sum per channel. */
  straightThroughSum(dy: Float32Array, x: Float32Array, grids: readonly Grid[], view: View, side: Side): Float64Array;
  /** All three at once: `into` gets what passes inside, and the sums below and above are returned. */
  straightThroughAll(
    dy: Float32Array,
    x: Float32Array,
    into: Float32Array,
    grids: readonly Grid[],
    view: View,
  ): {below: Float64Array; above: Float64Array};
  /** The lowest x of each channel, then the highest, NaN skipped. */
  measure(x: Float32Array, view: View): Float32Array;
  /** The lowest and the highest x; NaN where any is. */
  extremes(x: Float32Array): [low: number, high: number];
  /** Adds the x in each bin to its count. */
  histogram(x: Float32Array, bins: Bins, counts: Int32Array): void;
}

/** Calls `pass` for each run of elements that share a channel. */
function forEachRun({outer, channels, inner}: View, pass: (channel: number, from: number, to: number) => void): void {
  for (let o = 0, at = 0; o < outer; ++o) {
    for (let c = 0; c < channels; ++c, at += inner) pass(c, at, at + inner);
  }
}

export const loops: Passes = {
  roundToGrid(given, into, grids, view, rounding, highest) {
    const x = highest === undefined ? given : given.map(each => relu(each, highest));
    forEachRun(view, (c, from, to) => {
      const grid = grids[c]!;
      if (rounding === 'multiply' || rounding === 'divide') {
        for (let i = from; i < to; ++i) into[i] = fakeQuantize(x[i]!, grid, rounding);
      } else {
        for (let i = from; i < to; ++i) into[i] = quantizeDequantize(x[i]!, grid, rounding);
      }
    });
  },
  straightThrough(dy, x, into, grids, view, side) {
    forEachRun(view, (c, from, to) => {
      const grid = grids[c]!;
      for (let i = from; i < to; ++i) into[i] = straightThrough(dy[i]!, x[i]!, grid, side);
    });
  },
  straightThroughSum(dy, x, grids, view, side) {
    const sums = new Float64Array(view.channels);
    forEachRun(view, (c, from, to) => {
      const grid = grids[c]!;
      for (let i = from; i < to; ++i) sums[c]! += straightThrough(dy[i]!, x[i]!, grid, side);
    });
    return sums;
  },
  straightThroughAll(dy, x, into, grids, view) {
    loops.straightThrough(dy, x, into, grids, view, 'inside');
    return {
      below: loops.straightThroughSum(dy, x, grids, view, 'below'),
      above: loops.straightThroughSum(dy, x, grids, view, 'above'),
    };
  },
  measure(x, view) {
    const lows = new Float32Array(view.channels).fill(Infinity);
    const highs = new Float32Array(view.channels).fill(-Infinity);
    forEachRun(view, (c, from, to) => {
      for (let i = from; i < to; ++i) {
        const v = x[i]!;
        if (v < lows[c]!) lows[c] = v;
        if (v > highs[c]!) highs[c] = v;
      }
    });
    const both = new Float32Array(2 * view.channels);
    both.set(lows);
    both.set(highs, view.channels);
    return both;
  },
  extremes(x) {
    let [low, high] = [Infinity, -Infinity];
    for (let i = 0; i < x.length; ++i) {
      low = Math.min(low, x[i]!);
      high = Math.max(high, x[i]!);
    }
    return [low, high];
  },
  histogram: (x, bins, counts) => countIn(counts, x, bins),
};
