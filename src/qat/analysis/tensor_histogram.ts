/** How a tensor's values lie on its grid. */
import type {Histogram} from '../../quantizer/histogram';
import type {IntegerGrid} from '../../quantizer/levels';

/**
 * Counts of a tensor's values, before they are rounded, and the grid that they are rounded to.
 *
 * @example
 * ```js
 * import {writeFile} from 'node:fs/promises';
 * import {analyzeQuantization} from 'tfjs-quantization/qat';
 *
 * const report = await analyzeQuantization(q, model, images, {sensitivity: 'none'});
 * const histogram = report.histogram('scores', 'kernel');
 * console.log(histogram.unit, histogram.levels.length); // steps 255
 * await writeFile('scores.svg', histogram.plot());
 * ```
 */
export interface TensorHistogram {
  /** What the numbers here are: values or, where channels have ranges of their own, steps of each channel's grid. */
  readonly unit: 'value' | 'steps';
  /** Where the first bin begins: at the lowest value, or a little below. */
  readonly from: number;
  /** How wide each bin is. */
  readonly width: number;
  /** How many values lie in each bin. */
  readonly counts: readonly number[];
  /** The grid: what values are rounded to. */
  readonly levels: readonly number[];
  /** The shares of values that lie more than half a step outside of the grid. */
  readonly clipped: {readonly below: number; readonly above: number};
  /** A picture of it, as SVG text. */
  readonly plot: () => string;
}

/** What is shown of a tensor. */
export type Shown = Omit<TensorHistogram, 'plot'>;

/** No more bins than a picture shows. */
const BINS = 256;

/** Bins what was counted now, and lists the levels, of which there may be many, when asked. */
export function shownOf(histogram: Histogram, grid: IntegerGrid, clipped: Shown['clipped']): () => Shown {
  const {from, width, counts} = histogram.bins(BINS);
  const {scale, spacing, lowest, highest} = grid;
  const unit = scale.length > 1 ? 'steps' : 'value';
  const [low, high] = [
    lowest.reduce((a, b) => Math.min(a, b), Infinity),
    highest.reduce((a, b) => Math.max(a, b), -Infinity),
  ];
  const size = unit === 'steps' ? 1 / spacing : scale[0]!;
  return () => {
    const levels = Array.from({length: (high - low) / spacing + 1}, (_, i) => (low + i * spacing) * size);
    return {unit, from, width, counts, levels, clipped};
  };
}
