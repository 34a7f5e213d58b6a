/** Weights and biases in integers of fitting steps. */
import {channelsOf, type Filter} from './operators';
import {roundAway} from './storage';

/** Where int32 is left enough for the products that are added to a bias. */
const LARGEST_BIAS = 2 ** 30;

/** Channels whose step is 0 multiply with 0; any step will do, and theirs is the smallest that there is. */
function usableScale(scale: Float64Array): Float64Array {
  const smallest = scale.reduce((least, each) => (each > 0 && each < least ? each : least), Infinity);
  return scale.map(each => (each > 0 ? each : smallest === Infinity ? 1 : smallest));
}

/** Levels of few bits in steps as much smaller as int8 has room for: a power of two, so that the values stay as they are. */
function spreadOf(levels: Int8Array): number {
  const most = levels.reduce((largest, level) => Math.max(largest, Math.abs(level)), 1);
  return 2 ** Math.floor(Math.log2(127 / most));
}

/** Which integers the runtime computes in, and the weights are stored in. */
export interface Widths {
  readonly inInt16: boolean;
  readonly asInt4: boolean;
  /** Whether all channels are to stay on one step, if they are; false by default. */
  readonly onOneStep?: boolean;
}

/**
 * The bias counts in steps of input times weight, so these should be small. A channel whose weights are so small that its
 * bias would not fit an int32 gets coarser steps, which its weights hardly notice.
 */
export function integersFor(filter: Filter, inputScale: number, {inInt16, asInt4, onOneStep = false}: Widths) {
  const channel = channelsOf(filter);
  // Of an operator on grids: it has no floats.
  const own = filter.levels as Int8Array;
  const spread = asInt4 ? 1 : spreadOf(own);
  let levels = spread === 1 ? own : own.map(level => level * spread);
  const scale = usableScale(filter.scale).map(each => each / spread);
  const needed = scale.map((each, c) => {
    if (inInt16 || filter.scale[c] === 0) return 1;
    return Math.max(1, Math.abs(filter.bias[c]!) / (inputScale * each * LARGEST_BIAS));
  });
  const coarser = onOneStep ? needed.fill(Math.max(...needed)) : needed;
  const changes = coarser.some(each => each > 1) || filter.scale.some(each => each === 0);
  if (changes) {
    levels = levels.map((level, i) => (filter.scale[channel(i)] === 0 ? 0 : roundAway(level / coarser[channel(i)]!)));
  }
  const floor = (c: number) => (filter.scale[c] === 0 ? Math.abs(filter.bias[c]!) / (inputScale * LARGEST_BIAS) : 0);
  const steps = Float32Array.from(scale, (each, c) => Math.max(each * coarser[c]!, floor(c)));
  const biasScale = steps.map(each => Math.fround(inputScale * each));
  const bias = Array.from(filter.bias, (each, c) => roundAway(each / biasScale[c]!));
  return {levels, scale: steps, biasScale, bias};
}
