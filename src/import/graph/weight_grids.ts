/**
 * The grids of weights that were rounded before they became constants. Converters fold a weight's FakeQuant node into it, and
 * multiply its channels with the gain of a batch norm: what is left are values that are whole multiples of a step, which is
 * to be found, or training and integers would go on from another grid.
 */

/** A grid that all values of a weight lie on: a range for each channel, or one. */
export interface WeightGrid {
  readonly numBits: number;
  readonly symmetric: boolean;
  /** The lower ends; as many as there are channels, or one for all values. */
  readonly min: readonly number[];
  readonly max: readonly number[];
}

/** Which channel each value is of, and how many there are. */
export interface ChannelsOf {
  readonly count: number;
  readonly of: (index: number) => number;
}

/** What values are multiples of. */
interface Steps {
  /** 0 if there are no values but 0. */
  readonly step: number;
  readonly lowest: number;
  readonly highest: number;
}

/** More levels than this on one side of 0 are no int8 grid. */
const MOST = 255;
/** By what share a value may be off: a few times what float32 loses where values are rounded, and channels folded. */
const DOUBT = 2 ** -20;
/** Fewer values beside their channels' largest may be multiples of a large step by chance. */
const ENOUGH = 8;

/** The widest step that all values are multiples of; undefined if there is none. */
function stepsOf(values: readonly number[]): Steps | undefined {
  const [lowest, highest] = [Math.min(0, ...values), Math.max(0, ...values)];
  const extent = Math.max(-lowest, highest);
  if (extent === 0) return {step: 0, lowest: 0, highest: 0};
  for (let top = 1; top <= MOST; ++top) {
    const perUnit = top / extent;
    const isOff = (value: number) => Math.abs(value * perUnit - Math.round(value * perUnit)) > top * DOUBT;
    if (values.some(isOff)) continue;
    return {
      step: fitted(values, perUnit),
      lowest: Math.round(lowest * perUnit),
      highest: Math.round(highest * perUnit),
    };
  }
  return undefined;
}

/** The step of least squares, as each value has an error of its own. */
function fitted(values: readonly number[], perUnit: number): number {
  let [products, squares] = [0, 0];
  for (const value of values) {
    const level = Math.round(value * perUnit);
    products += value * level;
    squares += level * level;
  }
  return products / squares;
}

/** The narrowest grid that holds all levels: symmetric without its lowest level or, for want of that, about where they are. */
function gridFor(channels: readonly Steps[], widths: readonly number[]): WeightGrid | undefined {
  const top = Math.max(...channels.map(({lowest, highest}) => Math.max(-lowest, highest)));
  const span = Math.max(...channels.map(({lowest, highest}) => highest - lowest));
  for (const numBits of widths) {
    const half = 2 ** (numBits - 1) - 1;
    // A channel whose levels happen to be even has them on the finer grid that its range was of.
    const finer = channels.map(
      ({step, lowest, highest}) => step / Math.max(1, Math.floor(half / Math.max(-lowest, highest, 1))),
    );
    if (top <= half) {
      return {numBits, symmetric: true, min: finer.map(step => -half * step), max: finer.map(step => half * step)};
    }
    const steps = 2 ** numBits - 1;
    if (span > steps) continue;
    const min = channels.map(({step, lowest}) => lowest * step);
    return {numBits, symmetric: false, min, max: channels.map(({step}, i) => min[i]! + steps * step)};
  }
  return undefined;
}

/** The grid that all groups of values lie on, with a range for each. */
function gridOver(groups: readonly (readonly number[])[], widths: readonly number[]): WeightGrid | undefined {
  const found = groups.map(stepsOf);
  if (!found.every(each => each !== undefined)) return undefined;
  // The largest value of a group tells nothing.
  const telling = groups.reduce((count, {length}) => count + length - 1, 0);
  const sorted = [...new Set([...widths, 8])].sort((a, b) => a - b);
  return gridFor(
    found,
    sorted.filter(width => width >= 8 || telling >= ENOUGH),
  );
}

/**
 * The grid that a weight's values lie on: one of all values, or one of each channel's where that takes fewer bits; undefined
 * if there is none.
 *
 * @param widths - the numbers of bits that there may be, beside 8.
 */
export function gridOfWeight(
  values: ArrayLike<number>,
  channels: ChannelsOf | undefined,
  widths: readonly number[],
): WeightGrid | undefined {
  const all = Array.from(values);
  if (!all.every(Number.isFinite)) return undefined;
  const whole = gridOver([all], widths);
  if (!channels) return whole;
  const byChannel = Array.from({length: channels.count}, (): number[] => []);
  all.forEach((value, i) => byChannel[channels.of(i)]!.push(value));
  const split = gridOver(byChannel, widths);
  if (!whole || !split) return whole ?? split;
  return split.numBits < whole.numBits || (split.symmetric && !whole.symmetric) ? split : whole;
}
